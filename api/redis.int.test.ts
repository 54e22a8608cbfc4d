// A whole server with its mailbox in Redis, under load while Redis is killed, flushed, frozen, filled up and failed over, and while the server
// itself is killed. Whatever was acknowledged stays as it was told; whatever was not gets an answer when it is sent again; the accounts are the
// sum of both (DESIGN.md section 8).
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { type Switchboard, switchboard } from '../adapters/redis/testing/switchboard.ts'
import { noRedis, type TestRedis, testRedis } from '../adapters/redis/testing/test-redis.ts'
import { credit, opening } from './testing/commands.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { MixedLoad } from './testing/mixed-load.ts'
import { openAccounts } from './testing/open-accounts.ts'
import { Oracle } from './testing/oracle.ts'
import { closeEngines, runEngine, statementOf, verifyClean } from './testing/run.ts'
import { Seeded } from './testing/seeded.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const skip = noRedis ?? false
const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const clients = 16
const owners = 20

let postgres: TestPostgres
const servers: TestServer[] = []
const started: { stop(): Promise<void> }[] = []
before(async () => {
  if (noRedis !== undefined) return
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  for (const server of servers) await server.kill9()
  for (const one of started) await one.stop()
  await postgres?.stop()
})

async function start(databaseUrl: string, redisUrl: string): Promise<TestServer> {
  const env = { WORKERS: '2', LOG_LEVEL: 'warn', REDIS_URL: redisUrl, DEADLINE_MS: '4000' }
  const server = await startTestServer({ databaseUrl, env })
  servers.push(server)
  return server
}

async function startedRedis(): Promise<TestRedis> {
  const redis = await testRedis()
  started.push(redis)
  return redis
}

/** Clients that send until they are told to stop, old ones again now and then. What is refused as overloaded counts as not sent. */
function underLoad(posts: HttpPosts, load: MixedLoad, oracle: Oracle, round: number, random: Seeded) {
  const mine: ReturnType<MixedLoad['next']>[] = []
  let stopped = false
  let acknowledged = 0
  const client = async (): Promise<void> => {
    while (!stopped) {
      const old = random.chance(0.05) ? random.pick(mine) : undefined
      const next = old ?? load.next(round)
      if (old === undefined) mine.push(next)
      oracle.sending(next)
      const answer = await posts.post('/v1/transactions', next.json)
      if (answer === undefined) return
      if (answer.status === 429) await pause(20)
      else oracle.answered(next, answer)
      if (answer.status !== 429 && answer.status !== 503) acknowledged++
    }
  }
  const done = Promise.all(Array.from({ length: clients }, client))
  return {
    acknowledged: () => acknowledged,
    stop: async () => {
      stopped = true
      await done
    },
  }
}

interface Scene {
  redis: TestRedis
  readonly board: Switchboard
}

/** Each ends with a Redis that works. */
const faults: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  'killed and started again without its data': async ({ redis }) => {
    await redis.kill9()
    await pause(300)
    await redis.start()
  },
  flushed: async ({ redis }) => {
    await redis.call('FLUSHALL')
  },
  'frozen for longer than a reply is waited for': async ({ redis }) => {
    redis.freeze()
    await pause(3000)
    redis.thaw()
  },
  'out of memory for a while': async ({ redis }) => {
    await redis.call('CONFIG', 'SET', 'maxmemory', '1')
    await pause(500)
    await redis.call('CONFIG', 'SET', 'maxmemory', '0')
  },
  'failed over to a replica that misses the end': async (scene) => {
    const replica = await startedRedis()
    await replica.call('REPLICAOF', '127.0.0.1', scene.redis.port)
    for (let up = false; !up; await pause(20)) {
      up = String(await replica.call('INFO', 'replication')).includes('master_link_status:up')
    }
    await replica.call('REPLICAOF', 'NO', 'ONE')
    // The old primary goes on for a while, so that the new one misses what it takes.
    await pause(150)
    scene.board.switchTo(replica.port)
    await scene.redis.stop()
    scene.redis = replica
  },
}

