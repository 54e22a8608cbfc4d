import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Command, TransactionType } from '../../core/command.ts'
import { problemBody } from '../../schemas/problem.ts'
import { rightBodies, wrongBodies } from './testing/bodies.ts'
import { acceptedBody } from './testing/fake-engine.ts'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, engine, reads } = await start()
after(() => app.close())

const url = '/v1/transactions'
const debit = { id: 'pay-1', type: 'debit', account: 'cust-42:cash', amount: '12.34' }

const post = (payload: string | Buffer | object, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  })

/** Commands that reach the engine while `run` runs. */
async function commandsDuring(run: () => Promise<unknown>): Promise<Command[]> {
  const commands: Command[] = []
  engine.onCommand = (command) => commands.push(command)
  await run()
  engine.onCommand = undefined
  return commands
}

test('a decided transaction is answered with 201, its text and its place', async () => {
  const answered = await post(debit)
  assert.equal(answered.statusCode, 201)
  assert.equal(
    answered.body,
    acceptedBody({ type: 'debit', id: 'pay-1', account: 'cust-42:cash', amount: '12.34', to: 'house:x' }),
  )
  assert.equal(answered.headers['content-type'], 'application/json; charset=utf-8')
  assert.equal(answered.headers.location, '/v1/transactions/pay-1?owner=cust-42')
  assert.equal(answered.headers['idempotent-replayed'], undefined)
})

test('the engine gets the normalised command', async () => {
  const commands = await commandsDuring(() =>
    post({ ...debit, amount: '12.340', metadata: { b: 1, a: { d: 1, c: 2 } } }, { 'idempotency-key': '"pay-1"' }),
  )
  assert.deepEqual(JSON.parse(JSON.stringify(commands)), [
    {
      type: 'debit',
      id: 'pay-1',
      metadata: '{"a":{"c":2,"d":1},"b":1}',
      account: 'cust-42:cash',
      amount: '12.34',
      to: 'house:settlement:default',
    },
  ])
})

test('a repeat carries the replay header, a declined one too', async () => {
  engine.answerTo = () => ({ http: 200, replayed: true, body: '{"id":"pay-1"}' })
  const replayed = await post(debit)
  assert.deepEqual([replayed.statusCode, replayed.body], [200, '{"id":"pay-1"}'])
  assert.equal(replayed.headers['idempotent-replayed'], 'true')
  const declined = problemBody('insufficient_funds', {
    detail: '1 is available, 2 is needed.',
    facts: { available: '1', needed: '2' },
    instance: '/v1/transactions/pay-1?owner=cust-42',
  })
  for (const isReplayed of [false, true]) {
    engine.answerTo = () => ({ http: 422, replayed: isReplayed, body: declined })
    const answered = await post(debit)
    assertProblem(answered, 'insufficient_funds')
    assert.equal(answered.body, declined)
    assert.equal(answered.headers['idempotent-replayed'], isReplayed ? 'true' : undefined)
  }
  engine.answerTo = () => ({
    http: 429,
    replayed: false,
    body: problemBody('overloaded', { detail: 'full', instance: url }),
  })
  const overloaded = await post(debit)
  assertProblem(overloaded, 'overloaded')
  assert.equal(overloaded.headers['retry-after'], '1')
  engine.answerTo = (command) => ({ http: 201, replayed: false, body: acceptedBody(command) })
})

test('every field that is wrong in any way is refused by name, and nothing reaches the engine', async () => {
  const commands = await commandsDuring(async () => {
    for (const type of Object.keys(rightBodies) as TransactionType[]) {
      for (const { name, body, code, field } of wrongBodies(type)) {
        assertProblem(await post(body as object), code, field, name)
      }
    }
  })
  assert.equal(commands.length, 0)
})

test('bodies that are no JSON object', async () => {
  for (const text of [
    '',
    ' ',
    '{',
    '{"id":',
    'nul',
    '[]',
    'null',
    '1',
    '"x"',
    'true',
    '\ufeff{}',
    '{"a":1}{"b":2}',
    "{'id':1}",
    '[{}]',
  ]) {
    assertProblem(await post(text), 'invalid', undefined, text)
  }
  assertProblem(await app.inject({ method: 'POST', url }), 'invalid')
  assertProblem(await post(`${'['.repeat(30_000)}`), 'invalid')
  assertProblem(await post(`${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`), 'invalid', 'type')
})

