// A row of the journal: one transfer with both its sides, or one decision without sides (declined, opened, changed, tombstone).
// The one shape that deciding writes, applying reads, the journal stores and `verify` replays.
import type { AccountRef } from './account.ts'
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
} as const

export type RowKind = keyof typeof rowKinds

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
}
