// What undecided transactions across partitions will do to an account once they are decided. Nothing of it stands in a balance yet; it keeps
// the account from being closed, and its balance from being filled up so far that a decided post would not fit.
import type { Account } from '../account.ts'
import { minorMax, minorMin } from '../money.ts'

export interface Pledge {
  /** Undecided transactions that name the account. */
  transactions: number
  /** At most so much will enter and leave it, minor units. */
  in: bigint
  out: bigint
}

/** Whether the balance stays within bounds after `out` and `in` and whatever was pledged before. */
export function fits({ balance, pledge }: Readonly<Account>, out: bigint, into: bigint): boolean {
  if (pledge === undefined) return balance - out >= minorMin && balance + into <= minorMax
  return balance - out - pledge.out >= minorMin && balance + into + pledge.in <= minorMax
}
