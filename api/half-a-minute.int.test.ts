// What stands still for half a minute, longer than any of our time-outs, and then goes on: a Redis, and a host whose place was taken. Both at once,
// because they do nothing but wait.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { noRedis, type TestRedis, testRedis } from '../adapters/redis/testing/test-redis.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { MixedLoad } from './testing/mixed-load.ts'
import { openAccounts } from './testing/open-accounts.ts'
import { Oracle } from './testing/oracle.ts'
import { eventually, verifyClean } from './testing/run.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const stillMs = 30_000

let postgres: TestPostgres
let redis: TestRedis | undefined
const servers: TestServer[] = []
before(async () => {
  postgres = await testPostgres()
  if (noRedis === undefined) redis = await testRedis()
})
after(async () => {
  for (const server of servers) await server.kill9()
  await redis?.stop()
  await postgres?.stop()
})

/** A server with accounts, clients that go on until the end, and what they were told. */
async function scene(name: string, databaseUrl: string, env: Readonly<Record<string, string>>) {
  const server = await startTestServer({ databaseUrl, env: { WORKERS: '1', LOG_LEVEL: 'warn', ...env } })
  servers.push(server)
  const load = new MixedLoad(11, name, 8)
  const oracle = new Oracle()
  const posts = new HttpPosts(server.url, 32)
  await openAccounts(posts, load, oracle)
  const statuses = new Map<number | undefined, number>()
  let over = false
  const client = async (): Promise<void> => {
    while (!over) {
      const next = load.next(0)
      oracle.sending(next)
      const answer = await posts.post('/v1/transactions', next.json)
      statuses.set(answer?.status, (statuses.get(answer?.status) ?? 0) + 1)
      if (answer?.status !== 429) oracle.answered(next, answer)
      if (answer === undefined || answer.status === 429 || answer.status === 503) await pause(100)
    }
  }
  const working = Promise.all(Array.from({ length: 8 }, client))
  await eventually('load', () => oracle.count().acknowledged > 150, 60_000)
  const rest = async (): Promise<void> => {
    over = true
    await working
  }
  return { server, oracle, posts, statuses, rest }
}

describe('half a minute', { concurrency: true }, () => {
  test('a Redis that stands still: nobody is answered wrongly, and it goes on by itself', {
    skip: noRedis,
    timeout: 120_000,
  }, async () => {
    const databaseUrl = await postgres.newDatabase()
    const { oracle, posts, statuses, rest, server } = await scene('r', databaseUrl, { REDIS_URL: redis?.url ?? '' })
    redis?.freeze()
    await pause(2000)
    const before = oracle.count().acknowledged
    await pause(stillMs - 2000)
    assert.equal(oracle.count().acknowledged, before, 'something was answered without its mailbox')
    redis?.thaw()
    await eventually('answers come again', () => oracle.count().acknowledged > before + 50, 30_000)
    await rest()
    assert.ok((statuses.get(503) ?? 0) + (statuses.get(429) ?? 0) > 0, 'nobody was told that it takes too long')
    await oracle.sendAgain(posts, oracle.unknown())
    await oracle.sendAgain(posts, oracle.acknowledged())
    await oracle.checkAccounts(posts)
    posts.close()
    assert.equal(await server.stop(), 0)
    await verifyClean([databaseUrl])
  })

  test('a host that stands still is replaced; when it wakes up it commits nothing, answers nobody and ends', {
    timeout: 120_000,
  }, async () => {
    const databaseUrl = await postgres.newDatabase()
    const { oracle, posts, rest, server } = await scene('h', databaseUrl, {})
    server.freeze()
    const frozenAt = performance.now()
    const second = await startTestServer({ databaseUrl, args: ['--standby'], env: { WORKERS: '1' } })
    servers.push(second)
    const toSecond = new HttpPosts(second.url, 32)
    const unknown = oracle.unknown()
    await oracle.sendAgain(toSecond, unknown)
    await pause(Math.max(0, stillMs - (performance.now() - frozenAt)))
    const answered = oracle.count().acknowledged
    server.thaw()
    const code = await server.exited
    assert.ok(code !== null && code > 0, `it ended with ${code}:\n${server.output()}`)
    await rest()
    assert.equal(oracle.count().acknowledged, answered, 'the host that woke up answered')
    await oracle.sendAgain(toSecond, oracle.unknown())
    await oracle.sendAgain(toSecond, oracle.acknowledged())
    await oracle.checkAccounts(toSecond)
    posts.close()
    toSecond.close()
    assert.equal(await second.stop(), 0)
    await verifyClean([databaseUrl])
  })
})
