// One ledger has one host. A second process is told who it is, or takes over from one that hangs; and settings that do not fit the ledger are
// refused before anything is written.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TerminalFault } from '../actors/faults.ts'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { type LedgerPlan, openLedger } from '../adapters/postgres/catalog.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { type EngineOptions, type RunningEngine, startEngine } from './compose.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { type Sent, sent } from './testing/mixed-load.ts'
import { Oracle } from './testing/oracle.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const owners = 8
const account = (i: number): string => `host-${i % owners}:main`

let postgres: TestPostgres
const servers: TestServer[] = []
const engines: RunningEngine[] = []
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  for (const server of servers) await server.kill9()
  for (const engine of engines) await engine.close()
  await postgres?.stop()
})

async function start(databaseUrl: string, args: readonly string[] = []): Promise<TestServer> {
  const server = await startTestServer({ databaseUrl, args, env: { WORKERS: '2' } })
  servers.push(server)
  return server
}

async function openAccounts(posts: HttpPosts, oracle: Oracle): Promise<void> {
  for (let i = 0; i < owners; i++) {
    const opened = await posts.post('/v1/accounts', JSON.stringify({ id: account(i), asset: 'CNY' }))
    assert.equal(opened?.status, 201)
    const first = credit(`first-${i}`, i)
    oracle.sending(first)
    oracle.answered(first, await posts.post('/v1/transactions', first.json))
  }
}

const credit = (id: string, i: number): Sent => {
  const [owner = ''] = account(i).split(':')
  return sent(owner, { id, type: 'credit', account: account(i), amount: '5' })
}

/** The commits of the shard by the process that made them; fails where one writes after its successor. */
async function commitsByProcess(databaseUrl: string): Promise<Map<string, number>> {
  const client = await connect(databaseUrl, { name: 'hosting test' })
  try {
    const { rows } = await client.query<{ partition: number; host: string; epoch: string }>(
      'SELECT partition, host, epoch FROM suanpan.commit ORDER BY partition, last_pseq',
    )
    const counts = new Map<string, number>()
    const last = new Map<number, { process: string; epoch: number }>()
    const former = new Set<string>()
    for (const { partition, host, epoch } of rows) {
      const process = host.split(' t')[0] ?? ''
      const before = last.get(partition)
      assert.ok(Number(epoch) >= (before?.epoch ?? 0), `an epoch of partition ${partition} went back`)
      if (before !== undefined && before.process !== process) former.add(`${partition} ${before.process}`)
      assert.ok(!former.has(`${partition} ${process}`), `${process} wrote partition ${partition} after its successor`)
      last.set(partition, { process, epoch: Number(epoch) })
      counts.set(process, (counts.get(process) ?? 0) + 1)
    }
    return counts
  } finally {
    await client.end()
  }
}

test('a second server on the same ledger ends with a message that names the holder; the first goes on', async () => {
  const databaseUrl = await postgres.newDatabase()
  const oracle = new Oracle()
  const first = await start(databaseUrl)
  const posts = new HttpPosts(first.url, 8)
  await openAccounts(posts, oracle)
  const [holder] = (await commitsByProcess(databaseUrl)).keys()
  await assert.rejects(start(databaseUrl), ({ message }: Error) => {
    assert.match(message, /the server ended with [1-9]/)
    assert.match(message, /is hosted by "suanpan \w+ lock"/)
    assert.ok(message.includes(`"${holder} lock"`), message)
    assert.match(message, /stop it first, or start with --take-over/)
    assert.doesNotMatch(message, /^ {4}at /m)
    return true
  })
  const more = credit('more', 1)
  oracle.sending(more)
  oracle.answered(more, await posts.post('/v1/transactions', more.json))
  await oracle.checkAccounts(posts)
  posts.close()
  assert.equal(await first.stop(), 0)
})

