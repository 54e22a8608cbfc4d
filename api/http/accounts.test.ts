import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { RetryableFault, TerminalFault } from '../../actors/faults.ts'
import type { Command } from '../../core/command.ts'
import { problemBody } from '../../schemas/problem.ts'
import { accountView } from './testing/fake-reads.ts'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, engine, reads, logged } = await start()
after(() => app.close())

const commands: Command[] = []
engine.onCommand = (command) => commands.push(command)

const send = (method: 'POST' | 'PATCH' | 'PUT', url: string, body: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method,
    url,
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify(body),
  })

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const id = 'cust-42:cash'

test('opening an account becomes a command with an id of the server', async () => {
  const answered = await send('POST', '/v1/accounts', {
    id,
    asset: 'CNY',
    overdraft: '500.00',
    normal: 'debit',
    metadata: { b: 1, a: 2 },
  })
  assert.equal(answered.statusCode, 201)
  assert.equal(answered.headers.location, `/v1/accounts/${id}`)
  await send('POST', '/v1/accounts', { id, asset: 'CNY' })
  const [full, short] = commands.splice(0)
  assert.match(full?.id ?? '', /^![0-9a-f-]{36}$/)
  assert.notEqual(full?.id, short?.id)
  assert.deepEqual(plain({ ...full, id: '!' }), {
    type: 'open',
    id: '!',
    account: id,
    asset: 'CNY',
    overdraft: '500',
    normal: 'debit',
    metadata: '{"a":2,"b":1}',
  })
  assert.deepEqual(plain({ ...short, id: '!' }), {
    type: 'open',
    id: '!',
    account: id,
    asset: 'CNY',
    overdraft: '0',
    normal: 'credit',
  })
})

test('openings that are wrong are refused by field', async () => {
  const right = { id, asset: 'CNY' }
  const table: [unknown, string, 'invalid' | 'unknown_field'][] = [
    [{ asset: 'CNY' }, 'id', 'invalid'],
    [{ id }, 'asset', 'invalid'],
    [{ ...right, id: 'house:fees' }, 'id', 'invalid'],
    [{ ...right, asset: 'XXX' }, 'asset', 'invalid'],
    [{ ...right, asset: 'constructor' }, 'asset', 'invalid'],
    [{ ...right, id: '!a:b' }, 'id', 'invalid'],
    [{ ...right, metadata: { a: '\u0000' } }, 'metadata.a', 'invalid'],
    [{ ...right, metadata: { a: 'x'.repeat(2048) } }, 'metadata', 'invalid'],
    [{ ...right, metdata: {} }, 'metdata', 'unknown_field'],
    [{ ...right, status: 'open' }, 'status', 'unknown_field'],
  ]
  for (const wrong of ['a', 'a:', ':a', 'a:b c', '', 'x'.repeat(129), null, 1, [], {}])
    table.push([{ ...right, id: wrong }, 'id', 'invalid'])
  for (const wrong of ['-1', '+1', '1e3', '01', '', 500, null, true, [], '1.0000000000000000001'])
    table.push([{ ...right, overdraft: wrong }, 'overdraft', 'invalid'])
  for (const wrong of ['Credit', '', null, 1, true]) table.push([{ ...right, normal: wrong }, 'normal', 'invalid'])
  for (const wrong of ['cny', '', null, 1, 'C'.repeat(33), '1AB'])
    table.push([{ ...right, asset: wrong }, 'asset', 'invalid'])
  for (const wrong of ['x', null, 1, []]) table.push([{ ...right, metadata: wrong }, 'metadata', 'invalid'])
  for (const [body, field, code] of table)
    assertProblem(await send('POST', '/v1/accounts', body), code, field, JSON.stringify(body))
  for (const body of [null, [], 1, 'x']) assertProblem(await send('POST', '/v1/accounts', body), 'invalid')
  assertProblem(
    await app.inject({
      method: 'POST',
      url: '/v1/accounts',
      headers: { 'content-type': 'application/json' },
      payload: '{',
    }),
    'invalid',
  )
  assertProblem(await app.inject({ method: 'POST', url: '/v1/accounts' }), 'invalid')
  assert.equal(commands.length, 0)
})

