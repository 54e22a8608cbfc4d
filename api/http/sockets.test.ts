import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { accountView } from './testing/fake-reads.ts'
import { assertProblem } from './testing/problems.ts'
import { listen, start } from './testing/start.ts'

const { app, engine, reads } = await start()
const port = await listen(app)
after(() => app.close())

/** Everything that the server sends until it closes, or until `enough`. */
async function talk(sent: string | Buffer, enough: (text: string) => boolean = () => false): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
    if (enough(text)) socket.destroy()
  })
  socket.write(sent)
  const timer = setTimeout(() => socket.destroy(new Error('silent for 5 s')), 5_000)
  await once(socket, 'close')
  clearTimeout(timer)
  return text
}

interface Answered {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** The answers in a text of several, by their content-length. */
function answers(text: string): Answered[] {
  const found: Answered[] = []
  let rest = text
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    const [status = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    )
    const length = Number(headers['content-length'])
    found.push({ statusCode: Number(status.split(' ')[1]), headers, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return found
}

const body = '{"id":"pay-1","type":"debit","account":"c:cash","amount":"1"}'
const request = (text: string, more = ''): string =>
  `POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${more}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`

test('what is no HTTP is a problem, and the socket is closed', async () => {
  const garbage = [
    'hello\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n',
    'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n',
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
  ]
  for (const sent of garbage) {
    const [answered] = answers(await talk(sent))
    assert.ok(answered !== undefined)
    assertProblem(answered, 'invalid', undefined, String(sent))
    assert.equal(answered.headers.connection, 'close')
  }
  const [answered] = answers(await talk(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`))
  assert.ok(answered !== undefined)
  assertProblem(answered, 'payload_too_large')
})

test('a body with a broken chunk is a problem', async () => {
  const [answered] = answers(
    await talk(
      'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    ),
  )
  assert.ok(answered !== undefined)
  assertProblem(answered, 'invalid')
})

test('what breaks in the middle of a stream gets no second head into the answer', async () => {
  const head =
    'POST /v1/transactions/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n'
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  let text = ''
  socket.on('data', (chunk) => {
    if (text === '') socket.write('zz\r\n')
    text += String(chunk)
  })
  socket.write(`${head}${(body.length + 1).toString(16)}\r\n${body}\n\r\n`)
  await once(socket, 'close')
  assert.equal(text.split('HTTP/1.1').length, 2, text)
  assert.equal(text.includes('"done":true'), false)
})

test('pipelined requests are answered in their order', async () => {
  const text = await talk(request(body) + request('{}') + request(body.replace('pay-1', 'pay-2')), (seen) =>
    seen.includes('"pay-2"'),
  )
  assert.deepEqual(
    answers(text).map(({ statusCode }) => statusCode),
    [201, 400, 201],
  )
})

test('a bad body leaves the connection open', async () => {
  const text = await talk(request('{') + request(body), (seen) => seen.includes('"pay-1"'))
  assert.deepEqual(
    answers(text).map(({ statusCode }) => statusCode),
    [400, 201],
  )
})

test('a body in single bytes is put together', async () => {
  const socket = net.connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  const answered = once(socket, 'data')
  const reference = body.replace('}', ',"reference":"字😀"}')
  for (const byte of Buffer.from(request(reference))) {
    socket.write(Buffer.from([byte]))
    await turn()
  }
  assert.match(String((await answered)[0]), /^HTTP\/1\.1 201 /)
  socket.destroy()
})

test('a body that is announced too large is refused before it is sent', async () => {
  const [answered] = answers(
    await talk(
      'POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n',
      (seen) => seen.endsWith('}'),
    ),
  )
  assert.ok(answered !== undefined)
  assertProblem(answered, 'payload_too_large')
})

test('whoever sends all of a body that is too large before he reads gets his answer, and the connection lives on', async () => {
  const size = 8 * 1024 * 1024
  const chunk = ' '.repeat(64 * 1024)
  const bodies = [
    [`content-length: ${size}`, chunk, ''],
    ['transfer-encoding: chunked', `10000\r\n${chunk}\r\n`, '0\r\n\r\n'],
  ] as const
  for (const [headers, part, last] of bodies) {
    const socket = net.connect(port, '127.0.0.1')
    socket.pause()
    socket.write(`POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}\r\n\r\n`)
    for (let sent = 0; sent < size; sent += chunk.length) if (!socket.write(part)) await once(socket, 'drain')
    socket.write(last + request(body))
    let text = ''
    for await (const heard of socket) {
      text += String(heard)
      if (text.includes('"pay-1"')) break
    }
    const [refused, next] = answers(text)
    assert.ok(refused !== undefined)
    assertProblem(refused, 'payload_too_large')
    assert.equal(refused.headers.connection, 'keep-alive')
    assert.equal(next?.statusCode, 201)
  }
})

test('without a host, or with an expectation that nobody knows, it is answered like anything else', async () => {
  for (const path of ['/healthz', '/v1/nothing']) {
    const text = await talk(`GET ${path} HTTP/1.1\r\nconnection: close\r\n\r\n`)
    assert.match(text, /content-length/)
    const [answered] = answers(text)
    assert.ok(answered !== undefined)
    assertProblem(answered, path === '/healthz' ? 'invalid' : 'not_found', path === '/healthz' ? 'host' : undefined)
  }
  assert.match(await talk('GET /healthz HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
  const text = await talk(request(body, 'expect: much\r\n'), (seen) => seen.includes('"pay-1"'))
  assert.match(text, /^HTTP\/1\.1 201 /)
})

test('a chunked body that grows too large is refused', async () => {
  const chunk = `1000\r\n${' '.repeat(4096)}\r\n`
  const text = await talk(
    `POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    (seen) => seen.endsWith('}'),
  )
  const [answered] = answers(text)
  assert.ok(answered !== undefined)
  assertProblem(answered, 'payload_too_large')
})

test('HEAD has the headers of GET and no body', async () => {
  reads.accounts.set('c:cash', accountView('c:cash'))
  const text = await talk('HEAD /v1/accounts/c:cash HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 200 /)
  assert.match(text, /content-length: 2\d\d\r\n/)
  assert.ok(text.endsWith('\r\n\r\n'))
})

test('clients that leave before their answer, or in the middle of their body, take nothing with them', async () => {
  engine.answering = false
  const sockets = Array.from({ length: 50 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  for (const [index, socket] of sockets.entries())
    socket.write(index % 2 === 0 ? request(body) : request(body).slice(0, -20))
  const deadline = performance.now() + 5_000
  while (engine.waitingCount < 25) {
    assert.ok(performance.now() < deadline)
    await turn()
  }
  for (const [index, socket] of sockets.entries()) index % 3 === 0 ? socket.resetAndDestroy() : socket.destroy()
  await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, 'close')))
  await turn()
  engine.answering = true
  engine.schedule()
  const text = await talk(request(body), (seen) => seen.includes('"pay-1"'))
  assert.equal(answers(text)[0]?.statusCode, 201)
  assert.equal(engine.waitingCount, 0)
})

test('closing answers what is under way and refuses what comes later on the same connection', async () => {
  const last = await start()
  const lastPort = await listen(last.app)
  last.engine.answering = false
  const socket = net.connect(lastPort, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  socket.write(request(body))
  while (last.engine.waitingCount === 0) await turn()
  const closing = last.app.close()
  await turn()
  socket.write(request(body.replace('pay-1', 'pay-2')))
  while (socket.bytesWritten < 2 * request(body).length) await turn()
  for (let more = 0; more < 20; more++) await turn()
  last.engine.answering = true
  last.engine.schedule()
  await once(socket, 'close')
  await closing
  const [first, second] = answers(text)
  assert.equal(first?.statusCode, 201)
  if (second !== undefined) assertProblem(second, 'not_ready')
})

test('closing does not wait for ever for a body that never comes', async () => {
  const last = await start({ closeGraceMs: 50 })
  const lastPort = await listen(last.app)
  const socket = net.connect(lastPort, '127.0.0.1').on('error', () => {})
  socket.write(request(body).slice(0, -10))
  await once(socket, 'connect')
  const health = await fetch(`http://127.0.0.1:${lastPort}/healthz`)
  assert.equal(health.status, 200)
  await last.app.close()
  if (!socket.destroyed) await once(socket, 'close')
})
