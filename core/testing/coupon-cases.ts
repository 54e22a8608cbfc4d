// Coupons: one line a rule, in order of precedence, both sides of each boundary. The ledger's time is 31 January 2027, noon.
import type { CampaignBody } from '../catalog.ts'
import { type Case, cases } from './case.ts'
import { campaignBody, catalogChange, moveStock } from './catalog.ts'
import { change, claim, hold, open, redeemCoupon, returnCoupon } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const coupon = 'c:coupon:SPRING'
const quota = 'c:quota:SPRING'
const stock = 'house:coupon:SPRING:stock|COUPON.SPRING'
const redeemed = 'house:coupon:SPRING:redeemed|COUPON.SPRING'
const noon = '2027-01-31T12:00:00.000Z'
const later = '2027-01-31T12:00:00.001Z'
const asset = 'COUPON.SPRING'
const dayMs = 86_400_000
const spring =
  (given: Partial<CampaignBody> = {}) =>
  (l: TestLedger) =>
    l.accept(catalogChange({ body: campaignBody(given) }))
const claimed =
  (given: Partial<CampaignBody> = {}) =>
  (l: TestLedger) =>
    spring(given)(l).accept(claim())
const next = (given: Partial<CampaignBody>) => catalogChange({ version: 2, body: campaignBody(given) })
const used =
  (given: Partial<CampaignBody> = {}) =>
  (l: TestLedger) =>
    claimed(given)(l).accept(redeemCoupon({ order: 'o' }))
const emptied = (l: TestLedger) => spring()(l).accept(moveStock())

