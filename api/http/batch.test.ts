import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { decode, encode } from '@msgpack/msgpack'
import type { Command } from '../../core/command.ts'
import { acceptedBody } from './testing/fake-engine.ts'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, engine } = await start()
after(() => app.close())

const url = '/v1/transactions/batch'
const debit = (id: string) => ({ id, type: 'debit', account: 'cust-42:cash', amount: '1' })

const post = (payload: string | Buffer, type = 'application/json', headers: Record<string, string> = {}) =>
  app.inject({ method: 'POST', url, headers: { 'content-type': type, ...headers }, payload })

interface Item {
  readonly index: number
  readonly http: number
  readonly replayed: boolean
  readonly body: Readonly<Record<string, unknown>>
}

const short = (items: readonly Item[]): unknown[] =>
  items.map(({ index, http, body }) => [index, http, body.id ?? [body.code, body.field]])

/** Every kind of mistake between right items, and what comes of it. */
const mixed = [
  debit('a'),
  { ...debit('b'), amount: 1 },
  debit('c'),
  null,
  { ...debit('d'), amuont: '1' },
  { ...debit('e'), to: 'house:transit' },
  [],
  debit('f'),
]
const expected = [
  [0, 201, 'a'],
  [1, 400, ['invalid', 'amount']],
  [2, 201, 'c'],
  [3, 400, ['invalid', undefined]],
  [4, 400, ['unknown_field', 'amuont']],
  [5, 400, ['invalid', undefined]],
  [6, 400, ['invalid', undefined]],
  [7, 201, 'f'],
]

test('a JSON array: each item as the single call would be, spliced in byte for byte', async () => {
  const answered = await post(JSON.stringify(mixed))
  assert.equal(answered.statusCode, 200)
  assert.equal(answered.headers['content-type'], 'application/json; charset=utf-8')
  assert.ok(answered.headers['x-request-id'])
  const items = JSON.parse(answered.body) as Item[]
  assert.deepEqual(short(items), expected)
  assert.ok(
    answered.body.startsWith(
      `[{"index":0,"http":201,"replayed":false,"body":${acceptedBody({ ...debit('a'), type: 'debit', to: 'house:x' })}},`,
    ),
  )
  const single = await app.inject({
    method: 'POST',
    url: '/v1/transactions',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(mixed[1]),
  })
  assert.deepEqual(items[1]?.body, JSON.parse(single.body))
  assert.equal((await post('[]')).body, '[]')
})

test('MessagePack: the same; JSON if that is asked for', async () => {
  const answered = await post(Buffer.from(encode(mixed)), 'application/msgpack')
  assert.equal(answered.statusCode, 200)
  assert.equal(answered.headers['content-type'], 'application/msgpack')
  assert.deepEqual(short(decode(answered.rawPayload) as Item[]), expected)
  const asJson = await post(Buffer.from(encode(mixed)), 'application/msgpack', { accept: 'application/json' })
  assert.equal(asJson.headers['content-type'], 'application/json; charset=utf-8')
  assert.deepEqual(JSON.parse(asJson.body), decode(answered.rawPayload))
})

test('NDJSON: the same as lines, with an end', async () => {
  const lines = mixed.map((item) => JSON.stringify(item)).join('\n')
  const answered = await post(`${lines}\n\n{"id":"g","type":"deb`, 'application/x-ndjson')
  assert.equal(answered.statusCode, 200)
  assert.equal(answered.headers['content-type'], 'application/x-ndjson; charset=utf-8')
  const told = answered.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Item)
  assert.ok(answered.body.endsWith('\n'))
  assert.deepEqual(told.pop(), { done: true, count: 9 })
  assert.deepEqual(short(told), [...expected, [8, 400, ['invalid', undefined]]])
  assert.equal((await post('', 'application/x-ndjson')).body, '{"done":true,"count":0}\n')
  assert.equal((await post('\n\n', 'application/x-ndjson')).body, '{"done":true,"count":0}\n')
})

test('items reach the engine in the order sent', async () => {
  const commands: Command[] = []
  engine.onCommand = (command) => commands.push(command)
  const ids = Array.from({ length: 300 }, (_, index) => `id-${index}`)
  await post(JSON.stringify(ids.map(debit)))
  await post(Buffer.from(encode(ids.map(debit))), 'application/msgpack')
  await post(ids.map((id) => JSON.stringify(debit(id))).join('\n'), 'application/x-ndjson')
  assert.deepEqual(
    commands.map(({ id }) => id),
    [...ids, ...ids, ...ids],
  )
  engine.onCommand = undefined
})

test('10,000 items are taken, one more is not', async () => {
  const items = (count: number): object[] => Array.from({ length: count }, (_, index) => debit(`id-${index}`))
  const answered = JSON.parse((await post(JSON.stringify(items(10_000)))).body) as Item[]
  assert.deepEqual([answered.length, answered.at(-1)?.body.id], [10_000, 'id-9999'])
  assertProblem(await post(JSON.stringify(items(10_001))), 'payload_too_large')
  assertProblem(await post(Buffer.from(encode(items(10_001))), 'application/msgpack'), 'payload_too_large')
})

test('a body that is no batch is refused whole', async () => {
  for (const text of ['', '{}', '{"id":"a"}', '[1', 'x', 'null'])
    assertProblem(await post(text), 'invalid', undefined, text)
  for (const bytes of [[], [0x80], [0xc1], [0x92, 0x80]])
    assertProblem(await post(Buffer.from(bytes), 'application/msgpack'), 'invalid')
  assertProblem(await app.inject({ method: 'POST', url }), 'invalid')
  for (const type of ['text/plain', 'application/x-ndjsonx', 'application/octet-stream']) {
    assertProblem(await post('[]', type), 'unsupported_media_type', 'content-type')
  }
  for (const type of ['application/json', 'application/x-ndjson', 'application/msgpack']) {
    assertProblem(await post('[]', type, { 'content-encoding': 'gzip' }), 'unsupported_media_type', 'content-encoding')
  }
  assertProblem(await post(`[${' '.repeat(32 * 1024 * 1024)}]`), 'payload_too_large')
})

test('while it is not ready a batch is refused whole', async () => {
  engine.isReady = false
  for (const type of ['application/json', 'application/x-ndjson']) assertProblem(await post('[]', type), 'not_ready')
  assertProblem(await post(Buffer.from([0x90]), 'application/msgpack'), 'not_ready')
  engine.isReady = true
})
