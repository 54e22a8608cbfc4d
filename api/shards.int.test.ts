// Shards that are added and partitions that move between them while the service runs: every answer stays what the rules say, an id is known for
// ever, and the ledger verifies before, meanwhile and after.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { copyAndSwitch } from '../adapters/postgres/move.ts'
import { MoveLog, readMove, requestMove } from '../adapters/postgres/move-log.ts'
import { readPlaces } from '../adapters/postgres/placement.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { settleMoves } from './control.ts'
import { addShard, listShards, moveShard } from './shards.ts'
import { bank, capture, hold, mixed, opening, refund } from './testing/commands.ts'
import { Model } from './testing/model.ts'
import { closeEngines, eventually, rowsOf, runEngine, verifyClean } from './testing/run.ts'

const timeout = 180_000
const accounts = Array.from({ length: 24 }, (_, i) => `c${i}:cash`)

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres?.stop()
})

const partitionsOf = async (urls: readonly string[]): Promise<number[][]> =>
  (await listShards(urls)).shards.map(({ partitions }) => [...partitions])

test('partitions move to a new shard and back under load', { timeout }, async () => {
  const first = await postgres.newDatabase()
  const second = await postgres.newDatabase()
  const run = await runEngine([first], { partitions: 4, workers: 2, segmentRowsMax: 1000 })
  const { engine } = run
  const model = new Model()
  await model.postAll(
    engine,
    accounts.map((account) => opening(account)),
  )
  const old = mixed('old', accounts, 600, 3)
  const oldAnswers = await model.postAll(engine, old)
  await model.postAll(
    engine,
    accounts.map((account, i) => hold(`hold-${i}`, account, '0.01', { reference: `order ${i}` })),
  )
  assert.equal(await addShard([first], second), 1)
  assert.deepEqual(await partitionsOf([first]), [[0, 1, 2, 3], []])

  let round = 0
  let moving = true
  const load = async (): Promise<void> => {
    while (moving) await model.postAll(engine, mixed(`m${++round}`, accounts, 30, round))
  }
  let verified = 0
  const verify = async (): Promise<void> => {
    while (moving) {
      await verifyClean([first])
      verified++
    }
  }
  const working = Promise.all([load(), verify()])
  for (const partition of [3, 1]) {
    const move = await moveShard([first], partition, 1, { wait: true })
    assert.equal(move?.state, 'switched')
    assert.ok((move?.stoppedMs ?? 1e9) < 3000, `it stood still for ${move?.stoppedMs} ms`)
  }
  moving = false
  await working
  assert.ok(verified > 1 && round > 2)
  assert.deepEqual(await partitionsOf([first]), [
    [0, 2],
    [1, 3],
  ])
  await model.checkAccounts(engine)

  // Ids, holds and what they link to came along.
  const again = await engine.postAll(old)
  assert.deepEqual(
    again.map(({ body, replayed }) => ({ body, replayed })),
    oldAnswers.map(({ body }) => ({ body, replayed: true })),
  )
  await model.postAll(
    engine,
    accounts.map((account, i) => capture(`capture-${i}`, account, `hold-${i}`)),
  )
  await model.postAll(
    engine,
    accounts.map((account, i) => refund(`refund-${i}`, account, `capture-${i}`)),
  )
  await model.checkAccounts(engine)
  assert.equal(run.threadsEnded(), 0)
  await engine.close()
  await verifyClean([first])

  // The catalog knows the way to the second; without a service the command itself carries a move out, and removes what is left behind.
  const back = await moveShard([first], 3, 0, { wait: true })
  assert.equal(back?.state, 'switched')
  await verifyClean([first])
  const restarted = await runEngine([first], { partitions: 4 })
  await model.postAll(restarted.engine, mixed('last', accounts, 300, 77))
  await model.checkAccounts(restarted.engine)
  assert.deepEqual(
    (await restarted.engine.postAll(old)).map(({ body }) => body),
    oldAnswers.map(({ body }) => body),
  )
  const house = await restarted.engine.reads.entries(bank, 'CNY', { after: undefined, limit: 300, order: 'asc' })
  assert.equal(house?.items.length, 300)
  assert.equal((await restarted.engine.reads.heads()).length, 4)
  await restarted.engine.close()
  await verifyClean([first])
})

