// A hold that ran out comes free by itself, without anybody asking for it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { capture, credit, debit, hold, opening } from './testing/commands.ts'
import { closeEngines, eventually, runEngine, verifyClean } from './testing/run.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres.stop()
})

const codeOf = (answer: { body: string } | undefined): unknown => JSON.parse(answer?.body ?? '{}').code

test('a hold with expiresIn 1 comes free without traffic, and a late capture is declined', {
  timeout: 30_000,
}, async () => {
  const url = await postgres.newDatabase()
  const { engine } = await runEngine([url])
  const account = 'c1:cash'
  const placed = await engine.postAll([
    opening(account),
    credit('salary', account, '100'),
    hold('short', account, '30', { expiresIn: 1 }),
    hold('long', account, '20', { expiresIn: 3600 }),
    hold('endless', account, '10'),
  ])
  assert.deepEqual(
    placed.map(({ http }) => http),
    [201, 201, 201, 201, 201],
  )
  const ranOutAt = performance.now() + 1000
  const view = async () => {
    const found = await engine.reads.account(account, undefined)
    return [found?.balance, found?.held, found?.available]
  }
  assert.deepEqual(await view(), ['100.00', '60.00', '40.00'])
  await eventually('the hold comes free', async () => (await view())[1] === '30.00', 5000)
  assert.ok(performance.now() > ranOutAt - 100, 'it came free too early')
  assert.deepEqual(await view(), ['100.00', '30.00', '70.00'])

  const late = await engine.postAll([
    capture('late', account, 'short'),
    debit('spend', account, '70'),
    capture('in-time', account, 'long'),
  ])
  assert.equal(late[0]?.http, 422)
  assert.equal(codeOf(late[0]), 'hold_expired')
  assert.deepEqual(
    late.slice(1).map(({ http }) => http),
    [201, 201],
  )
  const entries = await engine.reads.entries(account, undefined, { after: undefined, limit: 100, order: 'asc' })
  const lines = entries?.items.map(({ type, transaction, amount, heldChange, held }) => [
    type,
    transaction,
    Number(amount),
    Number(heldChange),
    Number(held),
  ])
  assert.deepEqual(lines, [
    ['credit', 'salary', 100, 0, 0],
    ['hold', 'short', 0, 30, 30],
    ['hold', 'long', 0, 20, 50],
    ['hold', 'endless', 0, 10, 60],
    ['expire', '!expire:short', 0, -30, 30],
    ['debit', 'spend', -70, 0, 30],
    ['capture', 'in-time', -20, -20, 10],
  ])
  assert.equal((await engine.reads.transaction('c1', 'short'))?.now.state, 'expired')
  await engine.close()
  await verifyClean([url])
})
