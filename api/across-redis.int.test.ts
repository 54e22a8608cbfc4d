// Transactions of owners in several partitions with the mailbox in Redis: packets between partitions go through the streams like commands, so they
// are lost with a FLUSHALL and lie there while a killed server is away.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { noRedis, type TestRedis, testRedis } from '../adapters/redis/testing/test-redis.ts'
import { AcrossLoad, transitIsEmpty } from './testing/across-load.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { eventually, verifyClean } from './testing/run.ts'
import { Seeded } from './testing/seeded.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const skip = noRedis ?? false
const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 9)
const clients = 16

let postgres: TestPostgres
let redis: TestRedis
const servers: TestServer[] = []
before(async () => {
  if (noRedis !== undefined) return
  postgres = await testPostgres()
  redis = await testRedis()
})
after(async () => {
  for (const server of servers) await server.kill9()
  await redis?.stop()
  await postgres?.stop()
})

async function start(databaseUrl: string): Promise<TestServer> {
  const env = { WORKERS: '2', LOG_LEVEL: 'warn', REDIS_URL: redis.url }
  const server = await startTestServer({ databaseUrl, env })
  servers.push(server)
  return server
}

test(`kill -9 and FLUSHALL under load across owners, ${rounds} rounds (SEED=${seed}): whole or absent, first answers again, transit back to zero`, {
  skip,
  timeout: 120_000,
}, async () => {
  const databaseUrl = await postgres.newDatabase()
  const random = new Seeded(seed)
  const load = new AcrossLoad(seed, 10)
  let server = await start(databaseUrl)
  let posts = new HttpPosts(server.url, 64)
  await load.open(posts)
  for (let round = 0; round < rounds; round++) {
    let ended = false
    const working = Promise.all(Array.from({ length: clients }, () => load.client(posts, () => !ended)))
    const before = load.posted
    await eventually('load', () => load.posted > before + 20)
    await pause(random.below(150))
    // Every third round Redis loses all that it has, and the server goes on; in one of these it is killed a little later.
    if (round % 3 === 1) {
      await redis.call('FLUSHALL')
      const flushed = load.posted
      if (round % 2 === 0) await pause(random.below(100))
      else await eventually('answers after FLUSHALL', () => load.posted > flushed + 20)
    }
    if (round % 3 !== 1 || round % 2 === 0) {
      await server.kill9()
      await working
      posts.close()
      server = await start(databaseUrl)
      posts = new HttpPosts(server.url, 64)
    }
    ended = true
    await working
    await load.sendAgain(posts, 100)
  }
  await load.sendAllAgain(posts)
  await transitIsEmpty(posts)
  await load.check(async (id) => await posts.get(`/v1/accounts/${id}`))
  posts.close()
  assert.equal(await server.stop(), 0)
  await verifyClean([databaseUrl])
  assert.ok(load.unknowns > 0, 'no kill met a transaction under way')
  console.log(`seed ${seed}: ${load.posted} posted, ${load.declined} declined, ${load.unknowns} outcomes were unknown`)
})
