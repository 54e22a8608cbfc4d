// The coordinator's side of a transaction across partitions: reserving and asking, then deciding from the answers. Its partition is that of the
// command's owner, so the id is decided here and nowhere else.
import { type Refusal, refusalNumbers } from '../code.ts'
import type { TransactionCommand } from '../command.ts'
import { businessDateOf, type Decision, declined } from '../decision.ts'
import type { Draft } from '../draft.ts'
import type { IdKey } from '../identity.ts'
import { violated } from '../invariant.ts'
import { formatMinor, parseAmount } from '../money.ts'
import type { PartitionState, Received } from '../partition.ts'
import { type PostedKind, type Row, sidelessRow } from '../row.ts'
import type { Decided, Facts, LegText } from '../transaction.ts'
import {
  type Coordination,
  coordinationsMax,
  firstLegOf,
  halvesOf,
  type Joint,
  type Leg,
  type LegAsset,
  type LinkMessage,
  type Part,
  partiesMax,
  partiesOf,
  type Sent,
} from './joint.ts'
import { capturingRows, postingRows, promisesFit, releasingRows, reservingRows, type Tried, tryPart } from './part.ts'
import type { Step } from './step.ts'

/** What one transaction is to do, wherever its accounts live. */
export interface Plan {
  readonly kind: PostedKind
  readonly legs: readonly Leg[]
  /** Key of the original that is refunded, or of the hold that is captured. */
  readonly link: IdKey | undefined
  /** What the coordinator does of it, where that is not what its legs say: checked by the command, and held before. */
  readonly part?: Part
  /** With what the command opens in its own way; default: nothing. */
  readonly draft?: Draft
}

/** A transaction that accounts elsewhere take part in, and whose own part would hold. Nothing is reserved yet, and nobody asked. */
export interface Begun {
  readonly joint: Joint
  readonly at: number
  readonly tried: Tried
}

/** Refused at once where the own part does not hold: then nobody is asked. Else `together` or `asking` goes on. */
export function startJoint(
  state: Readonly<PartitionState>,
  received: Received,
  command: TransactionCommand,
  at: number,
  { kind, legs, link, draft, part: own }: Plan,
): Decision {
  const { idKey } = received
  const parties = partiesOf(legs, state.rules, state.partition)
  if (parties.length < 2 || parties.length > partiesMax) violated('parties_of_a_joint', { parties: parties.length })
  const asked = { idKey, command, kind, legs, date: businessDateOf(state, command, at), link, parties }
  const tried =
    own === undefined ? tryPart(state, asked, 0, draft) : { openings: [], posted: [], part: own, assets: [] }
  if ('refusal' in tried) return declined(state, received, at, tried.refusal, tried.facts)
  const joint: Joint = { ...asked, legs: known(legs, tried.posted, state, asked) }
  return { kind: 'started', begun: { joint, at, tried } }
}

/** Reserves the coordinator's own part and asks the others; or says why not. */
export function asking(
  state: Readonly<PartitionState>,
  received: Received,
  { joint, at, tried }: Begun,
): Step | Decision {
  if (state.joints.coordinations.size >= coordinationsMax) return { kind: 'overloaded' }
  if (!promisesFit(state, tried.part)) return declined(state, received, at, 'amount_overflow')
  const { part } = tried
  const others = joint.parties.slice(1)
  const form = others.length === 1 ? 'settle' : 'reserve'
  const message: LinkMessage = form === 'settle' ? { kind: 'settle', joint, part } : { kind: 'reserve', joint }
  return {
    phase: { joint, at, rows: reservingRows(state, tried, firstLegOf(0, 1)) },
    begins: { role: 'coordination', of: { joint, part, form, awaiting: others, assets: [] } },
    sends: others.map((to) => ({ to, message })),
  }
}

/** An answer of one party. Undefined: nothing waits for it any more, because another has refused. */
export function hearAnswer(
  state: Readonly<PartitionState>,
  from: number,
  message: Extract<LinkMessage, { kind: 'settled' | 'reserved' | 'refused' }>,
  at: number,
): Step | undefined {
  const open = state.joints.coordinations.get(message.idKey)
  if (open === undefined) return undefined
  if (!open.awaiting.includes(from)) return violated('a_party_answers_once', { id: open.joint.command.id, from })
  if (message.kind === 'refused') return decline(state, open, from, message.code, at)
  const awaiting = open.awaiting.filter((party) => party !== from)
  const assets = [...open.assets, ...message.assets]
  if (awaiting.length > 0) return { waits: { ...open, awaiting, assets }, sends: [] }
  if (open.form === 'reserve' && differ(assets)) return decline(state, open, undefined, 'asset_mismatch', at)
  return post(state, { ...open, assets }, at)
}

