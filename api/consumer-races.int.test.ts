// The four races of consumer finance over HTTP, hundreds of attempts at once, and a server that is killed in the midst of them: whoever won, nothing is used
// twice, every order stands whole or not at all, and each id keeps its first answer byte for byte.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { type HttpAnswer, HttpPosts } from './testing/http-posts.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

let postgres: TestPostgres
let databaseUrl: string
let server: TestServer
let http: HttpPosts
const sockets = 64
before(async () => {
  postgres = await testPostgres()
  databaseUrl = await postgres.newDatabase()
  await start()
})
after(async () => {
  http?.close()
  await server?.kill9()
  await postgres?.stop()
})

async function start(): Promise<void> {
  server = await startTestServer({ databaseUrl, env: { PARTITIONS: '4' } })
  http = new HttpPosts(server.url, sockets)
}

const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const post = (body: object): Promise<HttpAnswer | undefined> => http.post('/v1/transactions', JSON.stringify(body))
async function done(body: object): Promise<void> {
  const answer = await post(body)
  assert.equal(answer?.status, 201, answer?.body)
}
async function openWith(account: string, amount: string, overdraft = '0'): Promise<void> {
  const opened = await http.post('/v1/accounts', JSON.stringify({ id: account, asset: 'CNY', overdraft }))
  assert.equal(opened?.status, 201, opened?.body)
  if (amount !== '0') await done({ id: `first-${account}`, type: 'credit', account, amount })
}
async function campaign(code: string, body: object): Promise<void> {
  const answer = await http.put(`/v1/campaigns/${code}`, JSON.stringify({ asset: 'CNY', ...body }))
  assert.equal(answer?.status, 201, answer?.body)
}

function outcomes(answers: readonly (HttpAnswer | undefined)[]): Record<string, number> {
  const count: Record<string, number> = {}
  for (const answer of answers) {
    const code = answer === undefined ? 'none' : answer.status < 300 ? 'posted' : String(JSON.parse(answer.body).code)
    count[code] = (count[code] ?? 0) + 1
  }
  return count
}

const balanceOf = async (account: string): Promise<string> =>
  (await http.get<{ balance: string }>(`/v1/accounts/${account}`)).balance

