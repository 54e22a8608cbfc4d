import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { apply } from './apply.ts'
import type { Command } from './command.ts'
import { decide } from './decide.ts'
import { noHolds, OpenHolds } from './hold.ts'
import type { Row } from './row.ts'
import { capture, change, debit, expire, hold, open, refund, release, settlement } from './testing/commands.ts'
import { figuresOf, snapshot, TestLedger } from './testing/ledger.ts'
import type { Decided } from './transaction.ts'

const given = () => new TestLedger().account('c:cash', { balance: 10_000n }).account('c:save').account(settlement)

function decidedOf(ledger: TestLedger, command: Command): Decided {
  const decision = decide(ledger.state, ledger.receive(command), ledger.now)
  assert.ok(decision.kind === 'decided')
  return decision.decided
}

const withRow = (decided: Decided, change: Partial<Row>): Decided => ({
  ...decided,
  rows: [{ ...decided.rows[0], ...change }, ...decided.rows.slice(1)],
})

describe('apply stops at what cannot be', () => {
  const held = () => given().accept(hold())
  const table: readonly (readonly [
    name: string,
    rule: string,
    ledger: TestLedger,
    command: Command,
    spoil: (d: Decided) => Decided,
  ])[] = [
    [
      'a time before the last',
      'time_goes_forward',
      given().accept(debit({ id: '0' })),
      debit(),
      (d) => ({ ...d, at: d.at - 1 }),
    ],
    [
      'an account that is not there',
      'account_resident',
      given(),
      debit(),
      (d) => withRow(d, { from: { ...ref(d), id: 'c:none' } }),
    ],
    [
      'another account under the name',
      'account_resident',
      given(),
      debit(),
      (d) => withRow(d, { from: { ...ref(d), key: 7 } }),
    ],
    ['a side too few', 'row_has_its_sides', given(), debit(), (d) => withRow(d, { to: undefined })],
    ['a gap in seq', 'seq_dense', given(), debit(), (d) => withRow(d, { fromSeq: 2 })],
    ['a seq twice', 'seq_dense', given(), debit(), (d) => withRow(d, { toSeq: 0 })],
    ['a balance that is another', 'after_image_agrees', given(), debit(), (d) => withRow(d, { fromBalance: 8999n })],
    [
      'one side that gets less than the other gives',
      'after_image_agrees',
      given(),
      debit(),
      (d) => withRow(d, { toBalance: 999n }),
    ],
    ['held that is another', 'after_image_agrees', given(), debit(), (d) => withRow(d, { toHeld: 1n })],
    ['an amount of nothing', 'amount_above_zero', given(), debit(), (d) => withRow(d, { amount: 0n })],
    [
      'an overdraw',
      'no_overdraw',
      given(),
      debit(),
      (d) => withRow(d, { amount: 10_001n, fromBalance: -1n, toBalance: 10_001n }),
    ],
    [
      'an overdraw by a hold',
      'no_overdraw',
      given(),
      hold(),
      (d) => withRow(d, { amount: 10_001n, fromHeld: 10_001n }),
    ],
    [
      'more than a balance can be',
      'amounts_fit',
      given(),
      debit({ account: settlement, to: 'c:cash', asset: 'CNY' }),
      (d) => withRow(d, { amount: 2n ** 63n, fromBalance: -(2n ** 63n), toBalance: 10_000n + 2n ** 63n }),
    ],
    ['a leg that is not in its place', 'legs_dense_and_accepted', given(), debit(), (d) => withRow(d, { leg: 1 })],
    [
      'a refusal among accepted rows',
      'legs_dense_and_accepted',
      held(),
      capture({ amount: '1' }),
      (d) => spoilSecond(d, { code: 1 }),
    ],
    [
      'a declined transaction of two rows',
      'declined_is_one_row',
      held(),
      capture({ amount: '1' }),
      (d) => withRow(d, { code: 1 }),
    ],
    ['a hold that is not open', 'hold_open', held(), release(), (d) => withRow(d, { link: d.idKey })],
    ['a hold for somebody else', 'hold_open', held(), release(), (d) => withRow(d, { to: { ...ref(d), key: 7 } })],
    [
      'more than is left of a hold',
      'hold_covers',
      held(),
      release(),
      (d) => withRow(d, { amount: 1001n, fromHeld: -1n }),
    ],
    ['a hold that moves its receiver', 'hold_reserves_for_somebody', given(), hold(), (d) => withRow(d, { toSeq: 1 })],
    [
      'an opening out of order',
      'opened_once_and_in_order',
      given(),
      open(),
      (d) => withRow(d, { from: { ...ref(d), key: 7 } }),
    ],
    [
      'an opening of what is open',
      'opened_once_and_in_order',
      given(),
      open(),
      (d) => withRow(d, { from: { ...ref(d), id: 'c:cash' } }),
    ],
    [
      'a change of another version',
      'change_follows',
      given(),
      change(),
      (d) => ({ ...d, facts: { ...d.facts, version: 3 } }),
    ],
    ['a change without its facts', 'change_follows', given(), change(), (d) => ({ ...d, facts: undefined })],
    [
      'a closing with a balance',
      'closed_is_empty',
      given(),
      change(),
      (d) => ({ ...d, facts: { ...d.facts, status: 'closed' } }),
    ],
    [
      'a tombstone with a side',
      'tombstone_has_no_sides',
      given(),
      release(),
      (d) => withRow(d, { from: given().find('c:cash') }),
    ],
  ]
  for (const [name, rule, ledger, command, spoil] of table) {
    test(`${name}: ${rule}`, () => {
      const decided = decidedOf(ledger, command)
      assert.throws(() => apply(ledger.state, spoil(decided)), { name: 'InvariantViolation', rule })
    })
  }

  test('a row of a closed account: closed_stands_still', () => {
    const ledger = given()
    const decided = decidedOf(ledger, debit())
    ledger.set('c:cash', { status: 'closed' })
    assert.throws(() => apply(ledger.state, decided), { rule: 'closed_stands_still' })
  })

  test('a decision applied twice: decided_once', () => {
    const ledger = given()
    const decided = decidedOf(ledger, debit())
    apply(ledger.state, decided)
    assert.throws(() => apply(ledger.state, decided), { rule: 'decided_once' })
  })

  test('a decision that another has overtaken: seq_dense', () => {
    const ledger = given()
    const decided = decidedOf(ledger, debit())
    ledger.accept(debit({ id: 'd2' }))
    assert.throws(() => apply(ledger.state, decided), { rule: 'seq_dense' })
  })
})

