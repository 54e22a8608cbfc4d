import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type FakeServer, startFakeServer } from '../cli/testing/fake-server.ts'
import {
  type BatchAnswer,
  type Client,
  ConnectionError,
  createClient,
  ProtocolError,
  TimeoutError,
  type TransactionRequest,
  UnavailableError,
} from './client.ts'

const retry = { retriesMax: 3, delayMs: 1, delayMsMax: 2 }

function withServer(name: string, run: (client: Client, server: FakeServer) => Promise<void>): void {
  test(name, async (t) => {
    const server = await startFakeServer()
    const client = createClient({ url: server.url, retry, timeoutMs: 2_000 })
    t.after(() => server.close())
    t.after(() => client.close())
    await run(client, server)
  })
}

const credit = (n: number, amount = '1.00'): TransactionRequest => ({
  id: `t-${n}`,
  type: 'credit',
  account: 'cust-1:cash',
  amount,
})
const credits = (count: number): TransactionRequest[] => Array.from({ length: count }, (_, n) => credit(n))

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const indexes = (answers: readonly BatchAnswer<unknown>[]) => answers.map((answer) => answer.index)
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)
const statuses = (answers: readonly BatchAnswer<unknown>[]) => [
  ...new Set(answers.map((answer) => answer.outcome.status)),
]

withServer('a posted, a repeated, a declined, a conflicting and a malformed transaction are values', async (client) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  const first = await client.transactions.post(credit(1))
  assert.equal(first.status, 'posted')
  assert.equal(first.status === 'posted' && first.replayed, false)
  const again = await client.transactions.post(credit(1))
  assert.deepEqual(again, { ...first, replayed: true })
  const declined = await client.transactions.post({ ...credit(2, '9.00'), type: 'debit' } as TransactionRequest)
  assert.equal(declined.status === 'declined' && declined.problem.code, 'insufficient_funds')
  assert.equal((await client.transactions.post(credit(1, '2.00'))).status, 'conflict')
  const wrong = { ...credit(3), amount: 1 } as unknown as TransactionRequest
  assert.equal((await client.transactions.post(wrong)).status, 'refused')
})

withServer(
  'opening an account twice is alike, otherwise it exists; an unknown account is undefined',
  async (client) => {
    const request = { id: 'cust-1:cash', asset: 'CZK', overdraft: '5.00' }
    assert.equal((await client.accounts.open(request)).status, 'created')
    assert.equal((await client.accounts.open(request)).status, 'alike')
    assert.equal((await client.accounts.open({ ...request, overdraft: '6.00' })).status, 'exists')
    assert.equal((await client.accounts.get('cust-1:cash'))?.available, '5.00')
    assert.equal(await client.accounts.get('cust-2:cash'), undefined)
    assert.equal(await client.transactions.get('cust-1', 'never'), undefined)
  },
)

withServer('entries are read over all pages, in both orders', async (client, server) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  await all(client.batch(credits(25)))
  const entries = await all(client.entries('cust-1:cash', { limit: 10 }))
  assert.deepEqual(
    entries.map((entry) => entry.seq),
    upTo(25).map((n) => n + 1),
  )
  const down = await all(client.entries('cust-1:cash', { limit: 10, order: 'desc' }))
  assert.equal(down[0]?.seq, 25)
  assert.equal(server.requests.filter((request) => request.includes('/entries')).length, 6)
})

withServer('429 and a lost connection are tried again with the same id', async (client, server) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  server.faults.overloaded = 2
  assert.equal((await client.transactions.post(credit(1))).status, 'posted')
  server.faults.dropped = 2
  assert.equal((await client.transactions.post(credit(2))).status, 'posted')
  assert.equal(server.accounts.get('cust-1:cash')?.balance, 200n)
})

withServer(
  'retries are bounded: then UnavailableError, whose effect is that of the last answer',
  async (client, server) => {
    server.faults.overloaded = 100
    await assert.rejects(
      client.transactions.post(credit(1)),
      (error) => error instanceof UnavailableError && error.effect === 'none' && error.problem?.code === 'overloaded',
    )
    assert.equal(server.requests.length, 1 + retry.retriesMax)
  },
)

withServer('a change of an account is not repeated when its effect is unknown', async (client, server) => {
  server.faults.dropped = 1
  await assert.rejects(
    client.accounts.patch('cust-1:cash', { status: 'frozen' }),
    (error) => error instanceof ConnectionError && error.effect === 'unknown',
  )
  assert.equal(server.requests.length, 1)
})

test('a server that is not there: effect none, and ready() says unreachable', async (t) => {
  const server = await startFakeServer()
  await server.close()
  const client = createClient({ url: server.url, retry })
  t.after(() => client.close())
  assert.equal(await client.ready(), 'unreachable')
  await assert.rejects(
    client.accounts.get('cust-1:cash'),
    (error) => error instanceof ConnectionError && error.effect === 'none',
  )
  await assert.rejects(all(client.batch(credits(3))), ConnectionError)
})

withServer('a batch answers every row once, with its request', async (client) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  const answers = await all(client.batch(credits(5_000)))
  assert.deepEqual(indexes(answers), upTo(5_000))
  assert.deepEqual(statuses(answers), ['posted'])
  assert.equal(answers[17]?.row.id, 't-17')
})

withServer('a batch of no rows makes no request', async (client, server) => {
  assert.deepEqual(await all(client.batch([])), [])
  assert.deepEqual(server.requests, [])
})

withServer('rows and answers stream both ways: the next row may depend on the last answer', async (client, server) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  let answered = () => {}
  async function* pingPong() {
    for (let n = 0; n < 20; n++) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve
      })
      yield credit(n)
      await answer
    }
  }
  let count = 0
  for await (const _ of client.batch(pingPong())) {
    count++
    answered()
  }
  assert.equal(count, 20)
  assert.equal(server.requests.filter((request) => request.endsWith('/batch')).length, 1)
})

