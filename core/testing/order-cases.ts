// Orders and their refunds: one line a rule, in order of precedence, both sides of each boundary. 100 points are worth 1.00 CNY, the coupon takes
// 20.00 off. The ledger's time is 31 January 2027, noon.
import type { CampaignBody } from '../catalog.ts'
import { type Case, cases } from './case.ts'
import { campaignBody, catalogChange } from './catalog.ts'
import { change, claim, earn, open, order, refund, settle } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const merchant = 'house:merchant:m|CNY'
const lot = 'c:points:2027-06'
const coupon = 'c:coupon:SPRING'
const cash = (amount: string, account = 'c:cash') => ({ account, amount })
const credit = (amount: string, creditLine = 'c:line') => ({ creditLine, amount })
const points = (amount: string) => ({ amount })
const use = { campaign: 'SPRING' }
/** 100.00 in cash, 50.00 of credit, 3,000 points, one coupon. */
const rich =
  (given: Partial<CampaignBody> = {}) =>
  (l: TestLedger) =>
    l
      .accept(catalogChange({ body: campaignBody(given) }), claim(), earn({ amount: '3000' }))
      .account('c:cash', { balance: 10_000n })
      .account('c:line', { overdraft: 5000n })
const all = { cash: cash('40'), credit: credit('20'), points: points('2000'), coupon: use }
const bought =
  (given: Partial<CampaignBody> = {}) =>
  (l: TestLedger) =>
    rich(given)(l).accept(order(all))
const back = (amount?: string, id = 'r') => refund({ id, of: 'order', account: 'c:cash', amount })
const thirds = (l: TestLedger) => bought()(l).accept(back('33.33', 'r1'), back('33.33', 'r2'))

