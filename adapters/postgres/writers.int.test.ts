// Two commits on two connections of a real server, the first of them stopped in its compare-and-set: what becomes of the second when either
// connection ends, or when another host takes over meanwhile.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type pg from 'pg'
import { isFault } from '../../actors/faults.ts'
import { Scribe } from '../../actors/testing/scribe.ts'
import { credit, hold, open } from '../../core/testing/commands.ts'
import { type TestPostgres, testPostgres } from '../embedded/testing/test-postgres.ts'
import { openLedger } from './catalog.ts'
import { connect } from './connect.ts'
import { PostgresLedger } from './ledger.ts'
import { Writers } from './writers.ts'

const partitions = 2
let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(() => postgres.stop())

interface Backend {
  readonly pid: number
  readonly state: string
  readonly waits: boolean
}

/** A host with both its connections, and somebody who can stop its commits. */
async function given() {
  const url = await postgres.newDatabase()
  const { assets } = await openLedger([url], { partitions, timeZone: 'UTC', defaultPartitions: partitions })
  const watcher = await connect(url, { name: 'watcher' })
  const blocker = await connect(url, { name: 'blocker' })
  const ledgers: PostgresLedger[] = []
  const scribe = async (name: string): Promise<Scribe> => {
    const ledger = new PostgresLedger({ url, name, assets })
    ledgers.push(ledger)
    const one = new Scribe(ledger, partitions, assets)
    await one.host()
    return one
  }
  const backends = async (name: string): Promise<Backend[]> => {
    const { rows } = await watcher.query<Backend>(
      `SELECT pid, state, wait_event_type = 'Lock' AS waits FROM pg_stat_activity
        WHERE application_name = $1 AND datname = current_database() ORDER BY backend_start`,
      [`${name} 1`],
    )
    return rows
  }
  const first = await scribe('first')
  await first.post(open({ account: 'c:cash' }))
  // The second connection is made beside the first commit that stands behind another.
  for (let i = 0; (await backends('first')).length < 2; i++) {
    assert.ok(i < 500, 'there is no second connection of that name')
    const commits = [first.decide(credit({ id: `a${i}` })), first.decide(credit({ id: `b${i}` }))]
    await Promise.all(commits.map((commit) => first.ledger.commit(commit)))
  }
  return {
    first,
    scribe,
    backends,
    watcher,
    /** Two commits: one waits in its compare-and-set, the rows of the other are copied. */
    async stopped() {
      await blocker.query('BEGIN; SELECT FROM suanpan.partition FOR UPDATE')
      const commits = [first.decide(credit({ id: 'one' })), first.decide(credit({ id: 'two' }), hold({ id: 'held' }))]
      const sent = Promise.allSettled(commits.map((commit) => first.ledger.commit(commit)))
      const both = await until(async () => {
        const [waiting, staged] = [
          (await backends('first')).find(({ waits }) => waits),
          (await backends('first')).find(({ state }) => state === 'idle in transaction'),
        ]
        return waiting !== undefined && staged !== undefined ? { waiting, staged } : undefined
      })
      return { sent, ...both }
    },
    release: () => blocker.query('ROLLBACK'),
    end: (pid: number) => watcher.query('SELECT pg_terminate_backend($1, 5000)', [pid]),
    async close() {
      for (const ledger of ledgers) await ledger.close()
      await Promise.all([watcher.end(), blocker.end()])
    },
  }
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const late = performance.now() + 10_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > late) throw new Error(`it did not come to that: ${look}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const stands = async (client: pg.Client): Promise<string[]> =>
  (
    await client.query<{ id: string }>(
      `SELECT id FROM suanpan.journal WHERE id IN ('one', 'two', 'held') ORDER BY pseq`,
    )
  ).rows.map(({ id }) => id)

test('the second stands when the first does', async () => {
  const { stopped, release, watcher, close } = await given()
  const { sent } = await stopped()
  assert.deepEqual(await stands(watcher), [])
  await release()
  assert.deepEqual(
    (await sent).map(({ status }) => status),
    ['fulfilled', 'fulfilled'],
  )
  assert.deepEqual(await stands(watcher), ['one', 'two', 'held'])
  await close()
})

test('the connection of the second ends: the first stands, nothing of the second does', async () => {
  const { first, stopped, release, end, watcher, close } = await given()
  const { sent, staged } = await stopped()
  await end(staged.pid)
  await release()
  const [one, two] = await sent
  assert.equal(one?.status, 'fulfilled')
  assert.ok(two?.status === 'rejected' && isFault(two.reason))
  assert.deepEqual(await stands(watcher), ['one'])
  await first.host({ kind: 'resume', epochs: first.epochs })
  await first.post(open({ id: '!x', account: 'd:cash' }))
  await close()
})

test('the connection of the first ends: nothing of either stands, and the second does not wait', async () => {
  const { first, stopped, release, end, backends, watcher, close } = await given()
  const { sent, waiting } = await stopped()
  await end(waiting.pid)
  const [one, two] = await sent
  assert.ok(one?.status === 'rejected' && two?.status === 'rejected')
  await until(async () => ((await backends('first')).length === 0 ? true : undefined))
  await release()
  assert.deepEqual(await stands(watcher), [])
  await first.host({ kind: 'resume', epochs: first.epochs })
  await first.post(credit({ id: 'one' }))
  await close()
})

test('another host takes over meanwhile: it ends both connections, and neither commit stands', async () => {
  const { scribe, stopped, release, backends, watcher, close } = await given()
  const { sent } = await stopped()
  const second = scribe('second')
  await until(async () => ((await backends('first')).length === 0 ? true : undefined))
  await release()
  const [one, two] = await sent
  assert.ok(one?.status === 'rejected' && two?.status === 'rejected')
  assert.deepEqual(await stands(watcher), [])
  // The rows of the second were the next ones of their table: nothing stands in the way of the same ones.
  await (await second).post(credit({ id: 'two' }))
  assert.deepEqual(await stands(watcher), ['two'])
  await close()
})

test('a commit that its host leaves open is ended by the server, later than by its host', async () => {
  const writers = await Writers.open(await postgres.newDatabase(), 'first 1')
  const { rows } = await writers.client.query<{ ms: number }>(
    `SELECT setting::int AS ms FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'`,
  )
  assert.equal(rows[0]?.ms, 35_000)
  await writers.close()
})
