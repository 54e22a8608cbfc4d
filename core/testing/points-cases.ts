// Points: one line a rule, in order of precedence, both sides of each boundary. The ledger's time is 31 January 2027, noon.
import { type Case, cases } from './case.ts'
import { change, debit, earn, expirePoints, hold, open, redeem, refund } from './commands.ts'
import { startMs, type TestLedger } from './ledger.ts'

const noon = Date.UTC(2027, 0, 31, 12)
const untilMs = (isoDay: string): number => Date.parse(`${isoDay}T00:00:00Z`) - noon
/** 100 to the end of January, 50 to the end of 15 February, 30 to the end of June. */
const lots = (l: TestLedger) =>
  l.accept(
    earn({ id: 'e1', expiresOn: '2027-01-31' }),
    earn({ id: 'e2', amount: '50', expiresOn: '2027-02-15' }),
    earn({ id: 'e3', amount: '30', expiresOn: '2027-06' }),
  )
const inFebruary = (l: TestLedger) => lots(l).wait(untilMs('2027-02-01'))
const redeemed = (l: TestLedger) => lots(l).accept(redeem({ amount: '160' }))
const of = 'redeem'
const january = 'c:points:2027-01'
const february = 'c:points:2027-02-15'
const june = 'c:points:2027-06'

if (startMs !== noon) throw new Error('the tables count from noon of 31 January 2027')

