// One ledger over two databases: owners are spread over both, a house account is one account to whoever reads it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { EntryView } from '../actors/reads.ts'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { bank, capture, credit, hold, mixed, opening, refund, shop } from './testing/commands.ts'
import { Model } from './testing/model.ts'
import { closeEngines, type Run, rowsOf, runEngine, verifyClean } from './testing/run.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres.stop()
})

const accounts = Array.from({ length: 64 }, (_, i) => `c${i}:cash`)

test('two databases hold one ledger', { timeout: 60_000 }, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()]
  const start = (given: readonly string[]): Promise<Run> => runEngine(given, { partitions: 8, workers: 2 })
  const model = new Model()
  const first = await start(urls)
  await model.postAll(
    first.engine,
    accounts.map((account) => opening(account)),
  )
  const commands = mixed('m', accounts, 2000)
  const answers = await model.postAll(first.engine, commands)
  await model.postAll(
    first.engine,
    accounts.map((account, i) => hold(`hold-${i}`, account, '0.01')),
  )

  const partitions = await Promise.all(
    urls.map(async (url) =>
      (
        await rowsOf<{ partition: number }>(url, 'SELECT DISTINCT partition FROM suanpan.journal ORDER BY partition')
      ).map(({ partition }) => partition),
    ),
  )
  assert.deepEqual(partitions, [
    [0, 2, 4, 6],
    [1, 3, 5, 7],
  ])
  const cells = await Promise.all(
    urls.map(async (url) => (await rowsOf(url, 'SELECT FROM suanpan.cell WHERE id = $1', [bank])).length),
  )
  assert.deepEqual(cells, [4, 4])
  await checkHouses(first, model)
  await first.engine.close()
  await verifyClean(urls)

  // In another order they are not this ledger.
  await assert.rejects(start(urls.toReversed()), /shard|ledger/)
  await assert.rejects(start(urls.slice(0, 1)), /shard/)

  const second = await start(urls)
  const repeated = await second.engine.postAll(commands)
  assert.deepEqual(
    repeated.map(({ body, replayed }) => ({ body, replayed })),
    answers.map(({ body }) => ({ body, replayed: true })),
  )
  await model.postAll(
    second.engine,
    accounts.map((account, i) => capture(`capture-${i}`, account, `hold-${i}`)),
  )
  await model.postAll(
    second.engine,
    accounts.map((account, i) => refund(`refund-${i}`, account, `capture-${i}`)),
  )
  await model.postAll(second.engine, mixed('n', accounts, 500, 2))
  await checkHouses(second, model)
  await second.engine.close()
  await verifyClean(urls)
})

test('the list of house accounts has each of them once, whatever the length of a page', {
  timeout: 60_000,
}, async () => {
  const { engine } = await runEngine([await postgres.newDatabase(), await postgres.newDatabase()], { partitions: 8 })
  // What sorts beside `house:fee` alone sorts on the other side of `house:fee|CNY`.
  const houses = ['fee', 'fee-2', 'fee.2', 'fee:2', 'fee_2', 'fee2', 'feeA', 'FEE', 'z'].map((name) => `house:${name}`)
  const credits = ['CNY', 'USD'].flatMap((asset) =>
    houses.flatMap((from) =>
      accounts.slice(0, 8).map((account) => credit(`${from}-${asset}`, `${account}-${asset}`, '1', { from })),
    ),
  )
  const openings = ['CNY', 'USD'].flatMap((asset) =>
    accounts.slice(0, 8).map((account) => opening(`${account}-${asset}`, { asset })),
  )
  for (const { http } of await engine.postAll([...openings, ...credits])) assert.equal(http, 201)
  const expected = houses.flatMap((house) => [`${house} CNY -8.00`, `${house} USD -8.00`]).sort()
  for (const limit of [1, 2, 3, 7, 100]) {
    const listed: string[] = []
    let after: string | undefined
    do {
      const page = await engine.reads.accountsOf('house', { after, limit })
      listed.push(...page.items.map(({ id, asset, balance }) => `${id} ${asset} ${balance}`))
      after = page.next ?? undefined
    } while (after !== undefined)
    assert.deepEqual(listed, expected, `pages of ${limit}`)
  }
  await engine.close()
})

/** The sum over the shards, and one statement out of all cells whose balance runs up to that sum. */
async function checkHouses({ engine }: Run, model: Model): Promise<void> {
  await model.checkAccounts(engine)
  for (const house of [bank, shop]) {
    const view = await engine.reads.account(house, 'CNY')
    for (const order of ['asc', 'desc'] as const) {
      const lines: EntryView[] = []
      let after: string | undefined
      for (;;) {
        const page = await engine.reads.entries(house, 'CNY', { after, limit: 100, order })
        lines.push(...(page?.items ?? []))
        if (page?.next == null) break
        after = page.next
      }
      assert.equal(lines.length, view?.seq)
      assert.equal(new Set(lines.map(({ transaction }) => transaction)).size, lines.length)
      const oldestFirst = order === 'asc' ? lines : lines.toReversed()
      let balance = 0
      for (const line of oldestFirst) {
        balance += Math.round(Number(line.amount) * 100)
        assert.equal(Math.round(Number(line.balance) * 100), balance)
      }
      assert.equal(oldestFirst.at(-1)?.balance, view?.balance)
      assert.deepEqual(
        oldestFirst.map(({ at }) => at),
        oldestFirst.map(({ at }) => at).sort(),
      )
    }
  }
}
