// The server is killed again and again under load. Whatever it acknowledged stays as it was told; whatever it did not gets an answer when it
// is sent again; and the accounts are the sum of both.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { MixedLoad } from './testing/mixed-load.ts'
import { openAccounts } from './testing/open-accounts.ts'
import { Oracle } from './testing/oracle.ts'
import { Seeded } from './testing/seeded.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 20)
const clients = 16
const owners = 20

let postgres: TestPostgres
const servers: TestServer[] = []
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  for (const server of servers) await server.kill9()
  await postgres?.stop()
})

async function start(databaseUrl: string): Promise<TestServer> {
  const env = { WORKERS: '2', LOG_LEVEL: 'warn' }
  const server = await startTestServer({ databaseUrl, env })
  servers.push(server)
  return server
}

/** Clients that send until they get no answer or the server stops taking; some send twice at a time, some send old ones again. */
async function underLoad(
  posts: HttpPosts,
  load: MixedLoad,
  oracle: Oracle,
  round: number,
  random: Seeded,
): Promise<void> {
  const mine: ReturnType<MixedLoad['next']>[] = []
  const client = async (): Promise<void> => {
    for (;;) {
      const old = random.chance(0.05) ? random.pick(mine) : undefined
      const next = old ?? load.next(round)
      if (old === undefined) mine.push(next)
      oracle.sending(next)
      const posted = Array.from({ length: random.chance(0.1) ? 2 : 1 }, () => posts.post('/v1/transactions', next.json))
      const answers = await Promise.all(posted)
      for (const answer of answers) oracle.answered(next, answer)
      if (answers.some((answer) => answer === undefined || answer.status === 503)) return
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

test(`kill -9 under load, ${rounds} times (SEED=${seed}): every answer stands, every unknown outcome is settled by sending again`, async () => {
  const databaseUrl = await postgres.newDatabase()
  const random = new Seeded(seed)
  const load = new MixedLoad(seed, 'k', owners)
  const oracle = new Oracle()
  let server = await start(databaseUrl)
  let settledUnknown = 0
  for (let round = 0; round < rounds; round++) {
    const posts = new HttpPosts(server.url, 64)
    if (round === 0) await openAccounts(posts, load, oracle)
    const working = underLoad(posts, load, oracle, round, random)
    // A client that finds a wrong answer ends the wait.
    await Promise.race([pause(200 + random.below(400)), working])
    await server.kill9()
    await working
    posts.close()
    server = await start(databaseUrl)
    const again = new HttpPosts(server.url, 64)
    const newest = oracle.acknowledged().slice(-200)
    settledUnknown += oracle.unknown().length
    await oracle.sendAgain(again, [...oracle.unknown(), ...newest])
    again.close()
  }
  const posts = new HttpPosts(server.url, 64)
  await oracle.sendAgain(posts, oracle.acknowledged(), 128)
  await oracle.checkAccounts(posts)
  posts.close()
  assert.equal(await server.stop(), 0)
  const { ok, finding, transactions } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
  const { acknowledged, posted } = oracle.count()
  // The openings are transactions too.
  assert.ok(transactions >= acknowledged + load.accounts.length)
  assert.ok(acknowledged > rounds * 20 && posted > acknowledged / 4, 'there was hardly any load')
  assert.ok(settledUnknown > 0, 'no kill met a transaction under way')
  console.log(`seed ${seed}: ${acknowledged} acknowledged, ${posted} posted, ${settledUnknown} outcomes were unknown`)
})

test('SIGTERM under load: exit code 0, and every acknowledged answer is durable', { timeout: 60_000 }, async () => {
  const databaseUrl = await postgres.newDatabase()
  const load = new MixedLoad(seed, 't', owners)
  const oracle = new Oracle()
  const random = new Seeded(seed + 1)
  const server = await start(databaseUrl)
  const posts = new HttpPosts(server.url, 64)
  await openAccounts(posts, load, oracle)
  const working = underLoad(posts, load, oracle, 0, random)
  await Promise.race([pause(400), working])
  const giveUp = setTimeout(() => void server.kill9(), 10_000)
  assert.equal(await server.stop(), 0, server.output())
  clearTimeout(giveUp)
  await working
  posts.close()
  assert.ok(oracle.count().acknowledged > 60, 'there was hardly any load')

  const next = await start(databaseUrl)
  const again = new HttpPosts(next.url, 64)
  await oracle.sendAgain(again, [...oracle.acknowledged(), ...oracle.unknown()])
  await oracle.checkAccounts(again)
  again.close()
  assert.equal(await next.stop(), 0)
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
})
