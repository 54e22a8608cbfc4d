// The catalog through whole engines over two databases: every partition sees every change in order, a restart finds where it stood, and a database that
// cannot be reached gets what it missed.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { campaignBody } from '../core/testing/catalog.ts'
import { earn } from '../core/testing/commands.ts'
import { credit, opening } from './testing/commands.ts'
import { closeEngines, eventually, rowsOf, runEngine, verifyClean } from './testing/run.ts'

let first: TestPostgres
let second: TestPostgres
before(async () => {
  ;[first, second] = await Promise.all([testPostgres(), testPostgres()])
})
after(async () => {
  await closeEngines()
  await Promise.allSettled([first.stop(), second.stop()])
})

const fine = (): void => undefined
const gold = '{"scale":4,"autoOpen":false}'
const versions = (url: string): Promise<{ version: string }[]> =>
  rowsOf(url, 'SELECT version FROM suanpan.partition_catalog ORDER BY partition')

test('changes stand in every partition in their order, after a restart too', { timeout: 60_000 }, async () => {
  const urls = [await first.newDatabase(), await second.newDatabase()]
  const { engine } = await runEngine(urls, { partitions: 8 })
  const puts = await Promise.all([
    engine.catalog.put('asset', 'GOLD', gold, fine),
    engine.catalog.put('campaign', 'SPRING', campaignBody({ stock: 1000 }), fine),
    engine.catalog.put('campaign', 'SPRING', campaignBody({ stock: 1003 }), fine),
    engine.catalog.put('program', 'MILES', '{"asset":"CNY","points":"1","worth":"1","scale":0}', fine),
  ])
  assert.deepEqual(
    puts.map(({ outcome, pending }) => [outcome, pending.length]),
    [
      ['created', 0],
      ['created', 0],
      ['changed', 0],
      ['created', 0],
    ],
  )
  const owners = Array.from({ length: 24 }, (_, i) => `c${i}`)
  const opened = await engine.postAll(owners.map((owner) => opening(`${owner}:gold`, { asset: 'GOLD' })))
  const earned = await engine.postAll(owners.map((owner) => earn({ owner, asset: 'MILES' })))
  assert.deepEqual(new Set([...opened, ...earned].map(({ http }) => http)), new Set([201]))
  const stock = await engine.reads.account('house:coupon:SPRING:stock', undefined)
  assert.equal(stock?.balance, '1003')
  for (const url of urls)
    assert.deepEqual(
      (await versions(url)).map(({ version }) => version),
      ['4', '4', '4', '4'],
    )
  await engine.close()
  await verifyClean(urls)

  const again = await runEngine(urls, { partitions: 8 })
  assert.equal((await again.engine.catalog.put('asset', 'GOLD', gold, fine)).outcome, 'alike')
  assert.equal((await again.engine.catalog.put('asset', 'SILVER', gold, fine)).outcome, 'created')
  const paid = await again.engine.postAll(owners.map((owner) => credit('g', `${owner}:gold`, '0.0001')))
  assert.deepEqual(new Set(paid.map(({ http }) => http)), new Set([201]))
  const journaled = await rowsOf(
    urls[1] ?? '',
    'SELECT partition, id FROM suanpan.journal WHERE kind = 43 ORDER BY partition, pseq',
  )
  assert.equal(journaled.length, 20)
  await again.engine.close()
  await verifyClean(urls)
})

test('a database that is down gets the change when it is back; the caller is told which partitions wait', {
  timeout: 90_000,
}, async () => {
  const urls = [await first.newDatabase(), await second.newDatabase()]
  const { engine } = await runEngine(urls, { partitions: 4, deadlineMs: 2000 })
  await second.kill9()
  const put = await engine.catalog.put('campaign', 'LATE', campaignBody({ stock: 8 }), fine)
  assert.deepEqual(put, { outcome: 'created', pending: [1, 3] })
  await second.start()
  await eventually('the second database has it', async () => (await versions(urls[1] ?? '')).length === 2, 30_000)
  assert.deepEqual(await engine.catalog.put('campaign', 'LATE', campaignBody({ stock: 8 }), fine), {
    outcome: 'alike',
    pending: [],
  })
  assert.equal((await engine.reads.account('house:coupon:LATE:stock', undefined))?.balance, '8')
  await engine.close()
  await verifyClean(urls)
})
