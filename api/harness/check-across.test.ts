// The rules at rest can fail by themselves: what other rules would find as well in a broken engine is forged here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedShard } from '../../adapters/simulated/shard.ts'
import { asking } from '../../core/across/coordinate.ts'
import { transitId } from '../../core/across/joint.ts'
import { transfer } from '../../core/testing/commands.ts'
import { TestLedger } from '../../core/testing/ledger.ts'
import { AcrossCheck, Messages } from './check-across.ts'
import { checkTransit } from './check-journal.ts'
import { Violation } from './violation.ts'

const breaks = (rule: string) => (error: unknown) => error instanceof Violation && error.rule === rule

/** `a` lives in partition 1, `b` in 2; each has 10.00. */
const partition = (number: number): TestLedger =>
  new TestLedger({ partition: number, partitionOf: (owner) => owner.charCodeAt(0) - 96 }).account(
    `${number === 1 ? 'a' : 'b'}:cash`,
    { balance: 1000n },
  )

function begun() {
  const ledger = partition(1)
  const messages = new Messages()
  const check = new AcrossCheck(ledger.state, messages, { mayBeQuarantined: () => false })
  const command = transfer({ id: 't', from: 'a:cash', to: 'b:cash', amount: '4' })
  const decision = ledger.post(command)
  assert.ok(decision.kind === 'started')
  const step = asking(ledger.state, ledger.receive(command), decision.begun)
  assert.ok('sends' in step)
  check.take(step)
  return { ledger, messages, check, idKey: decision.begun.joint.idKey }
}

test('a transaction that nobody has decided is open at the end', () => {
  const { check, messages, idKey } = begun()
  assert.equal(messages.find(2, 'question', idKey)?.message.kind, 'settle')
  assert.throws(() => check.end(), breaks('every_question_is_decided'))
})

test('one whose answer was heard is not', () => {
  const { ledger, check, messages, idKey } = begun()
  messages.add(2, 1, { kind: 'settled', idKey, assets: [] })
  const open = ledger.state.joints.coordinations.get(idKey) ?? assert.fail()
  const { joint } = open
  const decided = { idKey, command: joint.command, at: ledger.now, date: joint.date, facts: undefined }
  const row = { kind: 'transfer', leg: 0, code: 0 } as const
  const step = check.decision(open, { ...decided, rows: [row as never] }) ?? assert.fail()
  check.take(step)
  check.end()
  assert.equal(ledger.find('a:cash').balance, 600n)
})

test('what stays in transit over all shards is found, what only passes between them is not', () => {
  const shards = [new SimulatedShard([0]), new SimulatedShard([1])]
  const cell = (shard: number, balance: bigint): void => {
    const asset = shards[shard]?.assets.get('CNY') ?? assert.fail()
    const plain = { key: -1 - shard, id: transitId, asset, normal: 'credit', status: 'open' } as const
    const rest = { partition: shard, openedAt: 0, metadata: undefined, overdraft: 0n, version: 1, held: 0n, seq: 1 }
    shards[shard]?.accounts.set(plain.key, { ...plain, ...rest, balance })
  }
  cell(0, 400n)
  cell(1, -400n)
  checkTransit(shards)
  cell(1, -399n)
  assert.throws(() => checkTransit(shards), breaks('transit_is_empty'))
})
