// `Prefer: respond-async` with a real Redis: queued, then applied, by this process or by the next one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { noRedis, type TestRedis, testRedis } from '../adapters/redis/testing/test-redis.ts'
import { createClient } from './client/client.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const skip = noRedis ?? false
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
  await postgres?.stop()
  await redis?.stop()
})

async function start(databaseUrl: string): Promise<TestServer> {
  const server = await startTestServer({ databaseUrl, env: { REDIS_URL: redis.url, LOG_LEVEL: 'warn' } })
  servers.push(server)
  return server
}

const credit = (id: string) => ({
  id,
  type: 'credit' as const,
  account: 'cust-1:points',
  asset: 'POINTS',
  amount: '10',
})

test('queued, then posted; asked again it is the first answer; what a killed process had queued the next one decides', {
  skip,
}, async () => {
  const databaseUrl = await postgres.newDatabase()
  const server = await start(databaseUrl)
  const client = createClient({ url: server.url })
  const outcome = await client.transactions.queue(credit('later-1'))
  assert.ok(['queued', 'posted'].includes(outcome.status), outcome.status)
  const found = await client.transactions.get('cust-1', 'later-1', { waitSeconds: 30 })
  assert.equal(found?.status, 'posted')
  const again = await client.transactions.post(credit('later-1'))
  assert.deepEqual([again.status, again.status === 'posted' && again.replayed], ['posted', true])

  // While nothing can be committed, what is queued waits, and is told as queued.
  const inTheWay = new pg.Client(databaseUrl)
  inTheWay.on('error', () => undefined)
  await inTheWay.connect()
  await inTheWay.query('BEGIN')
  await inTheWay.query('LOCK TABLE suanpan.partition IN SHARE ROW EXCLUSIVE MODE')
  const queued = await client.transactions.queue(credit('later-2'))
  assert.equal(queued.status, 'queued')
  await server.kill9()
  client.close()
  // With it ends the commit that waits there, whose host is gone.
  await postgres.kill9()
  await inTheWay.end().catch(() => undefined)
  await postgres.start()

  const next = await start(databaseUrl)
  const nextClient = createClient({ url: next.url })
  const late = performance.now() + 15_000
  let view = await nextClient.transactions.get('cust-1', 'later-2')
  while (view === undefined && performance.now() < late) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    view = await nextClient.transactions.get('cust-1', 'later-2')
  }
  assert.equal(view?.status, 'posted')
  assert.equal((await nextClient.accounts.get('cust-1:points'))?.balance, '20')
  const metrics = await (await fetch(`${next.url}/metrics`)).text()
  assert.match(metrics, /^suanpan_redis_commands_total [1-9]/m)
  assert.match(metrics, /^suanpan_mailbox_generation 2$/m)
  nextClient.close()
  assert.equal(await next.stop(), 0)
})
