// A row of the journal: one transfer with both its sides, or one decision without sides (declined, opened, changed, tombstone).
// The one shape that deciding writes, applying reads, the journal stores and `verify` replays.
import type { Account, AccountRef } from './account.ts'
import type { Hold } from './hold.ts'
import type { IdKey } from './identity.ts'

/** Stored numbers, append only. A capture that releases a rest writes two rows: `capture`, then `release`. */
export const rowKinds = {
  debit: 1,
  credit: 2,
  transfer: 3,
  hold: 4,
  capture: 5,
  release: 6,
  /** What was left of a hold that ran out; its transaction id is `!expire:<hold id>`. */
  expire: 7,
  refund: 8,
  postings: 9,
  /** A release that came before its hold: `link` is the hold's key, no sides. */
  tombstone: 10,
  open: 11,
  change: 12,
  /** An amount that a transaction across partitions will take: it enters `held` of `from`, or leaves it again. See `core/across`. */
  reserve: 13,
  unreserve: 14,
  'points.earn': 40,
  'points.redeem': 41,
  'points.expire': 42,
  /** The next change of the catalog, no sides; of a campaign the rows of its new stock follow. */
  catalog: 43,
  'coupon.issue': 44,
  /** Stock of a campaign that leaves or comes into the partition. */
  stock: 45,
  /** Nothing of a campaign's stock is left anywhere, no sides. */
  'stock.close': 46,
  'coupon.claim': 47,
  'coupon.redeem': 48,
  'coupon.return': 49,
  order: 50,
  disbursement: 51,
  settle: 52,
  // Up to 63: see `kindBits`.
} as const

export type RowKind = keyof typeof rowKinds

/** Of which sides the amount of a posted row leaves `held` too, because it was reserved before: bits. Stored as bits 64 and 128 of the kind. */
export const reservedOf = { from: 1, to: 2 } as const
/** What `storedKind` made of it: base kind and bits. */
export const kindBits = 63
export const storedKind = ({ kind, reserved }: Pick<Row, 'kind' | 'reserved'>): number =>
  reserved === undefined ? rowKinds[kind] : rowKinds[kind] + reserved * 64

/**
 * Sides: `from` is debited, `to` is credited; for `hold`, `release` and `expire` the amount enters or leaves `held` of `from`,
 * and `to` is only named (toSeq 0). For `open` and `change` the account is `from` and fromSeq is 0.
 * A side is touched exactly if its seq is > 0; balance and held are those after the row, in minor units.
 */
export interface Row {
  readonly kind: RowKind
  /** Position in its transaction, from 0. */
  readonly leg: number
  /** Stored refusal number, 0 = accepted. A declined transaction is one row without sides and with amount 0. */
  readonly code: number
  readonly amount: bigint
  readonly from: AccountRef | undefined
  readonly fromSeq: number
  readonly fromBalance: bigint
  readonly fromHeld: bigint
  readonly to: AccountRef | undefined
  readonly toSeq: number
  readonly toBalance: bigint
  readonly toHeld: bigint
  /** Key of the hold that is captured, released or expired, or of the original that is refunded. */
  readonly link: IdKey | undefined
  /** The account on the other side, in another partition, where the row goes to or comes from `house:transit`. */
  readonly far?: string
  /** Bits of `reservedOf`; absent: nothing was reserved. */
  readonly reserved?: number
}

// ---- rows of accounts as they stand ---------------------------------------------------------------------------------------------

/** Kinds of rows that move a balance at once. A `capture` does where it names no hold: it is what arrives of one that another partition holds. */
export type PostedKind = Exclude<
  RowKind,
  'hold' | 'release' | 'expire' | 'tombstone' | 'open' | 'change' | 'reserve' | 'unreserve'
>

/** A transfer posted at once: both sides are touched. */
export const postedRow = (
  kind: PostedKind,
  leg: number,
  amount: bigint,
  from: Readonly<Account>,
  to: Readonly<Account>,
  link: IdKey | undefined,
): Row => ({
  kind,
  leg,
  code: 0,
  amount,
  from,
  fromSeq: from.seq + 1,
  fromBalance: from.balance - amount,
  fromHeld: from.held,
  to,
  toSeq: to.seq + 1,
  toBalance: to.balance + amount,
  toHeld: to.held,
  link,
})

/**
 * A held amount posted: it leaves both `held` and the balance of `from`; and with a final one what is left of the hold is released. `to`: that of
 * the hold, or the account of another owner that it is for.
 */
export function capturedRows(
  amount: bigint,
  from: Readonly<Account>,
  hold: Hold,
  to: Readonly<Account>,
  final: boolean,
): readonly [Row, ...Row[]] {
  const { idKey: link, far, remaining } = hold
  const seq = from.seq + 1
  const balance = from.balance - amount
  const held = from.held - amount
  const captured: Row = {
    kind: 'capture',
    leg: 0,
    code: 0,
    amount,
    from,
    fromSeq: seq,
    fromBalance: balance,
    fromHeld: held,
    to,
    toSeq: to.seq + 1,
    toBalance: to.balance + amount,
    toHeld: to.held,
    link,
    ...(far === undefined || to.id === far ? {} : { far }),
  }
  const rest = remaining - amount
  if (!final || rest === 0n) return [captured]
  return [captured, reservedRow('release', 1, rest, from, seq + 1, balance, held - rest, hold.to, link, far)]
}

/** An amount that enters or leaves `held` of `from`; `to` is only named. Seq, balance and held are those after the row. */
export const reservedRow = (
  kind: 'hold' | 'release' | 'expire' | 'reserve' | 'unreserve',
  leg: number,
  amount: bigint,
  from: AccountRef,
  fromSeq: number,
  fromBalance: bigint,
  fromHeld: bigint,
  to: AccountRef | undefined,
  link: IdKey | undefined,
  far?: string,
): Row => ({
  kind,
  leg,
  code: 0,
  amount,
  from,
  fromSeq,
  fromBalance,
  fromHeld,
  to,
  toSeq: 0,
  toBalance: 0n,
  toHeld: 0n,
  link,
  ...(far === undefined ? {} : { far }),
})

/** An opening or a change of an account: the amount is its overdraft after the row; balance and held are named, not touched (seq 0). */
export const accountRow = (
  kind: 'open' | 'change',
  leg: number,
  overdraft: bigint,
  account: Readonly<Account>,
): Row => ({
  kind,
  leg,
  code: 0,
  amount: overdraft,
  from: account,
  fromSeq: 0,
  fromBalance: account.balance,
  fromHeld: account.held,
  to: undefined,
  toSeq: 0,
  toBalance: 0n,
  toHeld: 0n,
  link: undefined,
})

/** A row without sides: a refusal (`code` not 0) or a tombstone. */
export const sidelessRow = (kind: RowKind, code: number, link: IdKey | undefined): Row => ({
  kind,
  leg: 0,
  code,
  amount: 0n,
  from: undefined,
  fromSeq: 0,
  fromBalance: 0n,
  fromHeld: 0n,
  to: undefined,
  toSeq: 0,
  toBalance: 0n,
  toHeld: 0n,
  link,
})
