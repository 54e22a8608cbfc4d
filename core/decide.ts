// Decides one command against a partition's state: pure, in a stated order of precedence, all checks before the first row.
//
// The order, for every type of command; the first that applies is returned, and a later transfer of postings is only looked at when all
// before it have passed. Of two sides `from` is looked at first.
//
//   1  the id was decided before          the first answer again, or a conflict
//   2  account_not_found                  an account that neither exists nor may open by itself; only house accounts and no known
//                                         asset given: asset_mismatch, because no cell is named
//      campaign_not_found                coupons: of a campaign that this partition does not know
//   3  account_closed                     nothing enters, leaves, or is captured, released or refunded
//   4  account_frozen                     of a side whose available amount the transfer lowers; captures pass
//   5  asset_mismatch                     the two accounts, then the given asset
//   6  amount_scale, amount_overflow      of the amount as given
//   7  same_account
//   8  what the command refers to
//        hold                             hold_released (it was released before it came), hold_expired
//        capture, release                 hold_not_found, hold_captured, hold_released, hold_expired,
//                                         then of the receiving account account_closed, then capture_exceeds_hold;
//                                         for another owner capture_exceeds_hold first, then what his account says: 2 to 5, 9 and 10 of a transfer
//        refund                           original_not_found (unknown, declined), original_not_refundable (type),
//                                         original_not_found (of another account), original_not_refundable (part of postings),
//                                         refund_exceeds_original, then 3, 4, 9 and 10 for each transfer that goes back
//        points.earn                      points_expired (the last day is over)
//        coupon.claim                     coupon_not_started, coupon_expired (of the claim window), coupon_limit_reached, coupon_exhausted
//        coupon.redeem                    coupon_not_held, coupon_not_started, coupon_expired
//        coupon.return                    original_not_found (no redemption for the order), original_not_refundable (policy burn)
//        disbursement                     loan_already_disbursed, then credit_line_exceeded
//        order                            see `decide-order.ts`
//        change                           (version_mismatch stands before 3) account_not_empty
//   9  insufficient_funds                 P3, of the side whose available amount the transfer lowers; never of the house
//      points_insufficient                the same over the lots whose day is not over, frozen and closed ones left out
//  10  amount_overflow                    of a balance or held amount after it
import { firstDifference } from './compare.ts'
import { decideChange, decideOpen } from './decide-account.ts'
import { decideCatalog, decideStock } from './decide-catalog.ts'
import { decideClaim, decideRedeemCoupon, decideReturnCoupon } from './decide-coupon.ts'
import { decideDisbursement } from './decide-disbursement.ts'
import { decideCapture, decideHold, decideRelease } from './decide-hold.ts'
import { decideOrder } from './decide-order.ts'
import { decideEarn, decideExpirePoints, decideRedeem } from './decide-points.ts'
import { decideRefund } from './decide-refund.ts'
import { decideSettle } from './decide-settle.ts'
import { decidePostings, decideTransfer } from './decide-transfer.ts'
import { type Decision, nothing } from './decision.ts'
import type { PartitionState, Received } from './partition.ts'
import type { Decided } from './transaction.ts'

export type { Decision } from './decision.ts'
export { dueExpiries } from './expire.ts'

/** Time of a command: never before the partition's last, else the earlier of its stamp and the host's clock. Epoch milliseconds. */
export const commandTime = (state: Readonly<PartitionState>, stampedAt: number, nowMs: number): number =>
  Math.max(state.time, Math.min(stampedAt, nowMs))

/** Decides a command at its time. Expects `dueExpiries` to have been applied and all that it names to be resident. */
export function decide(state: Readonly<PartitionState>, received: Received, at: number): Decision {
  const { command } = received
  const remembered = state.remembered.get(received.idKey)
  if (remembered?.decided !== undefined) return decideAgain(remembered.decided, received)
  const { coordinations } = state.joints
  const open = coordinations.size === 0 ? undefined : coordinations.get(received.idKey)
  if (open !== undefined) {
    const field = firstDifference(open.joint.command, command)
    return field === undefined ? { kind: 'undecided', idKey: received.idKey } : { kind: 'conflict', field }
  }
  switch (command.type) {
    case 'debit':
      return decideTransfer(state, received, at, command, command.account, command.to)
    case 'credit':
      return decideTransfer(state, received, at, command, command.from, command.account)
    case 'transfer':
      return decideTransfer(state, received, at, command, command.from, command.to)
    case 'hold':
      return decideHold(state, received, at, command, remembered)
    case 'capture':
      return decideCapture(state, received, at, command)
    case 'release':
      return decideRelease(state, received, at, command)
    case 'refund':
      return decideRefund(state, received, at, command)
    case 'postings':
      return decidePostings(state, received, at, command)
    case 'points.earn':
      return decideEarn(state, received, at, command)
    case 'points.redeem':
      return decideRedeem(state, received, at, command)
    case 'points.expire':
      return decideExpirePoints(state, received, at, command)
    case 'order':
      return decideOrder(state, received, at, command)
    case 'disbursement':
      return decideDisbursement(state, received, at, command)
    case 'settle':
      return decideSettle(state, received, at, command)
    case 'coupon.claim':
      return decideClaim(state, received, at, command)
    case 'coupon.redeem':
      return decideRedeemCoupon(state, received, at, command)
    case 'coupon.return':
      return decideReturnCoupon(state, received, at, command)
    case 'catalog':
      return decideCatalog(state, received, at, command)
    case 'stock':
      return decideStock(state, received, at, command)
    case 'open':
      return decideOpen(state, received, at, command)
    case 'change':
      return decideChange(state, received, at, command)
    case 'expire':
      return nothing
  }
}

function decideAgain(decided: Decided, { command }: Received): Decision {
  const field = firstDifference(decided.command, command)
  return field === undefined ? { kind: 'repeated', decided } : { kind: 'conflict', field }
}
