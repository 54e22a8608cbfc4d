// What a client asks, as a normalised body: defaults of `to`, `from` and `final` filled, amounts as plain decimal strings without
// trailing zeros, metadata as JSON with sorted keys. Two bodies are the same exactly if these commands are equal field by field.

import type { CatalogChange } from './catalog.ts'

/** Fields that every transaction may carry, in the order in which bodies are compared (after the type's own fields). */
interface Given {
  /** The client's id of the transaction, or one that begins with `!` made at intake. */
  readonly id: string
  readonly asset?: string | undefined
  /** `YYYY-MM-DD` as given; omitted: the date of the command's time in the ledger's time zone. */
  readonly businessDate?: string | undefined
  readonly channel?: string | undefined
  readonly reference?: string | undefined
  /** JSON text with sorted keys, at most 2 kB. */
  readonly metadata?: string | undefined
}

export interface Debit extends Given {
  readonly type: 'debit'
  readonly account: string
  readonly amount: string
  readonly to: string
}
export interface Credit extends Given {
  readonly type: 'credit'
  readonly account: string
  readonly amount: string
  readonly from: string
}
export interface Transfer extends Given {
  readonly type: 'transfer'
  readonly from: string
  readonly to: string
  readonly amount: string
}
export interface PlaceHold extends Given {
  readonly type: 'hold'
  readonly account: string
  readonly amount: string
  readonly to: string
  /** RFC 3339 as given, or seconds from the command's time; at most one of them. */
  readonly expiresAt?: string | undefined
  readonly expiresIn?: number | undefined
}
export interface Capture extends Given {
  readonly type: 'capture'
  readonly account: string
  /** The id of the hold transaction, of the same owner. */
  readonly hold: string
  readonly amount?: string | undefined
  readonly final: boolean
}
export interface Release extends Given {
  readonly type: 'release'
  readonly account: string
  readonly hold: string
}
export interface Refund extends Given {
  readonly type: 'refund'
  readonly account: string
  /** The id of the original transaction, of the same owner. */
  readonly of: string
  readonly amount?: string | undefined
}
export interface Posting {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly asset?: string | undefined
}
export interface Postings extends Given {
  readonly type: 'postings'
  readonly owner?: string | undefined
  readonly transfers: readonly Posting[]
}
/** Points that may be used to the end of a day: into the lot of that day. `asset` is the program, POINTS if omitted. */
export interface EarnPoints extends Given {
  readonly type: 'points.earn'
  readonly owner: string
  readonly amount: string
  /** `YYYY-MM-DD`, or `YYYY-MM` for the last day of a month; compared as given. */
  readonly expiresOn: string
}
/** Burns points, those that expire first first. */
export interface RedeemPoints extends Given {
  readonly type: 'points.redeem'
  readonly owner: string
  readonly amount: string
}
interface OfCoupon extends Given {
  readonly owner: string
  readonly campaign: string
  /** The merchant's own name of what it is for; a return names that of the redemption. */
  readonly order?: string | undefined
}
/** Moves one coupon from the campaign's stock to the owner. */
export interface ClaimCoupon extends OfCoupon {
  readonly type: 'coupon.claim'
}
/** Burns one coupon of the owner, the one that expires first. */
export interface RedeemCoupon extends OfCoupon {
  readonly type: 'coupon.redeem'
}
/** Takes a redemption back. */
export interface ReturnCoupon extends OfCoupon {
  readonly type: 'coupon.return'
}
/** Cash, credit line, points and coupon of one customer against a merchant's takings, all or nothing. */
export interface PlaceOrder extends Given {
  readonly type: 'order'
  readonly owner: string
  readonly total: string
  readonly cash?: { readonly account: string; readonly amount: string } | undefined
  readonly points?: { readonly amount: string; readonly program?: string | undefined } | undefined
  readonly coupon?: { readonly campaign: string } | undefined
  readonly credit?: { readonly creditLine: string; readonly amount: string } | undefined
  readonly merchant: string
}
/** Pays a loan out. */
export interface Disburse extends Given {
  readonly type: 'disbursement'
  readonly owner: string
  readonly loan: string
  readonly to: string
  readonly amount: string
  readonly creditLine?: string | undefined
  /** Empty: the house lends by itself. Shares are decimals that sum up to 1. */
  readonly funders: readonly Funder[]
}
export interface Funder {
  readonly account: string
  readonly share: string
}
/** Moves a merchant's takings to an account of the merchant. */
export interface Settle extends Given {
  readonly type: 'settle'
  readonly merchant: string
  readonly to: string
  /** Omitted: all of them. */
  readonly amount?: string | undefined
  /** JSON: what the cells of the other partitions held when intake looked, minor units by asset. Not compared. */
  readonly others: string
}
/** Burns what is left in the owner's lots of all programs whose day is over; the id begins with `!`. */
export interface ExpirePoints {
  readonly type: 'points.expire'
  readonly id: string
  readonly owner: string
}
/** A change of what every partition sees in order (see `catalog.ts`), on its way to one of them; the id begins with `!`. */
export interface ChangeCatalog extends CatalogChange {
  readonly type: 'catalog'
  readonly id: string
  readonly partition: number
  /** Of the ledger: a campaign's stock is split over them. */
  readonly partitions: number
}
/** Moves a campaign's stock out of a partition or into it, or closes it there; the id begins with `!`. */
export interface MoveStock {
  readonly type: 'stock'
  readonly id: string
  readonly partition: number
  readonly campaign: string
  readonly action: 'recall' | 'grant' | 'close'
  /** Coupons, of a grant. */
  readonly amount?: number | undefined
}
/** Opens an account; the id begins with `!`. */
export interface OpenAccount {
  readonly type: 'open'
  readonly id: string
  readonly account: string
  readonly asset: string
  readonly overdraft: string
  readonly normal: 'credit' | 'debit'
  readonly metadata?: string | undefined
}
/** Freezes, closes, re-opens or sets the limit of an account; the id begins with `!`. */
export interface ChangeAccount {
  readonly type: 'change'
  readonly id: string
  readonly account: string
  readonly status?: 'open' | 'frozen' | 'closed' | undefined
  readonly overdraft?: string | undefined
  /** The version that the client saw (If-Match). */
  readonly ifVersion?: number | undefined
}
/** Makes the actor look at its clock: holds of the account that have run out are expired. Leaves no row of its own. */
export interface ExpireHolds {
  readonly type: 'expire'
  readonly id: string
  readonly account: string
}

export type TransactionCommand =
  | Debit
  | Credit
  | Transfer
  | PlaceHold
  | Capture
  | Release
  | Refund
  | Postings
  | EarnPoints
  | RedeemPoints
  | ClaimCoupon
  | RedeemCoupon
  | ReturnCoupon
  | PlaceOrder
  | Disburse
  | Settle
export type TransactionType = TransactionCommand['type']
/** What goes to a partition, whoever the owner is. */
export type PartitionCommand = ChangeCatalog | MoveStock
export type Command = TransactionCommand | PartitionCommand | ExpirePoints | OpenAccount | ChangeAccount | ExpireHolds
