// Hold, capture, release: one line a rule, in order of precedence, both sides of each boundary.
import { minorMax } from '../money.ts'
import { type Case, cases } from './case.ts'
import { capture, change, credit, debit, hold, release, settlement, transfer } from './commands.ts'
import { startMs, type TestLedger } from './ledger.ts'

const house = `${settlement}|CNY`
const rich = (l: TestLedger) => l.account('c:cash', { balance: 10_000n }).account('c:save').account(settlement)
const held = (l: TestLedger) => rich(l).accept(hold())
const heldFor =
  (more: Parameters<typeof hold>[0], then: (l: TestLedger) => unknown = (l) => l) =>
  (l: TestLedger) =>
    then(rich(l).accept(hold(more)))
const loan = (balance: bigint) => (l: TestLedger) => rich(l).account('c:loan', { balance, normal: 'debit' })
const at = (ms: number) => new Date(startMs + ms).toISOString()

export const holdCases: readonly Case[] = [
  ...cases('hold', [
    [
      'placed',
      rich,
      hold(),
      'accepted',
      { rows: 'hold', after: { 'c:cash': '100.00 10.00 1', [house]: '0.00 0.00 0' } },
    ],
    ['to the last unit', rich, hold({ amount: '100' }), 'accepted'],
    [
      'one unit too many',
      rich,
      hold({ amount: '100.01' }),
      'insufficient_funds',
      { facts: { available: '100.00', needed: '100.01' } },
    ],
    [
      'what is held is not available',
      held,
      hold({ id: 'h2', amount: '90.01' }),
      'insufficient_funds',
      { facts: { available: '90.00', needed: '90.01' } },
    ],
    [
      'what is left may be held too',
      held,
      hold({ id: 'h2', amount: '90' }),
      'accepted',
      { after: { 'c:cash': '100.00 100.00 2' } },
    ],
    ['what is held is not there for a debit', held, debit({ amount: '90.01' }), 'insufficient_funds'],
    ['unknown account', (l) => l, hold(), 'account_not_found'],
    ['unknown receiver', rich, hold({ to: 'c:none' }), 'account_not_found'],
    [
      'a receiver does not open',
      (l) => l.account('c:p', { asset: 'POINTS', balance: 10n }),
      hold({ account: 'c:p', to: 'c:q', asset: 'POINTS' }),
      'account_not_found',
    ],
    [
      'a house cell opens',
      (l) => l.account('c:cash', { balance: 1000n }),
      hold({ expiresIn: 60 }),
      'accepted',
      { rows: 'open hold', facts: { expiresAt: startMs + 60_000 }, after: { [house]: '0.00 0.00 0' } },
    ],
    ['closed', (l) => rich(l).set('c:cash', { status: 'closed' }), hold(), 'account_closed'],
    ['closed receiver', (l) => rich(l).set('c:save', { status: 'closed' }), hold({ to: 'c:save' }), 'account_closed'],
    ['frozen', (l) => rich(l).set('c:cash', { status: 'frozen' }), hold(), 'account_frozen'],
    ['frozen receiver', (l) => rich(l).set('c:save', { status: 'frozen' }), hold({ to: 'c:save' }), 'accepted'],
    [
      'frozen, debit-normal: a hold lowers what is available all the same',
      (l) => loan(-1000n)(l).set('c:loan', { status: 'frozen' }),
      hold({ account: 'c:loan' }),
      'account_frozen',
    ],
    ['the bound of a debit-normal account', loan(-1000n), hold({ account: 'c:loan' }), 'accepted'],
    ['beyond the bound of a debit-normal account', loan(-999n), hold({ account: 'c:loan' }), 'insufficient_funds'],
    ["asset given that is not the account's", rich, hold({ asset: 'USD' }), 'asset_mismatch'],
    ['two assets', (l) => rich(l).account('c:usd', { asset: 'USD' }), hold({ to: 'c:usd' }), 'asset_mismatch'],
    ['too many decimals', rich, hold({ amount: '0.001' }), 'amount_scale'],
    ['too great', rich, hold({ amount: '92233720368547758.08' }), 'amount_overflow'],
    ['for itself', rich, hold({ to: 'c:cash' }), 'same_account'],
    ['released before it came', (l) => rich(l).accept(release()), hold(), 'hold_released'],
    [
      'released before it came, before expired',
      (l) => rich(l).accept(release()),
      hold({ expiresIn: 0 }),
      'hold_released',
    ],
    ['the same account before released', (l) => rich(l).accept(release()), hold({ to: 'c:cash' }), 'same_account'],
    ['another type under an id that was released', (l) => rich(l).accept(release()), debit({ id: 'h' }), 'accepted'],
    ['expired when it came', rich, hold({ expiresAt: at(0) }), 'hold_expired'],
    ['expired when it came, before the funds', rich, hold({ expiresAt: at(0), amount: '101' }), 'hold_expired'],
    ['a millisecond left', rich, hold({ expiresAt: at(1) }), 'accepted', { facts: { expiresAt: startMs + 1 } }],
    ['no second', rich, hold({ expiresIn: 0 }), 'hold_expired'],
    ['a second', rich, hold({ expiresIn: 1 }), 'accepted', { facts: { expiresAt: startMs + 1000 } }],
    [
      'a time in another zone',
      rich,
      hold({ expiresAt: '2027-01-31T20:00:00.001+08:00' }),
      'accepted',
      { facts: { expiresAt: startMs + 1 } },
    ],
    [
      'more is held than 63 bits count',
      (l) =>
        l
          .account('c:cash', { balance: minorMax, overdraft: minorMax })
          .accept(hold({ amount: '92233720368547758.07' })),
      hold({ id: 'h2', amount: '0.01' }),
      'amount_overflow',
    ],
    [
      'on a house account',
      rich,
      hold({ account: 'house:fees', asset: 'CNY' }),
      'accepted',
      { rows: 'open hold', after: { 'house:fees|CNY': '0.00 10.00 1' } },
    ],
    ['house only, no asset', rich, hold({ account: 'house:fees' }), 'asset_mismatch'],
  ]),
  ...cases('capture', [
    [
      'whole',
      held,
      capture(),
      'accepted',
      { rows: 'capture', after: { 'c:cash': '90.00 0.00 2', [house]: '10.00 0.00 1' } },
    ],
    [
      'the whole amount',
      held,
      capture({ amount: '10' }),
      'accepted',
      { rows: 'capture', after: { 'c:cash': '90.00 0.00 2' } },
    ],
    ['one unit too many', held, capture({ amount: '10.01' }), 'capture_exceeds_hold'],
    [
      'in part, final: the rest is released',
      held,
      capture({ amount: '9.99' }),
      'accepted',
      { rows: 'capture release', after: { 'c:cash': '90.01 0.00 3', [house]: '9.99 0.00 1' } },
    ],
    [
      'in part, not final',
      held,
      capture({ amount: '4', final: false }),
      'accepted',
      { rows: 'capture', after: { 'c:cash': '96.00 6.00 2', [house]: '4.00 0.00 1' } },
    ],
    [
      'of what is left',
      heldFor({}, (l) => l.accept(capture({ amount: '4', final: false }))),
      capture({ id: 'k', amount: '6' }),
      'accepted',
    ],
    [
      'of all that is left, by default',
      heldFor({}, (l) => l.accept(capture({ amount: '4', final: false }))),
      capture({ id: 'k' }),
      'accepted',
      { rows: 'capture', after: { 'c:cash': '90.00 0.00 3' } },
    ],
    [
      'of more than is left',
      heldFor({}, (l) => l.accept(capture({ amount: '4', final: false }))),
      capture({ id: 'k', amount: '6.01' }),
      'capture_exceeds_hold',
    ],
    ['to an account', heldFor({ to: 'c:save' }), capture(), 'accepted', { after: { 'c:save': '10.00 0.00 1' } }],
    ['frozen', (l) => held(l).accept(change({ status: 'frozen' })), capture(), 'accepted'],
    [
      'after the limit was lowered below use',
      (l) => held(l).set('c:cash', { balance: 0n }),
      capture(),
      'accepted',
      { after: { 'c:cash': '-10.00 0.00 2' } },
    ],
    ['unknown account', held, capture({ account: 'c:none' }), 'account_not_found'],
    ['closed', (l) => rich(l).set('c:cash', { status: 'closed' }), capture(), 'account_closed'],
    ["asset given that is not the account's", held, capture({ asset: 'USD' }), 'asset_mismatch'],
    ['too many decimals, before the hold', rich, capture({ amount: '0.001' }), 'amount_scale'],
    ['too great', held, capture({ amount: '92233720368547758.08' }), 'amount_overflow'],
    ['unknown hold', rich, capture(), 'hold_not_found'],
    ['no hold', (l) => rich(l).accept(debit({ id: 'h' })), capture(), 'hold_not_found'],
    ['a declined hold', (l) => rich(l).refuse(hold({ amount: '101' })), capture(), 'hold_not_found'],
    ['a hold on another account', held, capture({ account: 'c:save' }), 'hold_not_found'],
    ['a captured hold', (l) => held(l).accept(capture()), capture({ id: 'k' }), 'hold_captured'],
    [
      'a hold captured in part, finally',
      (l) => held(l).accept(capture({ amount: '4' })),
      capture({ id: 'k' }),
      'hold_captured',
    ],
    [
      'a hold captured in parts',
      (l) =>
        held(l).accept(
          capture({ id: '1', amount: '4', final: false }),
          capture({ id: '2', amount: '6', final: false }),
        ),
      capture(),
      'hold_captured',
    ],
    ['a released hold', (l) => held(l).accept(release()), capture(), 'hold_released'],
    [
      'a hold captured in part, then released',
      (l) => held(l).accept(capture({ amount: '4', final: false }), release()),
      capture({ id: 'k' }),
      'hold_released',
    ],
    [
      'a hold that was released before it came',
      (l) => rich(l).accept(release()).refuse(hold()),
      capture(),
      'hold_released',
    ],
    ['of a hold that has only been released', (l) => rich(l).accept(release()), capture(), 'hold_released'],
    ['to the last millisecond', heldFor({ expiresAt: at(5) }, (l) => l.wait(4)), capture(), 'accepted'],
    [
      'expired',
      heldFor({ expiresAt: at(5) }, (l) => l.wait(5)),
      capture(),
      'hold_expired',
      { after: { 'c:cash': '100.00 0.00 2' } },
    ],
    [
      'expired after a part was captured',
      heldFor({ expiresAt: at(5) }, (l) => l.accept(capture({ amount: '4', final: false })).wait(5)),
      capture({ id: 'k' }),
      'hold_expired',
      { after: { 'c:cash': '96.00 0.00 3' } },
    ],
    [
      'a closed receiver',
      heldFor({ to: 'c:save' }, (l) => l.set('c:save', { status: 'closed' })),
      capture({ amount: '10.01' }),
      'account_closed',
    ],
    [
      'a frozen receiver',
      heldFor({ to: 'c:save' }, (l) => l.set('c:save', { status: 'frozen' })),
      capture(),
      'accepted',
    ],
    [
      'a frozen loan as receiver',
      (l) =>
        loan(-1000n)(l)
          .accept(hold({ to: 'c:loan' }))
          .set('c:loan', { status: 'frozen' }),
      capture(),
      'accepted',
    ],
    ['a loan that has room', (l) => loan(-1000n)(l).accept(hold({ to: 'c:loan' })), capture(), 'accepted'],
    [
      'a loan that has no room any more',
      (l) => loan(-999n)(l).accept(hold({ to: 'c:loan' })),
      capture(),
      'insufficient_funds',
      { facts: { available: '9.99', needed: '10.00' } },
    ],
    ['the receiver is full', (l) => held(l).set(house, { balance: minorMax - 999n }), capture(), 'amount_overflow'],
    ['the receiver is just full', (l) => held(l).set(house, { balance: minorMax - 1000n }), capture(), 'accepted'],
    [
      'of a house account',
      (l) => rich(l).accept(hold({ account: 'house:fees', asset: 'CNY' })),
      capture({ account: 'house:fees', asset: 'CNY' }),
      'accepted',
      { after: { 'house:fees|CNY': '-10.00 0.00 2' } },
    ],
    ['of a house account without an asset', rich, capture({ account: settlement }), 'asset_mismatch'],
    ['of a house account of an unknown asset', rich, capture({ account: settlement, asset: 'XXX' }), 'asset_mismatch'],
    [
      'of a house account that is not there',
      rich,
      capture({ account: 'house:fees', asset: 'CNY' }),
      'account_not_found',
    ],
    [
      'of another cell of the house account',
      (l) =>
        rich(l)
          .account('house:fees', { asset: 'USD' })
          .accept(hold({ account: 'house:fees', asset: 'CNY' })),
      capture({ account: 'house:fees', asset: 'USD' }),
      'hold_not_found',
    ],
  ]),
  ...cases('release', [
    ['open', held, release(), 'accepted', { rows: 'release', after: { 'c:cash': '100.00 0.00 2' } }],
    [
      'of what is left',
      (l) => held(l).accept(capture({ amount: '4', final: false })),
      release(),
      'accepted',
      { after: { 'c:cash': '96.00 0.00 3' } },
    ],
    ['frozen', (l) => held(l).accept(change({ status: 'frozen' })), release(), 'accepted'],
    ['before its hold', rich, release(), 'accepted', { rows: 'tombstone', after: { 'c:cash': '100.00 0.00 0' } }],
    ['before its hold, again', (l) => rich(l).accept(release()), release({ id: 'r2' }), 'hold_released'],
    [
      'before its hold, again behind the late hold',
      (l) => rich(l).accept(release()).refuse(hold()),
      release({ id: 'r2' }),
      'hold_released',
    ],
    ['before its hold, under its own id', rich, release({ id: 'h' }), 'accepted', { rows: 'tombstone' }],
    ['before its hold, no account', (l) => l, release(), 'account_not_found'],
    ['before its hold, closed', (l) => rich(l).set('c:cash', { status: 'closed' }), release(), 'account_closed'],
    ["asset given that is not the account's", held, release({ asset: 'USD' }), 'asset_mismatch'],
    ['no hold', (l) => rich(l).accept(debit({ id: 'h' })), release(), 'hold_not_found'],
    [
      'no hold, though released before',
      (l) => rich(l).accept(release(), debit({ id: 'h' })),
      release({ id: 'r2' }),
      'hold_not_found',
    ],
    ['a declined hold', (l) => rich(l).refuse(hold({ amount: '101' })), release(), 'hold_not_found'],
    ['a hold on another account', held, release({ account: 'c:save' }), 'hold_not_found'],
    ['captured', (l) => held(l).accept(capture()), release(), 'hold_captured'],
    ['captured in part, finally', (l) => held(l).accept(capture({ amount: '4' })), release(), 'hold_captured'],
    ['released', (l) => held(l).accept(release()), release({ id: 'r2' }), 'hold_released'],
    ['to the last millisecond', heldFor({ expiresIn: 1 }, (l) => l.wait(999)), release(), 'accepted'],
    ['expired', heldFor({ expiresIn: 1 }, (l) => l.wait(1000)), release(), 'hold_expired'],
  ]),
  ...cases('what was expired', [
    [
      'pays a debit',
      heldFor({ amount: '100', expiresIn: 1 }, (l) => l.wait(1000)),
      debit({ amount: '100' }),
      'accepted',
    ],
    [
      'a millisecond too early for a debit',
      heldFor({ amount: '100', expiresIn: 1 }, (l) => l.wait(999)),
      debit(),
      'insufficient_funds',
    ],
    [
      'pays a transfer',
      heldFor({ amount: '100', expiresIn: 1 }, (l) => l.wait(1000)),
      transfer({ amount: '100' }),
      'accepted',
    ],
    [
      'lets close',
      (l) =>
        l
          .account('c:cash', { overdraft: 1000n })
          .accept(hold({ expiresIn: 1 }))
          .wait(1000),
      change({ status: 'closed' }),
      'accepted',
    ],
    [
      'pays a debit that opens',
      heldFor({ amount: '100', expiresIn: 1 }, (l) => l.wait(1000)),
      debit({ to: 'house:new', amount: '100' }),
      'accepted',
    ],
    [
      'stands in the row of a credit',
      heldFor({ expiresIn: 1 }, (l) => l.wait(1000)),
      credit(),
      'accepted',
      { after: { 'c:cash': '110.00 0.00 3' } },
    ],
  ]),
]
