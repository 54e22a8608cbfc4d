// The HTTP contract (v1) as TypeScript types: what a client sends and what it gets back. Amounts are decimal strings in the asset's unit.
import type { Effect, ProblemCode } from '../../schemas/problem.ts'

export type { Effect, ProblemCode }

/** `"12.34"`: above zero where it is an amount to move; never a JSON number. */
export type Decimal = string
/** `YYYY-MM-DD` */
export type DateText = string
export type JsonObject = { readonly [name: string]: unknown }

export interface Asset {
  readonly code: string
  /** Decimals of the unit. */
  readonly scale: number
  /** An account of this asset opens by itself at its first credit. */
  readonly autoOpen: boolean
}

export interface OpenAccountRequest {
  readonly id: string
  readonly asset: string
  readonly overdraft?: Decimal
  readonly normal?: 'credit' | 'debit'
  readonly metadata?: JsonObject
}

export interface AccountChange {
  readonly status?: 'open' | 'frozen' | 'closed'
  readonly overdraft?: Decimal
}

export interface Account {
  readonly id: string
  readonly asset: string
  readonly balance: Decimal
  readonly held: Decimal
  readonly available: Decimal
  readonly overdraft: Decimal
  readonly status: 'open' | 'frozen' | 'closed'
  readonly normal?: 'credit' | 'debit'
  readonly seq: number
  readonly version: number
  readonly asOf: string
  readonly metadata?: JsonObject
}

export interface Entry {
  readonly seq: number
  readonly at: string
  readonly businessDate: DateText
  readonly transaction: string
  readonly type: string
  readonly counterparty: string | null
  /** Signed; 0 for a hold, a release, an expiry. */
  readonly amount: Decimal
  readonly heldChange: Decimal
  readonly balance: Decimal
  readonly held: Decimal
  readonly reference: string | null
}

/** What every transaction may carry. */
interface Given {
  /** 1-128 characters `[A-Za-z0-9._:-]`, chosen by the client, permanent: sending it again never posts twice. */
  readonly id: string
  readonly asset?: string
  readonly businessDate?: DateText
  /** Payment channel, `[a-z0-9_-]{1,32}`. */
  readonly channel?: string
  readonly reference?: string
  readonly metadata?: JsonObject
}

/** Waits to be decided: nothing is applied, and it may still be declined. */
export interface QueuedTransaction {
  readonly id: string
  readonly type: string
  readonly status: 'queued'
}

export interface Posting {
  readonly from: string
  readonly to: string
  readonly amount: Decimal
  readonly asset?: string
}

export type TransactionRequest = Given &
  (
    | { readonly type: 'debit'; readonly account: string; readonly amount: Decimal; readonly to?: string }
    | { readonly type: 'credit'; readonly account: string; readonly amount: Decimal; readonly from?: string }
    | { readonly type: 'transfer'; readonly from: string; readonly to: string; readonly amount: Decimal }
    | {
        readonly type: 'hold'
        readonly account: string
        readonly amount: Decimal
        readonly to?: string
        readonly expiresAt?: string
        /** Seconds. */
        readonly expiresIn?: number
      }
    | {
        readonly type: 'capture'
        readonly account: string
        readonly hold: string
        readonly amount?: Decimal
        readonly final?: boolean
      }
    | { readonly type: 'release'; readonly account: string; readonly hold: string }
    | { readonly type: 'refund'; readonly account: string; readonly of: string; readonly amount?: Decimal }
    | { readonly type: 'postings'; readonly transfers: readonly Posting[]; readonly owner?: string }
    | {
        readonly type: 'disbursement'
        readonly owner: string
        readonly loan: string
        readonly to: string
        readonly amount: Decimal
        readonly creditLine?: string
        readonly funders?: readonly { readonly account: string; readonly share: Decimal }[]
      }
    | {
        readonly type: 'points.earn'
        readonly owner: string
        readonly amount: Decimal
        readonly expiresOn: DateText
      }
    | { readonly type: 'points.redeem'; readonly owner: string; readonly amount: Decimal }
    | {
        readonly type: 'coupon.claim'
        readonly owner: string
        readonly campaign: string
        readonly order?: string
      }
    | {
        readonly type: 'coupon.redeem'
        readonly owner: string
        readonly campaign: string
        readonly order?: string
      }
    | {
        readonly type: 'coupon.return'
        readonly owner: string
        readonly campaign: string
        readonly order?: string
      }
    | {
        readonly type: 'order'
        readonly owner: string
        readonly total: Decimal
        readonly cash?: { readonly account: string; readonly amount: Decimal }
        readonly points?: { readonly amount: Decimal; readonly program?: string }
        readonly coupon?: { readonly campaign: string }
        readonly credit?: { readonly creditLine: string; readonly amount: Decimal }
        readonly merchant: string
      }
    | { readonly type: 'settle'; readonly merchant: string; readonly to: string; readonly amount?: Decimal }
  )

