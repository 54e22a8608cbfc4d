// One partition as its host holds it in memory. Dropped whole on any trouble and read again from the ledger.
import { AccountStore } from '../core/account-store.ts'
import { newJoints } from '../core/across/joint.ts'
import { begin } from '../core/across/step.ts'
import { catalogAfter } from '../core/catalog.ts'
import type { IdKey } from '../core/identity.ts'
import { Lots } from '../core/lots.ts'
import type { PartitionState, Rules } from '../core/partition.ts'
import { openJointOf } from '../schemas/joint-record.ts'
import { TupleWriter } from '../schemas/journal-row.ts'
import { Links, openQuestions } from './links.ts'
import type { PlainRows } from './plain-rows.ts'
import type { Head } from './ports.ts'
import type { Position } from './position.ts'
import type { SeenIds } from './seen-ids.ts'
import type { Caution } from './suspects.ts'
import { Taken } from './taken.ts'

/** A few hundred rows; it grows. */
const writerBytes = 1 << 16

export interface Hosted {
  readonly partition: number
  readonly epoch: number
  readonly state: PartitionState
  /** Ids of the partition; survives a recovery, because an id that was added and not committed only costs a query. */
  readonly seen: SeenIds
  readonly links: Links
  /** Tickets of those who wait for a transaction that is not decided yet, by its key. */
  readonly waiters: Map<IdKey, number[]>
  /** House ids whose cells are all resident, with the batch number of their last use. */
  readonly houses: Map<string, { lastUsed: number }>
  /** Names in `accounts` of the resident cells, by key. */
  readonly cells: Map<number, string>
  /** The same as in `state`. */
  readonly accounts: AccountStore
  /** Plain transactions of batches that are not committed, the oldest batch first. */
  plainRows: PlainRows[]
  /** Transactions out of `plainRows` that are remembered since the last batch ended. */
  recalled: IdKey[]
  /** Transactions that a batch would have let go at its commit, had a later one not used them again. */
  usedAgain: IdKey[]
  /** Of the batch that is being put together; empty between batches. */
  readonly taken: Taken
  /** Rows of the batch that is being put together: those of a partition lie in one piece, whoever adds to them. */
  readonly writer: TupleWriter
  /** Consumed by decided batches, committed or not. */
  position: Position
  /** After the last decided batch. */
  chain: Uint8Array
  segment: number
  /** Commands that may have ended a former host are tried apart from all others. */
  caution: Caution | undefined
}

/** `besides`: partitions that are hosted in the same step. */
export function hostedAt(
  head: Head,
  rules: Rules,
  seen: SeenIds,
  caution: Caution | undefined,
  besides?: ReadonlySet<number>,
): Hosted {
  const accounts = new AccountStore()
  const state: PartitionState = {
    partition: head.partition,
    time: head.time,
    pseq: head.pseq,
    accountsOpened: head.accountsOpened,
    accounts,
    lots: new Lots(),
    remembered: new Map(),
    joints: newJoints(),
    catalog: catalogAfter(rules.assets, head.catalog.changes, head.catalog.version),
    exhausted: new Set(),
    rules,
  }
  resume(state, head)
  const hosted: Hosted = {
    partition: head.partition,
    epoch: head.epoch,
    state,
    seen,
    links: new Links(head.partition, head.links, besides),
    waiters: new Map(),
    houses: new Map(),
    cells: new Map(),
    accounts,
    plainRows: [],
    recalled: [],
    usedAgain: [],
    taken: new Taken(),
    writer: new TupleWriter(writerBytes),
    position: head.position,
    chain: head.chain,
    segment: head.segment,
    caution,
  }
  seeUndecided(hosted)
  return hosted
}

/** What is not decided has no row that could be found, or only a message: its id is seen as long as it is under way. */
export function seeUndecided({ seen, state }: Hosted): void {
  for (const idKey of state.joints.coordinations.keys()) seen.add(idKey)
}

/** Undecided transactions: of the long form from their records, of the short form from the questions that have no answer. */
function resume(state: PartitionState, { joints, links }: Head): void {
  for (const record of joints) begin(state, openJointOf(record))
  for (const link of links) {
    for (const { message } of openQuestions(link)) {
      if (message.kind !== 'settle') continue
      const { joint, part } = message
      begin(state, { role: 'coordination', of: { joint, part, form: 'settle', awaiting: [link.peer], assets: [] } })
    }
  }
}
