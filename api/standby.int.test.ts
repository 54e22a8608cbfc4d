// A second server that waits: it takes over when the first is killed or freezes, whatever way the right to host is held, and what the first was
// told is still true.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { freePort } from '../adapters/free-port.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { noPooler, type TestPooler, testPooler } from '../adapters/testing/pooler.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { MixedLoad } from './testing/mixed-load.ts'
import { openAccounts } from './testing/open-accounts.ts'
import { Oracle } from './testing/oracle.ts'
import { eventually, rowsOf } from './testing/run.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

if (noPooler !== undefined) console.error(`\n!!! SKIPPED: ${noPooler}; a transaction pooler is UNTESTED in this run\n`)

let postgres: TestPostgres
let pooler: TestPooler | undefined
const servers: TestServer[] = []
before(async () => {
  postgres = await testPostgres()
  if (noPooler === undefined) pooler = await testPooler(postgres.url)
})
after(async () => {
  for (const server of servers) await server.kill9()
  await pooler?.stop()
  await postgres?.stop()
})

async function start(databaseUrl: string, env: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const server = await startTestServer({ databaseUrl, args, env: { WORKERS: '1', ...env } })
  servers.push(server)
  return server
}

const ask = (port: number, path: string): Promise<number | undefined> =>
  fetch(`http://127.0.0.1:${port}${path}`).then(
    ({ status }) => status,
    () => undefined,
  )

for (const [how, lock] of [
  ['kill -9', 'session'],
  ['SIGSTOP', 'session'],
  ['kill -9', 'lease'],
  ['SIGSTOP', 'lease'],
  ['kill -9', 'lease behind a pooler'],
  ['SIGSTOP', 'lease behind a pooler'],
] as const) {
  const isPooled = lock === 'lease behind a pooler'
  test(`a standby takes over after ${how} of the host (${lock})`, {
    timeout: 120_000,
    skip: isPooled ? noPooler : false,
  }, async () => {
    const direct = await postgres.newDatabase()
    const databaseUrl = isPooled ? (pooler?.through(direct) ?? '') : direct
    const env = isPooled ? {} : { HOST_LOCK: lock }
    const first = await start(databaseUrl, env)
    const load = new MixedLoad(7, 's', 8)
    const oracle = new Oracle()
    const toFirst = new HttpPosts(first.url, 32)
    await openAccounts(toFirst, load, oracle)
    const port = await freePort()
    const waiting = start(databaseUrl, { ...env, PORT: String(port) }, ['--standby'])
    let over = false
    const client = async (): Promise<void> => {
      while (!over) {
        const next = load.next(0)
        oracle.sending(next)
        const answer = await toFirst.post('/v1/transactions', next.json)
        oracle.answered(next, answer)
        if (answer === undefined) return
      }
    }
    const working = Promise.all(Array.from({ length: 8 }, client))
    await eventually('load', () => oracle.count().acknowledged > 150, 60_000)
    // Reads beside it, over several connections: behind a pooler each of them may meet any session.
    const read = load.accounts
      .slice(0, 12)
      .flatMap((id) => Array.from({ length: 8 }, () => toFirst.get(`/v1/accounts/${id}`)))
    await Promise.all(read)
    await eventually('the standby stands by', async () => (await ask(port, '/healthz')) === 200, 60_000)
    if (how === 'kill -9') await first.kill9()
    else first.freeze()
    over = true
    const second = await waiting
    assert.match(second.output(), /standing by/)
    assert.match(second.output(), /this process takes over/)
    const toSecond = new HttpPosts(second.url, 32)
    if (how === 'kill -9') await working
    const now = oracle.unknown()
    await oracle.sendAgain(toSecond, now)
    if (how === 'SIGSTOP') {
      // What it had in hand when it froze it may neither commit nor answer.
      first.thaw()
      const code = await first.exited
      assert.ok(code !== null && code > 0, `it ended with ${code}:\n${first.output()}`)
      await working
      await oracle.sendAgain(toSecond, oracle.unknown())
    }
    await oracle.sendAgain(toSecond, oracle.acknowledged())
    await oracle.checkAccounts(toSecond)
    if (lock !== 'session') {
      const locks = await rowsOf(
        direct,
        `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
          WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()`,
      )
      assert.equal(locks.length, 0, 'a session lock is held, which a pooler would give to anybody')
    }
    toFirst.close()
    toSecond.close()
    assert.equal(await second.stop(), 0, second.output())
    const { ok, finding } = await verifyLedger([direct])
    assert.ok(ok, JSON.stringify(finding))
  })
}

test('a standby lives, is not ready, and ends in order when it is told to', { timeout: 60_000 }, async () => {
  const databaseUrl = await postgres.newDatabase()
  const first = await start(databaseUrl, {})
  const port = await freePort()
  const waiting = start(databaseUrl, { PORT: String(port) }, ['--standby']).then(
    () => 'it serves',
    (error: Error) => error.message,
  )
  await eventually('the standby answers', async () => (await ask(port, '/healthz')) === 200, 30_000)
  assert.equal(await ask(port, '/readyz'), 503)
  assert.equal(await ask(port, '/v1/accounts/a:b'), 503)
  assert.equal(await first.stop(), 0)
  assert.equal(await waiting, 'it serves')
  await eventually('it is ready', async () => (await ask(port, '/readyz')) === 200, 30_000)
})
