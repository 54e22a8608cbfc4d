// Refunds: one line a rule, in order of precedence, both sides of each boundary.
import { minorMax } from '../money.ts'
import { type Case, cases } from './case.ts'
import { capture, change, credit, debit, hold, leg, postings, refund, settlement, transfer } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const house = `${settlement}|CNY`
const rich = (l: TestLedger) => l.account('c:cash', { balance: 10_000n }).account('c:save').account(settlement)
const paid = (l: TestLedger) => rich(l).accept(debit())
const moved = (l: TestLedger) => rich(l).accept(transfer())
const three = [leg('c:cash', 'c:save', '10'), leg('c:save', settlement, '6'), leg('c:cash', settlement, '1')]
const posted = (l: TestLedger) => rich(l).accept(postings(three))

export const refundCases: readonly Case[] = [
  ...cases('refund', [
    [
      'of a debit, whole',
      paid,
      refund(),
      'accepted',
      { rows: 'refund', after: { 'c:cash': '100.00 0.00 2', [house]: '0.00 0.00 2' } },
    ],
    [
      'of a debit, in part',
      paid,
      refund({ amount: '4' }),
      'accepted',
      { after: { 'c:cash': '94.00 0.00 2', [house]: '6.00 0.00 2' } },
    ],
    [
      'of what is left',
      (l) => paid(l).accept(refund({ amount: '4' })),
      refund({ id: 'r2' }),
      'accepted',
      { after: { 'c:cash': '100.00 0.00 3' } },
    ],
    ['to the last unit', (l) => paid(l).accept(refund({ amount: '4' })), refund({ id: 'r2', amount: '6' }), 'accepted'],
    [
      'one unit too many',
      (l) => paid(l).accept(refund({ amount: '4' })),
      refund({ id: 'r2', amount: '6.01' }),
      'refund_exceeds_original',
    ],
    ['one unit above the original', paid, refund({ amount: '10.01' }), 'refund_exceeds_original'],
    ['nothing is left', (l) => paid(l).accept(refund()), refund({ id: 'r2' }), 'refund_exceeds_original'],
    [
      'a declined refund takes nothing',
      (l) => paid(l).refuse(refund({ amount: '11' })),
      refund({ id: 'r2' }),
      'accepted',
    ],
    [
      'of a transfer: from its other side',
      moved,
      refund({ of: 't' }),
      'accepted',
      { after: { 'c:cash': '100.00 0.00 2', 'c:save': '0.00 0.00 2' } },
    ],
    [
      'of a debit that opened its cell',
      (l) => l.account('c:cash', { balance: 1000n }).accept(debit()),
      refund(),
      'accepted',
      { rows: 'refund', after: { 'c:cash': '10.00 0.00 2' } },
    ],
    [
      'of a capture: what was captured',
      (l) => rich(l).accept(hold(), capture({ amount: '4' })),
      refund({ of: 'cap' }),
      'accepted',
      { after: { 'c:cash': '100.00 0.00 4' } },
    ],
    [
      'of a capture: no more than was captured',
      (l) => rich(l).accept(hold(), capture({ amount: '4' })),
      refund({ of: 'cap', amount: '4.01' }),
      'refund_exceeds_original',
    ],
    ['into a frozen account', (l) => paid(l).accept(change({ status: 'frozen' })), refund(), 'accepted'],
    ['unknown account', paid, refund({ account: 'c:none' }), 'account_not_found'],
    ['closed', (l) => paid(l).set('c:cash', { status: 'closed' }), refund(), 'account_closed'],
    ["asset given that is not the account's", paid, refund({ asset: 'USD' }), 'asset_mismatch'],
    ['too many decimals, before the original', rich, refund({ amount: '0.001' }), 'amount_scale'],
    ['too great', paid, refund({ amount: '92233720368547758.08' }), 'amount_overflow'],
    ['of nothing', rich, refund(), 'original_not_found'],
    ['of what was declined', (l) => rich(l).refuse(debit({ amount: '101' })), refund(), 'original_not_found'],
    [
      'of a credit that was declined',
      (l) => rich(l).refuse(credit({ amount: '0.001' })),
      refund({ of: 'c' }),
      'original_not_found',
    ],
    ['of another account', paid, refund({ account: 'c:save' }), 'original_not_found'],
    ['for the other side of a transfer', moved, refund({ account: 'c:save', of: 't' }), 'original_not_found'],
    ['of a credit', (l) => rich(l).accept(credit()), refund({ of: 'c' }), 'original_not_refundable'],
    ['of a hold', (l) => rich(l).accept(hold()), refund({ of: 'h' }), 'original_not_refundable'],
    ['of a refund', (l) => paid(l).accept(refund()), refund({ id: 'r2', of: 'ref' }), 'original_not_refundable'],
    [
      'the other side is closed',
      (l) => moved(l).set('c:save', { status: 'closed' }),
      refund({ of: 't' }),
      'account_closed',
    ],
    [
      'the other side is frozen',
      (l) => moved(l).accept(change({ account: 'c:save', status: 'frozen' })),
      refund({ of: 't' }),
      'account_frozen',
    ],
    [
      'the other side has spent it',
      (l) => moved(l).accept(debit({ account: 'c:save', amount: '0.01' })),
      refund({ of: 't' }),
      'insufficient_funds',
      { facts: { available: '9.99', needed: '10.00' } },
    ],
    [
      'the other side has spent a part',
      (l) => moved(l).accept(debit({ account: 'c:save', amount: '0.01' })),
      refund({ of: 't', amount: '9.99' }),
      'accepted',
    ],
    [
      'the other side holds it no longer for somebody else',
      (l) =>
        moved(l)
          .accept(hold({ account: 'c:save', expiresIn: 1 }))
          .wait(1000),
      refund({ of: 't' }),
      'accepted',
    ],
    ['the account is full', (l) => paid(l).set('c:cash', { balance: minorMax - 999n }), refund(), 'amount_overflow'],
    [
      'to a frozen debit-normal account',
      (l) =>
        rich(l)
          .account('c:loan', { balance: -5000n, normal: 'debit' })
          .accept(debit({ account: 'c:loan' }))
          .set('c:loan', { status: 'frozen' }),
      refund({ account: 'c:loan' }),
      'account_frozen',
    ],
  ]),
  ...cases('refund of postings', [
    [
      'whole, the last first',
      posted,
      refund({ of: 'p' }),
      'accepted',
      {
        rows: 'refund refund refund',
        after: { 'c:cash': '100.00 0.00 4', 'c:save': '0.00 0.00 4', [house]: '0.00 0.00 4' },
      },
    ],
    ['in part', posted, refund({ of: 'p', amount: '1' }), 'original_not_refundable'],
    ['even of the whole amount', posted, refund({ of: 'p', amount: '10' }), 'original_not_refundable'],
    ['once', (l) => posted(l).accept(refund({ of: 'p' })), refund({ id: 'r2', of: 'p' }), 'refund_exceeds_original'],
    ['for the account that paid first', posted, refund({ account: 'c:save', of: 'p' }), 'original_not_found'],
    [
      'all or nothing',
      (l) => posted(l).accept(debit({ account: 'c:save', amount: '0.01' })),
      refund({ of: 'p' }),
      'insufficient_funds',
      { facts: { available: '9.99', needed: '10.00' }, after: { 'c:cash': '89.00 0.00 2' } },
    ],
    [
      'that opened accounts',
      (l) =>
        l
          .account('c:cash', { balance: 1000n })
          .accept(postings([leg('c:cash', settlement), leg(settlement, 'c:p', '3', 'POINTS')])),
      refund({ of: 'p' }),
      'accepted',
      { after: { 'c:cash': '10.00 0.00 2', 'c:p': '0 0 2' } },
    ],
  ]),
]