/** The other parties follow the answer within milliseconds. */
async function stand(accounts: readonly string[], expected: readonly string[]): Promise<void> {
  for (let looked = 0; ; looked++) {
    const balances = await Promise.all(accounts.map(balanceOf))
    if (looked === 200 || JSON.stringify(balances) === JSON.stringify(expected)) {
      assert.deepEqual(balances, expected)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

test('withdrawing: 400 debits of 1 at once on 150 take exactly 150', { timeout: 180_000 }, async () => {
  await openWith('w:cash', '150')
  const answers = await Promise.all(
    times(400, (i) => post({ id: `d${i}`, type: 'debit', account: 'w:cash', amount: '1' })),
  )
  assert.deepEqual(outcomes(answers), { posted: 150, insufficient_funds: 250 })
  assert.equal(await balanceOf('w:cash'), '0.00')
})

test('points: 300 redemptions at once, alone and in orders, never take a point twice', {
  timeout: 180_000,
}, async () => {
  for (const [i, expiresOn] of ['2090-01', '2090-02', '2091-01'].entries())
    await done({ id: `e${i}`, type: 'points.earn', owner: 'p', amount: '500', expiresOn })
  const answers = await Promise.all(
    times(300, (i) =>
      i % 2 === 0
        ? post({ id: `r${i}`, type: 'points.redeem', owner: 'p', amount: '10' })
        : post({ id: `r${i}`, type: 'order', owner: 'p', total: '0.10', points: { amount: '10' }, merchant: 'm1' }),
    ),
  )
  assert.deepEqual(outcomes(answers), { posted: 150, points_insufficient: 150 })
  const { programs } = await http.get<{ programs: { available: string; lots: { balance: string }[] }[] }>(
    '/v1/points?owner=p',
  )
  assert.deepEqual(
    programs.map(({ available, lots }) => [available, lots.map(({ balance }) => balance)]),
    [['0', ['0', '0', '0']]],
  )
  const orders = answers.filter((answer, i) => i % 2 === 1 && answer?.status === 201).length
  assert.equal(await balanceOf('house:merchant:m1'), (orders / 10).toFixed(2))
})

test('claiming: 200 claims of one customer get the limit, 300 customers get the stock', {
  timeout: 180_000,
}, async () => {
  await campaign('ONCE', { stock: 1000, limitPerCustomer: 3, discount: { amount: '5' } })
  const same = await Promise.all(
    times(200, (i) => post({ id: `k${i}`, type: 'coupon.claim', owner: 'k', campaign: 'ONCE' })),
  )
  assert.deepEqual(outcomes(same), { posted: 3, coupon_limit_reached: 197 })
  await campaign('FEW', { stock: 25, limitPerCustomer: 1, discount: { amount: '5' } })
  const many = await Promise.all(
    times(300, (i) => post({ id: 'k', type: 'coupon.claim', owner: `k${i}`, campaign: 'FEW' })),
  )
  assert.deepEqual(outcomes(many), { posted: 25, coupon_exhausted: 275 })
  const { left, claimed } = await http.get<{ left: string; claimed: string }>('/v1/campaigns/FEW')
  assert.deepEqual([left, claimed], ['0', '25'])
})

test('ordering: one coupon and the same points on 200 orders at once, one order wins', {
  timeout: 180_000,
}, async () => {
  await campaign('GIFT', { stock: 10, discount: { amount: '5' } })
  await openWith('o:cash', '1000')
  await done({ id: 'k', type: 'coupon.claim', owner: 'o', campaign: 'GIFT' })
  await done({ id: 'e', type: 'points.earn', owner: 'o', amount: '300', expiresOn: '2090-01' })
  const order = { type: 'order', owner: 'o', total: '10', cash: { account: 'o:cash', amount: '2' }, merchant: 'm2' }
  const both = { coupon: { campaign: 'GIFT' }, points: { amount: '300' } }
  const answers = await Promise.all(times(200, (i) => post({ ...order, ...both, id: `o${i}` })))
  assert.deepEqual(outcomes(answers), { posted: 1, coupon_not_held: 199 })
  assert.equal(await balanceOf('o:cash'), '998.00')
  assert.equal(await balanceOf('house:merchant:m2'), '10.00')
  const winner = answers.findIndex((answer) => answer?.status === 201)
  // Fifty refunds of all of it, at once: one brings everything back.
  const refunds = await Promise.all(
    times(50, (i) => post({ id: `b${i}`, type: 'refund', account: 'o:cash', of: `o${winner}` })),
  )
  assert.deepEqual(outcomes(refunds), { posted: 1, refund_exceeds_original: 49 })
  assert.deepEqual(
    [await balanceOf('o:cash'), await balanceOf('o:points:2090-01'), await balanceOf('o:coupon:GIFT')],
    ['1000.00', '300', '1'],
  )
})

test('a loan id is paid out once, and the takings of a merchant are settled once', { timeout: 180_000 }, async () => {
  await openWith('l:cash', '0')
  const loan = {
    type: 'disbursement',
    owner: 'l',
    loan: 'L1',
    to: 'l:cash',
    amount: '100',
    funders: [
      { account: 'house:lender:a', share: '0.3' },
      { account: 'house:lender:b', share: '0.7' },
    ],
  }
  const answers = await Promise.all(times(100, (i) => post({ ...loan, id: `l${i}` })))
  assert.deepEqual(outcomes(answers), { posted: 1, loan_already_disbursed: 99 })
  assert.deepEqual(
    [await balanceOf('l:cash'), await balanceOf('l:loan:L1:principal'), await balanceOf('house:lender:b')],
    ['100.00', '100.00', '-70.00'],
  )
  await openWith('m3:cash', '0')
  const owners = times(12, (i) => `b${i}`)
  for (const owner of owners) await openWith(`${owner}:cash`, '10')
  await Promise.all(
    owners.map((owner) =>
      done({
        id: 'o',
        type: 'order',
        owner,
        total: '10',
        cash: { account: `${owner}:cash`, amount: '10' },
        merchant: 'm3',
      }),
    ),
  )
  const settled = await Promise.all(
    times(40, (i) => post({ id: `s${i}`, type: 'settle', merchant: 'm3', to: 'm3:cash' })),
  )
  assert.deepEqual(outcomes(settled), { posted: 1, insufficient_funds: 39 })
  assert.deepEqual([await balanceOf('m3:cash'), await balanceOf('house:merchant:m3')], ['120.00', '0.00'])
  // In one batch: what stands behind the settlement may spend what it brings.
  await openWith('m4:cash', '0')
  const payers = times(4, (i) => `p${i}`)
  for (const owner of payers) {
    await openWith(`${owner}:cash`, '10')
    const cash = { account: `${owner}:cash`, amount: '10' }
    await done({ id: 'o', type: 'order', owner, total: '10', cash, merchant: 'm4' })
  }
  const batch = await http.post(
    '/v1/transactions/batch',
    JSON.stringify([
      { id: 's', type: 'settle', merchant: 'm4', to: 'm4:cash' },
      { id: 'rent', type: 'debit', account: 'm4:cash', amount: '40' },
    ]),
  )
  const results = JSON.parse(batch?.body ?? '') as { http: number }[]
  assert.deepEqual(
    results.map((one) => one.http),
    [201, 201],
    batch?.body,
  )
})

test('banks that are owners fund a loan by shares, once, and get it back whole', { timeout: 180_000 }, async () => {
  const banks = times(6, (i) => `bank${i}:funds`)
  for (const bank of banks) await openWith(bank, '1000')
  await openWith('j:line', '0', '500')
  await openWith('shop:cash', '0')
  const [a = '', b = '', c = ''] = banks
  const loan = { type: 'disbursement', owner: 'j', loan: 'L1', creditLine: 'j:line', to: 'shop:cash', amount: '400.01' }
  const thirds = [
    { account: a, share: '0.3' },
    { account: b, share: '0.3' },
    { account: c, share: '0.4' },
  ]
  const poor = await post({
    ...loan,
    id: 'poor',
    loan: 'L0',
    funders: [...thirds.slice(1), { account: 'l:cash', share: '0.3' }],
  })
  assert.deepEqual([poor?.status, JSON.parse(poor?.body ?? '{}').code], [422, 'insufficient_funds'])
  assert.equal(JSON.parse(poor?.body ?? '{}').available, undefined, 'it tells what another owner has')
  const unknown = await post({ ...loan, id: 'unknown', loan: 'L0', to: 'nobody:cash', funders: thirds })
  assert.equal(JSON.parse(unknown?.body ?? '{}').code, 'account_not_found')
  const answers = await Promise.all(times(100, (i) => post({ ...loan, id: `j${i}`, funders: thirds })))
  assert.deepEqual(outcomes(answers), { posted: 1, loan_already_disbursed: 99 })
  const paid = answers.findIndex((answer) => answer?.status === 201)
  const involved = [a, b, c, 'shop:cash', 'j:line', 'j:loan:L1:principal']
  await stand(involved, ['880.00', '880.00', '839.99', '400.01', '-400.01', '400.01'])
  const owed = await Promise.all(['bank0', 'bank2'].map((name) => balanceOf(`house:loan:funder:${name}`)))
  assert.deepEqual(owed, ['120.00', '160.01'])
  const view = await http.get<{ transfers: { from: string; to: string; amount: string }[] }>(
    `/v1/transactions/j${paid}?owner=j`,
  )
  assert.deepEqual(
    view.transfers.map(({ from, to, amount }) => `${from} ${to} ${amount}`),
    [
      'j:line house:credit:drawn 400.01',
      'bank0:funds house:loan:funder:bank0 120.00',
      'bank1:funds house:loan:funder:bank1 120.00',
      'bank2:funds house:loan:funder:bank2 160.01',
      'j:loan:L1:principal shop:cash 400.01',
    ],
  )
  const part = await post({ id: 'part', type: 'refund', account: 'j:line', of: `j${paid}`, amount: '1' })
  assert.equal(JSON.parse(part?.body ?? '{}').code, 'original_not_refundable')
  const backs = await Promise.all(
    times(20, (i) => post({ id: `back${i}`, type: 'refund', account: 'j:loan:L1:principal', of: `j${paid}` })),
  )
  assert.deepEqual(outcomes(backs), { posted: 1, refund_exceeds_original: 19 })
  await stand(involved, ['1000.00', '1000.00', '1000.00', '0.00', '0.00', '0.00'])
  assert.deepEqual(outcomes([await post({ ...loan, id: 'again', funders: thirds })]), { loan_already_disbursed: 1 })
})

test('killed in the midst, three times: nothing is used twice, and every first answer is given again', {
  timeout: 180_000,
}, async () => {
  await campaign('CRASH', { stock: 60, limitPerCustomer: 1, discount: { amount: '5' } })
  const owners = times(120, (i) => `x${i}`)
  await Promise.all(owners.map((owner) => openWith(`${owner}:cash`, '20')))
  await Promise.all(
    owners.map((owner) => done({ id: 'e', type: 'points.earn', owner, amount: '500', expiresOn: '2090-06' })),
  )
  const bodies = owners.flatMap((owner) => [
    { id: 'k', type: 'coupon.claim', owner, campaign: 'CRASH' },
    ...times(3, (i) => ({
      id: `o${i}`,
      type: 'order',
      owner,
      total: '20',
      cash: { account: `${owner}:cash`, amount: i === 0 ? '10' : '5' },
      points: { amount: i === 0 ? '500' : '1000' },
      ...(i === 0 ? { coupon: { campaign: 'CRASH' } } : {}),
      merchant: 'm4',
    })),
    {
      id: 'p',
      type: 'order',
      owner,
      total: '15',
      cash: { account: `${owner}:cash`, amount: '10' },
      points: { amount: '500' },
      merchant: 'm4',
    },
    { id: 'r', type: 'refund', account: `${owner}:cash`, of: 'o0', amount: '7' },
  ])
  const first = new Map<object, string>()
  const known = (body: object, answer: HttpAnswer | undefined): void => {
    if (answer === undefined || answer.status === 503 || answer.status === 429 || answer.status >= 500) return
    const before = first.get(body)
    if (before !== undefined) assert.equal(answer.body, before)
    first.set(body, answer.body)
  }
  for (let round = 0; round < 3; round++) {
    const sent = bodies.map(async (body) => known(body, await post(body)))
    await new Promise<void>((resolve) => {
      const look = (): void => (first.size > (round + 1) * 60 ? resolve() : void setImmediate(look))
      look()
    })
    await server.kill9()
    await Promise.all(sent)
    http.close()
    await start()
  }
  for (let again = 0; again < 2; again++) await Promise.all(bodies.map(async (body) => known(body, await post(body))))
  assert.equal(first.size, bodies.length)
  const codes = outcomes(
    [...first.values()].map((body) => ({ status: body.includes('"code"') ? 422 : 201, replayed: false, body })),
  )
  assert.ok((codes.posted ?? 0) > 100, JSON.stringify(codes))
  let held = 0
  for (const owner of owners) {
    const { accounts } = await http.get<{ accounts: { id: string; balance: string }[] }>(`/v1/accounts?owner=${owner}`)
    for (const { balance } of accounts) assert.ok(Number(balance) >= 0)
    const quota = accounts.find(({ id }) => id.endsWith(':quota:CRASH'))
    assert.ok(Number(quota?.balance ?? 0) <= 1)
    held += Number(accounts.find(({ id }) => id.endsWith(':coupon:CRASH'))?.balance ?? 0)
  }
  const { left, issued, claimed, redeemed } = await http.get<Record<string, string>>('/v1/campaigns/CRASH')
  assert.deepEqual([issued, left, claimed], ['60', '0', '60'])
  assert.equal(held + Number(redeemed), 60)
  http.close()
  assert.equal(await server.stop(), 0)
  const report = await verifyLedger([databaseUrl])
  assert.equal(report.finding, undefined)
})
