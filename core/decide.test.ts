import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Refusal, refusalNumbers } from './code.ts'
import { commandTime, decide, dueExpiries } from './decide.ts'
import { accountCases } from './testing/account-cases.ts'
import type { Case } from './testing/case.ts'
import { catalogCases } from './testing/catalog-cases.ts'
import { change, debit, hold, open } from './testing/commands.ts'
import { couponCases } from './testing/coupon-cases.ts'
import { disbursementCases } from './testing/disbursement-cases.ts'
import { holdCases } from './testing/hold-cases.ts'
import { figuresOf, outcomeOf, snapshot, startMs, TestLedger } from './testing/ledger.ts'
import { orderCases } from './testing/order-cases.ts'
import { pointsCases } from './testing/points-cases.ts'
import { refundCases } from './testing/refund-cases.ts'
import { transferCases } from './testing/transfer-cases.ts'

const all: readonly Case[] = [
  ...transferCases,
  ...holdCases,
  ...refundCases,
  ...accountCases,
  ...pointsCases,
  ...catalogCases,
  ...couponCases,
  ...orderCases,
  ...disbursementCases,
]

describe('decide', () => {
  for (const one of all) test(`${one.name} -> ${one.then}`, () => run(one))
})

function run({ given, when, then, facts, rows, after, houseAutoOpen = true }: Case): void {
  const ledger = new TestLedger({ houseAutoOpen })
  given(ledger)
  const before = ledger.journal.length
  const { accountsOpened } = ledger.state
  const decision = ledger.post(when)
  assert.equal(outcomeOf(decision), then)
  for (const [name, figures] of Object.entries(after ?? {})) assert.equal(figuresOf(ledger.find(name)), figures, name)
  if (decision.kind !== 'decided') {
    assert.ok(ledger.journal.slice(before).every(({ command }) => command.type === 'expire'))
    return
  }
  const { decided } = decision
  if (rows !== undefined) assert.equal(decided.rows.map(({ kind }) => kind).join(' '), rows)
  if (facts !== undefined) assert.deepEqual(decided.facts, facts)
  assert.deepEqual(
    decided.rows.map(({ leg }) => leg),
    decided.rows.map((_, leg) => leg),
  )
  if (then === 'accepted') return
  const [row] = decided.rows
  assert.equal(decided.rows.length, 1)
  assert.equal(row.kind, when.type)
  assert.deepEqual([row.amount, row.from, row.to, row.link], [0n, undefined, undefined, undefined])
  assert.equal(ledger.state.accountsOpened, accountsOpened)
}

/** Of features that are still to come, and of the host. */
const notYet: readonly Refusal[] = ['business_date_closed', 'internal_error']

test('every refusal is produced by a row of the tables, or is named as still to come', () => {
  const produced = new Set(all.map(({ then }) => then))
  for (const refusal of Object.keys(refusalNumbers) as Refusal[]) {
    assert.equal(produced.has(refusal), !notYet.includes(refusal), refusal)
  }
})

test('deciding leaves the state as it was', () => {
  for (const { name, given, when, houseAutoOpen = true } of all) {
    const ledger = new TestLedger({ houseAutoOpen })
    given(ledger)
    const received = ledger.receive(when)
    const before = snapshot(ledger.state)
    dueExpiries(ledger.state, received, ledger.now)
    decide(ledger.state, received, ledger.now)
    assert.equal(snapshot(ledger.state), before, name)
  }
})

test('an opened account is numbered after the last, and a house cell negatively', () => {
  const ledger = new TestLedger().account('c:cash', { balance: 1000n })
  ledger.accept(debit(), open())
  const { accounts } = ledger.state
  const keys = [...accounts.values()].map(({ key }) => key)
  const base = 3 * 2 ** 40
  assert.deepEqual(keys, [base + 1, -(base + 2), base + 3])
  assert.equal(ledger.state.accountsOpened, 3)
})

test('the business date is the given one, else the day of the time in the zone of the ledger', () => {
  const dateOf = (timeZone: string, businessDate?: string) => {
    const ledger = new TestLedger({ timeZone }).account('c:cash', { balance: 1000n })
    ledger.now = Date.UTC(2027, 0, 31, 16)
    ledger.accept(debit({ businessDate }))
    return ledger.journal.at(-1)?.date
  }
  const day = Date.UTC(2027, 0, 31) / 86_400_000
  assert.equal(dateOf('UTC'), day)
  assert.equal(dateOf('Asia/Shanghai'), day + 1)
  assert.equal(dateOf('Asia/Shanghai', '2027-01-29'), day - 2)
})

test('a declined command keeps its business date', () => {
  const ledger = new TestLedger().account('c:cash')
  ledger.refuse(debit({ businessDate: '1970-01-03' }))
  assert.equal(ledger.journal.at(-1)?.date, 2)
})

test('the time of a command never goes back and never runs ahead of the clock', () => {
  const { state } = new TestLedger()
  state.time = 100
  assert.equal(commandTime(state, 150, 200), 150)
  assert.equal(commandTime(state, 250, 200), 200)
  assert.equal(commandTime(state, 50, 200), 100)
  assert.equal(commandTime(state, 150, 90), 100)
})

test('the first answer is repeated as it was, after whatever came since', () => {
  const ledger = new TestLedger().account('c:cash', { balance: 2000n })
  const first = ledger.post(debit())
  ledger.accept(change({ overdraft: '7' }), hold())
  const again = ledger.post(debit())
  assert.ok(first.kind === 'decided' && again.kind === 'repeated')
  assert.equal(again.decided, first.decided)
  assert.equal(ledger.journal.length, 3)
})

test('a hold that was expired by the way is found expired though its expiry row is not known of', () => {
  const ledger = new TestLedger().account('c:cash', { balance: 1000n }).accept(hold({ expiresIn: 1 }))
  ledger.wait(1000).accept(debit())
  const capturing = ledger.receive({ type: 'capture', id: 'k', account: 'c:cash', hold: 'h', final: true })
  const { refKey } = capturing
  assert.ok(refKey !== undefined)
  const known = ledger.state.remembered.get(refKey)
  assert.equal(known?.links.pop()?.kind, 'expire')
  assert.equal(outcomeOf(decide(ledger.state, capturing, ledger.now)), 'hold_expired')
  assert.throws(() => decide(ledger.state, capturing, startMs), /hold_open_or_ended/)
})

test('what intake must have refused is an invariant violation, never an answer', () => {
  const ledger = new TestLedger().account('c:cash', { balance: 1000n })
  assert.throws(() => ledger.post(debit({ amount: 'ten' })), /amount_syntax/)
  assert.throws(() => ledger.post(debit({ amount: '0' })), /amount_above_zero/)
  assert.throws(() => ledger.post(debit({ id: 'd2', businessDate: '2027-02-29' })), /business_date_syntax/)
  assert.throws(() => ledger.post(hold({ expiresAt: 'soon' })), /expires_at_syntax/)
})