export const orderCases: readonly Case[] = [
  ...cases('order', [
    [
      'all parts',
      rich(),
      order(all),
      'accepted',
      {
        rows: 'open open open open open order order order order order order',
        after: {
          'c:cash': '60.00 0.00 1',
          'c:line': '-20.00 0.00 1',
          [lot]: '1000 0 2',
          [coupon]: '0 0 2',
          [merchant]: '100.00 0.00 4',
          'house:promotion:SPRING|CNY': '-20.00 0.00 1',
          'house:points:funding|CNY': '-20.00 0.00 1',
        },
        facts: { pointsValue: '20.00', discount: '20.00', returnPolicy: 'return' },
      },
    ],
    ['cash alone', rich(), order({ cash: cash('100') }), 'accepted', { rows: 'open order' }],
    ['points alone', rich(), order({ total: '30', points: points('3000') }), 'accepted'],
    [
      'a coupon alone, never above the total',
      rich(),
      order({ total: '15', coupon: use }),
      'accepted',
      { after: { [merchant]: '15.00 0.00 1' } },
    ],
    [
      'nothing at all',
      rich(),
      order({ asset: 'CNY' }),
      'order_not_balanced',
      { facts: { total: '100.00', sum: '0.00' } },
    ],
    ['unknown cash before the campaign', (l) => l, order({ cash: cash('1'), coupon: use }), 'account_not_found'],
    ['unknown credit line', rich(), order({ credit: credit('100', 'c:none') }), 'account_not_found'],
    [
      'unknown campaign before the program',
      rich(),
      order({ coupon: { campaign: 'NONE' }, points: { amount: '1', program: 'NONE' } }),
      'campaign_not_found',
    ],
    ['unknown program', rich(), order({ points: { amount: '1', program: 'NONE' } }), 'program_not_found'],
    [
      'closed',
      (l) => rich()(l).set('c:cash', { status: 'closed' }),
      order({ cash: cash('100'), asset: 'USD' }),
      'account_closed',
    ],
    [
      'frozen',
      (l) => rich()(l).accept(change({ account: 'c:line', status: 'frozen' })),
      order({ credit: credit('100'), asset: 'USD' }),
      'account_frozen',
    ],
    ['another asset', rich(), order({ cash: cash('100.001'), asset: 'USD' }), 'asset_mismatch'],
    [
      'a credit line in another asset',
      (l) => rich()(l).account('c:usd', { asset: 'USD', overdraft: 9n }),
      order({ cash: cash('1'), credit: credit('1', 'c:usd') }),
      'asset_mismatch',
    ],
    ['no money at all is named', (l) => l, order(), 'asset_mismatch'],
    ['too fine a total', rich(), order({ total: '100.001', cash: cash('100') }), 'amount_scale'],
    ['too fine a part', rich(), order({ cash: cash('99.999') }), 'amount_scale'],
    [
      'points that are worth nothing',
      (l) =>
        rich()(l).accept(
          catalogChange({
            version: 2,
            kind: 'program',
            code: 'POINTS',
            body: '{"asset":"CNY","points":"1000","worth":"1"}',
          }),
        ),
      order({ points: points('9') }),
      'amount_scale',
    ],
    [
      'the same account twice',
      rich(),
      order({ cash: cash('50'), credit: credit('50', 'c:cash'), coupon: { campaign: 'SPRING' } }),
      'same_account',
    ],
    [
      'no coupon before the balance',
      (l) => rich()(l).accept(order({ id: 'o1', total: '20', coupon: use })),
      order({ coupon: use }),
      'coupon_not_held',
    ],
    ['a coupon too early', rich({ validFrom: '2027-02-01T00:00:00Z' }), order({ coupon: use }), 'coupon_not_started'],
    ['a coupon too late', rich({ validUntil: '2027-01-31T12:00:00Z' }), order({ coupon: use }), 'coupon_expired'],
    ['a unit below the minimum', rich({ minimumSpend: '100.01' }), order({ coupon: use }), 'coupon_minimum_not_met'],
    ['the minimum', rich({ minimumSpend: '100' }), order({ cash: cash('80'), coupon: use }), 'accepted'],
    [
      'a unit too little',
      rich(),
      order({ cash: cash('79.99'), coupon: use }),
      'order_not_balanced',
      { facts: { total: '100.00', sum: '99.99', discount: '20.00', returnPolicy: 'return' } },
    ],
    ['a unit too much', rich(), order({ cash: cash('80.01'), coupon: use }), 'order_not_balanced'],
    ['the balance before the funds', rich(), order({ cash: cash('101') }), 'order_not_balanced'],
    ['cash to the last unit', rich(), order({ total: '100', cash: cash('100') }), 'accepted'],
    [
      'a unit of cash too little, before the line',
      rich(),
      order({ total: '160', cash: cash('100.01'), credit: credit('59.99') }),
      'insufficient_funds',
      { facts: { available: '100.00', needed: '100.01' } },
    ],
    ['the line to its last unit', rich(), order({ total: '50', credit: credit('50') }), 'accepted'],
    [
      'a unit above the line, before the points',
      rich(),
      order({ total: '110.01', credit: credit('50.01'), points: points('6000') }),
      'credit_line_exceeded',
      { facts: { available: '50.00', needed: '50.01' } },
    ],
    [
      'a point too few',
      rich(),
      order({ total: '30.01', points: points('3001') }),
      'points_insufficient',
      { facts: { available: '3000', needed: '3001' } },
    ],
    [
      'a declined order takes nothing',
      (l) => rich()(l).refuse(order({ id: 'o1', total: '30.01', points: points('3001') })),
      order({ total: '30', points: points('3000') }),
      'accepted',
    ],
    [
      'a share, rounded down',
      rich({ discount: { percent: '12.5' } }),
      order({ total: '10.01', cash: cash('8.76'), coupon: use }),
      'accepted',
      { facts: { discount: '1.25', returnPolicy: 'return' } },
    ],
    [
      'a share up to its cap',
      rich({ discount: { percent: '50', cap: '30' } }),
      order({ cash: cash('70'), coupon: use }),
      'accepted',
    ],
    [
      'the value of points is rounded down',
      (l) =>
        rich()(l).accept(
          catalogChange({
            version: 2,
            kind: 'program',
            code: 'POINTS',
            body: '{"asset":"CNY","points":"3","worth":"0.02"}',
          }),
        ),
      order({ total: '0.06', points: points('10') }),
      'accepted',
      { facts: { pointsValue: '0.06' } },
    ],
    [
      'no cell of the merchant where they do not open',
      rich(),
      order({ cash: cash('100') }),
      'account_not_found',
      { houseAutoOpen: false },
    ],
  ]),
  ...cases('refund of an order', [
    [
      'whole',
      bought(),
      back(),
      'accepted',
      {
        after: {
          'c:cash': '100.00 0.00 2',
          'c:line': '0.00 0.00 2',
          [lot]: '3000 0 3',
          [coupon]: '1 0 3',
          [merchant]: '0.00 0.00 8',
          'house:promotion:SPRING|CNY': '0.00 0.00 2',
          'house:points:redeemed|POINTS': '0 0 2',
          'house:points:funding|CNY': '0.00 0.00 2',
        },
      },
    ],
    [
      'half: half of each part, no coupon',
      bought(),
      back('50'),
      'accepted',
      { after: { 'c:cash': '80.00 0.00 2', 'c:line': '-10.00 0.00 2', [lot]: '2000 0 3', [coupon]: '0 0 2' } },
    ],
    [
      'the rest: the coupon too',
      (l) => bought()(l).accept(back('50', 'r1')),
      back(),
      'accepted',
      { after: { 'c:cash': '100.00 0.00 3', [lot]: '3000 0 4', [coupon]: '1 0 3' } },
    ],
    [
      'in thirds, to the last unit',
      thirds,
      back('33.34'),
      'accepted',
      { after: { 'c:cash': '100.00 0.00 4', 'c:line': '0.00 0.00 4', [lot]: '3000 0 5', [merchant]: '0.00 0.00 16' } },
    ],
    ['a unit too much', thirds, back('33.35'), 'refund_exceeds_original'],
    ['nothing is left', (l) => bought()(l).accept(back(undefined, 'r1')), back('0.01'), 'refund_exceeds_original'],
    [
      'one unit',
      bought(),
      back('0.01'),
      'accepted',
      { after: { 'c:cash': '60.01 0.00 2', 'c:line': '-20.00 0.00 1' } },
    ],
    ['by another part of it', bought(), refund({ of: 'order', account: lot, amount: '50' }), 'accepted'],
    [
      'too fine for the money, by the points',
      bought(),
      refund({ of: 'order', account: lot, amount: '0.001' }),
      'amount_scale',
    ],
    [
      'by an account that has no part in it',
      (l) => bought()(l).account('c:save'),
      refund({ of: 'order', account: 'c:save' }),
      'original_not_found',
    ],
    [
      'burnt by the policy of the order',
      bought({ returnPolicy: 'burn' }),
      back(),
      'accepted',
      { after: { [coupon]: '0 0 2' } },
    ],
    [
      'the policy of the order, whatever came later',
      (l) => bought({ returnPolicy: 'burn' })(l).accept(catalogChange({ version: 2, body: campaignBody() })),
      back(),
      'accepted',
      { after: { [coupon]: '0 0 2' } },
    ],
    [
      'points whose day is over expire at once',
      (l) => bought()(l).wait(Date.UTC(2027, 6, 1) - Date.UTC(2027, 0, 31, 12)),
      back(),
      'accepted',
      { after: { [lot]: '1000 0 4' } },
    ],
  ]),
  ...cases('settle', [
    [
      'all takings',
      (l) => bought()(l).account('m:cash'),
      settle(),
      'accepted',
      { rows: 'settle', after: { 'm:cash': '100.00 0.00 1', [merchant]: '0.00 0.00 5' } },
    ],
    [
      'with those of the other partitions',
      (l) => bought()(l).account('m:cash'),
      settle({ others: '{"CNY":"500","USD":"7"}' }),
      'accepted',
      { after: { 'm:cash': '105.00 0.00 1', [merchant]: '-5.00 0.00 5' } },
    ],
    [
      'where there is no cell yet',
      (l) => l.account('m:cash'),
      settle({ others: '{"CNY":"500"}' }),
      'accepted',
      { rows: 'open settle' },
    ],
    [
      'a part',
      (l) => bought()(l).account('m:cash'),
      settle({ amount: '99.99' }),
      'accepted',
      { after: { [merchant]: '0.01 0.00 5' } },
    ],
    [
      'a unit too much',
      (l) => bought()(l).account('m:cash'),
      settle({ amount: '100.01' }),
      'insufficient_funds',
      { facts: { available: '100.00', needed: '100.01' } },
    ],
    [
      'twice at the same time',
      (l) =>
        bought()(l)
          .account('m:cash')
          .accept(settle({ id: 's1', others: '{"CNY":"500"}' })),
      settle({ others: '{"CNY":"500"}' }),
      'insufficient_funds',
      { facts: { available: '0.00', needed: '0.01' } },
    ],
    [
      'nothing',
      (l) => l.account('m:cash'),
      settle(),
      'insufficient_funds',
      { facts: { available: '0.00', needed: '0.01' } },
    ],
    [
      'refunds that came since',
      (l) =>
        bought()(l)
          .account('m:cash')
          .accept(settle({ id: 's1' }), back()),
      settle(),
      'insufficient_funds',
      { facts: { available: '-100.00', needed: '0.01' } },
    ],
    ['an unknown account', (l) => l, settle(), 'account_not_found'],
    ['a closed account', (l) => l.account('m:cash', { status: 'closed' }), settle({ asset: 'USD' }), 'account_closed'],
    ['another asset', (l) => l.account('m:cash'), settle({ asset: 'USD', amount: '0.001' }), 'asset_mismatch'],
    ['too fine', (l) => l.account('m:cash'), settle({ amount: '0.001' }), 'amount_scale'],
  ]),
  ...cases('order', [
    [
      'an account of points is no cash',
      (l) => l.accept(open({ account: 'c:p', asset: 'POINTS' })),
      order({ cash: cash('100', 'c:p'), asset: 'CNY' }),
      'asset_mismatch',
    ],
  ]),
]