test('broken UTF-8 is refused whole, wherever it stands', async () => {
  const text = JSON.stringify({ ...debit, reference: 'REF' })
  for (const bytes of [[0xff], [0xc1, 0x81], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe5, 0xad]]) {
    const broken = Buffer.concat([
      Buffer.from(text.slice(0, text.indexOf('REF'))),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ])
    assertProblem(await post(broken), 'invalid')
  }
})

test('U+0000 and lone surrogates are refused by field, escaped or not, in keys too', async () => {
  for (const bad of ['\\u0000', '\\ud800', 'a\\udfffb']) {
    assertProblem(
      await post(`{"id":"a","type":"debit","account":"c:cash","amount":"1","reference":"${bad}"}`),
      'invalid',
      'reference',
    )
    const inMetadata = await post(
      `{"id":"a","type":"debit","account":"c:cash","amount":"1","metadata":{"k":["${bad}"]}}`,
    )
    assertProblem(inMetadata, 'invalid', 'metadata.k[0]')
    const inKey = await post(`{"id":"a","type":"debit","account":"c:cash","amount":"1","metadata":{"${bad}":1}}`)
    assertProblem(inKey, 'invalid', `metadata.${JSON.parse(`"${bad}"`)}`)
    const unknown = await post(`{"id":"a","type":"debit","account":"c:cash","amount":"1","${bad}":1}`)
    assertProblem(unknown, 'unknown_field', JSON.parse(`"${bad}"`))
  }
})

