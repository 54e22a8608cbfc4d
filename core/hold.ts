// A reserved amount: what an open hold is. How it is placed, captured, released and expired is decided in `decide.ts`.
import type { AccountRef } from './account.ts'
import type { IdKey } from './identity.ts'

/**
 *   placed -> captured in part, again and again -> captured whole | released (the rest) | expired (the rest)
 *
 * Only open holds are kept; what became of an ended one is read from the rows linked to its transaction.
 */
export interface Hold {
  readonly idKey: IdKey
  /** The client's id of the hold transaction. */
  readonly id: string
  /** Where a capture moves the money: a house cell of this partition or an account of the same owner. */
  readonly to: AccountRef
  /** Placed, minor units. */
  readonly amount: bigint
  /** Still reserved, minor units: 0 < remaining <= amount. */
  remaining: bigint
  /** Epoch milliseconds; undefined: never. */
  readonly expiresAt: number | undefined
}
