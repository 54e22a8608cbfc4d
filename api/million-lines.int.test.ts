// A million lines over one connection, through a whole server into Postgres, with bad lines in between: each is answered in its place, the good
// ones stand, the bad ones leave nothing, and the server does not grow with the stream.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { type Client, createClient } from './client/client.ts'
import { rowsOf } from './testing/run.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const lines = 1_000_000
const accounts = 500
const mebibyte = 1024 * 1024

let postgres: TestPostgres
let database = ''
let server: TestServer
let client: Client
before(async () => {
  postgres = await testPostgres()
  database = await postgres.newDatabase()
  server = await startTestServer({ databaseUrl: database, env: { LOG_LEVEL: 'warn' } })
  client = createClient({ url: server.url })
})
after(async () => {
  client?.close()
  await server?.stop()
  await postgres?.stop()
})

const accountOf = (index: number): string => `cust-${index % accounts}:cash`
/** Bad in a way of its own each; what an answer must say of it. */
const badLines: readonly (readonly [line: string | Buffer, http: number, code: string])[] = [
  ['{"id":"broken"\n', 400, 'invalid'],
  ['null\n', 400, 'invalid'],
  [Buffer.from([0x22, 0xc3, 0x28, 0x22, 0x0a]), 400, 'invalid'],
  ['{"type":"credit","id":"number","account":"cust-1:cash","amount":1}\n', 400, 'invalid'],
  ['{"type":"credit","id":"field","account":"cust-1:cash","amount":"1","amuont":"1"}\n', 400, 'unknown_field'],
  [`"${'x'.repeat(70_000)}"\n`, 413, 'payload_too_large'],
]
const badOne = (index: number) =>
  index % 97 === 0
    ? badLines[index % 9_700 === 0 ? badLines.length - 1 : (index / 97) % (badLines.length - 1)]
    : undefined
const lineOf = (index: number): string | Buffer =>
  badOne(index)?.[0] ?? `{"type":"credit","id":"m-${index}","account":"${accountOf(index)}","amount":"0.01"}\n`

/** 0 where the system does not say. */
const residentBytes = (): number =>
  process.platform === 'linux'
    ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024
    : 0

async function send(request: http.ClientRequest): Promise<void> {
  for (let index = 0; index < lines; index += 500) {
    const slice = Array.from({ length: 500 }, (_, i) => Buffer.from(lineOf(index + i)))
    if (!request.write(Buffer.concat(slice))) await once(request, 'drain')
  }
  request.end()
}

/** Nobody reads the answers yet: then the server must stop reading lines, too, or keep all of them. */
async function untilItStopsReading(request: http.ClientRequest): Promise<void> {
  let before = -1
  let written = 0
  for (let looks = 0; written < 100_000 || written !== before; looks++) {
    assert.ok(looks < 100, `it reads on: ${written} bytes`)
    await pause(250)
    before = written
    written = request.socket?.bytesWritten ?? 0
  }
  // All of them are 85 MB; sockets hold some.
  assert.ok(written < 20 * mebibyte, `${written} bytes were taken from a client that reads nothing`)
}

test('a million lines, one in a hundred of them bad', { timeout: 240_000 }, async () => {
  await client.assets.put('CNY', { scale: 2 })
  for (let i = 0; i < accounts; i++) await client.accounts.open({ id: accountOf(i), asset: 'CNY' })

  const request = http.request(`${server.url}/v1/transactions/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  })
  const sending = send(request)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  assert.equal(response.statusCode, 200)
  await untilItStopsReading(request)

  let index = 0
  /** Least resident memory of the server in each fifth of the lines: its collector lets it rise and fall by some 60 MB. */
  const least = new Array<number>(5).fill(Number.POSITIVE_INFINITY)
  for await (const line of createInterface({ input: response })) {
    if (index === lines) {
      assert.deepEqual(JSON.parse(line), { done: true, count: lines })
      index++
      continue
    }
    const bad = badOne(index)
    if (!line.startsWith(`{"index":${index},"http":${bad?.[1] ?? 201},`)) assert.fail(`line ${index}: ${line}`)
    if (bad !== undefined) assert.equal((JSON.parse(line) as { body: { code: string } }).body.code, bad[2])
    index++
    if (index % 20_000 === 0) {
      const fifth = Math.min(4, Math.floor((index * 5) / lines))
      least[fifth] = Math.min(least[fifth] ?? 0, residentBytes())
    }
  }
  await sending
  assert.equal(index, lines + 1)

  const good = new Array<number>(accounts).fill(0)
  for (let i = 0; i < lines; i++) if (badOne(i) === undefined) good[i % accounts] = (good[i % accounts] ?? 0) + 1
  const read = await Promise.all(good.map((_, i) => client.accounts.get(accountOf(i))))
  for (const [i, count] of good.entries())
    assert.deepEqual([read[i]?.seq, Math.round(Number(read[i]?.balance) * 100)], [count, count])
  const credits = good.reduce((sum, count) => sum + count, 0)
  const [stored] = await rowsOf<{ rows: string }>(
    database,
    'select count(*) as rows from suanpan.journal where to_key > 0 and to_seq is not null',
  )
  assert.equal(Number(stored?.rows), credits)
  // What came in meanwhile is 70 MB, what went out 240 MB.
  const grown = Math.round(((least[4] ?? 0) - (least[1] ?? 0)) / mebibyte)
  assert.ok(grown < 64, `grew by ${grown} MB`)
})