async function waitUntil(what: string, holds: () => boolean): Promise<void> {
  const late = performance.now() + 20_000
  while (!holds()) {
    assert.ok(performance.now() < late, `it did not come to that: ${what}`)
    await pause(20)
  }
}

test(`Redis under every fault, and kill -9 of the server (SEED=${seed}): every answer stands, every unknown outcome is settled`, {
  skip,
}, async () => {
  const databaseUrl = await postgres.newDatabase()
  const redis = await startedRedis()
  const board = await switchboard(redis.port)
  started.push(board)
  const scene: Scene = { redis, board }
  const random = new Seeded(seed)
  const load = new MixedLoad(seed, 'r', owners)
  const oracle = new Oracle()
  let server = await start(databaseUrl, board.url)
  const first = new HttpPosts(server.url, 64)
  await openAccounts(first, load, oracle)
  first.close()
  let round = 0
  let settledUnknown = 0
  const settle = async (): Promise<void> => {
    const posts = new HttpPosts(server.url, 64)
    settledUnknown += oracle.unknown().length
    await oracle.sendAgain(posts, [...oracle.unknown(), ...oracle.acknowledged().slice(-200)])
    posts.close()
  }
  for (const [name, strike] of Object.entries(faults)) {
    const posts = new HttpPosts(server.url, 64)
    const working = underLoad(posts, load, oracle, ++round, random)
    await waitUntil(`load before it is ${name}`, () => working.acknowledged() > 100)
    await strike(scene)
    const before = working.acknowledged()
    await waitUntil(`answers after it was ${name}\n${server.output()}`, () => working.acknowledged() > before + 100)
    await working.stop()
    posts.close()
    await settle()
  }
  assert.ok(server.output().includes('a new generation of the mailbox was opened'), server.output())
  for (let i = 0; i < 3; i++) {
    const posts = new HttpPosts(server.url, 64)
    const working = underLoad(posts, load, oracle, ++round, random)
    await pause(150 + random.below(200))
    await server.kill9()
    await working.stop()
    posts.close()
    server = await start(databaseUrl, board.url)
    await settle()
  }
  const posts = new HttpPosts(server.url, 64)
  await oracle.sendAgain(posts, oracle.acknowledged(), 128)
  await oracle.checkAccounts(posts)
  posts.close()
  assert.equal(await server.stop(), 0)
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
  const { acknowledged, posted } = oracle.count()
  assert.ok(acknowledged > 1000 && posted > acknowledged / 4, 'there was hardly any load')
  assert.ok(settledUnknown > 0, 'no fault met a transaction under way')
  console.log(`seed ${seed}: ${acknowledged} acknowledged, ${posted} posted, ${settledUnknown} outcomes were unknown`)
})

test('a command that makes its thread fail is posted like all others: its successor reads from where the ledger stands', {
  skip,
}, async () => {
  process.env.SABOTAGE_DIR = await mkdtemp(join(tmpdir(), 'sabotage-'))
  const redis = await startedRedis()
  const url = await postgres.newDatabase()
  const sabotage = new URL('./testing/sabotage.mjs', import.meta.url).href
  const run = await runEngine([url], { redisUrl: redis.url, sabotage, watchdogMs: 1500 })
  const accounts = Array.from({ length: 20 }, (_, i) => `c${i}:cash`)
  await run.engine.postAll(accounts.map((account) => opening(account)))
  const commands = accounts.flatMap((account, i) => [
    credit(`before-${i}`, account, '5'),
    credit(i === 7 ? 'fault.exit.once.a' : i === 8 ? 'fault.loop.once.b' : `middle-${i}`, account, '1'),
    credit(`after-${i}`, account, '2'),
  ])
  const answers = await run.engine.postAll(commands)
  assert.ok(answers.every(({ http }) => http === 200 || http === 201))
  assert.ok(run.threadsEnded() >= 2, 'no thread ended')
  assert.equal(run.quarantined(), 0)
  assert.deepEqual(await statementOf(url, 'c7:cash'), ['before-7', 'fault.exit.once.a', 'after-7'])
  await run.engine.close()
  await verifyClean([url])
  await rm(process.env.SABOTAGE_DIR, { recursive: true, force: true })
})
