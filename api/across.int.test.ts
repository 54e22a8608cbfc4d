// Transactions of owners in several partitions over HTTP, on the whole server: races, kills and a shard that is away. Every transaction stands
// whole or not at all, and what is in transit comes back to nothing.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { AcrossLoad, transitIsEmpty } from './testing/across-load.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { Seeded } from './testing/seeded.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 20)
const clients = 16
const jsonType = { 'content-type': 'application/json' }

let postgres: TestPostgres
const servers: TestServer[] = []
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  for (const server of servers) await server.kill9()
  await postgres?.stop()
})

async function start(databaseUrl: string, env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const server = await startTestServer({
    databaseUrl,
    env: { WORKERS: '2', LOG_LEVEL: 'warn', ...env },
  })
  servers.push(server)
  return server
}

const json = async (posts: HttpPosts, body: Readonly<Record<string, unknown>>) => {
  const answer = await posts.post('/v1/transactions', JSON.stringify(body))
  assert.ok(answer !== undefined, 'no answer')
  return { ...answer, body: JSON.parse(answer.body) as Record<string, unknown> }
}

async function open(posts: HttpPosts, ids: readonly string[], amount: string): Promise<void> {
  for (const id of ids) {
    assert.equal((await posts.post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' })))?.status, 201)
    assert.equal((await json(posts, { id: `${id}-first`, type: 'credit', account: id, amount })).status, 201)
  }
}

const balance = async (posts: HttpPosts, id: string): Promise<string> =>
  (await posts.get<{ balance: string }>(`/v1/accounts/${id}`)).balance

test('a transfer between two owners: answer, repeat, conflict, statements on both sides, refund, and what GET shows', async () => {
  const server = await start(await postgres.newDatabase())
  const posts = new HttpPosts(server.url, 16)
  const names = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal']
  await open(
    posts,
    names.map((name) => `${name}:cash`),
    '100',
  )
  for (const [i, from] of names.entries()) {
    const to = names[(i + 1) % names.length] ?? ''
    const body = { id: 't', type: 'transfer', from: `${from}:cash`, to: `${to}:cash`, amount: '40', reference: 'rent' }
    const first = await json(posts, body)
    assert.equal(first.status, 201, JSON.stringify(first))
    // Of the one that pays, and of nobody else.
    assert.deepEqual(
      (first.body.accounts as { id: string }[]).map(({ id }) => id),
      [`${from}:cash`],
    )
    const again = await json(posts, body)
    assert.equal(again.status, 200)
    assert.deepEqual([again.replayed, again.body], [true, first.body])
    const conflict = await json(posts, { ...body, amount: '41' })
    assert.deepEqual([conflict.status, conflict.body.field], [409, 'amount'])
    const lines = await posts.get<{ entries: Record<string, string>[] }>(`/v1/accounts/${to}:cash/entries?order=desc`)
    const { transaction, type, counterparty, amount, reference } = lines.entries[0] ?? {}
    assert.deepEqual(
      { transaction, type, counterparty, amount, reference },
      { transaction: 't', type: 'transfer', counterparty: `${from}:cash`, amount: '40.00', reference: 'rent' },
    )
    const view = await posts.get<{ transfers: unknown[]; now: unknown }>(`/v1/transactions/t?owner=${from}`)
    assert.deepEqual(view.transfers, [
      { from: `${from}:cash`, to: `${to}:cash`, amount: '40.00', asset: 'CNY', kind: 'transfer' },
    ])
  }
  for (const name of names) assert.equal(await balance(posts, `${name}:cash`), '100.00')
  for (const name of names) {
    assert.equal(
      (await json(posts, { id: 'r', type: 'refund', account: `${name}:cash`, of: 't', amount: '15' })).status,
      201,
    )
    const more = await json(posts, { id: 'r2', type: 'refund', account: `${name}:cash`, of: 't', amount: '26' })
    assert.deepEqual([more.status, more.body.code], [422, 'refund_exceeds_original'])
  }
  const poor = await json(posts, { id: 'p', type: 'transfer', from: 'ann:cash', to: 'cat:cash', amount: '1000' })
  assert.deepEqual([poor.status, poor.body.code, poor.body.needed], [422, 'insufficient_funds', '1000.00'])
  const nobody = await json(posts, { id: 'n', type: 'transfer', from: 'ann:cash', to: 'nobody:cash', amount: '1' })
  assert.deepEqual([nobody.status, nobody.body.code], [422, 'account_not_found'])
  const transfers = names.map((from, i) => ({
    from: `${from}:cash`,
    to: `${names[(i + 3) % names.length]}:cash`,
    amount: String(i + 1),
  }))
  assert.equal((await json(posts, { id: 'ring', type: 'postings', owner: 'ann', transfers })).status, 201)
  const view = await posts.get<{ transfers: { amount: string }[] }>('/v1/transactions/ring?owner=ann')
  assert.deepEqual(
    view.transfers.map(({ amount }) => amount),
    names.map((_, i) => `${i + 1}.00`),
  )
  const tooMuch = transfers.map((one, i) => (i === 5 ? { ...one, amount: '5000' } : one))
  const refused = await json(posts, { id: 'ring2', type: 'postings', owner: 'ann', transfers: tooMuch })
  assert.deepEqual([refused.status, refused.body.code, refused.body.available], [422, 'insufficient_funds', undefined])
  assert.equal((await json(posts, { id: 'back', type: 'refund', account: 'ann:cash', of: 'ring' })).status, 201)
  // Of more than two partitions the client hears the decision; the others follow it.
  await transitIsEmpty(posts)
  for (const name of names) assert.equal(await balance(posts, `${name}:cash`), '100.00')
  await transitIsEmpty(posts)
  posts.close()
  assert.equal(await server.stop(), 0)
})

test('a hold for another owner: captured in parts, refunded, refused by a closed receiver, released', async () => {
  const server = await start(await postgres.newDatabase())
  const posts = new HttpPosts(server.url, 16)
  const names = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal']
  await open(
    posts,
    names.map((name) => `${name}:cash`),
    '100',
  )
  const post = async (body: Readonly<Record<string, unknown>>): Promise<string> => {
    const { status, body: answer } = await json(posts, body)
    return status < 300 ? String(answer.status) : String(answer.code)
  }
  const shown = async (name: string): Promise<string> => {
    const { balance, held } = await posts.get<{ balance: string; held: string }>(`/v1/accounts/${name}:cash`)
    return `${balance} ${held}`
  }
  // Some pairs share a partition, most do not.
  for (const [i, name] of names.entries()) {
    const account = `${name}:cash`
    const shop = `shop-${i}:cash`
    assert.equal((await posts.post('/v1/accounts', JSON.stringify({ id: shop, asset: 'CNY' })))?.status, 201)
    assert.equal(await post({ id: 'h', type: 'hold', account, to: shop, amount: '60' }), 'pending')
    const part = { id: 'c1', type: 'capture', account, hold: 'h', amount: '25', final: false }
    assert.equal(await post(part), 'posted')
    assert.equal((await json(posts, part)).replayed, true)
    assert.equal(await post({ id: 'c2', type: 'capture', account, hold: 'h', amount: '36' }), 'capture_exceeds_hold')
    assert.equal(await shown(name), '75.00 35.00')
    assert.equal(await shown(`shop-${i}`), '25.00 0.00')
    assert.equal(await post({ id: 'r1', type: 'refund', account, of: 'c1', amount: '5' }), 'posted')
    assert.equal(await post({ id: 'r2', type: 'refund', account, of: 'c1', amount: '21' }), 'refund_exceeds_original')
    const view = await posts.get<{ transfers: unknown[]; now: unknown }>(`/v1/transactions/h?owner=${name}`)
    assert.deepEqual(view.transfers, [{ from: account, to: shop, amount: '60.00', asset: 'CNY', kind: 'hold' }])
    assert.deepEqual(view.now, { state: 'open', captured: '25.00', remaining: '35.00' })
    const lines = await posts.get<{ entries: Record<string, string>[] }>(`/v1/accounts/${shop}/entries`)
    const { type, counterparty, amount, held } = lines.entries[0] ?? {}
    assert.deepEqual([type, counterparty, amount, held], ['capture', account, '25.00', '0.00'])
    assert.equal(await post({ id: 'back', type: 'debit', account: shop, amount: '20' }), 'posted')
    await transitIsEmpty(posts)
    const url = `${server.url}/v1/accounts/${shop}`
    const closed = await fetch(url, { method: 'PATCH', body: '{"status":"closed"}', headers: jsonType })
    assert.equal(closed.status, 200, await closed.text())
    assert.equal(await post({ id: 'c3', type: 'capture', account, hold: 'h' }), 'account_closed')
    assert.equal(await post({ id: 'l', type: 'release', account, hold: 'h' }), 'posted')
    assert.equal(await post({ id: 'c4', type: 'capture', account, hold: 'h' }), 'hold_released')
    assert.equal(await shown(name), '80.00 0.00')
  }
  posts.close()
  assert.equal(await server.stop(), 0)
})

test('hundreds spend one balance at once, to as many owners: exactly what is there goes out', async () => {
  const databaseUrl = await postgres.newDatabase()
  const server = await start(databaseUrl)
  const posts = new HttpPosts(server.url, 64)
  const receivers = Array.from({ length: 12 }, (_, i) => `shop-${i}:cash`)
  await open(posts, ['rich:cash'], '100')
  for (const id of receivers) await posts.post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' }))
  const answers = await Promise.all(
    Array.from({ length: 400 }, (_, i) =>
      json(posts, {
        id: `s${i}`,
        type: 'transfer',
        from: 'rich:cash',
        to: receivers[i % receivers.length],
        amount: '1',
      }),
    ),
  )
  assert.equal(answers.filter(({ status }) => status === 201).length, 100)
  assert.ok(answers.every(({ status, body }) => status === 201 || body.code === 'insufficient_funds'))
  assert.equal(await balance(posts, 'rich:cash'), '0.00')
  const sums = await Promise.all(receivers.map((id) => balance(posts, id)))
  assert.equal(
    sums.reduce((sum, one) => sum + Number(one), 0),
    100,
  )
  await transitIsEmpty(posts)
  posts.close()
  assert.equal(await server.stop(), 0)
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
})

test(`kill -9 under load across owners, ${rounds} times (SEED=${seed}): whole or absent, first answers again, transit back to zero`, async () => {
  const databaseUrl = await postgres.newDatabase()
  const random = new Seeded(seed)
  const load = new AcrossLoad(seed, 10)
  let server = await start(databaseUrl)
  let posts = new HttpPosts(server.url, 64)
  await load.open(posts)
  for (let round = 0; round < rounds; round++) {
    const working = Promise.all(Array.from({ length: clients }, () => load.client(posts)))
    await Promise.race([pause(150 + random.below(350)), working])
    await server.kill9()
    await working
    posts.close()
    server = await start(databaseUrl)
    posts = new HttpPosts(server.url, 64)
    await load.sendAgain(posts)
  }
  await load.sendAllAgain(posts)
  await transitIsEmpty(posts)
  await load.check(async (id) => await posts.get(`/v1/accounts/${id}`))
  posts.close()
  assert.equal(await server.stop(), 0)
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
  assert.ok(load.posted > rounds * 10, `there was hardly any load: ${load.posted}`)
  console.log(`seed ${seed}: ${load.posted} posted, ${load.declined} declined, ${load.unknowns} outcomes were unknown`)
})
