// Two shards under one server and load across owners; one of them dies and comes back, again and again. Who does not touch it is answered meanwhile,
// who does hears of an unknown outcome at most, and afterwards everything that was told is true.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { partitionOf } from '../actors/route.ts'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { AcrossLoad, transitIsEmpty } from './testing/across-load.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { Seeded } from './testing/seeded.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 4)
const partitions = 4
const clients = 12

let shards: readonly TestPostgres[] = []
let server: TestServer | undefined
before(async () => {
  shards = await Promise.all([testPostgres(), testPostgres()])
})
after(async () => {
  await server?.kill9()
  for (const shard of shards) await shard.stop()
})

test(`one of two shards dies under load across owners, ${rounds} times (SEED=${seed}): the other goes on, nothing is lost or doubled`, {
  timeout: 240_000,
}, async () => {
  const [first, second] = shards
  assert.ok(first !== undefined && second !== undefined)
  const urls = await Promise.all(shards.map((shard) => shard.newDatabase()))
  const env = {
    DATABASE_URLS: urls.join(','),
    PARTITIONS: String(partitions),
    WORKERS: '2',
    LOG_LEVEL: 'warn',
    DEADLINE_MS: '2000',
  }
  server = await startTestServer({ databaseUrl: '', env })
  const posts = new HttpPosts(server.url, 64)
  const random = new Seeded(seed)
  const load = new AcrossLoad(seed, 24)
  await load.open(posts)
  // Partitions alternate between the shards.
  const ofFirst = Array.from({ length: 50 }, (_, i) => `local${i}`).filter(
    (owner) => partitionOf(owner, partitions) % 2 === 0,
  )
  const [local = ''] = ofFirst
  assert.equal((await posts.post('/v1/accounts', JSON.stringify({ id: `${local}:cash`, asset: 'CNY' })))?.status, 201)
  let served = 0
  for (let round = 0; round < rounds; round++) {
    const working = Promise.all(Array.from({ length: clients }, () => load.client(posts)))
    await pause(100 + random.below(300))
    await second.kill9()
    for (let i = 0; i < 20; i++) {
      const credit = { id: `r${round}-${i}`, type: 'credit', account: `${local}:cash`, amount: '1' }
      const answer = await posts.post('/v1/transactions', JSON.stringify(credit))
      assert.equal(answer?.status, 201, `while the other shard is away: ${answer?.body}`)
      served++
    }
    // Each client ends at its first 503: what it asked touches the dead shard.
    await working
    await second.start()
    // Until the shard is hosted again its owners are told that it is away.
    await load.sendAgain(posts, 100)
  }
  await load.sendAllAgain(posts)
  await transitIsEmpty(posts)
  await load.check(async (id) => await posts.get(`/v1/accounts/${id}`))
  assert.equal((await posts.get<{ balance: string }>(`/v1/accounts/${local}:cash`)).balance, `${served}.00`)
  posts.close()
  assert.equal(await server.stop(), 0)
  const { ok, finding } = await verifyLedger(urls)
  assert.ok(ok, JSON.stringify(finding))
  assert.ok(load.posted > rounds * 10 && load.unknowns > 0, `posted ${load.posted}, unknown ${load.unknowns}`)
  console.log(`seed ${seed}: ${load.posted} posted, ${load.declined} declined, ${load.unknowns} outcomes were unknown`)
})
