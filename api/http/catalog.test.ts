// Programs and campaigns over HTTP: what is taken, what is refused and which field is named, how an unfinished delivery is told.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { accountView } from './testing/fake-reads.ts'
import { assertProblem } from './testing/problems.ts'
import { start } from './testing/start.ts'

const { app, engine, reads } = await start()
after(() => app.close())

const send = (method: 'PUT', url: string, payload: object) => app.inject({ method, url, payload })
const body = { asset: 'CNY', stock: 1000, discount: { amount: '20.00' } }
const put = (code: string, payload: object) => send('PUT', `/v1/campaigns/${code}`, payload)

test('a campaign is created, changed, and the same again', async () => {
  const created = await put('SPRING', body)
  assert.equal(created.statusCode, 201)
  assert.equal(created.headers.location, '/v1/campaigns/SPRING')
  assert.deepEqual(JSON.parse(created.body), {
    code: 'SPRING',
    version: 1,
    asset: 'CNY',
    stock: 1000,
    discount: { amount: '20' },
    returnPolicy: 'return',
  })
  assert.equal((await put('SPRING', body)).statusCode, 200)
  assert.equal((await put('SPRING', { ...body, stock: 1500 })).statusCode, 200)
  assertProblem(await put('SPRING', { ...body, stock: 1499 }), 'campaign_conflict', 'stock')
  assertProblem(await put('SPRING', { ...body, asset: 'USD', stock: 1500 }), 'campaign_conflict', 'asset')
  reads.accounts.set('house:coupon:SPRING:issued', { ...accountView('x'), balance: '-1500' })
  reads.accounts.set('house:coupon:SPRING:stock', { ...accountView('x'), balance: '900' })
  reads.accounts.set('house:coupon:SPRING:moving', { ...accountView('x'), balance: '20' })
  const { issued, left, claimed, redeemed } = JSON.parse((await app.inject('/v1/campaigns/SPRING')).body)
  assert.deepEqual([issued, left, claimed, redeemed], ['1500', '920', '0', '0'])
  assertProblem(await app.inject('/v1/campaigns/NONE'), 'not_found')
  assert.equal(JSON.parse((await app.inject('/v1/campaigns')).body).campaigns.length, 1)
})

test('what is wrong with a campaign is named', async () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ asset: 'NONE' }, 'asset'],
    [{ stock: 0 }, 'stock'],
    [{ stock: '1000' }, 'stock'],
    [{ limitPerCustomer: 0 }, 'limitPerCustomer'],
    [{ claimFrom: '2026-02-30T00:00:00Z' }, 'claimFrom'],
    [{ claimFrom: '2026-02-02T00:00:00Z', claimUntil: '2026-02-02T00:00:00Z' }, 'claimUntil'],
    [{ validDays: 3, validUntil: '2026-02-02T00:00:00Z' }, 'validDays'],
    [{ minimumSpend: '1.001' }, 'minimumSpend'],
    [{ discount: {} }, 'discount'],
    [{ discount: { amount: '1', percent: '1' } }, 'discount'],
    [{ discount: { amount: '1', cap: '1' } }, 'discount.cap'],
    [{ discount: { percent: '0' } }, 'discount.percent'],
    [{ discount: { percent: '100.1' } }, 'discount.percent'],
    [{ discount: { percent: '5', cap: '0.001' } }, 'discount.cap'],
    [{ returnPolicy: 'keep' }, 'returnPolicy'],
  ]
  for (const [given, field] of wrong) assertProblem(await put('X', { ...body, ...given }), 'invalid', field)
  for (const code of ['spring', '.X', 'X'.repeat(25)]) assertProblem(await put(code, body), 'invalid', 'code')
  assertProblem(await put('X', { ...body, stok: 1 }), 'unknown_field', 'stok')
  assert.equal((await put('P', { ...body, discount: { percent: '12.5', cap: '30' } })).statusCode, 201)
})

test('a program says what its points are worth, and creates them where they are new', async () => {
  assert.deepEqual(JSON.parse((await app.inject('/v1/programs/POINTS')).body), {
    code: 'POINTS',
    asset: 'CNY',
    points: '100',
    worth: '1.00',
    version: 0,
  })
  const program = { asset: 'CNY', points: '200', worth: '1' }
  assert.equal((await send('PUT', '/v1/programs/MILES', program)).statusCode, 201)
  assert.deepEqual(engine.assets().get('MILES'), { code: 'MILES', scale: 0, autoOpen: true })
  assert.equal((await send('PUT', '/v1/programs/POINTS', program)).statusCode, 201)
  const { programs } = JSON.parse((await app.inject('/v1/programs')).body)
  assert.deepEqual(programs.map(({ code, points }: { code: string; points: string }) => `${code} ${points}`).sort(), [
    'MILES 200',
    'POINTS 200',
  ])
  assertProblem(await send('PUT', '/v1/programs/USD', program), 'asset_exists')
  assertProblem(await send('PUT', '/v1/programs/MILES', { ...program, points: '0.5' }), 'invalid', 'points')
  assertProblem(await send('PUT', '/v1/programs/MILES', { ...program, worth: '0.001' }), 'invalid', 'worth')
  assertProblem(await send('PUT', '/v1/programs/MILES', { ...program, asset: 'NONE' }), 'invalid', 'asset')
  assertProblem(await send('PUT', '/v1/programs/CNY', program), 'invalid', 'asset')
})

test('202 where some partition has not committed it yet, with the partitions', async () => {
  engine.pendingPartitions = [3, 5]
  const answer = await put('LATE', body)
  assert.equal(answer.statusCode, 202)
  assert.deepEqual(JSON.parse(answer.body).pendingPartitions, [3, 5])
  assert.equal((await send('PUT', '/v1/assets/LATE', { scale: 1 })).statusCode, 202)
  engine.pendingPartitions = []
})

test('while it is not ready nothing is put', async () => {
  engine.isReady = false
  assertProblem(await put('SPRING', body), 'not_ready')
  assertProblem(await send('PUT', '/v1/programs/POINTS', { asset: 'CNY', points: '1', worth: '1' }), 'not_ready')
  engine.isReady = true
})
