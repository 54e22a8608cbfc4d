// What a participant that has reserved keeps to, whatever happens to its accounts before the decision comes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { change, credit, debit, postings } from '../testing/commands.ts'
import { outcomeOf, TestLedger } from '../testing/ledger.ts'
import { asking } from './coordinate.ts'
import { hear } from './hear.ts'
import type { LinkMessage, Sent } from './joint.ts'
import { applyStep } from './step.ts'

/** `a` lives in partition 1, `b` in 2, `c` in 3. */
const partitionOf = (owner: string): number => owner.charCodeAt(0) - 96
const partition = (number: number): TestLedger => new TestLedger({ partition: number, partitionOf })

function started(ledger: TestLedger, decision = ledger.post(ring)): readonly Sent[] {
  assert.ok(decision.kind === 'started', decision.kind)
  const step = asking(ledger.state, ledger.receive(ring), decision.begun)
  assert.ok('sends' in step)
  applyStep(ledger.state, step)
  return step.sends
}

function told(ledger: TestLedger, from: number, message: LinkMessage | undefined): readonly LinkMessage[] {
  assert.ok(message !== undefined)
  const step = hear(ledger.state, from, message, ledger.now)
  if (step === undefined) return []
  applyStep(ledger.state, step)
  return step.sends.map((sent) => sent.message)
}

const ring = postings(
  [
    { from: 'a:cash', to: 'b:cash', amount: '10' },
    { from: 'b:cash', to: 'c:cash', amount: '10' },
  ],
  { id: 'ring', owner: 'a' },
)

/** All three have reserved; nothing is decided. */
function reserved() {
  const a = partition(1).account('a:cash', { balance: 1000n })
  const b = partition(2).account('b:cash')
  const c = partition(3).account('c:cash')
  const sends = started(a)
  const messageTo = (to: number) => sends.find((sent) => sent.to === to)?.message
  const [fromB] = told(b, 1, messageTo(2))
  const [fromC] = told(c, 1, messageTo(3))
  assert.deepEqual([fromB?.kind, fromC?.kind], ['reserved', 'reserved'])
  return { a, b, c, fromB, fromC }
}

test('a leg spends what an earlier leg brings, so nothing is held of an account that only passes it on', () => {
  const { a, b } = reserved()
  assert.equal(a.find('a:cash').held, 1000n)
  assert.equal(b.find('b:cash').held, 0n)
})

test('an account that something was pledged of cannot be closed before the decision, and can be after it', () => {
  const { a, b, c, fromB, fromC } = reserved()
  const close = change({ id: '!1', account: 'c:cash', status: 'closed' })
  assert.equal(outcomeOf(c.post(close)), 'account_not_empty')
  assert.deepEqual(told(a, 2, fromB), [])
  const decision = told(a, 3, fromC)
  assert.deepEqual(
    decision.map(({ kind }) => kind),
    ['post', 'post'],
  )
  told(b, 1, decision[0])
  told(c, 1, decision[1])
  assert.equal(c.find('c:cash').balance, 1000n)
  assert.equal(b.find('b:cash').pledge, undefined)
  c.accept(debit({ id: 'out', account: 'c:cash', amount: '10' }))
  assert.equal(outcomeOf(c.post({ ...close, id: '!2' })), 'accepted')
})

test('a frozen account is posted to all the same, and a credit that would leave no room for what is pledged is refused', () => {
  const { a, c, fromB, fromC } = reserved()
  c.accept(change({ id: '!1', account: 'c:cash', status: 'frozen' }))
  const all = '92233720368547758.07'
  assert.equal(outcomeOf(c.post(credit({ id: 'all', account: 'c:cash', amount: all }))), 'amount_overflow')
  told(a, 2, fromB)
  told(c, 1, told(a, 3, fromC)[1])
  assert.equal(c.find('c:cash').balance, 1000n)
})

test('a refusal gives back what the others hold, a late answer finds nothing, and a release of what was refused does nothing', () => {
  const a = partition(1).account('a:cash', { balance: 1000n })
  const b = partition(2).account('b:cash')
  const c = partition(3)
  const sends = started(a)
  const messageTo = (to: number) => sends.find((sent) => sent.to === to)?.message
  const [fromC] = told(c, 1, messageTo(3))
  assert.equal(fromC?.kind, 'refused')
  const [release, ...others] = told(a, 3, fromC)
  assert.deepEqual([release?.kind, others], ['release', []])
  assert.equal(a.find('a:cash').held, 0n)
  const [late] = told(b, 1, messageTo(2))
  told(b, 1, release)
  assert.deepEqual(told(a, 2, late), [])
  assert.deepEqual(told(c, 1, release), [])
  assert.equal(b.find('b:cash').pledge, undefined)
  assert.equal(outcomeOf(a.post(ring)), 'repeated')
})