export const pointsCases: readonly Case[] = [
  ...cases('points.earn', [
    [
      'opens the lot of its month',
      (l) => l,
      earn(),
      'accepted',
      { rows: 'open open points.earn', after: { [june]: '100 0 1' } },
    ],
    [
      'the last day of a month is the month',
      (l) => l,
      earn({ expiresOn: '2027-06-30' }),
      'accepted',
      { after: { [june]: '100 0 1' } },
    ],
    [
      'of a leap year too',
      (l) => l,
      earn({ expiresOn: '2028-02' }),
      'accepted',
      { after: { 'c:points:2028-02': '100 0 1' } },
    ],
    [
      'any other day has a lot of its own',
      (l) => l,
      earn({ expiresOn: '2027-06-29' }),
      'accepted',
      { after: { 'c:points:2027-06-29': '100 0 1' } },
    ],
    [
      'into a lot that is there',
      (l) => l.accept(earn()),
      earn({ id: 'e2' }),
      'accepted',
      { rows: 'points.earn', after: { [june]: '200 0 2' } },
    ],
    [
      'of another program',
      (l) => l,
      earn({ asset: 'FINE', amount: '0.5' }),
      'accepted',
      { after: { 'c:points:FINE:2027-06': '0.50000000 0.00000000 1' } },
    ],
    [
      'the program opens its cell whatever the rule for the house',
      (l) => l,
      earn(),
      'accepted',
      { houseAutoOpen: false },
    ],
    ['an unknown program before all', (l) => l, earn({ asset: 'NONE', amount: '0.5' }), 'asset_mismatch'],
    ['money is no program', (l) => l, earn({ asset: 'CNY' }), 'asset_mismatch'],
    [
      'a closed lot before the amount',
      (l) => l.accept(open({ account: june, asset: 'POINTS' }), change({ account: june, status: 'closed' })),
      earn({ amount: '0.5' }),
      'account_closed',
    ],
    ['the amount before the day', (l) => l, earn({ amount: '0.5', expiresOn: '2026-12' }), 'amount_scale'],
    ['the day before is over', (l) => l, earn({ expiresOn: '2027-01-30' }), 'points_expired'],
    ['on its last day', (l) => l, earn({ expiresOn: '2027-01-31' }), 'accepted'],
    ['a lot of another asset', (l) => l.account(june), earn(), 'asset_mismatch'],
  ]),
  ...cases('points.redeem', [
    [
      'the earliest first',
      lots,
      redeem({ amount: '100' }),
      'accepted',
      { rows: 'open points.redeem', after: { [january]: '0 0 2', [february]: '50 0 1' } },
    ],
    [
      'over several lots',
      lots,
      redeem({ amount: '101' }),
      'accepted',
      { rows: 'open points.redeem points.redeem', after: { [january]: '0 0 2', [february]: '49 0 2' } },
    ],
    ['to the last point', lots, redeem({ amount: '180' }), 'accepted', { after: { [june]: '0 0 2' } }],
    [
      'one point too many',
      lots,
      redeem({ amount: '181' }),
      'points_insufficient',
      { facts: { available: '180', needed: '181' } },
    ],
    ['on the last day still', (l) => lots(l).wait(untilMs('2027-02-01') - 1), redeem({ amount: '180' }), 'accepted'],
    [
      'not a millisecond later',
      inFebruary,
      redeem({ amount: '81' }),
      'points_insufficient',
      { facts: { available: '80', needed: '81' } },
    ],
    [
      'what expired is passed by',
      inFebruary,
      redeem({ amount: '80' }),
      'accepted',
      { after: { [january]: '100 0 1', [february]: '0 0 2' } },
    ],
    ['none at all', (l) => l, redeem(), 'points_insufficient', { facts: { available: '0', needed: '10' } }],
    [
      'a frozen lot is passed by',
      (l) => lots(l).accept(change({ account: january, status: 'frozen' })),
      redeem({ amount: '80' }),
      'accepted',
      { after: { [january]: '100 0 1' } },
    ],
    [
      'what is held is not there',
      (l) => lots(l).accept(hold({ account: january, to: 'house:x', amount: '60' })),
      redeem({ amount: '121' }),
      'points_insufficient',
    ],
    [
      'what was held, after it ran out',
      (l) =>
        lots(l)
          .accept(hold({ account: february, to: 'house:x', amount: '50', expiresIn: 1 }))
          .wait(1000),
      redeem({ amount: '180' }),
      'accepted',
    ],
    [
      'only of its own program',
      (l) => lots(l).accept(earn({ id: 'm', asset: 'FINE' })),
      redeem({ asset: 'FINE', amount: '101' }),
      'points_insufficient',
    ],
    ['too fine an amount', lots, redeem({ amount: '0.1' }), 'amount_scale'],
  ]),
  ...cases('points.expire', [
    [
      'all lots whose day is over',
      (l) => lots(l).wait(untilMs('2027-03-01')),
      expirePoints(),
      'accepted',
      {
        rows: 'open points.expire points.expire',
        after: { [january]: '0 0 2', [february]: '0 0 2', [june]: '30 0 1' },
      },
    ],
    ['not on the last day', (l) => lots(l).wait(untilMs('2027-02-01') - 1), expirePoints(), 'nothing'],
    ['nothing is left', (l) => inFebruary(l).accept(expirePoints()), expirePoints({ id: '!2' }), 'nothing'],
    [
      'what is held stays',
      (l) =>
        lots(l)
          .accept(hold({ account: january, to: 'house:x', amount: '60' }))
          .wait(untilMs('2027-02-01')),
      expirePoints(),
      'accepted',
      { after: { [january]: '60 60 3' } },
    ],
  ]),
  ...cases('refund of points', [
    [
      'to their lots, the last first',
      redeemed,
      refund({ account: june, of, amount: '15' }),
      'accepted',
      { rows: 'refund refund', after: { [june]: '30 0 3', [february]: '5 0 3', [january]: '0 0 2' } },
    ],
    [
      'whole',
      redeemed,
      refund({ account: january, of }),
      'accepted',
      { after: { [january]: '100 0 3', [february]: '50 0 3', [june]: '30 0 3' } },
    ],
    [
      'what is left',
      (l) => redeemed(l).accept(refund({ account: june, of, amount: '15' })),
      refund({ id: 'r2', account: june, of }),
      'accepted',
      { after: { [february]: '50 0 4', [january]: '100 0 3' } },
    ],
    [
      'to the last point',
      (l) => redeemed(l).accept(refund({ account: june, of, amount: '15' })),
      refund({ id: 'r2', account: june, of, amount: '145' }),
      'accepted',
    ],
    [
      'one point too many',
      (l) => redeemed(l).accept(refund({ account: june, of, amount: '15' })),
      refund({ id: 'r2', account: june, of, amount: '146' }),
      'refund_exceeds_original',
    ],
    [
      'nothing is left of it',
      (l) => redeemed(l).accept(refund({ account: june, of })),
      refund({ id: 'r2', account: june, of }),
      'refund_exceeds_original',
    ],
    [
      'a lot whose day is over: back and expired at once',
      (l) => redeemed(l).wait(untilMs('2027-02-01')),
      refund({ account: january, of }),
      'accepted',
      { rows: 'open refund refund refund points.expire', after: { [january]: '0 0 4', [february]: '50 0 3' } },
    ],
    [
      'by an account that has no part in it',
      (l) => redeemed(l).account('c:cash'),
      refund({ of }),
      'original_not_found',
    ],
    ['of an earning', (l) => l.accept(earn()), refund({ account: june, of: 'earn' }), 'original_not_refundable'],
  ]),
  ...cases('points', [
    [
      'a debit of a lot is a debit',
      lots,
      debit({ account: january, amount: '1' }),
      'accepted',
      { after: { [january]: '99 0 2' } },
    ],
  ]),
]