test('nothing is left where a partition was', { timeout }, async () => {
  const [first, second] = [await postgres.newDatabase(), await postgres.newDatabase()]
  const { engine } = await runEngine([first, second], { partitions: 2, workers: 1 })
  await engine.postAll(accounts.map((account) => opening(account)))
  await engine.postAll(mixed('m', accounts, 200))
  await engine.close()
  await moveShard([first, second], 1, 0, { wait: true })
  await moveShard([first, second], 0, 1, { wait: true })
  for (const [url, gone] of [
    [first, 0],
    [second, 1],
  ] as const) {
    for (const table of ['journal', 'commit', 'account', 'cell', 'hold', 'detail', 'partition', 'id_filter']) {
      const rows = await rowsOf(url, `SELECT FROM suanpan.${table} WHERE partition = $1`, [gone])
      assert.equal(rows.length, 0, `${table} of partition ${gone}`)
    }
  }
  assert.equal((await verifyLedger([first, second])).partitions, 2)
  await eventually('all is done', async () => (await listShards([first, second])).moves.length === 0)
})

// ---- a mover that dies ----------------------------------------------------------------------------------------------------------

class Died extends Error {}

/** Dies at its n-th word to the catalog, before or after it was heard. */
function dying(log: MoveLog, at: number, heard: boolean): MoveLog {
  let words = 0
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return async (...given: unknown[]) => {
        const isLast = ++words === at
        if (isLast && !heard) throw new Died()
        const result: unknown = await member.apply(target, given)
        if (isLast) throw new Died()
        return result
      }
    },
  })
}

test('a mover that dies at any point leaves a ledger that goes on, and the move is carried out by the next host', {
  timeout,
}, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()] as const
  const model = new Model()
  const start = () => runEngine(urls, { partitions: 2, workers: 1 })
  const first = await start()
  await model.postAll(
    first.engine,
    accounts.map((account) => opening(account)),
  )
  await model.postAll(first.engine, mixed('m', accounts, 100))
  await first.engine.close()
  const catalog = await connect(urls[0], { name: 'shards test' })
  /** False: it did not come so far as to die. */
  const moveAndDie = async (at: number, heard: boolean): Promise<boolean> => {
    const [place] = await readPlaces(catalog)
    const to = place?.shard === 0 ? 1 : 0
    const id = await requestMove(catalog, 0, to)
    const move = await readMove(catalog, id)
    assert.ok(move)
    const log = new MoveLog(catalog, 'suanpan dying')
    await log.take(move)
    const died = await copyAndSwitch({
      move,
      log: dying(log, at, heard),
      fromUrl: urls[1 - to] ?? '',
      toUrl: urls[to] ?? '',
      name: 'suanpan dying move',
      host: undefined,
      now: () => 0,
      signal: new AbortController().signal,
    }).then(
      () => false,
      (error: unknown) => {
        assert.ok(error instanceof Died, String(error))
        return true
      },
    )
    await verifyClean(urls)
    const next = await start()
    await model.postAll(next.engine, mixed(`after-${at}-${heard}`, accounts, 20, at))
    await eventually('the move is made', async () => (await readMove(catalog, id))?.state === 'switched')
    await model.postAll(next.engine, mixed(`moved-${at}-${heard}`, accounts, 20, at))
    await model.checkAccounts(next.engine)
    await next.engine.close()
    await verifyClean(urls)
    // What is left behind is removed at once where nobody hosts, by whoever asks for anything.
    await assert.rejects(moveShard(urls, 0, to, { wait: true }), /is on shard . already/)
    assert.equal((await readMove(catalog, id))?.state, 'done')
    return died
  }
  let words = 1
  while (await moveAndDie(words, false)) words++
  assert.ok(words >= 5, `only ${words} points to die at`)
  assert.ok(await moveAndDie(words - 1, true))
  await catalog.end()
})

