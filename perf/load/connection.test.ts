import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Connection, endOfResponse, getBytes, postBytes } from './connection.ts'
import { answersOf, closedLoop, latencyOf, openLoop } from './loops.ts'

async function served(listener: RequestListener, work: (url: string, server: Server) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const ends = [
  ['a head without its end', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n', undefined],
  ['a body that is not all there', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', undefined],
  ['a body by its length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab', 40],
  ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', 27],
  ['chunks without the last', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n', undefined],
  ['chunks with the last', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n', 59],
] as const
for (const [name, text, at] of ends)
  test(`connection: ${name}`, () => assert.equal(endOfResponse(Buffer.from(text))?.at, at))

test('connection: requests one after the other, answers in pieces, bodies when asked for', () =>
  served(
    (request, response) => {
      response.statusCode = request.method === 'POST' ? 201 : 200
      response.write('a')
      setImmediate(() => response.end('b'))
    },
    async (url) => {
      const connection = await Connection.open(url, true)
      assert.equal((await connection.request(postBytes('/x', '{"a":"ü"}'))).status, 201)
      const { status, body } = await connection.request(getBytes('/y'))
      assert.equal(status, 200)
      assert.match(String(body), /a[\s\S]*b/)
      connection.close()
    },
  ))

test('connection: one that breaks fails the request under way', () =>
  served(
    (request) => request.socket.destroy(),
    async (url) => {
      const connection = await Connection.open(url)
      await assert.rejects(connection.request(getBytes('/')))
    },
  ))

test('closed loop: every answer is counted, and another status than the wanted one is an error', () =>
  served(
    (request, response) => {
      response.statusCode = request.url === '/odd' ? 429 : 201
      response.end('{}')
    },
    async (url) => {
      let left = 500
      const next = (): Buffer | undefined => (left-- > 0 ? postBytes('/', '{}') : undefined)
      const loaded = await closedLoop({ url, connections: 7, seconds: 60, next })
      assert.equal(answersOf(loaded), 500)
      assert.equal(loaded.latency.count, 500)
      const odd = await closedLoop({ url, connections: 1, seconds: 0.01, next: () => postBytes('/odd', '{}') })
      assert.throws(() => answersOf(odd), /answered 429 instead of 201/)
    },
  ))

test('open loop: a server that stalls is charged for every request that was due meanwhile', () => {
  const stallMs = 200
  let stalled = false
  return served(
    (_request, response) => {
      if (stalled) {
        response.end()
        return
      }
      stalled = true
      setTimeout(() => response.end(), stallMs)
    },
    async (url) => {
      // One connection: while the first answer is awaited, some forty requests become due. A closed loop would see one slow answer.
      const loaded = await openLoop({ url, connections: 1, seconds: 0.4, ratePerSec: 200, next: () => getBytes('/') })
      assert.equal(answersOf(loaded, 200), 80)
      assert.ok(loaded.queuedMost >= 20, `${loaded.queuedMost} were queued`)
      assert.ok(latencyOf(loaded.latency).p50Ms >= 0 && loaded.latency.percentile(75) > 20e6)
    },
  )
})
