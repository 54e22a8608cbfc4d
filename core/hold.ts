// A reserved amount: what an open hold is. How it is placed, captured, released and expired is decided in `decide.ts`.
import type { AccountRef } from './account.ts'
import type { IdKey } from './identity.ts'
import { violated } from './invariant.ts'

/**
 *   placed -> captured in part, again and again -> captured whole | released (the rest) | expired (the rest)
 *
 * Only open holds are kept; what became of an ended one is read from the rows linked to its transaction.
 */
export interface Hold {
  readonly idKey: IdKey
  /** The client's id of the hold transaction. */
  readonly id: string
  /** Where a capture moves the money: a house cell of this partition or an account of the same owner; transit if to another owner. */
  readonly to: AccountRef
  /** The account of another owner, in whatever partition. */
  readonly far?: string
  /** Placed, minor units. */
  readonly amount: bigint
  /** Still reserved, minor units: 0 < remaining <= amount. */
  remaining: bigint
  /** Epoch milliseconds; undefined: never. */
  readonly expiresAt: number | undefined
}

/** The holds of one account once `apply` has written to them. */
export class OpenHolds extends Map<IdKey, Hold> {
  /**
   * None of them runs out before this time (epoch milliseconds); 0: not known, look at them all. Spares an account with thousands of holds
   * from being looked through at every command. It stands here and not at the account, so that no copy of an account outlives it.
   */
  nextExpiryAt = 0
}

/** The holds of every account that has none: an empty Map of its own would be 180 of its 425 bytes. Shared, so nothing may be put in. */
export const noHolds: Map<IdKey, Hold> = Object.assign(new Map<IdKey, Hold>(), {
  set: () => violated('no_holds_is_shared'),
})
