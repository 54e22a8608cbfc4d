// The commands of consumer finance, from a checked body to the normalised command: what `normalise.ts` does for the plain ones.
import type { Static } from 'typebox'
import type { Disburse, PlaceOrder } from '../../core/command.ts'
import { isHouse, ownerOfAccount } from '../../core/identity.ts'
import { lastDayOf } from '../../core/lots.ts'
import { areShares, normalizeDecimal } from '../../core/money.ts'
import { houseOwner } from '../../core/owner.ts'
import { lastDayWords } from '../../schemas/http/fields.ts'
import {
  ClaimCouponBody,
  DisbursementBody,
  EarnPointsBody,
  OrderBody,
  RedeemCouponBody,
  RedeemPointsBody,
  ReturnCouponBody,
  SettleBody,
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
  ['order', reader(OrderBody, orderOf)],
  ['disbursement', reader(DisbursementBody, disbursementOf)],
  [
    'settle',
    reader(SettleBody, (body, head) => {
      // All settlements of a merchant are decided in one partition: else two of them could each pay out what they both see elsewhere.
      if (isHouse(body.to) || ownerOfAccount(body.to) !== body.merchant)
        return invalid('to', `to must be an account of the merchant, ${body.merchant}:...`)
      const amount = body.amount === undefined ? undefined : normalizeDecimal(body.amount)
      // What other partitions hold is looked up on the way to the mailbox.
      return { type: 'settle', ...head, merchant: body.merchant, to: body.to, amount, others: '{}' }
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

/** With it the names of all lots and quotas are account ids that can be asked for. */
const ownerMax = 80

/** What the house gives to itself would have no partition. */
function problemOfOwner(owner: string): Problem | undefined {
  if (owner === houseOwner) return invalid('owner', 'owner must not be house.')
  return owner.length > ownerMax ? invalid('owner', `owner must have at most ${ownerMax} characters here.`) : undefined
}

const notTheirs = (name: string): Problem => invalid(name, `${name} must be an account of the owner.`)

function orderOf(body: Static<typeof OrderBody>, head: Head): PlaceOrder | Problem {
  const { owner, cash, points, coupon, credit } = body
  const problem = problemOfOwner(owner)
  if (problem !== undefined) return problem
  if (cash !== undefined && ownerOfAccount(cash.account) !== owner) return notTheirs('cash.account')
  if (credit !== undefined && ownerOfAccount(credit.creditLine) !== owner) return notTheirs('credit.creditLine')
  return {
    type: 'order',
    ...head,
    owner,
    total: normalizeDecimal(body.total),
    cash: cash && { account: cash.account, amount: normalizeDecimal(cash.amount) },
    points: points && { amount: normalizeDecimal(points.amount), program: points.program },
    coupon: coupon && { campaign: coupon.campaign },
    credit: credit && { creditLine: credit.creditLine, amount: normalizeDecimal(credit.amount) },
    merchant: body.merchant,
  }
}

function disbursementOf(body: Static<typeof DisbursementBody>, head: Head): Disburse | Problem {
  const { owner, to, creditLine } = body
  const problem = problemOfOwner(owner)
  if (problem !== undefined) return problem
  if (creditLine !== undefined && ownerOfAccount(creditLine) !== owner) return notTheirs('creditLine')
  if (`${owner}:loan:${body.loan}:principal`.length > accountIdMax) {
    return invalid('loan', `loan makes an account id of more than ${accountIdMax} characters.`)
  }
  const accounts = [to, ...(body.funders ?? []).map(({ account }) => account)]
  const owners = accounts.filter((id) => !isHouse(id)).map(ownerOfAccount)
  // Shares are divided where the borrower lives, and nobody else's accounts are known there.
  if (creditLine === undefined && body.asset === undefined && owners.length > 0 && !owners.includes(owner)) {
    return invalid('asset', 'asset is required where no account of the owner tells it.')
  }
  const funders = (body.funders ?? []).map(({ account, share }) => ({ account, share: normalizeDecimal(share) }))
  if (funders.length > 0 && !areShares(funders.map(({ share }) => share))) {
    return invalid('funders', 'The shares of the funders must sum up to exactly 1.')
  }
  return {
    type: 'disbursement',
    ...head,
    owner,
    loan: body.loan,
    to,
    amount: normalizeDecimal(body.amount),
    creditLine,
    funders,
  }
}

const accountIdMax = 128
