// A participant's side of a transaction across partitions: settling it as the last agent, or reserving its part and doing later what the
// coordinator decided.
import { type Refusal, refusalNumbers } from '../code.ts'
import type { IdKey } from '../identity.ts'
import { violated } from '../invariant.ts'
import type { PartitionState } from '../partition.ts'
import { type Row, sidelessRow } from '../row.ts'
import { firstLegOf, type Joint, type LinkMessage, type Phase } from './joint.ts'
import { postingRows, promisesFit, releasingRows, reservingRows, tryPart } from './part.ts'
import type { Step } from './step.ts'

/** What a last agent journals and answers. */
interface LastAgent {
  readonly phase: Phase
  readonly answer: Extract<LinkMessage, { kind: 'settled' | 'refused' }>
}

/** The last agent: posts or refuses at once, and that is the decision. */
export function settle(state: Readonly<PartitionState>, joint: Joint, at: number): LastAgent {
  const firstLeg = firstLegOf(partyOf(state, joint), 0)
  const tried = tryPart(state, joint, firstLeg)
  if ('refusal' in tried) return refusing(state, joint, at, tried.refusal)
  const { openings, posted, assets } = tried
  const rows = openings.length === 0 ? posted : [...openings, ...posted]
  return { phase: { joint, at, rows: nonEmpty(rows) }, answer: { kind: 'settled', idKey: joint.idKey, assets } }
}

export const settling = (state: Readonly<PartitionState>, joint: Joint, at: number): Step =>
  stepOf(joint, settle(state, joint, at))

export function reserve(state: Readonly<PartitionState>, joint: Joint, at: number): Step {
  const firstLeg = firstLegOf(partyOf(state, joint), 0)
  const tried = tryPart(state, joint, firstLeg)
  if ('refusal' in tried) return refuse(state, joint, at, tried.refusal)
  if (!promisesFit(state, tried.part)) return refuse(state, joint, at, 'amount_overflow')
  return {
    phase: { joint, at, rows: reservingRows(state, tried, firstLeg) },
    begins: { role: 'participation', of: { joint, part: tried.part } },
    sends: answer(joint, { kind: 'reserved', idKey: joint.idKey, assets: tried.assets }),
  }
}

/** Also for a message that cannot be decided at all: `internal_error`. */
export const refuse = (state: Readonly<PartitionState>, joint: Joint, at: number, refusal: Refusal): Step =>
  stepOf(joint, refusing(state, joint, at, refusal))

/** Without figures: they are for the owner of the account alone. */
export function refusing(state: Readonly<PartitionState>, joint: Joint, at: number, refusal: Refusal): LastAgent {
  const row = sidelessRow(joint.command.type, refusalNumbers[refusal], undefined)
  return {
    phase: { joint, at, rows: [{ ...row, leg: firstLegOf(partyOf(state, joint), 0) }] },
    answer: { kind: 'refused', idKey: joint.idKey, code: refusal },
  }
}

const stepOf = (joint: Joint, { phase, answer: message }: LastAgent): Step => ({ phase, sends: answer(joint, message) })

/** A decided `post` is never refused. */
export function post(state: Readonly<PartitionState>, idKey: IdKey, at: number): Step {
  const open = state.joints.participations.get(idKey)
  if (open === undefined) return violated('posts_what_it_reserved', {})
  const { joint, part } = open
  const rows = postingRows(state, joint.kind, part, firstLegOf(partyOf(state, joint), 1), undefined)
  return ended(joint, rows, at)
}

/** Undefined: it refused itself, and has nothing to give back. */
export function release(state: Readonly<PartitionState>, idKey: IdKey, at: number): Step | undefined {
  const open = state.joints.participations.get(idKey)
  if (open === undefined) return undefined
  const { joint, part } = open
  return ended(joint, releasingRows(state, part, firstLegOf(partyOf(state, joint), 1)), at)
}

function ended(joint: Joint, rows: readonly Row[], at: number): Step {
  const [first, ...others] = rows
  const ends = { role: 'participation', idKey: joint.idKey } as const
  return first === undefined ? { ends, sends: [] } : { phase: { joint, at, rows: [first, ...others] }, ends, sends: [] }
}

const answer = ({ parties }: Joint, message: LinkMessage) => [{ to: parties[0] ?? -1, message }]

function partyOf({ partition }: Readonly<PartitionState>, { parties, command }: Joint): number {
  const party = parties.indexOf(partition)
  return party > 0 ? party : violated('asked_as_a_party', { id: command.id, partition })
}

const nonEmpty = ([first, ...others]: readonly Row[]): readonly [Row, ...Row[]] =>
  first === undefined ? violated('a_party_has_legs') : [first, ...others]