export const couponCases: readonly Case[] = [
  ...cases('coupon.claim', [
    [
      'one out of the stock',
      spring(),
      claim(),
      'accepted',
      {
        rows: 'open open open coupon.claim coupon.claim',
        after: { [coupon]: '1 0 1', [quota]: '1 0 1', [stock]: '9 0 2' },
      },
    ],
    ['no such campaign before all', (l) => l, claim({ asset: 'CNY' }), 'campaign_not_found'],
    [
      'a closed account before the asset',
      (l) => spring()(l).accept(open({ account: coupon, asset }), change({ account: coupon, status: 'closed' })),
      claim({ asset: 'CNY' }),
      'account_closed',
    ],
    ['the asset before the window', spring({ claimFrom: later }), claim({ asset: 'CNY' }), 'asset_mismatch'],
    ['its own asset', spring(), claim({ asset }), 'accepted'],
    ['a millisecond before it opens', spring({ claimFrom: later }), claim(), 'coupon_not_started'],
    ['when it opens', spring({ claimFrom: noon }), claim(), 'accepted'],
    ['a millisecond before it ends', spring({ claimUntil: later }), claim(), 'accepted'],
    ['when it ends', spring({ claimUntil: noon }), claim(), 'coupon_expired'],
    [
      'the window before the limit',
      (l) => claimed({ limitPerCustomer: 1 })(l).accept(next({ claimUntil: noon })),
      claim({ id: '2' }),
      'coupon_expired',
    ],
    [
      'up to the limit',
      claimed({ limitPerCustomer: 2 }),
      claim({ id: '2' }),
      'accepted',
      { after: { [quota]: '2 0 2' } },
    ],
    ['above the limit', claimed({ limitPerCustomer: 1 }), claim({ id: '2' }), 'coupon_limit_reached'],
    ['a redeemed coupon counts', used({ limitPerCustomer: 1 }), claim({ id: '2' }), 'coupon_limit_reached'],
    [
      'a limit that was raised',
      (l) => claimed({ limitPerCustomer: 1 })(l).accept(next({ limitPerCustomer: 2 })),
      claim({ id: '2' }),
      'accepted',
    ],
    [
      'the limit before the stock',
      (l) => claimed({ limitPerCustomer: 1 })(l).accept(moveStock()),
      claim({ id: '2' }),
      'coupon_limit_reached',
    ],
    ['the last one', spring({ stock: 1 }), claim(), 'accepted', { after: { [stock]: '0 0 2' } }],
    ['none is left here', emptied, claim(), 'stock_elsewhere'],
    [
      'none is left anywhere',
      (l) => emptied(l).accept(moveStock({ id: '!c', action: 'close' })),
      claim(),
      'coupon_exhausted',
    ],
    [
      'some came back',
      (l) =>
        emptied(l).accept(
          moveStock({ id: '!c', action: 'close' }),
          moveStock({ id: '!g', action: 'grant', amount: 1 }),
        ),
      claim(),
      'accepted',
    ],
    [
      'the stock was raised',
      (l) => emptied(l).accept(moveStock({ id: '!c', action: 'close' }), next({ stock: 11 })),
      claim(),
      'accepted',
    ],
    [
      'good for some days',
      spring({ validDays: 30 }),
      claim(),
      'accepted',
      { after: { 'c:coupon:SPRING:2027-03-02': '1 0 1' } },
    ],
  ]),
  ...cases('coupon.redeem', [
    [
      'is burnt',
      claimed(),
      redeemCoupon(),
      'accepted',
      { rows: 'open coupon.redeem', after: { [coupon]: '0 0 2', [redeemed]: '1 0 1' } },
    ],
    ['no such campaign', (l) => l, redeemCoupon(), 'campaign_not_found'],
    ['none is held', spring(), redeemCoupon(), 'coupon_not_held'],
    ['none is left', used(), redeemCoupon({ id: '2', order: 'o' }), 'coupon_not_held'],
    [
      'reserved by a hold',
      (l) => claimed()(l).accept(hold({ account: coupon, to: 'house:x', amount: '1' })),
      redeemCoupon(),
      'coupon_not_held',
    ],
    ['a millisecond too early', claimed({ validFrom: later }), redeemCoupon(), 'coupon_not_started'],
    ['from its first moment', claimed({ validFrom: noon }), redeemCoupon(), 'accepted'],
    ['in its last millisecond', claimed({ validUntil: later }), redeemCoupon(), 'accepted'],
    ['after its end', claimed({ validUntil: noon }), redeemCoupon(), 'coupon_expired'],
    [
      'on the last of its days',
      (l) => claimed({ validDays: 1 })(l).wait(dayMs + dayMs / 2 - 1),
      redeemCoupon(),
      'accepted',
    ],
    ['the day after', (l) => claimed({ validDays: 1 })(l).wait(dayMs + dayMs / 2), redeemCoupon(), 'coupon_expired'],
    [
      'the one that expires first',
      (l) =>
        claimed({ validDays: 9 })(l)
          .wait(dayMs)
          .accept(claim({ id: '2' })),
      redeemCoupon(),
      'accepted',
      { after: { 'c:coupon:SPRING:2027-02-09': '0 0 2', 'c:coupon:SPRING:2027-02-10': '1 0 1' } },
    ],
    [
      'one that is good, where another has expired',
      (l) =>
        claimed({ validDays: 1 })(l)
          .wait(2 * dayMs)
          .accept(claim({ id: '2' })),
      redeemCoupon(),
      'accepted',
      { after: { 'c:coupon:SPRING:2027-02-01': '1 0 1', 'c:coupon:SPRING:2027-02-03': '0 0 2' } },
    ],
    [
      'frozen',
      (l) => claimed()(l).accept(change({ account: coupon, status: 'frozen' })),
      redeemCoupon(),
      'account_frozen',
    ],
    ['of another asset', claimed(), redeemCoupon({ asset: 'CNY' }), 'asset_mismatch'],
  ]),
  ...cases('coupon.return', [
    [
      'comes back',
      used(),
      returnCoupon({ order: 'o' }),
      'accepted',
      { rows: 'coupon.return', after: { [coupon]: '1 0 3', [redeemed]: '0 0 2' } },
    ],
    [
      'once',
      (l) => used()(l).accept(returnCoupon({ order: 'o' })),
      returnCoupon({ id: '2', order: 'o' }),
      'original_not_found',
    ],
    ['of another order', used(), returnCoupon({ order: 'p' }), 'original_not_found'],
    ['of no order', used(), returnCoupon(), 'original_not_found'],
    ['redeemed without an order', (l) => claimed()(l).accept(redeemCoupon()), returnCoupon(), 'accepted'],
    [
      'redeemed again for the same order',
      (l) => used()(l).accept(returnCoupon({ order: 'o' }), redeemCoupon({ id: '2', order: 'o' })),
      returnCoupon({ id: '3', order: 'o' }),
      'accepted',
    ],
    ['by policy never', used({ returnPolicy: 'burn' }), returnCoupon({ order: 'o' }), 'original_not_refundable'],
    [
      'of nothing, by policy never',
      claimed({ returnPolicy: 'burn' }),
      returnCoupon({ order: 'o' }),
      'original_not_found',
    ],
    [
      'to its own day',
      (l) => claimed({ validDays: 1 })(l).accept(redeemCoupon()).wait(dayMs),
      returnCoupon(),
      'accepted',
      { after: { 'c:coupon:SPRING:2027-02-01': '1 0 3' } },
    ],
    ['no such campaign', (l) => l, returnCoupon(), 'campaign_not_found'],
  ]),
]
