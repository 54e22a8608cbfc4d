// One partition as its host holds it in memory. Dropped whole on any trouble and read again from the ledger.
import { AccountStore } from '../core/account-store.ts'
import { catalogAfter } from '../core/catalog.ts'
import type { IdKey } from '../core/identity.ts'
import { Lots } from '../core/lots.ts'
import type { PartitionState, Rules } from '../core/partition.ts'
import { SeenIds } from './id-filter.ts'
import type { PlainRows } from './plain-rows.ts'
import type { Head } from './ports.ts'
import type { Position } from './position.ts'
import type { Caution } from './suspects.ts'
import { Taken } from './taken.ts'

export interface Hosted {
  readonly partition: number
  readonly epoch: number
  readonly state: PartitionState
  /** Ids of the partition; survives a recovery, because an id that was added and not committed only costs a query. */
  readonly seen: SeenIds
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
  /** Of the batch that is being put together; empty between batches. */
  readonly taken: Taken
  /** Consumed by decided batches, committed or not. */
  position: Position
  /** After the last decided batch. */
  chain: Uint8Array
  segment: number
  /** Commands that may have ended a former host are tried apart from all others. */
  caution: Caution | undefined
}

export function hostedAt(head: Head, rules: Rules, seen: SeenIds, caution: Caution | undefined): Hosted {
  const accounts = new AccountStore()
  return {
    partition: head.partition,
    epoch: head.epoch,
    state: {
      partition: head.partition,
      time: head.time,
      pseq: head.pseq,
      accountsOpened: head.accountsOpened,
      accounts,
      lots: new Lots(),
      remembered: new Map(),
      catalog: catalogAfter(rules.assets, head.catalog.changes, head.catalog.version),
      exhausted: new Set(),
      rules,
    },
    seen,
    houses: new Map(),
    cells: new Map(),
    accounts,
    plainRows: [],
    recalled: [],
    taken: new Taken(),
    position: head.position,
    chain: head.chain,
    segment: head.segment,
    caution,
  }
}

export const freshSeenIds = (): SeenIds => new SeenIds()