const ref = ({ rows }: Decided) => rows[0].from ?? assert.fail('a row without from')

function spoilSecond(decided: Decided, change: Partial<Row>): Decided {
  const [first, second] = decided.rows
  assert.ok(second !== undefined)
  return { ...decided, rows: [first, { ...second, ...change }] }
}

test('an account below zero may stand still or rise, and nothing else', () => {
  const ledger = given().accept(hold({ amount: '60' }))
  ledger.set('c:cash', { balance: 1000n })
  ledger.accept(capture({ amount: '20', final: false }), release())
  assert.equal(figuresOf(ledger.find('c:cash')), '-10.00 0.00 3')
  assert.equal(ledger.journal.length, 3)
})

test('a declined command counts as a row, moves the time, and is remembered', () => {
  const ledger = given()
  const before = figuresOf(ledger.find('c:cash'))
  ledger.refuse(debit({ amount: '101' }))
  assert.equal(ledger.state.pseq, 1)
  assert.equal(ledger.state.time, ledger.now)
  assert.equal(ledger.state.remembered.get(ledger.receive(debit()).idKey)?.decided, ledger.journal[0])
  assert.equal(figuresOf(ledger.find('c:cash')), before)
})

test('rows that link to a resident transaction are known to it; to one that is not, only tombstones', () => {
  const ledger = given().accept(debit(), refund({ amount: '1' }))
  const original = ledger.receive(debit()).idKey
  assert.deepEqual(
    ledger.state.remembered.get(original)?.links.map(({ kind }) => kind),
    ['refund'],
  )
  ledger.state.remembered.clear()
  const late = ledger.receive(release()).refKey
  ledger.accept(release())
  assert.ok(late !== undefined)
  const { decided, links } = ledger.state.remembered.get(late) ?? assert.fail('no tombstone')
  assert.deepEqual([decided, links.map(({ kind }) => kind)], [undefined, ['tombstone']])
})

test('a tombstone stays known when another transaction takes the id', () => {
  const ledger = given().accept(release(), debit({ id: 'h' }))
  const { decided, links } = ledger.state.remembered.get(ledger.receive(hold()).idKey) ?? assert.fail('not remembered')
  assert.equal(decided?.command.type, 'debit')
  assert.equal(links.length, 1)
})

