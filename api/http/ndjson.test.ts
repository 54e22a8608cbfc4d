import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { listen, type Started, start } from './testing/start.ts'

const line = (index: number): string =>
  `{"id":"id-${index}","type":"debit","account":"cust-${index % 10}:cash","amount":"1"}\n`

interface Stream {
  readonly request: http.ClientRequest
  /** Resolves with the headers of the answer. */
  readonly response: Promise<http.IncomingMessage>
}

function open(port: number): Stream {
  const request = http.request({
    port,
    method: 'POST',
    path: '/v1/transactions/batch',
    headers: { 'content-type': 'application/x-ndjson' },
  })
  request.flushHeaders()
  const response = once(request, 'response').then(([answer]) => answer as http.IncomingMessage)
  return { request, response }
}

/** Lines of a response, parsed, as they come. */
async function* told(response: http.IncomingMessage): AsyncGenerator<Record<string, unknown>> {
  let held = ''
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (held + String(chunk)).split('\n')
    held = lines.pop() ?? ''
    for (const text of lines) yield JSON.parse(text) as Record<string, unknown>
  }
  assert.equal(held, '')
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Of the whole process, after a collection: what is really held. */
function keptBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!holds()) {
    assert.ok(performance.now() < deadline, `waited 10 s for: ${what}`)
    await turn()
  }
}

async function withServer(run: (started: Started, port: number) => Promise<void>, streamWindow = 4_096): Promise<void> {
  const started = await start({ streamWindow, closeGraceMs: 500 })
  const port = await listen(started.app)
  try {
    await run(started, port)
  } finally {
    await started.app.close()
  }
}

test('lines are answered while the request is still being sent', () =>
  withServer(async (_, port) => {
    const { request, response } = open(port)
    const lines = told(await response)
    for (let index = 0; index < 5; index++) {
      request.write(line(index))
      assert.equal((await lines.next()).value?.index, index)
    }
    request.end()
    assert.deepEqual((await lines.next()).value, { done: true, count: 5 })
    assert.equal((await lines.next()).done, true)
  }))

test('answers keep the order of the lines when the engine answers in another', () =>
  withServer(async ({ engine }, port) => {
    const replies: (() => void)[] = []
    engine.submit = (command, reply) => {
      replies.push(() => reply({ http: 201, replayed: false, body: `{"id":"${command.id}"}` }))
    }
    const { request, response } = open(port)
    request.end(`${line(0)}{\n${line(1)}${line(2)}`)
    await until(() => replies.length === 3, 'three commands')
    for (const reply of replies.toReversed()) {
      reply()
      await turn()
    }
    const codes: unknown[] = []
    for await (const { index, http: status } of told(await response)) codes.push([index, status])
    assert.deepEqual(codes.slice(0, 4), [
      [0, 201],
      [1, 400],
      [2, 201],
      [3, 201],
    ])
  }))

test('no more than the window is in flight, and each line asks to wait for room where single calls get 429', () =>
  withServer(async ({ engine }, port) => {
    engine.answering = false
    const { request, response } = open(port)
    request.end(Array.from({ length: 100 }, (_, index) => line(index)).join(''))
    const answer = await response
    await until(() => engine.waitingCount === 16, 'a full window')
    for (let more = 0; more < 20; more++) await turn()
    assert.equal(engine.waitingCount, 16)
    engine.answering = true
    engine.schedule()
    let count = 0
    for await (const _line of told(answer)) count += 1
    assert.equal(count, 101)
    assert.equal(engine.waitingMax, 16)
    assert.equal(engine.waitedFor, 100)
  }, 16))

