// What can be read of the ledger beside the actors: committed state only, from Postgres.
import type { AccountStatus, Normal } from '../core/account.ts'

/** Amounts are decimal strings in the asset's unit, signs as the outside sees them. */
export interface AccountView {
  readonly id: string
  readonly asset: string
  readonly balance: string
  readonly held: string
  readonly available: string
  readonly overdraft: string
  readonly status: AccountStatus
  readonly normal: Normal
  /** For a house account: the sum over its cells. */
  readonly seq: number
  readonly version: number
  /** RFC 3339: all that was committed up to then is in. */
  readonly asOf: string
  /** JSON text as given at the opening. */
  readonly metadata: string | undefined
}

export interface EntryView {
  readonly seq: number
  readonly at: string
  readonly businessDate: string
  readonly transaction: string
  readonly type: string
  readonly counterparty: string | null
  /** Signed; 0 for a hold, a release, an expiry. */
  readonly amount: string
  readonly heldChange: string
  readonly balance: string
  readonly held: string
  readonly reference: string | null
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Cursor of the next page; null at the end. */
  readonly next: string | null
}

export interface TransactionView {
  /** The first answer, HTTP status and JSON text (a problem if it was declined). */
  readonly http: number
  readonly body: string
  readonly transfers: readonly {
    readonly from: string
    readonly to: string
    readonly amount: string
    readonly asset: string
    readonly kind: string
  }[]
  /** What became of it since; members only where they make sense for the type. */
  readonly now: {
    readonly state: string
    readonly captured?: string
    readonly remaining?: string
    readonly refunded?: string
  }
}

/** The points of an owner by lot, those that expire first first. Amounts are decimal strings. */
export interface PointsView {
  readonly owner: string
  readonly programs: readonly {
    /** Code of the points' asset. */
    readonly program: string
    /** What could be redeemed now. */
    readonly available: string
    readonly lots: readonly {
      readonly account: string
      readonly expiresOn: string
      readonly balance: string
      readonly available: string
      /** Its last day is over. */
      readonly expired: boolean
    }[]
  }[]
  readonly asOf: string
}

export interface EntriesQuery {
  readonly after: string | undefined
  /** 1 to 1,000. */
  readonly limit: number
  readonly order: 'asc' | 'desc'
}

export interface Reads {
  /** `asset` is needed only where a house account has several; undefined: no such account. */
  account(id: string, asset: string | undefined): Promise<AccountView | undefined>
  accountsOf(owner: string, query: { after: string | undefined; limit: number }): Promise<Page<AccountView>>
  points(owner: string): Promise<PointsView>
  /** What the cells of a house account hold in all partitions but one, minor units by asset. */
  cellsElsewhere(id: string, partition: number): Promise<Readonly<Record<string, string>>>
  transaction(owner: string, id: string): Promise<TransactionView | undefined>
  /** Throws `RangeError` for a cursor that is not one; undefined: no such account. */
  entries(id: string, asset: string | undefined, query: EntriesQuery): Promise<Page<EntryView> | undefined>
  /** The chain head of each partition, hex. */
  heads(): Promise<readonly { partition: number; pseq: number; chain: string; at: string }[]>
  /** Resolves if any shard answers: what /readyz asks. One that is away stops its own partitions only. */
  ping(): Promise<void>
}
