// The supervisor over threads of the test's: who hosts what, what is hosted again, who is ended and what a late thread is told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualTime } from '../adapters/simulated/time.ts'
import { debit } from '../core/testing/commands.ts'
import { Intake } from './intake.ts'
import { Supervisor } from './supervisor.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'
import { FakeThreads } from './testing/fake-threads.ts'

const start = { generation: 0, high: 0, low: 0, index: 0 }
const watchdogMs = 10_000

async function given({ workers = 2, shardOf = [0, 0, 0, 0] }: { workers?: number; shardOf?: number[] } = {}) {
  const time = new VirtualTime()
  const threads = new FakeThreads()
  const mailbox = new FakeMailbox()
  const intake = new Intake({ partitions: shardOf.length, generation: 1, deadlineMs: 60_000 }, mailbox, time, time)
  intake.accept(true)
  const news: string[] = []
  const lockless = new Set<number>()
  const supervisor = new Supervisor(
    {
      clock: time,
      timers: time,
      threads,
      intake,
      deliveredTo: (partition) => ({ generation: 1, high: 10 + partition, low: 0, index: 99 }),
      mayHost: (shard) => !lockless.has(shard),
      news: {
        committed: () => undefined,
        threadStarted: (slot) => news.push(`started ${slot}`),
        threadEnded: (slot, reason) => news.push(`ended ${slot}: ${reason}`),
        quarantined: (partition, _position, id) => news.push(`quarantined ${partition} ${id}`),
        lost: (partitions) => news.push(`lost ${partitions.join(' ')}`),
        historyLost: (partition) => news.push(`history lost ${partition}`),
        log: () => undefined,
      },
    },
    { workers, shardOf, watchdogMs },
  )
  const started = supervisor.start()
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
  const host = (slot: number): void => {
    const thread = threads.last(slot)
    for (const { partitions } of thread.of('host'))
      for (const partition of partitions) thread.say({ kind: 'hosted', partition, position: start })
  }
  const answerPings = (...slots: number[]): void => {
    for (const slot of slots) {
      const thread = threads.last(slot)
      const n = thread.of('ping').at(-1)?.n
      if (n !== undefined) thread.say({ kind: 'pong', n })
    }
  }
  await settle()
  return { time, threads, mailbox, intake, news, lockless, supervisor, started, settle, host, answerPings }
}

test('each partition is given to one slot, each slot its shards; ready when all are hosted', async () => {
  const { threads, supervisor, started, host } = await given({ shardOf: [0, 1, 0, 1, 0, 1] })
  await started
  const hosted = threads.started.flatMap((thread) =>
    thread.of('host').map(({ shard, partitions }) => [thread.slot, shard, partitions.join()]),
  )
  assert.deepEqual(hosted.sort(), [
    [0, 0, '0,2,4'],
    [1, 1, '1,3,5'],
  ])
  const all = supervisor.whenHosted()
  host(0)
  assert.equal(supervisor.ready(), false)
  host(1)
  await all
  assert.equal(supervisor.ready(), true)
})

test('what a dead thread hosted is hosted again by its successor, with all it had in hand as suspects', async () => {
  const { threads, supervisor, started, settle, host, news } = await given()
  await started
  host(0)
  host(1)
  threads.last(0).end('out of memory')
  await settle()
  assert.equal(supervisor.ready(), false)
  assert.deepEqual(news.slice(-2), ['ended 0: out of memory', 'started 0'])
  const [again] = threads.last(0).of('host')
  assert.deepEqual(again?.partitions, [0, 2])
  assert.deepEqual(
    again?.suspects.map(([partition, { until, known }]) => [partition, until?.high, known]),
    [
      [0, 10, undefined],
      [2, 12, undefined],
    ],
  )
  host(0)
  assert.equal(supervisor.ready(), true)
})

test('of a thread that dies in the middle of a decision only the command that it named is suspect', async () => {
  const { threads, started, settle, host } = await given()
  await started
  host(0)
  const place = { generation: 1, high: 7, low: 0, index: 3 }
  threads.last(0).named = { partition: 2, place }
  threads.last(0).end('terminated')
  await settle()
  assert.deepEqual(threads.last(0).of('host')[0]?.suspects, [[2, { until: undefined, known: place }]])
})

test('a command that was named stays known over the deaths that others cause before it is tried', async () => {
  const { threads, started, settle, host } = await given()
  await started
  host(0)
  const place = { generation: 1, high: 7, low: 0, index: 3 }
  const dies = async (partition: number | undefined) => {
    const thread = threads.last(0)
    thread.named = partition === undefined ? undefined : { partition, place }
    thread.end('terminated')
    await settle()
    return threads
      .last(0)
      .of('host')[0]
      ?.suspects.map(([of, { until, known }]) => [of, until?.high, known?.high])
  }
  assert.deepEqual(await dies(2), [[2, undefined, 7]])
  assert.deepEqual(await dies(0), [
    [0, undefined, 7],
    [2, undefined, 7],
  ])
  assert.deepEqual(await dies(undefined), [
    [0, 10, 7],
    [2, 12, 7],
  ])
})

test('a thread that dies before it hosted anything had nothing in hand', async () => {
  const { threads, started, settle } = await given()
  await started
  threads.last(0).end('early')
  await settle()
  assert.deepEqual(threads.last(0).of('host')[0]?.suspects, [])
})

test('a thread that cannot start is tried again, each time later', async () => {
  const { threads, time, settle, started } = await given({ workers: 1 })
  await started
  threads.failures = 3
  threads.last(0).end('gone')
  await settle()
  for (const ms of [10, 20, 40]) {
    assert.equal(threads.started.length, 1)
    time.advance(ms)
    await settle()
  }
  assert.equal(threads.started.length, 2)
})