/** Money is decimal strings of `asset`, times are RFC 3339. */
export interface CampaignRequest {
  readonly asset: string
  /** Coupons ever issued. */
  readonly stock: number
  readonly limitPerCustomer?: number
  readonly claimFrom?: string
  readonly claimUntil?: string
  readonly validFrom?: string
  readonly validUntil?: string
  /** Good to the end of the so-manieth day after the claim, instead of `validFrom` and `validUntil`. */
  readonly validDays?: number
  readonly minimumSpend?: Decimal
  readonly discount: { readonly amount: Decimal } | { readonly percent: string; readonly cap?: Decimal }
  /** `return` if omitted. */
  readonly returnPolicy?: 'return' | 'burn'
}

export interface Campaign extends CampaignRequest {
  readonly code: string
  readonly version: number
  readonly pendingPartitions?: readonly number[]
  /** Where it was read: what became of the coupons. */
  readonly issued?: string
  readonly left?: string
  readonly claimed?: string
  readonly redeemed?: string
}

/** So many points are worth so much of the asset. */
export interface ProgramRequest {
  readonly asset: string
  readonly points: Decimal
  readonly worth: Decimal
}

export interface Program extends ProgramRequest {
  readonly code: string
  readonly version: number
  readonly pendingPartitions?: readonly number[]
}

export interface Points {
  readonly owner: string
  readonly programs: readonly {
    readonly program: string
    readonly available: Decimal
    readonly lots: readonly {
      readonly account: string
      readonly expiresOn: DateText
      readonly balance: Decimal
      readonly available: Decimal
      readonly expired: boolean
    }[]
  }[]
  readonly asOf: string
}

export type TransactionType = TransactionRequest['type']

/** The answer to a transaction that took effect: decided and durable. House accounts are not listed. */
export interface Receipt {
  readonly id: string
  readonly type: TransactionType
  readonly status: 'posted' | 'pending'
  readonly at: string
  readonly businessDate: DateText
  readonly accounts: readonly {
    readonly id: string
    readonly balance: Decimal
    readonly held: Decimal
    readonly seq: number
  }[]
}

export interface TransferView {
  readonly from: string
  readonly to: string
  readonly amount: Decimal
  readonly asset: string
  readonly kind: string
}

/** What became of a transaction since; members only where they make sense for its type. */
export interface TransactionNow {
  readonly state: string
  readonly captured?: Decimal
  readonly remaining?: Decimal
  readonly refunded?: Decimal
}

/** The head of a partition's chain of commits. */
export interface ChainHead {
  readonly partition: number
  readonly pseq: number
  /** Hex. */
  readonly chain: string
  readonly at: string
}

/** An RFC 9457 problem as Suanpan sends it. */
export interface SuanpanProblem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ProblemCode
  /** Sending the same again can help. */
  readonly retryable: boolean
  readonly effect: Effect
  /** The wrong field, `transfers[2].amount`-like; for `id_conflict` the first that differs. */
  readonly field?: string
  readonly instance?: string
  /** Of `insufficient_funds`. */
  readonly available?: Decimal
  readonly needed?: Decimal
}
