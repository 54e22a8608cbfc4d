// A Redis that dies, forgets, hangs, fills up or is replaced by another: what the mailbox notices, and what it never does.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { Appended, Frame, MailboxReader } from '../../actors/ports.ts'
import type { RedisMailbox } from './mailbox.ts'
import { appendScript } from './scripts.ts'
import { closeOpened, type OpenedRedis, openedRedis } from './testing/opened.ts'
import { type Switchboard, switchboard } from './testing/switchboard.ts'
import { noRedis, type TestRedis, testRedis } from './testing/test-redis.ts'

const skip = noRedis ?? false
const started: { stop(): Promise<void> }[] = []
let redis: TestRedis

before(async () => {
  if (noRedis === undefined) redis = await testRedis()
})
afterEach(async () => {
  await closeOpened()
  for (const one of started.splice(0)) await one.stop()
})
after(() => redis?.stop())

async function another(settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
  const one = await testRedis(settings)
  started.push(one)
  return one
}

async function switchable(to: TestRedis): Promise<Switchboard> {
  const board = await switchboard(to.port)
  started.push(board)
  return board
}

function append(writer: RedisMailbox, text: string, partition = 1, commands = 1): Promise<Appended> {
  return new Promise((resolve) => {
    writer.append([{ partition, bytes: Buffer.from(text), commands }], (_frame, outcome) => resolve(outcome))
  })
}

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const late = performance.now() + ms
  while (!(await holds())) {
    assert.ok(performance.now() < late, `it did not come to that: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const shown = ({ bytes, generation }: Frame): string =>
  bytes.length === 0 ? `begins ${generation}` : new TextDecoder().decode(bytes)

/** Takes until the last is `last`. */
async function takeUntil(reader: MailboxReader, last: string): Promise<string[]> {
  const came: string[] = []
  await until(`${last} comes`, () => {
    came.push(...reader.take(1000).map(shown))
    return came.at(-1) === last
  })
  return came
}

const startOf = ({ writer }: OpenedRedis) => ({ generation: writer.generation(), high: 0, low: 0, index: 0 })
const generations = (log: readonly string[]): string[] => log.filter((line) => line.startsWith('generation'))
const nameOf = (outcome: Appended): string =>
  typeof outcome === 'object' ? `${outcome.generation}:${outcome.high}` : outcome

test('a reply that is lost: the append is repeated as it was, and stands once', { skip }, async () => {
  const board = await switchable(redis)
  const opened = await openedRedis(board.url)
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  await append(opened.writer, 'first')
  const lost = board.loseReplyTo('the lost one')
  const outcome = append(opened.writer, 'the lost one')
  await lost
  assert.equal(nameOf(await outcome), '1:2')
  assert.equal(nameOf(await append(opened.writer, 'next')), '1:3')
  assert.deepEqual(await takeUntil(reader, 'next'), ['first', 'the lost one', 'next'])
  assert.deepEqual(generations(opened.log), [])
})

test('flushed while nothing is appended: noticed by looking after what waits, and the next generation begins', {
  skip,
}, async () => {
  const server = await another()
  const opened = await openedRedis(server.url)
  const reader = opened.reader()
  await append(opened.writer, 'a')
  await server.call('FLUSHALL')
  await until('a new generation', () => generations(opened.log).length === 1)
  assert.deepEqual(generations(opened.log), ['generation 2: its streams are gone'])
  reader.open(1, { generation: 1, high: 0, low: 0, index: 0 })
  assert.equal(nameOf(await append(opened.writer, 'b')), '2:1')
  assert.deepEqual(await takeUntil(reader, 'b'), ['begins 2', 'b'])
})

test('restarted without its data: another run, another generation, in every group', { skip }, async () => {
  const server = await another()
  const opened = await openedRedis(server.url)
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  await append(opened.writer, 'a')
  assert.deepEqual(await takeUntil(reader, 'a'), ['a'])
  await server.kill9()
  const outcome = append(opened.writer, 'b')
  await server.start()
  assert.equal(await outcome, 'lost')
  await until('both groups', () => generations(opened.log).length === 2)
  assert.deepEqual(
    new Set(generations(opened.log)),
    new Set(['generation 2: the server is another one or was restarted']),
  )
  assert.equal(nameOf(await append(opened.writer, 'c')), '2:1')
  assert.deepEqual(await takeUntil(reader, 'c'), ['begins 2', 'c'])
})

test('restarted with its data: what nobody has read is read to the end before the next generation', {
  skip,
}, async () => {
  const server = await another({ appendonly: 'yes', appendfsync: 'always' })
  const opened = await openedRedis(server.url)
  await append(opened.writer, 'a')
  await append(opened.writer, 'b')
  await server.kill9()
  await server.start()
  await until('both groups', () => generations(opened.log).length === 2)
  assert.equal(nameOf(await append(opened.writer, 'c')), '2:1')
  const reader = opened.reader()
  reader.open(1, { generation: 1, high: 0, low: 0, index: 0 })
  assert.deepEqual(await takeUntil(reader, 'c'), ['a', 'b', 'begins 2', 'c'])
})

test('failover to a replica that misses the end: nothing slips in behind what is missing', { skip }, async () => {
  const [primary, replica] = [await another(), await another()]
  const board = await switchable(primary)
  await replica.call('REPLICAOF', '127.0.0.1', primary.port)
  const opened = await openedRedis(board.url)
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  await append(opened.writer, 'a')
  await append(opened.writer, 'b')
  const stream = opened.writer.names.stream(1, 1)
  await until('the replica has both', async () => (await replica.call('XLEN', stream)) === 2)
  await replica.call('REPLICAOF', 'NO', 'ONE')
  // Acknowledged by the old primary, and read: the new one never hears of them, and numbers from where it stands.
  await append(opened.writer, 'c')
  await append(opened.writer, 'd')
  assert.deepEqual(await takeUntil(reader, 'd'), ['a', 'b', 'c', 'd'])
  board.switchTo(replica.port)
  await until('both groups', () => generations(opened.log).length === 2)
  assert.equal(nameOf(await append(opened.writer, 'e')), '2:1')
  assert.deepEqual(await takeUntil(reader, 'e'), ['begins 2', 'e'])
  // Whoever hosts next reads what the new primary has of the old generation.
  const next = opened.reader()
  next.open(1, { generation: 1, high: 1, low: 0, index: 1 })
  assert.deepEqual(await takeUntil(next, 'e'), ['b', 'begins 2', 'e'])
})

test('a server that became a replica is left for one that takes commands', { skip }, async () => {
  const [first, second] = [await another(), await another()]
  const board = await switchable(first)
  const opened = await openedRedis(board.url, { replyMs: 300 })
  await append(opened.writer, 'a')
  await first.call('REPLICAOF', '127.0.0.1', second.port)
  const outcome = append(opened.writer, 'b')
  await until('it is noticed', () => opened.log.some((line) => line.includes('cannot be reached')))
  board.switchTo(second.port)
  assert.equal(await outcome, 'lost')
  assert.equal(nameOf(await append(opened.writer, 'c')), '2:1')
})

test('frozen: the append waits, is told after a while that Redis is away, and stands once when it thaws', {
  skip,
}, async () => {
  const server = await another()
  const opened = await openedRedis(server.url, { replyMs: 200 })
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  await append(opened.writer, 'a')
  server.freeze()
  const outcome = append(opened.writer, 'b')
  await until('it is told', () => opened.log.includes('reachable false'))
  server.thaw()
  assert.equal(nameOf(await outcome), '1:2')
  await until('it is told', () => opened.log.includes('reachable true'))
  await append(opened.writer, 'c')
  assert.deepEqual(await takeUntil(reader, 'c'), ['a', 'b', 'c'])
  assert.deepEqual(generations(opened.log), [])
})

test('out of memory: full, nothing is accepted, and there is room again when there is memory', { skip }, async () => {
  const server = await another({ 'maxmemory-policy': 'noeviction' })
  const opened = await openedRedis(server.url)
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  await append(opened.writer, 'a')
  await server.call('CONFIG', 'SET', 'maxmemory', '1')
  assert.equal(await append(opened.writer, 'b'), 'full')
  assert.equal(await append(opened.writer, 'c'), 'full')
  await server.call('CONFIG', 'SET', 'maxmemory', '0')
  await opened.writer.room(1)
  assert.equal(nameOf(await append(opened.writer, 'd')), '1:2')
  assert.deepEqual(await takeUntil(reader, 'd'), ['a', 'd'])
})

test('the scripts were forgotten: loaded again', { skip }, async () => {
  const server = await another()
  const opened = await openedRedis(server.url)
  await append(opened.writer, 'a')
  await server.call('SCRIPT', 'FLUSH')
  assert.equal(nameOf(await append(opened.writer, 'b')), '1:2')
})

test('a process that starts reads what the former one left, in its own order before anything new, and the old streams are deleted then', {
  skip,
}, async () => {
  const former = await openedRedis(redis.url)
  await append(former.writer, 'a')
  await append(former.writer, 'b')
  await append(former.writer, 'elsewhere', 2)
  await former.close()
  const { names } = former.writer
  const next = await openedRedis(redis.url, {}, former.ledger)
  assert.equal(next.writer.generation(), 2)
  const reader = next.reader()
  for (let partition = 0; partition < 8; partition++)
    reader.open(partition, { generation: 0, high: 0, low: 0, index: 0 })
  assert.equal(nameOf(await append(next.writer, 'c')), '2:1')
  const came: Frame[] = []
  await until('all have turned', () => {
    came.push(...reader.take(1000))
    return came.filter(({ generation, bytes }) => generation === 2 && bytes.length === 0).length === 8
  })
  const ofOne = came.filter(({ partition }) => partition === 1).map(shown)
  assert.deepEqual(ofOne.slice(0, 4), ['begins 1', 'a', 'b', 'begins 2'])
  for (const { partition, generation, high } of came) {
    reader.trim(partition, { generation, high, low: 0, index: high === 0 ? 0 : 1 })
  }
  await until('the old ones are gone', async () => {
    const keys = (await redis.call('KEYS', `${names.root(1)}:1*`)) as string[]
    return keys.length === 0 && ((await redis.call('ZRANGE', names.live(1), '0', '-1')) as string[]).join() === '2'
  })
})

test('what is committed is deleted from its stream, all of it', { skip }, async () => {
  const opened = await openedRedis(redis.url)
  const reader = opened.reader()
  reader.open(1, startOf(opened))
  for (let i = 0; i < 100; i++) await append(opened.writer, String(i))
  await takeUntil(reader, '99')
  reader.trim(1, { generation: opened.writer.generation(), high: 100, low: 0, index: 1 })
  const stream = opened.writer.names.stream(1, opened.writer.generation())
  await until('it is empty', async () => (await redis.call('XLEN', stream)) === 0)
  assert.equal(opened.writer.depth(), 0)
  assert.equal(nameOf(await append(opened.writer, 'next')), `${opened.writer.generation()}:101`)
})

test('another process has taken over: the former appends nothing any more and says so', { skip }, async () => {
  const former = await openedRedis(redis.url)
  await append(former.writer, 'a')
  const next = await openedRedis(redis.url, {}, former.ledger)
  let settled = false
  void append(former.writer, 'b').then(() => {
    settled = true
  })
  await until('it is told', () => former.log.includes('superseded'))
  assert.equal(settled, false)
  assert.equal(nameOf(await append(next.writer, 'c')), '2:1')
  const reader = next.reader()
  reader.open(1, { generation: 1, high: 0, low: 0, index: 0 })
  assert.deepEqual(await takeUntil(reader, 'c'), ['a', 'begins 2', 'c'])
})

test('a cluster: each group is found at the node that has its slot, for writing and for reading', {
  skip,
}, async () => {
  const [one, two] = [await another({ 'cluster-enabled': 'yes' }), await another({ 'cluster-enabled': 'yes' })]
  await one.call('CLUSTER', 'ADDSLOTSRANGE', 0, 8191)
  await two.call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16_383)
  await one.call('CLUSTER', 'MEET', '127.0.0.1', two.port)
  for (const node of [one, two]) {
    await until('the cluster is whole', async () =>
      String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    )
  }
  const opened = await openedRedis(one.url, { perGroup: 1 })
  const reader = opened.reader()
  for (let partition = 0; partition < 8; partition++) {
    reader.open(partition, startOf(opened))
    assert.equal(nameOf(await append(opened.writer, `to ${partition}`, partition)), '1:1')
  }
  const came = new Set<string>()
  await until('all have come', () => {
    for (const frame of reader.take(100)) came.add(shown(frame))
    return came.size === 8
  })
  // With eight groups both nodes hold some of them.
  for (const node of [one, two]) assert.ok(Number(await node.call('DBSIZE')) > 0)
})

// ---- the script -----------------------------------------------------------------------------------------------------------------

/** Sends what a writer would send: one stream, frames of one command. */
async function sendAppend(
  { writer }: OpenedRedis,
  {
    producer = 'me',
    connection = 1,
    generation = 1,
    first = 1,
    frames = ['x'],
  }: Partial<{
    producer: string
    connection: number
    generation: number
    first: number
    frames: string[]
  }> = {},
): Promise<unknown> {
  const { names } = writer
  const keys = [names.meta(1, generation), names.stream(1, generation)]
  const args = [producer, connection, 1000, 1000, 0, 1, '', 0, first, frames.length]
  return await redis.call(
    'EVAL',
    appendScript.lua,
    keys.length,
    ...keys,
    ...args,
    ...frames.flatMap((text) => [1, text]),
  )
}

const entriesOf = async ({ writer }: OpenedRedis): Promise<string[]> =>
  ((await redis.call('XRANGE', writer.names.stream(1, 1), '-', '+')) as [string, string[]][]).map(
    ([id, [, text]]) => `${id} ${text}`,
  )

test('the script: a repeat is acknowledged without being appended, a gap is refused', { skip }, async () => {
  const opened = await openedRedis(redis.url)
  await redis.call('HSET', opened.writer.names.meta(1, 1), 'producer', 'me')
  assert.deepEqual(await sendAppend(opened, { frames: ['a', 'b'] }), ['ok', '', 2])
  assert.deepEqual(await sendAppend(opened, { frames: ['a', 'b'] }), ['ok', '', 2])
  assert.deepEqual(await sendAppend(opened, { first: 2, frames: ['b', 'c'] }), ['ok', '', 3])
  assert.deepEqual(await sendAppend(opened, { first: 5, frames: ['e'] }), ['gap', '1', 3])
  assert.deepEqual(await sendAppend(opened, { first: 4, frames: [] }), ['ok', '', 3])
  assert.deepEqual(await sendAppend(opened, { first: 3, frames: [] }), ['gap', '1', 3])
  assert.deepEqual(await entriesOf(opened), ['1-0 a', '2-0 b', '3-0 c'])
})

test('the script: what was sent over a connection that was given up comes too late', { skip }, async () => {
  const opened = await openedRedis(redis.url)
  await redis.call('HSET', opened.writer.names.meta(1, 1), 'producer', 'me')
  await sendAppend(opened, { connection: 1, frames: ['a'] })
  // The bound let nothing of b in, which was said so; then c got its number.
  await sendAppend(opened, { connection: 2, first: 2, frames: [] })
  assert.deepEqual(await sendAppend(opened, { connection: 1, first: 2, frames: ['b'] }), ['late'])
  assert.deepEqual(await sendAppend(opened, { connection: 2, first: 2, frames: ['c'] }), ['ok', '', 2])
  assert.deepEqual(await entriesOf(opened), ['1-0 a', '2-0 c'])
})

test('the script: nothing gets into a generation that is sealed, lost, or of another producer', { skip }, async () => {
  const opened = await openedRedis(redis.url)
  const meta = opened.writer.names.meta(1, 1)
  assert.deepEqual(await sendAppend(opened), ['gone'])
  await redis.call('DEL', meta)
  assert.deepEqual(await sendAppend(opened), ['gone'])
  await redis.call('HSET', meta, 'producer', 'me', 'sealed', '1')
  assert.deepEqual(await sendAppend(opened), ['sealed'])
  assert.deepEqual(await entriesOf(opened), [])
})

// ---- what is wrong at the start ---------------------------------------------------------------------------------------------------

test('what is wrong with the server is said at the start, without the password', { skip }, async () => {
  const [locked, replica] = [await another({ requirepass: 'secret-word' }), await another()]
  await replica.call('REPLICAOF', '127.0.0.1', redis.port)
  const failureOf = async (url: string): Promise<string> => {
    try {
      await openedRedis(url, { replyMs: 500 })
    } catch (error) {
      assert.ok(error instanceof Error)
      assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes('-word'), 'the password shows')
      return error.message
    }
    return 'none'
  }
  assert.match(await failureOf(`redis://:wrong-word@127.0.0.1:${locked.port}`), /user name or password is wrong/)
  assert.match(await failureOf(`redis://127.0.0.1:${locked.port}`), /asks for a password/)
  assert.match(await failureOf('redis://:a-word@127.0.0.1:1'), /nothing listens there/)
  assert.match(await failureOf(`redis://127.0.0.1:${replica.port}`), /replica/)
  const opened = await openedRedis(locked.url)
  assert.equal(nameOf(await append(opened.writer, 'a')), '1:1')
})

test('a server that may evict what waits is warned of', { skip }, async () => {
  const server = await another({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' })
  const opened = await openedRedis(server.url)
  assert.ok(opened.log.some((line) => line.startsWith('warn') && line.includes('evict')))
})