test('a change carries what is to change and the version that was seen', async () => {
  engine.answerTo = () => ({ http: 200, replayed: false, body: '{}' })
  const change = async (body: unknown, ifMatch?: string): Promise<unknown> => {
    const answered = await send(
      'PATCH',
      `/v1/accounts/${id}`,
      body,
      ifMatch === undefined ? {} : { 'if-match': ifMatch },
    )
    assert.equal(answered.statusCode, 200, answered.body)
    return plain({ ...commands.pop(), id: '!' })
  }
  const command = { type: 'change', id: '!', account: id }
  assert.deepEqual(await change({ status: 'frozen' }), { ...command, status: 'frozen' })
  assert.deepEqual(await change({ overdraft: '500.00' }, '3'), { ...command, overdraft: '500', ifVersion: 3 })
  assert.deepEqual(await change({ status: 'open', overdraft: '0' }, '"12"'), {
    ...command,
    status: 'open',
    overdraft: '0',
    ifVersion: 12,
  })
  assert.deepEqual(await change({ status: 'closed' }, '*'), { ...command, status: 'closed' })
  engine.answerTo = () => ({
    http: 412,
    replayed: false,
    body: problemBody('version_mismatch', { detail: 'It has 4.', field: 'if-match', instance: `/v1/accounts/${id}` }),
  })
  assertProblem(
    await send('PATCH', `/v1/accounts/${id}`, { status: 'open' }, { 'if-match': '3' }),
    'version_mismatch',
    'if-match',
  )
  commands.length = 0
})

test('changes that are wrong are refused by field', async () => {
  const url = `/v1/accounts/${id}`
  assertProblem(await send('PATCH', url, {}), 'invalid', 'status')
  for (const status of ['Open', '', 'deleted', null, 1, true])
    assertProblem(await send('PATCH', url, { status }), 'invalid', 'status')
  for (const overdraft of ['-1', 1, null, '', '1e3'])
    assertProblem(await send('PATCH', url, { overdraft }), 'invalid', 'overdraft')
  assertProblem(await send('PATCH', url, { staus: 'open' }), 'unknown_field', 'staus')
  assertProblem(await send('PATCH', '/v1/accounts/house:fees', { status: 'open' }), 'invalid', 'id')
  assertProblem(await send('PATCH', '/v1/accounts/nocolon', { status: 'open' }), 'invalid', 'id')
  for (const ifMatch of ['x', '"3', '3"', '-1', '1.5', '"3", "4"', '', '9'.repeat(16)]) {
    assertProblem(await send('PATCH', url, { status: 'open' }, { 'if-match': ifMatch }), 'invalid', 'if-match', ifMatch)
  }
  assert.equal(commands.length, 0)
})

test('an account is read as it was committed', async () => {
  reads.accounts.set(id, accountView(id))
  const answered = await app.inject(`/v1/accounts/${id}`)
  assert.equal(answered.statusCode, 200)
  const { metadata, ...view } = accountView(id)
  assert.deepEqual(JSON.parse(answered.body), { ...view, metadata: { tier: 'gold' } })
  assert.deepEqual(Object.keys(JSON.parse(answered.body) as object).slice(0, 10), [
    'id',
    'asset',
    'balance',
    'held',
    'available',
    'overdraft',
    'status',
    'seq',
    'version',
    'asOf',
  ])
  reads.accounts.set('c:bare', { ...accountView('c:bare'), metadata: undefined })
  assert.equal('metadata' in (JSON.parse((await app.inject('/v1/accounts/c:bare')).body) as object), false)
  await app.inject('/v1/accounts/house:fees?asset=CNY')
  assert.deepEqual(reads.asked, { id: 'house:fees', asset: 'CNY' })
  assertProblem(await app.inject('/v1/accounts/c:unknown'), 'not_found')
  assertProblem(await app.inject('/v1/accounts/nocolon'), 'invalid', 'id')
  assertProblem(await app.inject(`/v1/accounts/${id}?asset=cny`), 'invalid', 'asset')
  assertProblem(await app.inject(`/v1/accounts/${id}?aset=CNY`), 'unknown_field', 'aset')
})

test('lists: limits are 1 to 1,000, cursors are those of the list', async () => {
  const list = async (query: string) => {
    const answered = await app.inject(`/v1/accounts?${query}`)
    assert.equal(answered.statusCode, 200, answered.body)
    return reads.asked
  }
  assert.deepEqual(await list('owner=cust-42'), { owner: 'cust-42', after: undefined, limit: 100 })
  assert.deepEqual(await list('owner=cust-42&limit=1000&after=cust-42:a'), {
    owner: 'cust-42',
    after: 'cust-42:a',
    limit: 1000,
  })
  const { accounts, next } = JSON.parse((await app.inject('/v1/accounts?owner=cust-42')).body) as {
    accounts: { id: string }[]
    next: unknown
  }
  assert.deepEqual([accounts.map((account) => account.id), next], [[id], null])

  await app.inject(`/v1/accounts/${id}/entries?after=7&limit=5&order=desc`)
  assert.deepEqual(reads.asked, { id, asset: undefined, after: '7', limit: 5, order: 'desc' })
  reads.statement.push({
    seq: 1,
    at: '2026-03-01T12:00:00.000Z',
    businessDate: '2026-03-01',
    transaction: 'p',
    type: 'debit',
    counterparty: null,
    amount: '-1.00',
    heldChange: '0.00',
    balance: '9.00',
    held: '0.00',
    reference: null,
  })
  assert.deepEqual(JSON.parse((await app.inject(`/v1/accounts/${id}/entries`)).body), {
    entries: reads.statement,
    next: null,
  })
  assertProblem(await app.inject('/v1/accounts/c:unknown/entries'), 'not_found')
  assertProblem(await app.inject(`/v1/accounts/${id}/entries?after=x`), 'invalid', 'after')
  assertProblem(await app.inject(`/v1/accounts/${id}/entries?order=up`), 'invalid', 'order')
  assertProblem(await app.inject('/v1/accounts'), 'invalid', 'owner')
  for (const limit of ['0', '-1', '1001', '01', '1.5', '1e2', '', 'x', '%20', '99999999999999999999', '+1', '0x10']) {
    assertProblem(await app.inject(`/v1/accounts?owner=c&limit=${limit}`), 'invalid', 'limit', limit)
    assertProblem(await app.inject(`/v1/accounts/${id}/entries?limit=${limit}`), 'invalid', 'limit', limit)
  }
  assertProblem(await app.inject('/v1/accounts?owner=c&limit=1&limit=2'), 'invalid', 'limit')
  assertProblem(await app.inject('/v1/accounts?owner=c&after=%00'), 'invalid', 'after')
  assertProblem(await app.inject('/v1/accounts?owner=c&owners=d'), 'unknown_field', 'owners')
  assertProblem(await app.inject('/v1/accounts?owner=c&__proto__=d'), 'unknown_field', '__proto__')
})