test('a mover that was frozen and wakes up after another host took over decides nothing', { timeout }, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()] as const
  const { engine } = await runEngine(urls, { partitions: 2, workers: 1 })
  await engine.postAll(accounts.map((account) => opening(account)))
  await engine.close()
  const catalog = await connect(urls[0], { name: 'shards test' })
  const id = await requestMove(catalog, 0, 1)
  const move = await readMove(catalog, id)
  assert.ok(move)
  const log = new MoveLog(catalog, 'suanpan frozen')
  await log.take(move)
  const frozen = new Proxy(log, {
    get: (target, name) =>
      name === 'switched'
        ? async (...given: Parameters<MoveLog['switched']>) => {
            await settleMoves(controlOf(urls))
            await target.switched(...given)
          }
        : Reflect.get(target, name),
  })
  await assert.rejects(
    copyAndSwitch({
      move,
      log: frozen,
      fromUrl: urls[0],
      toUrl: urls[1],
      name: 'suanpan frozen move',
      host: undefined,
      now: () => 0,
      signal: new AbortController().signal,
    }),
    /another process carries this move out/,
  )
  assert.deepEqual(await partitionsOf(urls), [[0], [1]])
  await verifyClean(urls)
  await catalog.end()
})

const controlOf = (urls: readonly string[]) => ({
  processName: 'suanpan other',
  urls: [...urls],
  host: undefined,
  log: () => undefined,
  now: () => 0,
  pause: async () => undefined,
  signal: new AbortController().signal,
})

// ---- a shard that is not what the catalog says ----------------------------------------------------------------------------------

test('an old copy of a shard, or of the catalog, is told by name at start', { timeout }, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()] as const
  const { engine } = await runEngine(urls, { partitions: 2, workers: 1 })
  await engine.close()
  const open = () => runEngine(urls, { partitions: 2, workers: 1 })
  await rowsOf(urls[1], 'UPDATE suanpan.partition SET placed = 0')
  await assert.rejects(open(), /partition 1 has been moved since shard 1 \(.*\) was copied; the catalog knows it/)
  await rowsOf(urls[1], 'UPDATE suanpan.partition SET placed = 2')
  await assert.rejects(open(), /partition 1 has been moved since the catalog was copied; shard 1 \(.*\) knows it/)
  await rowsOf(urls[1], 'UPDATE suanpan.partition SET placed = 1')
  await rowsOf(urls[0], 'UPDATE suanpan.partition_shard SET shard = 0 WHERE partition = 1')
  await assert.rejects(open(), /shard 0 \(.*\) does not hold partition 1, which the catalog places there/)
  await rowsOf(
    urls[0],
    `INSERT INTO suanpan.partition SELECT * FROM jsonb_populate_record(null::suanpan.partition,
       (SELECT to_jsonb(p) || '{"partition": 1}' FROM suanpan.partition p WHERE partition = 0))`,
  )
  await assert.rejects(open(), /shard 1 \(.*\) holds partition 1, which the catalog places on shard 0/)
  await rowsOf(urls[0], 'DELETE FROM suanpan.partition WHERE partition = 1')
  await rowsOf(urls[0], 'UPDATE suanpan.partition_shard SET shard = 1 WHERE partition = 1')
  await (await open()).engine.close()
})

test('what cannot be moved or added is told before anything is done', { timeout }, async () => {
  const [first, second, other] = [
    await postgres.newDatabase(),
    await postgres.newDatabase(),
    await postgres.newDatabase(),
  ] as const
  await assert.rejects(addShard([first], second), /no ledger yet|does not exist/)
  await (await runEngine([first], { partitions: 2 })).engine.close()
  await (await runEngine([other], { partitions: 2 })).engine.close()
  await assert.rejects(addShard([first], other), /belongs to ledger/)
  await assert.rejects(moveShard([first], 1, 1, { wait: true }), /the ledger has no shard 1/)
  assert.equal(await addShard([first], second), 1)
  await assert.rejects(addShard([first], second), /is shard 1 of this ledger already/)
  await assert.rejects(addShard([first], first), /is shard 0 of this ledger already/)
  await assert.rejects(moveShard([first], 7, 1, { wait: true }), /the ledger has no partition 7/)
  await assert.rejects(moveShard([first], 1, 0, { wait: true }), /partition 1 is on shard 0 already/)
  const asked = await moveShard([first], 1, 1, { wait: false })
  assert.equal(asked?.state, 'requested')
  await assert.rejects(moveShard([first], 1, 1, { wait: false }), /partition 1 is being moved already/)
})