test('a thread that answers no ping is ended; one that does is not', async () => {
  const { threads, time, started, settle, host, answerPings, news } = await given()
  await started
  host(0)
  host(1)
  for (let passed = 0; passed <= watchdogMs + 2000; passed += 500) {
    time.advance(500)
    answerPings(1)
  }
  await settle()
  assert.ok(news.includes('ended 0: terminated'))
  assert.ok(!news.some((one) => one.startsWith('ended 1')))
  assert.equal(threads.last(1).terminated, false)
})

test('a process that was frozen for a while does not blame its threads: their pongs lie there still unread', async () => {
  const { threads, time, started, answerPings, host } = await given()
  await started
  host(0)
  host(1)
  for (let passed = 0; passed < 3000; passed += 500) {
    time.advance(500)
    answerPings(0, 1)
  }
  time.jump(watchdogMs * 6)
  answerPings(0, 1)
  time.advance(5000)
  assert.deepEqual(
    threads.started.map(({ terminated }) => terminated),
    [false, false],
  )
})

test('a dead thread is not followed by a new host while the hosting lock is lost', async () => {
  const { threads, time, started, settle, lockless, host } = await given({ workers: 1 })
  await started
  host(0)
  lockless.add(0)
  threads.last(0).end('gone')
  await settle()
  time.advance(5000)
  await settle()
  assert.deepEqual(threads.last(0).of('host'), [])
  lockless.clear()
  time.advance(100)
  await settle()
  assert.equal(threads.last(0).of('host').length, 1)
})

test('a shard whose hosting lock is lost does not keep the successor of a dead thread from the others', async () => {
  const { threads, time, started, settle, lockless, host } = await given({ workers: 1, shardOf: [0, 1] })
  await started
  host(0)
  lockless.add(0)
  threads.last(0).end('gone')
  await settle()
  assert.deepEqual(
    threads
      .last(0)
      .of('host')
      .map(({ shard }) => shard),
    [1],
  )
  // The one after that is asked once for each shard, however often the lock was waited for.
  threads.last(0).end('gone again')
  await settle()
  lockless.clear()
  time.advance(1000)
  await settle()
  assert.deepEqual(
    threads
      .last(0)
      .of('host')
      .map(({ shard }) => shard),
    [1, 0],
  )
})

test('partitions that another process took: intake refuses for them and the process is told', async () => {
  const { threads, intake, time, started, host, news } = await given({ workers: 1, shardOf: [0] })
  await started
  host(0)
  threads.last(0).say({ kind: 'lost', partitions: [0] })
  assert.deepEqual(news.slice(-1), ['lost 0'])
  let body = ''
  intake.submit(debit(), (answer) => {
    body = answer.body
  })
  time.turn()
  assert.match(body, /shard_unavailable/)
})

test('trouble with one shard closes intake for its partitions in that slot, until they are hosted again', async () => {
  const { threads, intake, time, started, host } = await given({ workers: 1, shardOf: [0, 1] })
  await started
  host(0)
  const refused = (): boolean[] =>
    [0, 1].map((partition) => {
      const id = ['a', 'b', 'c', 'd', 'e', 'f'].find(
        (owner) => intake.partitionOf(debit({ account: `${owner}:cash` })) === partition,
      )
      let said = false
      intake.submit(debit({ account: `${id}:cash` }), () => {
        said = true
      })
      time.turn()
      return said
    })
  assert.deepEqual(refused(), [false, false])
  threads.last(0).say({ kind: 'trouble', shard: 1, code: 'unavailable', message: 'gone' })
  assert.deepEqual(refused(), [false, true])
  threads.last(0).say({ kind: 'hosted', partition: 1, position: start })
  assert.deepEqual(refused(), [false, false])
})

test('a partition that another process has hosted meanwhile is lost, even if a new thread of ours could claim it', async () => {
  const { threads, started, news, supervisor } = await given()
  await started
  threads.last(0).say({ kind: 'hosted', partition: 0, position: { generation: 2, high: 5, low: 0, index: 1 } })
  assert.ok(news.includes('lost 0'), news.join())
  assert.equal(supervisor.ready(), false)
})

test('a segment that was opened is told to a thread that starts later', async () => {
  const { threads, supervisor, started, settle } = await given({ workers: 1 })
  await started
  supervisor.switchSegment(0, 4)
  threads.last(0).end('gone')
  await settle()
  assert.deepEqual(threads.last(0).of('segment'), [{ kind: 'segment', shard: 0, segment: 4 }])
})

test('stop lets the threads end by themselves, and ends those that do not', async () => {
  const { threads, supervisor, started, settle, time } = await given()
  await started
  const stopped = supervisor.stop(2000)
  await settle()
  const [first, second] = [threads.last(0), threads.last(1)]
  assert.deepEqual([first.of('stop').length, second.of('stop').length], [1, 1])
  first.end(undefined)
  await settle()
  assert.equal(second.terminated, false)
  time.advance(2000)
  await stopped
  assert.equal(second.terminated, true)
  assert.equal(threads.started.length, 2)
})

test('a thread that starts while the supervisor stops is ended too', async () => {
  const { threads, supervisor, started, settle } = await given({ workers: 1 })
  await started
  let open: () => void = () => undefined
  threads.gate = new Promise((resolve) => {
    open = resolve
  })
  threads.last(0).end('gone')
  await settle()
  await supervisor.stop(2000)
  open()
  await settle()
  assert.equal(threads.started.length, 2)
  assert.equal(threads.last(0).terminated, true)
})
