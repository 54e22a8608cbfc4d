import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../../adapters/embedded/testing/test-postgres.ts'
import { type BenchRedis, startBenchRedis } from '../redis.ts'
import { batchRows, postBatches } from './micro-batch.ts'
import type { Outcome } from './peer.ts'
import { peerNames, peers } from './peers.ts'
import { checkPeerTables, createPeerTables } from './schema.ts'

let postgres: TestPostgres
let redis: BenchRedis
before(async () => {
  postgres = await testPostgres()
  redis = await startBenchRedis()
})
after(async () => {
  await redis.stop()
  await postgres.stop()
})

const kinds = (outcomes: readonly Outcome[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { kind } of outcomes) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

for (const name of peerNames) {
  test(`peers: ${name} lets exactly 100 of 200 parallel debits of 1 through on a limit of 100`, async () => {
    const url = await postgres.newDatabase()
    await createPeerTables(url, 3, 100)
    const peer = await peers[name]({ url, redisUrl: redis.url })
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, i) => peer.debit({ id: `d-${i}`, account: 'cust-1:cash', amountMinor: 1 })),
      )
      assert.deepEqual(kinds(outcomes), { posted: 100, insufficient_funds: 100 })
      const seqs = outcomes.flatMap((outcome) => ('seq' in outcome ? [outcome.seq] : []))
      assert.deepEqual(
        seqs.sort((a, b) => a - b),
        Array.from({ length: 100 }, (_, i) => i + 1),
      )
    } finally {
      await peer.close()
    }
    await checkPeerTables(url, 100)
  })

  test(`peers: ${name} posts an id once, however often and at once it is asked, and gives every asker the first answer`, async () => {
    const url = await postgres.newDatabase()
    await createPeerTables(url, 2, 100)
    const peer = await peers[name]({ url, redisUrl: redis.url })
    try {
      const others = Array.from({ length: 20 }, (_, i) =>
        peer.debit({ id: `other-${i}`, account: 'cust-1:cash', amountMinor: 1 }),
      )
      const same = await Promise.all(
        Array.from({ length: 50 }, () => peer.debit({ id: 'same', account: 'cust-0:cash', amountMinor: 1 })),
      )
      assert.deepEqual(kinds(same), { posted: 1, replayed: 49 })
      assert.deepEqual(
        new Set(same.map((outcome) => ('seq' in outcome ? `${outcome.seq} ${outcome.balance}` : ''))),
        new Set(['1 -1']),
      )
      assert.deepEqual(kinds(await Promise.all(others)), { posted: 20 })
      assert.deepEqual(await peer.debit({ id: 'same', account: 'cust-0:cash', amountMinor: 2 }), {
        kind: 'id_conflict',
      })
      assert.deepEqual(await peer.debit({ id: 'x', account: 'cust-9:cash', amountMinor: 1 }), {
        kind: 'account_not_found',
      })
    } finally {
      await peer.close()
    }
    await checkPeerTables(url, 21)
  })
}

test('peers: batches of debits over connections of their own leave the books right', async () => {
  const url = await postgres.newDatabase()
  await createPeerTables(url, 10)
  const batches = batchRows('b', 8, 100, (n) => n % 7)
  assert.ok((await postBatches(url, batches, 1)) > 0)
  await checkPeerTables(url, 800)
})

test('peers: books that are wrong are noticed', async () => {
  const url = await postgres.newDatabase()
  await createPeerTables(url, 1)
  await assert.rejects(checkPeerTables(url, 1), /entries is 0 instead of 1/)
})
