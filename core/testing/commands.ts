// Commands for tests: what a row does not name is unremarkable.
import type {
  Capture,
  ChangeAccount,
  ClaimCoupon,
  Credit,
  Debit,
  Disburse,
  EarnPoints,
  ExpireHolds,
  ExpirePoints,
  OpenAccount,
  PlaceHold,
  PlaceOrder,
  Posting,
  Postings,
  RedeemCoupon,
  RedeemPoints,
  Refund,
  Release,
  ReturnCoupon,
  Settle,
  Transfer,
} from '../command.ts'

type Given<C> = Partial<Omit<C, 'type'>>

export const settlement = 'house:settlement:default'

export const debit = (given: Given<Debit> = {}): Debit => ({
  type: 'debit',
  id: 'd',
  account: 'c:cash',
  amount: '10',
  to: settlement,
  ...given,
})
export const credit = (given: Given<Credit> = {}): Credit => ({
  type: 'credit',
  id: 'c',
  account: 'c:cash',
  amount: '10',
  from: settlement,
  ...given,
})
export const transfer = (given: Given<Transfer> = {}): Transfer => ({
  type: 'transfer',
  id: 't',
  from: 'c:cash',
  to: 'c:save',
  amount: '10',
  ...given,
})
export const hold = (given: Given<PlaceHold> = {}): PlaceHold => ({
  type: 'hold',
  id: 'h',
  account: 'c:cash',
  amount: '10',
  to: settlement,
  ...given,
})
export const capture = (given: Given<Capture> = {}): Capture => ({
  type: 'capture',
  id: 'cap',
  account: 'c:cash',
  hold: 'h',
  final: true,
  ...given,
})
export const release = (given: Given<Release> = {}): Release => ({
  type: 'release',
  id: 'rel',
  account: 'c:cash',
  hold: 'h',
  ...given,
})
export const refund = (given: Given<Refund> = {}): Refund => ({
  type: 'refund',
  id: 'ref',
  account: 'c:cash',
  of: 'd',
  ...given,
})
export const leg = (from: string, to: string, amount = '10', asset?: string): Posting => ({ from, to, amount, asset })
export const postings = (transfers: readonly Posting[], given: Given<Postings> = {}): Postings => ({
  type: 'postings',
  id: 'p',
  transfers,
  ...given,
})
export const open = (given: Given<OpenAccount> = {}): OpenAccount => ({
  type: 'open',
  id: '!o',
  account: 'c:new',
  asset: 'CNY',
  overdraft: '0',
  normal: 'credit',
  ...given,
})
export const change = (given: Given<ChangeAccount> = {}): ChangeAccount => ({
  type: 'change',
  id: '!ch',
  account: 'c:cash',
  ...given,
})
export const expire = (given: Given<ExpireHolds> = {}): ExpireHolds => ({
  type: 'expire',
  id: '!e',
  account: 'c:cash',
  ...given,
})
export const earn = (given: Given<EarnPoints> = {}): EarnPoints => ({
  type: 'points.earn',
  id: 'earn',
  owner: 'c',
  amount: '100',
  expiresOn: '2027-06',
  ...given,
})
export const redeem = (given: Given<RedeemPoints> = {}): RedeemPoints => ({
  type: 'points.redeem',
  id: 'redeem',
  owner: 'c',
  amount: '10',
  ...given,
})
export const expirePoints = (given: Given<ExpirePoints> = {}): ExpirePoints => ({
  type: 'points.expire',
  id: '!pe',
  owner: 'c',
  ...given,
})
export const claim = (given: Given<ClaimCoupon> = {}): ClaimCoupon => ({
  type: 'coupon.claim',
  id: 'claim',
  owner: 'c',
  campaign: 'SPRING',
  ...given,
})
export const redeemCoupon = (given: Given<RedeemCoupon> = {}): RedeemCoupon => ({
  type: 'coupon.redeem',
  id: 'use',
  owner: 'c',
  campaign: 'SPRING',
  ...given,
})
export const returnCoupon = (given: Given<ReturnCoupon> = {}): ReturnCoupon => ({
  type: 'coupon.return',
  id: 'back',
  owner: 'c',
  campaign: 'SPRING',
  ...given,
})
export const order = (given: Given<PlaceOrder> = {}): PlaceOrder => ({
  type: 'order',
  id: 'order',
  owner: 'c',
  total: '100',
  merchant: 'm',
  ...given,
})
export const disburse = (given: Given<Disburse> = {}): Disburse => ({
  type: 'disbursement',
  id: 'loan',
  owner: 'c',
  loan: 'L1',
  to: 'c:cash',
  amount: '100',
  funders: [],
  ...given,
})
export const settle = (given: Given<Settle> = {}): Settle => ({
  type: 'settle',
  id: 'settle',
  merchant: 'm',
  to: 'm:cash',
  others: '{}',
  ...given,
})