test('hold, capture in part and release keep the open holds and what is left of them', () => {
  const ledger = given().accept(hold({ amount: '10' }), hold({ id: 'h2', amount: '5' }))
  const { holds } = ledger.find('c:cash')
  const left = () => [...holds.values()].map(({ id, amount, remaining }) => [id, amount, remaining])
  assert.deepEqual(left(), [
    ['h', 1000n, 1000n],
    ['h2', 500n, 500n],
  ])
  ledger.accept(capture({ amount: '4', final: false }))
  assert.deepEqual(left(), [
    ['h', 1000n, 600n],
    ['h2', 500n, 500n],
  ])
  ledger.accept(release())
  assert.deepEqual(left(), [['h2', 500n, 500n]])
})

test('expiries come oldest first, each seeing those before it, with rows of their own', () => {
  const ledger = given()
  ledger.accept(
    hold({ id: 'late', amount: '1', expiresIn: 3 }),
    hold({ id: 'early', amount: '2', expiresIn: 1 }),
    hold({ id: 'other', account: 'c:cash', amount: '4', expiresIn: 2, to: 'c:save' }),
    hold({ id: 'open', amount: '8' }),
  )
  ledger.wait(3000)
  ledger.post(expire())
  const expiries = ledger.journal.slice(4)
  assert.deepEqual(
    expiries.map(({ command }) => command.id),
    ['!expire:early', '!expire:other', '!expire:late'],
  )
  assert.deepEqual(
    expiries.map(({ rows: [row] }) => [row.kind, row.amount, row.fromSeq, row.fromHeld, row.toSeq]),
    [
      ['expire', 200n, 5, 1300n, 0],
      ['expire', 400n, 6, 900n, 0],
      ['expire', 100n, 7, 800n, 0],
    ],
  )
  const [first] = expiries
  assert.equal(first?.at, ledger.now)
  assert.equal(first?.idKey, ledger.receive({ type: 'expire', id: '!expire:early', account: 'c:cash' }).idKey)
  assert.equal(first?.rows[0].link, ledger.receive(hold({ id: 'early' })).idKey)
  assert.deepEqual(
    [...ledger.find('c:cash').holds.values()].map(({ id }) => id),
    ['open'],
  )
})

test('a bound on the next expiry spares looking through the holds, and is never too late', () => {
  const ledger = given().accept(hold({ id: 'a', expiresIn: 10 }))
  const cash = ledger.find('c:cash')
  const bound = () => (cash.holds instanceof OpenHolds ? cash.holds.nextExpiryAt : undefined)
  const at = (seconds: number) => (ledger.journal[0]?.at ?? 0) + seconds * 1000
  assert.equal(bound(), at(10))
  ledger.accept(hold({ id: 'b', expiresIn: 5 }))
  assert.equal(bound(), at(5))
  ledger.accept(hold({ id: 'c' }), release({ hold: 'b' }))
  assert.equal(bound(), at(5))
  ledger.wait(5000).accept(debit())
  assert.equal(bound(), at(10))
  // As loaded: not known, so they are all looked at.
  cash.holds = new Map(cash.holds)
  ledger.wait(5000).accept(debit({ id: 'd2' }))
  assert.equal(figuresOf(cash), '80.00 10.00 7')
  assert.equal(bound(), Number.POSITIVE_INFINITY)
  assert.deepEqual(
    [...cash.holds.values()].map(({ id }) => id),
    ['c'],
  )
})

test('accounts without holds share the map of none, before and after, and nobody can write to it', () => {
  const ledger = given()
  const cash = ledger.find('c:cash')
  assert.equal(cash.holds, noHolds)
  ledger.accept(hold())
  assert.notEqual(cash.holds, noHolds)
  assert.equal(ledger.find('c:save').holds.size, 0)
  ledger.accept(capture())
  assert.equal(cash.holds, noHolds)
  const placed = {
    idKey: ledger.receive(hold()).idKey,
    id: 'h',
    to: cash,
    amount: 1n,
    remaining: 1n,
    expiresAt: undefined,
  }
  assert.throws(() => noHolds.set(placed.idKey, placed), { rule: 'no_holds_is_shared' })
})

test('a decision applied to another state changes that one and not its own', () => {
  const first = given()
  const second = given()
  const decided = decidedOf(first, debit())
  const before = snapshot(first.state)
  apply(second.state, decided)
  assert.equal(snapshot(first.state), before)
  assert.equal(figuresOf(second.find('c:cash')), '90.00 0.00 1')
})
