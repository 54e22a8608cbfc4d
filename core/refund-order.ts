// Refunding an order, whole or in parts: every part of it comes back in proportion, money to where it came from, the discount to the promotion, points
// to their lots; the coupon comes back with the last part, if its campaign said so when the order was placed.
import type { Refusal } from './code.ts'
import type { Draft } from './draft.ts'
import { givePointsBack, leftOf } from './give-back.ts'
import { isMerchantAccount, pointsAccounts } from './house.ts'
import type { IdKey } from './identity.ts'
import { type AmountRefusal, allocateByWeight } from './money.ts'
import type { Row } from './row.ts'
import type { Decided } from './transaction.ts'

/**
 * `amountOf` gives the amount in the order's money; it counts in the order's total, so half of it brings back half of the cash, half of the points ..
 * Each refund is split over what is left of the parts by the largest remainder, so that the parts of all refunds sum up to the original exactly and no part
 * ever gets more than it gave.
 */
export function refundOrder(
  draft: Draft,
  { rows, facts }: Decided,
  links: readonly Row[],
  amountOf: (scale: number) => bigint | AmountRefusal | undefined,
  link: IdKey,
  today: number,
): Refusal | undefined {
  const takings = rows.filter(({ kind, to }) => kind === 'order' && to !== undefined && isMerchantAccount(to.id))
  const lefts = takings.map((row) => leftOf(row, links))
  const left = lefts.reduce((sum, one) => sum + one, 0n)
  const given = amountOf(takings[0]?.to?.asset.scale ?? 0)
  if (typeof given === 'string') return given
  const amount = given ?? left
  if (amount > left || left === 0n) return 'refund_exceeds_original'
  const burnt = rows.filter(({ kind, to }) => kind === 'order' && to?.id === pointsAccounts.redeemed)
  const shares = allocateByWeight(amount, lefts)
  for (const [i, row] of takings.entries()) {
    const share = shares[i] ?? 0n
    if (share === 0n) continue
    const refusal =
      draft.giveBack({ ...row, amount: share }, link) ??
      (row.from?.id === pointsAccounts.funding
        ? givePointsBack(draft, burnt, links, pointsOf(burnt, links, share, lefts[i] ?? 0n), link, today)
        : undefined)
    if (refusal !== undefined) return refusal
  }
  return amount === left && facts?.returnPolicy === 'return' ? giveCouponBack(draft, rows, link) : undefined
}

/** As many of the points that are left as their value comes back, rounded down; all of them with the last of it. */
function pointsOf(burnt: readonly Row[], links: readonly Row[], value: bigint, valueLeft: bigint): bigint {
  let left = 0n
  for (const row of burnt) left += leftOf(row, links)
  return value === valueLeft ? left : (left * value) / valueLeft
}

function giveCouponBack(draft: Draft, rows: readonly Row[], link: IdKey): Refusal | undefined {
  const coupon = rows.find(({ kind, to }) => kind === 'order' && to?.asset.code.startsWith('COUPON.'))
  return coupon === undefined ? undefined : draft.giveBack(coupon, link)
}