test('a frozen host is taken over: after it wakes up it commits nothing, confirms nothing, and ends', async () => {
  const databaseUrl = await postgres.newDatabase()
  const oracle = new Oracle()
  const first = await start(databaseUrl)
  const toFirst = new HttpPosts(first.url, 64)
  await openAccounts(toFirst, oracle)

  // Frozen in the midst of its work: some of these were decided, some are in its mailbox, some in its sockets.
  const underWay: Promise<void>[] = []
  let frozen = false
  const client = async (n: number): Promise<void> => {
    for (let i = 0; !frozen; i++) {
      const next = credit(`load-${n}-${i}`, n + i)
      oracle.sending(next)
      oracle.answered(next, await toFirst.post('/v1/transactions', next.json))
    }
  }
  for (let n = 0; n < 16; n++) underWay.push(client(n))
  while (oracle.count().acknowledged < 300) await new Promise(setImmediate)
  first.freeze()
  frozen = true
  const late = Array.from({ length: 20 }, (_, i) => credit(`late-${i}`, i))
  const lateAnswers = late.map((one) => toFirst.post('/v1/transactions', one.json))

  const second = await start(databaseUrl, ['--take-over'])
  const toSecond = new HttpPosts(second.url, 64)
  const before = await commitsByProcess(databaseUrl)
  const unknown = oracle.unknown()
  assert.ok(unknown.length > 0, 'nothing was under way when it was frozen')
  // Half of what is open is settled while the first one sleeps, the other half afterwards.
  const now = [...unknown.filter((_, i) => i % 2 === 0), ...late.filter((_, i) => i % 2 === 0)]
  for (const one of late) oracle.sending(one)
  await oracle.sendAgain(toSecond, now)
  assert.ok((await commitsByProcess(databaseUrl)).size === 2, 'the second commits')

  first.thaw()
  const giveUp = setTimeout(() => void first.kill9(), 30_000)
  const code = await first.exited
  clearTimeout(giveUp)
  assert.ok(code !== null && code > 0, `it ended with ${code}:\n${first.output()}`)
  assert.match(first.output(), /another process took over/)
  await Promise.all(underWay)
  for (const answer of await Promise.all(lateAnswers)) {
    assert.ok(answer === undefined || answer.status >= 500, `it answered ${answer?.status} ${answer?.body}`)
  }
  const [firstProcess = ''] = before.keys()
  assert.equal((await commitsByProcess(databaseUrl)).get(firstProcess), before.get(firstProcess))

  for (const [i, one] of late.entries()) {
    if (i % 2 === 0) continue
    const answer = await toSecond.post('/v1/transactions', one.json)
    assert.deepEqual([answer?.status, answer?.replayed], [201, false], `${one.json} was decided by nobody before`)
    oracle.answered(one, answer)
  }
  await oracle.sendAgain(toSecond, [...oracle.unknown(), ...oracle.acknowledged()])
  await oracle.checkAccounts(toSecond)
  toFirst.close()
  toSecond.close()
  assert.equal(await second.stop(), 0)
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
})

test('an idle host that was taken over learns it without a command, and ends', { timeout: 30_000 }, async () => {
  const databaseUrl = await postgres.newDatabase()
  const first = await host(engineOn([databaseUrl]))
  const second = await host(engineOn([databaseUrl], { takeOver: true }))
  let why: string | undefined
  void first.dethroned.then((said) => {
    why = said
  })
  for (let i = 0; why === undefined && i < 1000; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  await first.close()
  assert.ok(second.ready())
  await second.close()
  assert.match(why ?? 'nobody told it', /is hosted by "suanpan \w+ lock"/)
})

test('a host whose lock was cut goes on: its own former session is no other process', { timeout: 30_000 }, async () => {
  const databaseUrl = await postgres.newDatabase()
  let regained: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    regained = resolve
  })
  const engine = await host(
    engineOn([databaseUrl], { log: (_level, message) => message.includes('is held again') && regained() }),
  )
  let why: string | undefined
  void engine.dethroned.then((said) => {
    why = said
  })
  const client = await connect(databaseUrl, { name: 'hosting test' })
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^suanpan \\w+ lock$'`,
  )
  await client.end()
  await held
  assert.ok(engine.ready())
  assert.equal(why, undefined)
  await engine.close()
})

// ---- settings that do not fit ---------------------------------------------------------------------------------------------------

const plan = (given: Partial<LedgerPlan> = {}): LedgerPlan => ({
  partitions: undefined,
  timeZone: undefined,
  defaultPartitions: 4,
  ...given,
})
const engineOn = (urls: readonly string[], given: Partial<EngineOptions> = {}): EngineOptions => ({
  urls,
  workers: 1,
  deadlineMs: 5000,
  houseAutoOpen: true,
  segmentRowsMax: 1_000_000,
  residentAccountsMax: 1000,
  log: () => undefined,
  ...given,
})

async function host(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine(options)
  engines.push(engine)
  return engine
}

async function refused(work: Promise<unknown>, code: string, says: RegExp): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof TerminalFault, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, says)
    return true
  })
}

