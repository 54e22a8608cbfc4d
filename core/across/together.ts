// A transaction of several partitions whose rows stand in one commit: what the messages of the other way would come to, decided at once. Nothing is
// reserved, nothing is sent, and nothing of it can be undecided (docs/decisions/024-heard-and-acknowledged.md).
import { type Refusal, refusalNumbers } from '../code.ts'
import type { PartitionState } from '../partition.ts'
import { type Row, sidelessRow } from '../row.ts'
import type { Decided } from '../transaction.ts'
import { type Begun, decidedWith, differ, factsOf, withFirst } from './coordinate.ts'
import type { Joint, LegAsset, Phase } from './joint.ts'
import { capturingRows } from './part.ts'
import { refusing, settle } from './participate.ts'

/** What the others do, not applied yet; of the one that refuses the record that it did, and nothing of the rest. */
export interface Together {
  readonly decided: Decided
  readonly phases: readonly (readonly [partition: number, phase: Phase])[]
}

export interface OtherParty {
  readonly state: Readonly<PartitionState>
  /** Its time. */
  readonly at: number
}

/**
 * It refers to a hold or an original of which an undecided transaction has still to take its part. It goes by messages as that one does, which come in
 * their order: decided at once it would overtake it, and a final capture would give back what the other is about to take.
 */
export const mustFollow = ({ joints }: Readonly<PartitionState>, { link }: Joint): boolean =>
  link !== undefined && joints.underWay.has(link)

/** Expects that the accounts of all parties are resident; `others` in the order of the transaction's parties. */
export function together(state: Readonly<PartitionState>, begun: Begun, others: readonly OtherParty[]): Together {
  const phases: (readonly [number, Phase])[] = []
  const found: LegAsset[] = []
  for (const other of others) {
    const { phase, answer } = settle(other.state, begun.joint, other.at)
    const refusal = answer.kind === 'refused' ? answer.code : undefined
    const part = [other.state.partition, phase] as const
    if (refusal !== undefined) return { decided: declinedTogether(begun, refusal), phases: [part] }
    phases.push(part)
    if (answer.kind === 'settled') found.push(...answer.assets)
  }
  const last = others.at(-1)
  if (last !== undefined && differ(found)) {
    const { phase } = refusing(last.state, begun.joint, last.at, 'asset_mismatch')
    return { decided: declinedTogether(begun, 'asset_mismatch'), phases: [[last.state.partition, phase]] }
  }
  return { decided: postedTogether(state, begun, found), phases }
}

/** All parties have settled; `found`: assets of legs that the coordinator could not know. */
export function postedTogether(
  state: Readonly<PartitionState>,
  { joint, at, tried }: Begun,
  found: readonly LegAsset[],
): Decided {
  return decidedWith(joint, at, withFirst(ownRows(state, tried, joint), joint), factsOf(state, joint, found))
}

function ownRows(
  state: Readonly<PartitionState>,
  { openings, posted, part }: Begun['tried'],
  joint: Joint,
): readonly Row[] {
  const { kind, link } = joint
  if (kind === 'capture') return capturingRows(state, joint, part)
  if (link === undefined) return openings.length === 0 ? posted : [...openings, ...posted]
  return [...openings, ...posted.map((row) => ({ ...row, link }))]
}

/** One has refused. */
export const declinedTogether = ({ joint, at }: Begun, refusal: Refusal): Decided =>
  decidedWith(joint, at, [sidelessRow(joint.command.type, refusalNumbers[refusal], undefined)], undefined)
