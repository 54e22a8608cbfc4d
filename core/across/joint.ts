// A transaction whose accounts live in several partitions, as all its parties know it, and what a partition keeps of it until it is over.
//
//   coordination:   started -> every party has answered, or one refused -> decided (posted or declined)
//   participation:  reserved -> posted | released                          (long form only; a last agent decides at once)
//
// The protocol is drawn in docs/decisions/023-across-owners.md.
import type { Refusal } from '../code.ts'
import type { TransactionCommand } from '../command.ts'
import { type IdKey, isHouse, ownerOfAccount } from '../identity.ts'
import type { PartitionState, Rules } from '../partition.ts'
import type { PostedKind, Row } from '../row.ts'
import type { Pledge } from './pledge.ts'

/** The cell that half of a leg goes through: what left one partition and has not reached the other. Kept by the ledger alone. */
export const transitId = 'house:transit'

export interface Leg {
  readonly from: string
  readonly to: string
  /** Decimal, as in commands. */
  readonly amount: string
  /** As given. */
  readonly asset: string | undefined
  /** What the coordinator knows it to be, of an account of its own or of an original. */
  readonly known: string | undefined
}

export interface Joint {
  readonly idKey: IdKey
  readonly command: TransactionCommand
  readonly kind: PostedKind
  /** In the order in which they are checked and posted. A refund's are those of its original, turned round. */
  readonly legs: readonly Leg[]
  /** Business date, days since 1970-01-01: the same in all partitions. */
  readonly date: number
  /** Key of the original that is refunded, or of the hold that is captured. */
  readonly link: IdKey | undefined
  /** Partitions; the first coordinates. A party's number is its place here. */
  readonly parties: readonly number[]
}

/** What one party does of a transaction, with everything resolved: enough to post it or to give it back without looking at anything again. */
export interface Part {
  readonly moves: readonly Move[]
  /** What is held for it, by account id (never the house's). */
  readonly holds: readonly (readonly [account: string, amount: bigint])[]
}

export interface Move {
  /** Accounts of this partition, or `house:transit`. */
  readonly from: string
  readonly to: string
  /** Minor units. */
  readonly amount: bigint
  readonly asset: string
  readonly far: string | undefined
}

export interface Coordination {
  readonly joint: Joint
  readonly part: Part
  /** `settle`: the one other party decides. */
  readonly form: 'settle' | 'reserve'
  /** Partitions that have not answered. */
  readonly awaiting: readonly number[]
  /** By number of the leg: what parties found its asset to be. */
  readonly assets: readonly LegAsset[]
}

export type LegAsset = readonly [leg: number, asset: string]

export interface Participation {
  readonly joint: Joint
  readonly part: Part
}

/** Of one partition. */
export interface Joints {
  readonly coordinations: Map<IdKey, Coordination>
  readonly participations: Map<IdKey, Participation>
  /** By `accountName`. */
  readonly pledges: Map<string, Pledge>
  /** By key of the original or hold: what undecided refunds or captures will take of it. */
  readonly underWay: Map<IdKey, UnderWay>
}

export interface UnderWay {
  /** Minor units; of an original across partitions those of its first leg. */
  readonly amount: bigint
  /** Nothing will be left of the hold: one of them is final. */
  readonly whole: boolean
}

export const newJoints = (): Joints => ({
  coordinations: new Map(),
  participations: new Map(),
  pledges: new Map(),
  underWay: new Map(),
})

/** Undecided transactions that a partition coordinates at most: beyond it new ones are refused as overload, and nothing is recorded. */
export const coordinationsMax = 16_384

// ---- messages -------------------------------------------------------------------------------------------------------------------

export type LinkMessage =
  /** `part`: the coordinator's own; it comes back from its outbox after a crash, and is nothing to the receiver. */
  | { readonly kind: 'settle'; readonly joint: Joint; readonly part: Part }
  | { readonly kind: 'reserve'; readonly joint: Joint }
  /** Assets of the legs that the coordinator cannot know them of. */
  | { readonly kind: 'settled'; readonly idKey: IdKey; readonly assets: readonly LegAsset[] }
  | { readonly kind: 'reserved'; readonly idKey: IdKey; readonly assets: readonly LegAsset[] }
  | { readonly kind: 'refused'; readonly idKey: IdKey; readonly code: Refusal }
  | { readonly kind: 'post' | 'release'; readonly idKey: IdKey }

export interface Sent {
  /** Partition. */
  readonly to: number
  readonly message: LinkMessage
}

/** Rows of one party at one stage: journaled like a decision, under the same key, but not the decision of the id. */
export interface Phase {
  readonly joint: Joint
  readonly at: number
  readonly rows: readonly [Row, ...Row[]]
}

// ---- who takes part -------------------------------------------------------------------------------------------------------------

/** Legs of a row: `party * 512 + stage * 256 + n`. The decision of the coordinator is stage 0 of party 0: legs 0, 1, 2.. as of any transaction. */
export const stageLegs = 256
export const partiesMax = 64
export const firstLegOf = (party: number, stage: 0 | 1): number => (party * 2 + stage) * stageLegs

/** Where a side of a leg lives: a house account beside the other side, and beside the coordinator where both are the house's. */
export function placeOf(account: string, other: string, rules: Rules, coordinator: number): number {
  if (!isHouse(account)) return rules.partitionOf(ownerOfAccount(account))
  return isHouse(other) ? coordinator : rules.partitionOf(ownerOfAccount(other))
}

/** Whether it is an account of another partition. One that is resident is looked up instead of hashed. */
export const livesElsewhere = ({ accounts, rules, partition }: Readonly<PartitionState>, id: string): boolean =>
  !isHouse(id) && !accounts.has(id) && rules.partitionOf(ownerOfAccount(id)) !== partition

/** Whether an account of the legs lives elsewhere. */
export const isAcross = (
  state: Readonly<PartitionState>,
  legs: readonly { readonly from: string; readonly to: string }[],
): boolean => legs.some(({ from, to }) => livesElsewhere(state, from) || livesElsewhere(state, to))

export function partiesOf(legs: readonly Leg[], rules: Rules, coordinator: number): readonly number[] {
  const parties = [coordinator]
  for (const { from, to } of legs) {
    const sides = [placeOf(from, to, rules, coordinator), placeOf(to, from, rules, coordinator)]
    for (const side of sides) if (!parties.includes(side)) parties.push(side)
  }
  return parties
}

/** What a party has to do with a leg. */
export interface Half {
  readonly leg: number
  readonly from: string
  readonly to: string
  readonly far: string | undefined
}

export function halvesOf({ legs, parties }: Joint, rules: Rules, partition: number): readonly Half[] {
  const coordinator = parties[0] ?? partition
  const halves: Half[] = []
  for (const [leg, { from, to }] of legs.entries()) {
    const leaves = placeOf(from, to, rules, coordinator) === partition
    const arrives = placeOf(to, from, rules, coordinator) === partition
    if (leaves && arrives) halves.push({ leg, from, to, far: undefined })
    else if (leaves) halves.push({ leg, from, to: transitId, far: to })
    else if (arrives) halves.push({ leg, from: transitId, to, far: from })
  }
  return halves
}