test('assets are created once', async () => {
  const put = (code: string, body: unknown) => send('PUT', `/v1/assets/${code}`, body)
  const created = await put('COUPON.SPRING', { scale: 0, autoOpen: true })
  assert.deepEqual([created.statusCode, created.body], [201, '{"code":"COUPON.SPRING","scale":0,"autoOpen":true}'])
  assert.equal(created.headers.location, '/v1/assets/COUPON.SPRING')
  assert.equal((await put('COUPON.SPRING', { scale: 0, autoOpen: true })).statusCode, 200)
  assertProblem(await put('COUPON.SPRING', { scale: 1, autoOpen: true }), 'asset_exists')
  assertProblem(await put('COUPON.SPRING', { scale: 0 }), 'asset_exists')
  for (const scale of [-1, 9, 1.5, '2', null, undefined]) assertProblem(await put('X', { scale }), 'invalid', 'scale')
  for (const autoOpen of ['true', 1, null]) assertProblem(await put('X', { scale: 2, autoOpen }), 'invalid', 'autoOpen')
  assertProblem(await put('X', { scale: 2, name: 'x' }), 'unknown_field', 'name')
  for (const code of ['cny', '1X', 'X'.repeat(33), 'A%20B', '__proto__'])
    assertProblem(await put(code, { scale: 2 }), 'invalid', 'code')
  assert.equal((await app.inject('/v1/assets/CNY')).body, '{"code":"CNY","scale":2,"autoOpen":false}')
  assertProblem(await app.inject('/v1/assets/NONE'), 'not_found')
  const { assets } = JSON.parse((await app.inject('/v1/assets')).body) as { assets: { code: string }[] }
  assert.deepEqual(
    assets.map(({ code }) => code),
    ['CNY', 'COUPON.SPRING', 'CZK', 'EUR', 'JPY', 'POINTS', 'USD'],
  )
})

test('while it is not ready nothing is opened, changed or created, but reading goes on', async () => {
  engine.isReady = false
  assertProblem(await send('POST', '/v1/accounts', { id, asset: 'CNY' }), 'not_ready')
  assertProblem(await send('PATCH', `/v1/accounts/${id}`, { status: 'open' }), 'not_ready')
  assertProblem(await send('PUT', '/v1/assets/X', { scale: 0 }), 'not_ready')
  assert.equal((await app.inject(`/v1/accounts/${id}`)).statusCode, 200)
  engine.isReady = true
  assert.equal(commands.length, 0)
})

test('a database that fails is a 503, an error of our own a 500; both are logged under the id of the request', async () => {
  logged.length = 0
  for (const [failure, code] of [
    [new RetryableFault('unavailable', 'gone'), 'shard_unavailable'],
    [new TerminalFault('wrong_ledger', 'secret words'), 'fault'],
    [new TypeError('secret words'), 'fault'],
  ] as const) {
    reads.failure = failure
    for (const url of [
      `/v1/accounts/${id}`,
      `/v1/accounts/${id}/entries`,
      '/v1/accounts?owner=c',
      '/v1/transactions/a?owner=c',
      '/v1/heads',
    ]) {
      const answered = await app.inject({ url, headers: { 'x-request-id': 'trace-7' } })
      assertProblem(answered, code)
      assert.equal(answered.body.includes('secret'), false)
      const last = logged.at(-1)
      assert.deepEqual(
        { ...last?.fields },
        { err: failure, requestId: 'trace-7', method: 'GET', url: url.split('?')[0] },
      )
    }
  }
  reads.failure = undefined
  assert.equal((await app.inject('/v1/heads')).statusCode, 200)
})