test('of duplicate keys the last counts; __proto__ is unknown', async () => {
  const commands = await commandsDuring(() =>
    post('{"id":"a","type":"debit","account":"c:cash","amount":"1","amount":"2"}'),
  )
  assert.equal((commands[0] as { amount?: string }).amount, '2')
  assertProblem(
    await post('{"id":"a","type":"debit","account":"c:cash","amount":"1","__proto__":{}}'),
    'unknown_field',
    '__proto__',
  )
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('a huge body is refused, one of 64 kB is read', async () => {
  const padded = (bytes: number): string => {
    const text = JSON.stringify(debit)
    return text + ' '.repeat(bytes - text.length)
  }
  assert.equal((await post(padded(65_536))).statusCode, 201)
  assertProblem(await post(padded(65_537)), 'payload_too_large')
  assertProblem(await post(JSON.stringify({ ...debit, reference: 'x'.repeat(60_000) })), 'invalid', 'reference')
  assertProblem(await post({ ...debit, ['x'.repeat(60_000)]: 1 }), 'unknown_field', `${'x'.repeat(128)}...`)
})

test('other content types and compressed bodies are 415', async () => {
  const text = JSON.stringify(debit)
  for (const type of [
    'text/plain',
    'application/xml',
    'application/x-ndjson',
    'application/msgpack',
    'application/jsonx',
    'nonsense',
    '',
  ]) {
    assertProblem(await post(text, { 'content-type': type }), 'unsupported_media_type', 'content-type', type)
  }
  assertProblem(await post(text, { 'content-encoding': 'gzip' }), 'unsupported_media_type', 'content-encoding')
  for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8']) {
    assert.equal((await post(text, { 'content-type': type })).statusCode, 201, type)
  }
})

test("two owners are the engine's business, but for the account that is the ledger's own", async () => {
  const transfers = [
    { from: 'a:cash', to: 'house:x', amount: '1' },
    { from: 'b:cash', to: 'house:x', amount: '1' },
  ]
  const commands = await commandsDuring(async () => {
    assert.equal((await post({ id: 't', type: 'transfer', from: 'a:cash', to: 'b:cash', amount: '1' })).statusCode, 201)
    assert.equal((await post({ ...debit, to: 'other:cash' })).statusCode, 201)
    assert.equal((await post({ id: 'p', type: 'postings', owner: 'a', transfers })).statusCode, 201)
    assert.equal((await post({ id: 'h', type: 'hold', account: 'a:cash', to: 'b:cash', amount: '1' })).statusCode, 201)
    assertProblem(await post({ id: 'g', type: 'hold', account: 'a:cash', to: 'house:transit', amount: '1' }), 'invalid')
    assertProblem(await post({ ...debit, to: 'house:transit' }), 'invalid')
  })
  assert.equal(commands.length, 4)
})

test('while it is not ready nothing is accepted', async () => {
  engine.isReady = false
  const commands = await commandsDuring(async () => {
    const answered = await post(debit)
    assertProblem(answered, 'not_ready')
    assert.equal(answered.headers['retry-after'], '1')
  })
  engine.isReady = true
  assert.equal(commands.length, 0)
})

test('a request id is taken if it is sane, else made; bodies do not depend on it', async () => {
  const idOf = async (sent?: string): Promise<string> => {
    const { headers } = await post(debit, sent === undefined ? {} : { 'x-request-id': sent })
    return String(headers['x-request-id'])
  }
  assert.equal(await idOf('trace-1'), 'trace-1')
  assert.equal(await idOf('x'.repeat(128)), 'x'.repeat(128))
  const made = [await idOf(), await idOf('a b'), await idOf('x'.repeat(129)), await idOf('ä')]
  assert.equal(new Set(made).size, 4)
  for (const id of made) assert.match(id, /^[\w-]{14,20}$/)
  const [first, second] = [await post({}, { 'x-request-id': 'a' }), await post({}, { 'x-request-id': 'b' })]
  assert.equal(first.body, second.body)
})

test('a transaction is read back: first answer, transfers, now', async () => {
  const body = '{"id":"pay-1","type":"debit","status":"posted","at":"2026-03-01T12:00:00.000Z"}'
  const transfers = [{ from: 'c:cash', to: 'house:x', amount: '1.00', asset: 'CNY', kind: 'debit' }]
  reads.transactions.set('c pay-1', { http: 201, body, transfers, now: { state: 'posted', refunded: '0.00' } })
  const answered = await app.inject(`${url}/pay-1?owner=c`)
  assert.equal(answered.statusCode, 200)
  assert.equal(
    answered.body,
    `${body.slice(0, -1)},"transfers":${JSON.stringify(transfers)},"now":{"state":"posted","refunded":"0.00"}}`,
  )
  const declined = problemBody('account_frozen', { detail: 'x', instance: '/v1/transactions/pay-2?owner=c' })
  reads.transactions.set('c pay-2', { http: 422, body: declined, transfers: [], now: { state: 'declined' } })
  const read = await app.inject(`${url}/pay-2?owner=c`)
  assert.equal(read.statusCode, 200)
  assert.deepEqual(JSON.parse(read.body), {
    ...(JSON.parse(declined) as object),
    transfers: [],
    now: { state: 'declined' },
  })
  assertProblem(await app.inject(`${url}/pay-3?owner=c`), 'not_found')
})

test('reading a transaction needs its owner, and takes any id of 128 characters, percent-encoded too', async () => {
  assertProblem(await app.inject(`${url}/pay-1`), 'invalid', 'owner')
  assertProblem(await app.inject(`${url}/pay-1?owner=`), 'invalid', 'owner')
  assertProblem(await app.inject(`${url}/pay-1?owner=a&owner=b`), 'invalid', 'owner')
  assertProblem(await app.inject(`${url}/pay-1?owner=a:b`), 'invalid', 'owner')
  assertProblem(await app.inject(`${url}/pay-1?owner=c&x=1`), 'unknown_field', 'x')
  assertProblem(await app.inject(`${url}/pay%201?owner=c`), 'invalid', 'id')
  assertProblem(await app.inject(`${url}/${'x'.repeat(129)}?owner=c`), 'invalid', 'id')
  const id = ':'.repeat(128)
  reads.transactions.set(`c ${id}`, { http: 201, body: '{}', transfers: [], now: { state: 'posted' } })
  for (const text of [id, '%3A'.repeat(128), '%3a'.repeat(128)])
    assert.equal((await app.inject(`${url}/${text}?owner=c`)).statusCode, 200)
  reads.transactions.set('c !expire:h1', { http: 201, body: '{}', transfers: [], now: { state: 'posted' } })
  assert.equal((await app.inject(`${url}/!expire:h1?owner=c`)).statusCode, 200)
})

// ---- accepted for later -----------------------------------------------------------------------------------------------------------

const queuedBody = '{"id":"pay-1","type":"debit","status":"queued"}'
const viewOf = (body: string) => ({ http: 201, body, transfers: [], now: { state: 'posted' } })

test('respond-async without a mailbox outside of the process is ignored', async () => {
  const answered = await post(debit, { prefer: 'respond-async' })
  assert.equal(answered.statusCode, 201)
  assert.equal(answered.headers['preference-applied'], undefined)
})

test('respond-async: 202 with its place, and only for whoever prefers it', async () => {
  const submitted: string[] = []
  engine.later = {
    submit: (command, reply) => {
      submitted.push(command.id)
      setImmediate(() => reply({ http: 202, replayed: false, body: queuedBody }))
    },
    find: () => undefined,
    decided: async () => undefined,
  }
  for (const prefer of ['respond-async', 'handling=strict, Respond-Async', 'respond-async; x=1']) {
    const answered = await post(debit, { prefer })
    assert.equal(answered.statusCode, 202)
    assert.equal(answered.body, queuedBody)
    assert.equal(answered.headers.location, '/v1/transactions/pay-1?owner=cust-42')
    assert.equal(answered.headers['preference-applied'], 'respond-async')
  }
  for (const headers of [{}, { prefer: 'return=minimal' }, { prefer: 'no-respond-async' }]) {
    assert.equal((await post(debit, headers)).statusCode, 201)
  }
  assert.equal(submitted.length, 3)
})

test('respond-async: what is decided or refused before it was queued is answered as ever', async () => {
  engine.later = {
    submit: (command, reply) => setImmediate(() => reply(engine.answerTo(command))),
    find: () => undefined,
    decided: async () => undefined,
  }
  const answered = await post(debit, { prefer: 'respond-async' })
  assert.equal(answered.statusCode, 201)
  assert.equal(answered.headers['preference-applied'], undefined)
  const { answerTo } = engine
  const detail = 'The mailbox of this owner is full; nothing was accepted.'
  engine.answerTo = () => ({ http: 429, replayed: false, body: problemBody('overloaded', { detail, instance: url }) })
  assertProblem(await post(debit, { prefer: 'respond-async' }), 'overloaded')
  engine.answerTo = answerTo
})

test('a queued transaction is read as queued, never as applied, and as decided once it stands', async () => {
  let isQueued = true
  const waits: number[] = []
  engine.later = {
    submit: () => undefined,
    find: (owner, id) =>
      isQueued && owner === 'cust-42' && id === 'pay-q' ? { http: 202, replayed: false, body: queuedBody } : undefined,
    decided: async (_owner, _id, ms) => {
      waits.push(ms)
      if (ms < 20_000) return
      isQueued = false
      reads.transactions.set('cust-42 pay-q', viewOf('{"id":"pay-q"}'))
    },
  }
  const get = (query: string) => app.inject(`${url}/pay-q?${query}`)
  const queued = await get('owner=cust-42')
  assert.deepEqual([queued.statusCode, queued.body], [202, queuedBody])
  assert.equal((await get('owner=cust-43')).statusCode, 404)
  assert.equal((await get('owner=cust-42&wait=2')).statusCode, 202)
  assertProblem(await get('owner=cust-42&wait=31'), 'invalid', 'wait')
  const decided = await get('owner=cust-42&wait=30')
  assert.deepEqual([decided.statusCode, decided.json().id], [200, 'pay-q'])
  assert.deepEqual(waits, [2000, 30_000])
  engine.later = undefined
})

test('decided between the look at the queue and the look at the ledger: found there', async () => {
  engine.later = {
    submit: () => undefined,
    find: () => {
      reads.transactions.set('cust-42 pay-r', viewOf('{"id":"pay-r"}'))
      return { http: 202, replayed: false, body: queuedBody }
    },
    decided: async () => undefined,
  }
  assert.equal((await app.inject(`${url}/pay-r?owner=cust-42`)).statusCode, 200)
  engine.later = undefined
})