for (const inside of [false, true]) {
  withServer(
    `a batch goes on from its first unanswered row when cut ${inside ? 'inside' : 'between'} answer lines`,
    async (client, server) => {
      await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
      server.faults.cutAfterAnswers = [100, 0, 1_000]
      server.faults.cutInsideLine = inside
      const answers = await all(client.batch(credits(3_000)))
      assert.deepEqual(indexes(answers), upTo(3_000))
      assert.deepEqual(statuses(answers), ['posted'])
      assert.equal(server.accounts.get('cust-1:cash')?.balance, 300_000n)
      assert.equal(answers[0]?.resent, false)
      assert.equal(answers[100]?.resent, true)
      // The rows behind the cut are sent again in their order, none before it.
      const second = server.received.lastIndexOf('t-100')
      assert.ok(server.received.lastIndexOf('t-99') < second)
      assert.ok(server.received.lastIndexOf('t-101') > second)
    },
  )
}

withServer('answers that end without their last line are not taken for complete', async (client, server) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  server.faults.endAfterAnswers = [7]
  const answers = await all(client.batch(credits(50)))
  assert.deepEqual(indexes(answers), upTo(50))
  assert.equal(server.requests.filter((request) => request.endsWith('/batch')).length, 2)
  server.faults.endAfterAnswers = Array.from({ length: 100 }, () => 0)
  await assert.rejects(all(client.batch(credits(50))), ConnectionError)
  assert.equal(server.requests.filter((request) => request.endsWith('/batch')).length, 2 + 1 + retry.retriesMax)
})

for (const answers of [0, 3]) {
  withServer(`a server that falls silent after ${answers} answers counts as lost`, async (_, server) => {
    const client = createClient({ url: server.url, retry, timeoutMs: 50 })
    await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
    server.faults.silentAfterAnswers = [answers]
    assert.deepEqual(indexes(await all(client.batch(credits(10)))), upTo(10))
    server.faults.silentAfterAnswers = [answers, 0, 0, 0, 0]
    await assert.rejects(all(client.batch(credits(10))), TimeoutError)
    client.close()
  })
}

withServer('a refused batch is tried again after Retry-After, a bounded number of times', async (client, server) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  server.faults.overloaded = 2
  const causes: string[] = []
  const answers = await all(client.batch(credits(10), { onRetry: (cause) => causes.push(cause.code) }))
  assert.equal(answers.length, 10)
  assert.deepEqual(causes, ['unavailable', 'unavailable'])
  server.faults.overloaded = 100
  await assert.rejects(all(client.batch(credits(10))), UnavailableError)
})

withServer(
  'an item without an outcome is sent again; when the retries are used up it comes out as failed',
  async (client, server) => {
    await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
    server.faults.unknownItems.set('t-3', 2).set('t-5', 1_000)
    const answers = await all(client.batch(credits(10)))
    assert.deepEqual(indexes(answers).sort(), upTo(10))
    const byIndex = new Map(answers.map((answer) => [answer.index, answer.outcome]))
    assert.equal(byIndex.get(3)?.status, 'posted')
    const failed = byIndex.get(5)
    assert.equal(failed?.status === 'failed' && failed.problem.effect, 'unknown')
  },
)

withServer('never more rows are in flight than allowed, and a slow reader holds the source back', async (_, server) => {
  const client = createClient({ url: server.url, retry, inFlightMax: 64 })
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  let pulled = 0
  async function* source() {
    for (const request of credits(2_000)) {
      pulled++
      yield request
    }
  }
  let read = 0
  let ahead = 0
  for await (const _ of client.batch(source())) {
    ahead = Math.max(ahead, pulled - read)
    read++
  }
  assert.equal(read, 2_000)
  assert.ok(ahead <= 64 + 1, `${ahead} rows ahead`)
  client.close()
})

withServer('an error of the source comes out, and breaking off stops the source', async (client) => {
  await client.accounts.open({ id: 'cust-1:cash', asset: 'CZK' })
  async function* failing() {
    yield credit(1)
    throw new Error('disk')
  }
  await assert.rejects(all(client.batch(failing())), /disk/)
  let stopped = false
  async function* endless() {
    try {
      for (let n = 10; ; n++) yield credit(n)
    } finally {
      stopped = true
    }
  }
  for await (const _ of client.batch(endless())) break
  // The feeder leaves at its next turn.
  for (let n = 0; n < 100 && !stopped; n++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(stopped)
})

withServer('an abort ends a batch that waits', async (client) => {
  const abort = new AbortController()
  async function* never(): AsyncGenerator<TransactionRequest> {
    abort.abort(new Error('enough'))
    await new Promise(() => {})
  }
  await assert.rejects(all(client.batch(never(), { signal: abort.signal })), /enough/)
})

test('what is no Suanpan answer is a ProtocolError, not a guess', async (t) => {
  const bodies = [
    'hello',
    '{"index":99,"http":201,"replayed":false,"body":{"id":"x","status":"posted"}}\n',
    '{"index":0,"http":201}\n',
  ]
  let body = ''
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end(body))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  t.after(() => server.closeAllConnections())
  await new Promise((resolve) => server.once('listening', resolve))
  const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, retry })
  t.after(() => client.close())
  for (body of bodies.slice(1)) await assert.rejects(all(client.batch(credits(1))), ProtocolError)
  body = bodies[0] ?? ''
  await assert.rejects(client.transactions.post(credit(1)), ProtocolError)
  await assert.rejects(client.accounts.get('a:b'), ProtocolError)
})