test(
  '100,000 lines with bad ones in between and a slow reader: every line is answered in order, memory stays flat',
  { timeout: 120_000 },
  () =>
    withServer(async (_, port) => {
      const count = 100_000
      const long = `"${'x'.repeat(70_000)}"\n`
      const isBad = (index: number): boolean => index % 97 === 0
      const bad = [
        '{"id":"x"\n',
        'null\n',
        Buffer.from([0x22, 0xc3, 0x28, 0x22, 0x0a]),
        '{"type":"debit","amount":1}\n',
      ]
      const atStart = keptBytes()
      const { request, response } = open(port)
      const sending = (async () => {
        for (let index = 0; index < count; index++) {
          const next = index % 9_700 === 0 ? long : isBad(index) ? (bad[index % bad.length] ?? '') : line(index)
          if (!request.write(next)) await once(request, 'drain')
        }
        request.end()
      })()
      const answer = await response
      // Nobody reads yet: the server must stop reading, too, or keep it all.
      let written = -1
      await until(() => {
        const stuck = written === request.socket?.bytesWritten
        written = request.socket?.bytesWritten ?? 0
        return stuck && written > 100_000
      }, 'back-pressure')
      for (let more = 0; more < 200; more++) await turn()
      const before = keptBytes()
      let peak = 0
      let index = 0
      for await (const item of told(answer)) {
        if (item.done !== undefined) {
          assert.deepEqual(item, { done: true, count })
          break
        }
        const status = index % 9_700 === 0 ? 413 : isBad(index) ? 400 : 201
        if (item.index !== index || item.http !== status) assert.deepEqual(item, { index, http: status })
        if (index % 1_000 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
        if (index % 10_000 === 5_000) peak = Math.max(peak, keptBytes())
        index += 1
      }
      await sending
      assert.equal(index, count)
      // The answers are 25 MB, the questions 7 MB: neither may pile up.
      assert.ok(peak - before < 12 * 1024 * 1024, `grew by ${(peak - before) >> 20} MB`)
      assert.ok(before - atStart < 12 * 1024 * 1024, `${(before - atStart) >> 20} MB wait for a reader that sleeps`)
    }),
)

test('a client that leaves takes nothing else with it and leaks nothing', () =>
  withServer(async ({ engine, registry }, port) => {
    engine.answering = false
    const { request, response } = open(port)
    request.on('error', () => {})
    request.write(line(0) + line(1))
    const answer = await response
    answer.on('error', () => {})
    await until(() => engine.waitingCount === 2, 'two commands')
    request.destroy()
    const inFlight = async (): Promise<number | undefined> => {
      const metric = registry.getSingleMetric('suanpan_http_requests_in_flight')
      return (await metric?.get())?.values[0]?.value
    }
    const deadline = performance.now() + 10_000
    while ((await inFlight()) !== 0) {
      assert.ok(performance.now() < deadline, 'the request is still in flight')
      await turn()
    }
    // What was submitted is answered to nobody.
    engine.answering = true
    engine.schedule()
    await turn()
    assert.equal(engine.waitingCount, 0)
    const again = open(port)
    again.request.end(line(2))
    const lines: unknown[] = []
    for await (const item of told(await again.response)) lines.push(item.index)
    assert.equal(lines.length, 2)
  }))

test('a client that leaves in the middle of a full window ends the stream', () =>
  withServer(async ({ engine, app }, port) => {
    engine.answering = false
    const { request, response } = open(port)
    request.on('error', () => {})
    request.write(Array.from({ length: 50 }, (_, index) => line(index)).join(''))
    const answer = await response
    answer.on('error', () => {})
    await until(() => engine.waitingCount === 8, 'a full window')
    request.destroy()
    // `close` waits for every request: it would hang on one that is never over.
    await app.close()
    assert.equal(engine.waitingCount, 8)
  }, 8))

test('closing ends an open stream after its answers, with done:false', () =>
  withServer(async ({ engine, app }, port) => {
    engine.answering = false
    const { request, response } = open(port)
    request.on('error', () => {})
    request.write(line(0))
    const answer = await response
    await until(() => engine.waitingCount === 1, 'a command')
    const closing = app.close()
    await turn()
    engine.answering = true
    engine.schedule()
    const lines: unknown[] = []
    for await (const item of told(answer)) lines.push(item.index ?? item)
    assert.deepEqual(lines, [0, { done: false, count: 1 }])
    request.destroy()
    await closing
  }))

test('a stream that breaks off in the middle of its body is not called done', () =>
  withServer(async ({ engine }, port) => {
    const socket = net.connect(port, '127.0.0.1')
    const head =
      'POST /v1/transactions/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000\r\n\r\n'
    socket.write(head + line(0) + line(1).slice(0, 20))
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    await until(() => text.includes('"index":0'), 'the first answer')
    const submitted = engine.waitingMax
    socket.end()
    await once(socket, 'close')
    assert.equal(text.includes('"done":true'), false)
    assert.equal(submitted, 1)
  }))

test('an engine that throws breaks the stream off, is logged, and the server lives', () =>
  withServer(async ({ engine, logged }, port) => {
    const { submit } = engine
    engine.submit = () => {
      throw new Error('broken')
    }
    const { request, response } = open(port)
    request.on('error', () => {})
    request.write(line(0))
    const answer = await response
    await assert.rejects(async () => {
      for await (const item of told(answer)) assert.fail(JSON.stringify(item))
    })
    assert.deepEqual(
      logged.map(({ message }) => message),
      ['stream failed'],
    )
    engine.submit = submit
    const again = open(port)
    again.request.end(line(1))
    let count = 0
    for await (const _item of told(await again.response)) count += 1
    assert.equal(count, 2)
  }))

test('closing does not wait for ever for a reader that never reads', () =>
  withServer(async ({ app }, port) => {
    const { request, response } = open(port)
    request.on('error', () => {})
    const answer = await response
    answer.on('error', () => {})
    let stuck = false
    for (let index = 0; !stuck; index += 1_000) {
      const lines = Array.from({ length: 1_000 }, (_, more) => line(index + more)).join('')
      if (!request.write(lines))
        stuck = await Promise.race([
          once(request, 'drain').then(() => false),
          new Promise<boolean>((resolve) => setTimeout(resolve, 300, true)),
        ])
    }
    await app.close()
  }))
