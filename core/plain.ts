// The short way of the commonest command: one transfer between two accounts that stand as rows, accepted. It decides nothing that `decide` does
// not: whatever is not surely accepted here (a refusal, a hold that may be due, numbers beyond a double) is left to `decide`, and a property test
// runs both over the same histories.
import { type AccountStore, rowMinorMax } from './account-store.ts'
import { violated } from './invariant.ts'
import type { PartitionState } from './partition.ts'

/** Both sides after the transfer. One object is used again and again: the hot path makes none. */
export interface PlainSides {
  fromSeq: number
  fromBalance: number
  toSeq: number
  toBalance: number
}

export const plainSides = (): PlainSides => ({ fromSeq: 0, fromBalance: 0, toSeq: 0, toBalance: 0 })

/**
 * Fills `after` and says true if the transfer is accepted; false: ask `decide`. Expects slots of resident accounts and a whole amount. A row is
 * open and holds nothing, so of the checks of a transfer these are left: the same asset, two accounts, funds, room for the numbers.
 */
export function decidePlain(rows: AccountStore, from: number, to: number, amount: number, after: PlainSides): boolean {
  if (!rows.isRow(from) || !rows.isRow(to) || from === to) return false
  if (rows.assetNumberOf(from) !== rows.assetNumberOf(to)) return false
  const fromBefore = rows.balanceOf(from)
  const toBefore = rows.balanceOf(to)
  if (!rows.isDebitNormal(from) && !rows.isCell(from) && fromBefore + rows.overdraftOf(from) < amount) return false
  if (rows.isDebitNormal(to) && !rows.isCell(to) && rows.overdraftOf(to) - toBefore < amount) return false
  const fromBalance = fromBefore - amount
  const toBalance = toBefore + amount
  if (!(fromBalance > -rowMinorMax && toBalance < rowMinorMax)) return false
  after.fromSeq = rows.seqOf(from) + 1
  after.fromBalance = fromBalance
  after.toSeq = rows.seqOf(to) + 1
  after.toBalance = toBalance
  return true
}

/** As `apply`: computes the sides a second time, never refuses, and leaves both rows as `after` says. */
export function applyPlain(
  state: PartitionState,
  rows: AccountStore,
  from: number,
  to: number,
  amount: number,
  after: Readonly<PlainSides>,
  at: number,
): void {
  if (!(at >= state.time)) violated('time_goes_forward', { at, time: state.time })
  if (!(amount > 0)) violated('amount_above_zero', { kind: 'plain', amount })
  moveTo(rows, from, after.fromSeq, -amount, after.fromBalance)
  moveTo(rows, to, after.toSeq, amount, after.toBalance)
  state.time = at
  state.pseq += 1
}

function moveTo(rows: AccountStore, slot: number, seq: number, change: number, balanceSaid: number): void {
  if (seq !== rows.seqOf(slot) + 1) violated('seq_dense', { slot, seq: rows.seqOf(slot), next: seq })
  const balance = rows.balanceOf(slot) + change
  if (balance !== balanceSaid) violated('after_image_agrees', { slot, seq, balance, balanceSaid })
  if (!(balance < rowMinorMax && balance > -rowMinorMax)) violated('amounts_fit', { slot, seq, balance })
  rows.move(slot, seq, balance)
  if (rows.isCell(slot)) return
  const debit = rows.isDebitNormal(slot)
  const available = (debit ? -balance : balance) + rows.overdraftOf(slot)
  if (available < 0 && (debit ? -change : change) < 0) violated('no_overdraw', { slot, seq, available })
}