test('PARTITIONS or a time zone other than the ledger has, shards in another order, missing or strange: each is refused by name', async () => {
  const [a, b, empty, other] = await Promise.all(Array.from({ length: 4 }, () => postgres.newDatabase()))
  assert.ok(a && b && empty && other)
  const name = (url: string): string => new URL(url).pathname.slice(1)
  const made = await openLedger([a, b], plan({ partitions: 4, timeZone: 'Asia/Shanghai' }))
  assert.deepEqual([made.created, made.partitions, made.timeZone], [true, 4, 'Asia/Shanghai'])
  assert.deepEqual(made.shardOf, [0, 1, 0, 1])
  await openLedger([other], plan())
  await (await host(engineOn([a, b]))).close()

  const refusals = [
    [[a, b], { partitions: 8 }, /PARTITIONS is 8, but the ledger was created with 4/],
    [[a, b], { timeZone: 'UTC' }, /BUSINESS_TIMEZONE is UTC, but the ledger was created with Asia\/Shanghai/],
    [[b, a], {}, new RegExp(`/${name(b)}\\b.* is shard 1, but stands at place 0`)],
    [[a], {}, /has a shard 1, but only 1 database/],
    [[b], {}, new RegExp(`/${name(b)}\\b.* is shard 1, but stands at place 0`)],
    [[a, empty], {}, new RegExp(`/${name(empty)}\\b.* is empty: it is not shard 1`)],
    [[empty, b], {}, new RegExp(`/${name(empty)}\\b.* is empty, but another shard holds a ledger`)],
    [[a, other], {}, new RegExp(`/${name(other)}\\b.* belongs to ledger `)],
    [[a, b, empty], {}, new RegExp(`/${name(empty)}\\b.* is empty: it is not shard 2`)],
  ] as const
  for (const [urls, given, says] of refusals) await refused(openLedger(urls, plan(given)), 'wrong_ledger', says)
  await refused(host(engineOn([b, a])), 'wrong_ledger', /stands at place 0/)
  await refused(host(engineOn([a, b], { partitions: 3 })), 'wrong_ledger', /PARTITIONS is 3/)

  // What was refused left nothing behind: the ledger opens as it was, and what was empty still is.
  const again = await openLedger([a, b], plan({ partitions: 4, timeZone: 'Asia/Shanghai' }))
  assert.deepEqual([again.id, again.created, again.shardOf], [made.id, false, made.shardOf])
  assert.equal((await openLedger([empty], plan())).created, true)
})

test('the same database twice is refused before anything is written', async () => {
  const url = await postgres.newDatabase()
  await refused(openLedger([url, `${url}&connect_timeout=5`], plan()), 'wrong_ledger', /given twice/)
  assert.equal((await openLedger([url], plan())).created, true)
})

test('several processes that find no ledger at the same time create one', async () => {
  for (let i = 0; i < 3; i++) {
    const url = await postgres.newDatabase()
    const infos = await Promise.all([4, 4, 4, 4].map((partitions) => openLedger([url], plan({ partitions }))))
    assert.equal(infos.filter(({ created }) => created).length, 1)
    assert.equal(new Set(infos.map(({ id }) => id)).size, 1)
  }
})

test('a creation cut short between the shards is begun again', async () => {
  const urls = await Promise.all([postgres.newDatabase(), postgres.newDatabase()])
  await openLedger(urls, plan())
  const catalog = await connect(urls[0], { name: 'hosting test' })
  await catalog.query('DROP SCHEMA suanpan CASCADE')
  await catalog.end()
  const again = await openLedger(urls, plan())
  assert.deepEqual([again.created, again.shardOf], [true, [0, 1, 0, 1]])
  const engine = await host(engineOn(urls))
  assert.ok(engine.ready())
  await engine.close()
})

test('a database whose commits are not durable is refused, unless that is accepted', async () => {
  const url = await postgres.newDatabase()
  const client = await connect(url, { name: 'hosting test' })
  await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`)
  await client.end()
  await refused(host(engineOn([url])), 'wrong_ledger', /synchronous_commit is off on .*not be durable.*--unsafe/)
  const engine = await host(engineOn([url], { unsafe: true }))
  assert.ok(engine.ready())
  await engine.close()

  const careless = await testPostgres({ fsync: 'off', full_page_writes: 'off' })
  try {
    await refused(openLedger([careless.url], plan()), 'wrong_ledger', /fsync and full_page_writes are off on /)
  } finally {
    await careless.stop()
  }
})
