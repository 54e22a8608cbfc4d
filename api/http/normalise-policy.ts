// The commands of consumer finance, from a checked body to the normalised command: what `normalise.ts` does for the plain ones.
import { lastDayOf } from '../../core/lots.ts'
import { normalizeDecimal } from '../../core/money.ts'
import { houseOwner } from '../../core/owner.ts'
import { lastDayWords } from '../../schemas/http/fields.ts'
import {
  ClaimCouponBody,
  EarnPointsBody,
  RedeemCouponBody,
  RedeemPointsBody,
  ReturnCouponBody,
} from '../../schemas/http/transaction.ts'
import type { Head, reader as makeReader, Reader } from './normalise.ts'
import { invalid, type Problem } from './problem.ts'

export const policyReaders = (reader: typeof makeReader): readonly (readonly [string, Reader])[] => [
  [
    'points.earn',
    reader(EarnPointsBody, (body, head) => {
      if (lastDayOf(body.expiresOn) === undefined) return invalid('expiresOn', `expiresOn must be ${lastDayWords}.`)
      const problem = problemOfOwner(body.owner)
      if (problem !== undefined) return problem
      return {
        type: 'points.earn',
        ...head,
        owner: body.owner,
        amount: normalizeDecimal(body.amount),
        expiresOn: body.expiresOn,
      }
    }),
  ],
  [
    'points.redeem',
    reader(RedeemPointsBody, (body, head) => {
      const problem = problemOfOwner(body.owner)
      if (problem !== undefined) return problem
      return { type: 'points.redeem', ...head, owner: body.owner, amount: normalizeDecimal(body.amount) }
    }),
  ],
  ['coupon.claim', reader(ClaimCouponBody, (body, head) => ofCoupon('coupon.claim', body, head))],
  ['coupon.redeem', reader(RedeemCouponBody, (body, head) => ofCoupon('coupon.redeem', body, head))],
  ['coupon.return', reader(ReturnCouponBody, (body, head) => ofCoupon('coupon.return', body, head))],
]

const ofCoupon = <Type extends 'coupon.claim' | 'coupon.redeem' | 'coupon.return'>(
  type: Type,
  { owner, campaign, order }: { owner: string; campaign: string; order?: string },
  head: Head,
) => problemOfOwner(owner) ?? { type, ...head, owner, campaign, order }

/** What the house gives to itself would have no partition. */
const problemOfOwner = (owner: string): Problem | undefined =>
  owner === houseOwner ? invalid('owner', 'owner must not be house.') : undefined
