// Disbursements and their reversal: one line a rule, in order of precedence, both sides of each boundary.
import { type Case, cases } from './case.ts'
import { change, debit, disburse, refund } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const principal = 'c:loan:L1:principal'
const drawn = 'house:credit:drawn|CNY'
const a = { account: 'house:lender:a', share: '0.3' }
const b = { account: 'house:lender:b', share: '0.7' }
const joint = [a, b]
const own = (share: string) => ({ account: 'c:funds', share })
const rich = (l: TestLedger) =>
  l.account('c:cash').account('c:line', { overdraft: 10_000n }).account('c:funds', { balance: 10_000n })
const lent = (l: TestLedger) => rich(l).accept(disburse({ creditLine: 'c:line', funders: joint }))
const back = (given = {}) => refund({ of: 'loan', ...given })

export const disbursementCases: readonly Case[] = [
  ...cases('disbursement', [
    [
      'the house lends',
      rich,
      disburse(),
      'accepted',
      { rows: 'open disbursement', after: { 'c:cash': '100.00 0.00 1', [principal]: '-100.00 0.00 1' } },
    ],
    [
      'by a credit line and two funders',
      rich,
      disburse({ creditLine: 'c:line', funders: joint }),
      'accepted',
      {
        rows: 'open open open open open open disbursement disbursement disbursement disbursement',
        after: {
          'c:cash': '100.00 0.00 1',
          'c:line': '-100.00 0.00 1',
          [principal]: '-100.00 0.00 1',
          [drawn]: '100.00 0.00 1',
          'house:lender:a|CNY': '-30.00 0.00 1',
          'house:lender:b|CNY': '-70.00 0.00 1',
          'house:loan:funder:lender:a|CNY': '30.00 0.00 1',
        },
      },
    ],
    [
      'by the largest remainder',
      rich,
      disburse({ amount: '0.05', funders: joint }),
      'accepted',
      { after: { 'house:lender:a|CNY': '-0.02 0.00 1', 'house:lender:b|CNY': '-0.03 0.00 1' } },
    ],
    [
      'a share of nothing is no row',
      rich,
      disburse({ amount: '0.01', funders: joint }),
      'accepted',
      { rows: 'open open open disbursement disbursement' },
    ],
    [
      'sole, out of an account of the owner',
      rich,
      disburse({ funders: [own('1')] }),
      'accepted',
      { after: { 'c:funds': '0.00 0.00 1', 'house:loan:funder:c|CNY': '100.00 0.00 1' } },
    ],
    [
      'through a channel',
      rich,
      disburse({ to: 'house:payout:bank', asset: 'CNY' }),
      'accepted',
      { after: { 'house:payout:bank|CNY': '100.00 0.00 1' } },
    ],
    ['an unknown wallet', rich, disburse({ to: 'c:none', asset: 'USD' }), 'account_not_found'],
    ['an unknown line', rich, disburse({ creditLine: 'c:none' }), 'account_not_found'],
    ['an unknown funder', rich, disburse({ funders: [{ account: 'c:none', share: '1' }] }), 'account_not_found'],
    [
      'closed before frozen',
      (l) => rich(l).set('c:cash', { status: 'closed' }).set('c:line', { status: 'frozen' }),
      disburse({ creditLine: 'c:line' }),
      'account_closed',
    ],
    [
      'a frozen line before the asset',
      (l) => rich(l).accept(change({ account: 'c:line', status: 'frozen' })),
      disburse({ creditLine: 'c:line', asset: 'USD' }),
      'account_frozen',
    ],
    ['a frozen wallet takes money in', (l) => rich(l).accept(change({ status: 'frozen' })), disburse(), 'accepted'],
    ['another asset', rich, disburse({ asset: 'USD', amount: '0.001' }), 'asset_mismatch'],
    ['no asset', rich, disburse({ to: 'house:payout:bank' }), 'asset_mismatch'],
    ['a principal that is no debt', (l) => rich(l).account(principal), disburse(), 'asset_mismatch'],
    ['too fine', rich, disburse({ amount: '0.001', funders: [own('0.5'), own('0.5')] }), 'amount_scale'],
    ['a funder twice', rich, disburse({ funders: [own('0.5'), own('0.5')] }), 'same_account'],
    ['once', lent, disburse({ id: 'again', creditLine: 'c:line', amount: '0.01' }), 'loan_already_disbursed'],
    [
      'not after its reversal either',
      (l) => lent(l).accept(back()),
      disburse({ id: 'again' }),
      'loan_already_disbursed',
    ],
    ['another loan', lent, disburse({ id: 'other', loan: 'L2' }), 'accepted'],
    [
      'into a principal that was opened before',
      (l) => rich(l).account(principal, { normal: 'debit' }),
      disburse(),
      'accepted',
    ],
    ['the line to its last unit', rich, disburse({ creditLine: 'c:line' }), 'accepted'],
    [
      'a unit above the line, before the funds',
      rich,
      disburse({ amount: '100.01', creditLine: 'c:line', funders: [own('1')] }),
      'credit_line_exceeded',
      { facts: { available: '100.00', needed: '100.01' } },
    ],
    [
      'a unit above what a funder has',
      rich,
      disburse({ amount: '100.01', funders: [own('1')] }),
      'insufficient_funds',
      { facts: { available: '100.00', needed: '100.01' } },
    ],
  ]),
  ...cases('reversal of a disbursement', [
    [
      'whole',
      lent,
      back(),
      'accepted',
      {
        rows: 'refund refund refund refund',
        after: {
          'c:cash': '0.00 0.00 2',
          'c:line': '0.00 0.00 2',
          [principal]: '0.00 0.00 2',
          'house:lender:a|CNY': '0.00 0.00 2',
        },
      },
    ],
    ['by what is owed', lent, back({ account: principal }), 'accepted'],
    ['once', (l) => lent(l).accept(back()), back({ id: 'r2' }), 'refund_exceeds_original'],
    ['never in part', lent, back({ amount: '1' }), 'original_not_refundable'],
    [
      'what was spent is missing',
      (l) => lent(l).accept(debit({ id: 'spent', amount: '0.01' })),
      back(),
      'insufficient_funds',
      { facts: { available: '99.99', needed: '100.00' } },
    ],
    ['by an account that has no part in it', lent, back({ account: 'c:funds' }), 'original_not_found'],
  ]),
]
