// Opening and changing accounts: one line a rule, in order of precedence, both sides of each boundary.
import { type Case, cases } from './case.ts'
import { change, credit, debit, expire, hold, open } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const one = (l: TestLedger) => l.account('c:cash', { balance: 1000n })
const empty = (l: TestLedger) => l.account('c:cash')
const closed = (l: TestLedger) => l.account('c:cash', { status: 'closed' })

export const accountCases: readonly Case[] = [
  ...cases('open', [
    [
      'a new account',
      (l) => l,
      open({ overdraft: '5' }),
      'accepted',
      { rows: 'open', facts: { status: 'open', overdraft: '5.00', version: 1 }, after: { 'c:new': '0.00 0.00 0' } },
    ],
    ['a debit-normal account', (l) => l, open({ normal: 'debit' }), 'accepted'],
    ['exists alike', (l) => l.account('c:new'), open(), 'exists alike'],
    ['exists alike, whatever the metadata', (l) => l.account('c:new'), open({ metadata: '{}' }), 'exists alike'],
    ['exists of another asset', (l) => l.account('c:new', { asset: 'USD' }), open(), 'exists otherwise'],
    ['exists with another overdraft', (l) => l.account('c:new', { overdraft: 1n }), open(), 'exists otherwise'],
    ['exists with another normal side', (l) => l.account('c:new', { normal: 'debit' }), open(), 'exists otherwise'],
    [
      'exists, the overdraft is none of its asset',
      (l) => l.account('c:new'),
      open({ overdraft: '0.001' }),
      'exists otherwise',
    ],
    ['a house cell that exists', (l) => l.account('house:x'), open({ account: 'house:x' }), 'exists alike'],
    ['of an unknown asset', (l) => l, open({ asset: 'XXX', overdraft: '0.001' }), 'asset_mismatch'],
    ['an overdraft with a decimal too many', (l) => l, open({ overdraft: '0.001' }), 'amount_scale'],
    ['an overdraft too great', (l) => l, open({ overdraft: '92233720368547758.08' }), 'amount_overflow'],
    ['the greatest overdraft', (l) => l, open({ overdraft: '92233720368547758.07' }), 'accepted'],
  ]),
  ...cases('change', [
    [
      'the limit',
      (l) => one(l).accept(debit()),
      change({ overdraft: '5' }),
      'accepted',
      {
        rows: 'change',
        facts: { status: 'open', overdraft: '5.00', version: 2, seq: 1, balance: '0', held: '0' },
        after: { 'c:cash': '0.00 0.00 1' },
      },
    ],
    [
      'to frozen',
      one,
      change({ status: 'frozen' }),
      'accepted',
      { facts: { status: 'frozen', overdraft: '0.00', version: 2, seq: 0, balance: '1000', held: '0' } },
    ],
    [
      'the limit below use',
      (l) => l.account('c:cash', { balance: -400n, overdraft: 500n }),
      change({ overdraft: '0' }),
      'accepted',
    ],
    ['unknown account', (l) => l, change({ ifVersion: 7 }), 'account_not_found'],
    ['a house account', (l) => l.account('house:x'), change({ account: 'house:x' }), 'account_not_found'],
    ['another version', one, change({ ifVersion: 2, overdraft: '0.001' }), 'version_mismatch'],
    ['another version of a closed account', closed, change({ ifVersion: 2 }), 'version_mismatch'],
    ['the version after a change', (l) => one(l).accept(change({ id: '!1' })), change({ ifVersion: 2 }), 'accepted'],
    ['the version', one, change({ ifVersion: 1, status: 'frozen' }), 'accepted'],
    ['the limit of a closed account', closed, change({ overdraft: '0.001' }), 'account_closed'],
    ['a closed account to closed', closed, change({ status: 'closed' }), 'account_closed'],
    ['a closed account to frozen', closed, change({ status: 'frozen' }), 'account_closed'],
    ['a closed account to open', closed, change({ status: 'open', overdraft: '1' }), 'accepted'],
    ['a decimal too many', one, change({ overdraft: '0.001', status: 'closed' }), 'amount_scale'],
    ['too great', one, change({ overdraft: '92233720368547758.08' }), 'amount_overflow'],
    ['to closed with a balance', one, change({ status: 'closed' }), 'account_not_empty'],
    [
      'to closed with a negative balance',
      (l) => l.account('c:cash', { balance: -1n }),
      change({ status: 'closed' }),
      'account_not_empty',
    ],
    [
      'to closed with a hold',
      (l) => l.account('c:cash', { overdraft: 1000n }).accept(hold()),
      change({ status: 'closed' }),
      'account_not_empty',
    ],
    ['to closed, empty', empty, change({ status: 'closed' }), 'accepted'],
    [
      'to closed, frozen and empty',
      (l) => empty(l).accept(change({ id: '!f', status: 'frozen' })),
      change({ status: 'closed' }),
      'accepted',
    ],
    [
      'nothing',
      one,
      change(),
      'accepted',
      { facts: { status: 'open', overdraft: '0.00', version: 2, seq: 0, balance: '1000', held: '0' } },
    ],
  ]),
  ...cases('expire', [
    ['an account without holds', one, expire(), 'nothing'],
    ['an unknown account', (l) => l, expire(), 'nothing'],
    [
      'a hold that has run out',
      (l) =>
        one(l)
          .accept(hold({ expiresIn: 1 }))
          .wait(1000),
      expire(),
      'nothing',
      { after: { 'c:cash': '10.00 0.00 2' } },
    ],
    [
      'a hold that has not',
      (l) =>
        one(l)
          .accept(hold({ expiresIn: 1 }))
          .wait(999),
      expire(),
      'nothing',
      { after: { 'c:cash': '10.00 10.00 1' } },
    ],
    [
      'a house account: all its cells',
      (l) => l.accept(hold({ account: 'house:x', asset: 'JPY', expiresIn: 1 })).wait(1000),
      expire({ account: 'house:x' }),
      'nothing',
      { after: { 'house:x|JPY': '0 0 2' } },
    ],
  ]),
  ...cases('the same id', [
    ['the same body', (l) => one(l).accept(debit()), debit(), 'repeated'],
    [
      'the same body, refused before and now possible',
      (l) =>
        one(l)
          .refuse(debit({ amount: '11' }))
          .accept(credit()),
      debit({ amount: '11' }),
      'repeated',
    ],
    ['another type', (l) => one(l).accept(debit()), credit({ id: 'd' }), 'conflict type'],
    ['another account', (l) => one(l).accept(debit()), debit({ account: 'c:save', amount: '1' }), 'conflict account'],
    ['another amount', (l) => one(l).accept(debit()), debit({ amount: '10.01', to: 'house:x' }), 'conflict amount'],
    ['another opening', (l) => l.accept(open()), open({ overdraft: '1' }), 'conflict overdraft'],
    [
      'another change',
      (l) => one(l).accept(change({ status: 'frozen' })),
      change({ status: 'open' }),
      'conflict status',
    ],
    ['the same change', (l) => one(l).accept(change({ status: 'frozen' })), change({ status: 'frozen' }), 'repeated'],
  ]),
]