function post(state: Readonly<PartitionState>, { joint, part, form, assets }: Coordination, at: number): Step {
  const { kind, link } = joint
  const rows = kind === 'capture' ? capturingRows(state, joint, part) : postingRows(state, kind, part, 0, link)
  const decided = decidedWith(joint, at, withFirst(rows, joint), factsOf(state, joint, assets))
  const sends = form === 'settle' ? [] : toOthers(joint, undefined, { kind: 'post', idKey: joint.idKey })
  return { decided, ends: { role: 'coordination', idKey: joint.idKey }, sends }
}

/** `refuser` has nothing to give back; the last agent neither. */
function decline(
  state: Readonly<PartitionState>,
  { joint, part, form }: Coordination,
  refuser: number | undefined,
  refusal: Refusal,
  at: number,
): Step {
  const rows = [
    sidelessRow(joint.command.type, refusalNumbers[refusal], undefined),
    ...releasingRows(state, part, 1),
  ] as const
  const sends = form === 'settle' ? [] : toOthers(joint, refuser, { kind: 'release', idKey: joint.idKey })
  return { decided: decidedWith(joint, at, rows, undefined), ends: { role: 'coordination', idKey: joint.idKey }, sends }
}

/** One transfer is told by its row, and is refunded in parts; all else by its legs, as a whole. */
export const factsOf = (
  state: Readonly<PartitionState>,
  { legs, kind }: Joint,
  assets: readonly LegAsset[],
): Facts | undefined =>
  legs.length === 1 && kind !== 'disbursement'
    ? undefined
    : { legs: legs.map((leg, i) => legText(state, leg, i, assets)) }

export const decidedWith = (
  { idKey, command, date }: Joint,
  at: number,
  rows: readonly [Row, ...Row[]],
  facts: Facts | undefined,
): Decided => ({ idKey, command, at, date, rows, facts })

export const withFirst = ([first, ...others]: readonly Row[], { kind, link }: Joint): readonly [Row, ...Row[]] =>
  first === undefined ? [sidelessRow(kind, 0, link)] : [first, ...others]

const toOthers = ({ parties }: Joint, but: number | undefined, message: LinkMessage): readonly Sent[] =>
  parties
    .slice(1)
    .filter((to) => to !== but)
    .map((to) => ({ to, message }))

/** The legs with the assets that the own accounts gave them, so that the other side is held to them. */
function known(
  legs: readonly Leg[],
  posted: readonly Row[],
  { rules, partition }: Readonly<PartitionState>,
  joint: Joint,
): readonly Leg[] {
  const assets = new Map<number, string>()
  for (const [i, { leg }] of halvesOf(joint, rules, partition).entries()) {
    const asset = posted[i]?.from?.asset.code
    if (asset !== undefined) assets.set(leg, asset)
  }
  return legs.map((leg, i) => (assets.has(i) ? { ...leg, known: assets.get(i) } : leg))
}

/** Two parties found a leg to be of different assets. */
export function differ(assets: readonly LegAsset[]): boolean {
  const first = new Map<number, string>()
  for (const [leg, asset] of assets) {
    const other = first.get(leg)
    if (other === undefined) first.set(leg, asset)
    else if (other !== asset) return true
  }
  return false
}

/** The amount with the decimals of its asset, as an answer shows it. */
function legText({ catalog }: Readonly<PartitionState>, leg: Leg, index: number, found: readonly LegAsset[]): LegText {
  const asset = leg.known ?? leg.asset ?? found.find(([number]) => number === index)?.[1] ?? ''
  const scale = catalog.assets.get(asset)?.scale ?? 0
  const minor = parseAmount(leg.amount, scale)
  return [leg.from, leg.to, typeof minor === 'bigint' ? formatMinor(minor, scale) : leg.amount, asset]
}
