// A decided transaction, and what a partition remembers of a transaction id when a later command names it.
import type { Command } from './command.ts'
import type { IdKey } from './identity.ts'
import type { Row } from './row.ts'

/** Facts of a decision that rows do not carry; stored with it so that its answer can be rebuilt. Amounts are decimal strings. */
export interface Facts {
  /** insufficient_funds */
  readonly available?: string
  readonly needed?: string
  /** order: what the points are worth and the coupon takes off, and what becomes of the coupon when the order is refunded. */
  readonly pointsValue?: string
  readonly discount?: string
  readonly returnPolicy?: 'return' | 'burn'
  /** order_not_balanced: as given, and what the parts sum up to. */
  readonly total?: string
  readonly sum?: string
  /** open, change: the account after it. */
  readonly status?: 'open' | 'frozen' | 'closed'
  readonly overdraft?: string
  readonly version?: number
  /** change: what it does not touch, as it stood: number of the account's last row, balance and held, minor units as integers. */
  readonly seq?: number
  readonly balance?: string
  readonly held?: string
  /** hold: epoch milliseconds at which it runs out. */
  readonly expiresAt?: number
  /** Several transfers across partitions: all of them, because the rows of this partition do not tell. */
  readonly legs?: readonly LegText[]
}

export type LegText = readonly [from: string, to: string, amount: string, asset: string]

/** One decision, accepted or declined: everything its answer is rendered from. */
export interface Decided {
  readonly idKey: IdKey
  readonly command: Command
  /** Time of the command, epoch milliseconds, never before that of an earlier decision of the partition. */
  readonly at: number
  /** Business date, days since 1970-01-01. */
  readonly date: number
  readonly rows: readonly [Row, ...Row[]]
  readonly facts: Facts | undefined
}

/** All that the journal holds about one id: its own decision and the rows of other transactions that link to it, in journal order. */
export interface Remembered {
  /** undefined: the id itself was never decided, only a tombstone names it. */
  decided: Decided | undefined
  /** Accepted rows only: captures, releases, expiry, tombstone of a hold; refunds of an original. */
  readonly links: Row[]
  /** Batch number of the last use. Owned by the host, not by core. */
  lastUsed?: number
}
