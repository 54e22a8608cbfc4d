// What wins when many want the same: a whole engine with three worker threads over one Postgres, everything sent at once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { partitionOf } from '../actors/route.ts'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import type { Command } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import { type RunningEngine, startEngine } from './compose.ts'
import { Seeded } from './testing/seeded.ts'

const settlement = 'house:settlement:default'
const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const random = new Seeded(seed)
console.log(`SEED=${seed}`)

let postgres: TestPostgres
let databaseUrl: string
let engine: RunningEngine
before(async () => {
  postgres = await testPostgres()
  databaseUrl = await postgres.newDatabase()
  engine = await startEngine({
    urls: [databaseUrl],
    workers: 3,
    deadlineMs: 20_000,
    houseAutoOpen: true,
    segmentRowsMax: 50_000_000,
    residentAccountsMax: 100_000,
    log: () => undefined,
  })
})
after(async () => {
  await engine?.close()
  await postgres?.stop()
})

const post = (command: Command): Promise<Answer> => new Promise((resolve) => engine.submit(command, resolve))

/** All at once, or spread over many turns of the event loop so that they fall into different frames and batches. */
async function race(commands: readonly Command[], spread = false): Promise<Answer[]> {
  const answers: Promise<Answer>[] = []
  for (const command of commands) {
    answers.push(post(command))
    if (spread && random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(3)))
  }
  return await Promise.all(answers)
}

let accounts = 0
async function accountWith(balance: number, overdraft = '0'): Promise<string> {
  const account = `racer-${++accounts}:main`
  const open = { type: 'open', id: `!open-${account}`, account, asset: 'CNY', overdraft, normal: 'credit' } as const
  assert.equal((await post(open)).http, 201)
  if (balance > 0) {
    const first = { type: 'credit', id: 'first', account, amount: String(balance), from: settlement } as const
    assert.equal((await post(first)).http, 201)
  }
  return account
}

const debit = (account: string, id: string, amount: string): Command => ({
  type: 'debit',
  id,
  account,
  amount,
  to: settlement,
})
const hold = (account: string, id: string, amount: string): Command => ({
  type: 'hold',
  id,
  account,
  amount,
  to: settlement,
})
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))

/** How often each outcome came: `201`, `200 replayed`, or a code. */
function outcomes(answers: readonly Answer[]): Record<string, number> {
  const count: Record<string, number> = {}
  for (const { http, replayed, body } of answers) {
    const code = http < 400 ? `${http}${replayed ? ' replayed' : ''}` : String(JSON.parse(body).code)
    count[code] = (count[code] ?? 0) + 1
  }
  return count
}

async function moneyOf(account: string): Promise<{ balance: number; held: number }> {
  const view = await engine.reads.account(account, undefined)
  assert.ok(view)
  return { balance: Number(view.balance), held: Number(view.held) }
}

test('200 debits of 1 at once on a balance of 100: exactly 100 are posted, in each of 20 runs', async () => {
  for (let run = 0; run < 20; run++) {
    const account = await accountWith(100)
    const answers = await race(
      times(200, (i) => debit(account, `d${i}`, '1')),
      run % 2 === 1,
    )
    assert.deepEqual(outcomes(answers), { 201: 100, insufficient_funds: 100 }, `run ${run}`)
    assert.deepEqual(await moneyOf(account), { balance: 0, held: 0 })
  }
})

test('debits and holds at once never take more than there is, held money included', async () => {
  for (const spread of [false, true]) {
    const account = await accountWith(100)
    const commands = times(200, (i) => (i % 2 === 0 ? debit(account, `x${i}`, '1') : hold(account, `x${i}`, '1')))
    const answers = await race(commands, spread)
    assert.deepEqual(outcomes(answers), { 201: 100, insufficient_funds: 100 })
    const { balance, held } = await moneyOf(account)
    const held201 = answers.filter(({ http }, i) => http === 201 && i % 2 === 1).length
    assert.deepEqual({ balance, held }, { balance: held201, held: held201 })
  }
})

test('the same id 50 times at once: one is new, the rest is the same answer byte for byte', async () => {
  for (const spread of [false, true]) {
    const account = await accountWith(1000)
    const answers = await race(
      times(50, () => debit(account, 'same', '7')),
      spread,
    )
    assert.deepEqual(outcomes(answers), { 201: 1, '200 replayed': 49 })
    assert.equal(new Set(answers.map(({ body }) => body)).size, 1)
    assert.deepEqual(await moneyOf(account), { balance: 993, held: 0 })
  }
})

test('a refused id 50 times at once: one refusal, repeated byte for byte', async () => {
  const account = await accountWith(1)
  const answers = await race(times(50, () => debit(account, 'same', '7')))
  assert.deepEqual(outcomes(answers), { insufficient_funds: 50 })
  assert.equal(answers.filter(({ replayed }) => replayed).length, 49)
  assert.equal(new Set(answers.map(({ body }) => body)).size, 1)
})

test('one id with ten bodies at once: one body wins, its repeats get its answer, all others a conflict', async () => {
  for (const spread of [false, true]) {
    const account = await accountWith(1000)
    const commands = times(50, (i) => debit(account, 'same', String((i % 10) + 1)))
    const answers = await race(commands, spread)
    assert.deepEqual(outcomes(answers), { 201: 1, '200 replayed': 4, id_conflict: 45 })
    const won = answers.findIndex(({ http }) => http === 201) % 10
    for (const [i, { http }] of answers.entries()) assert.equal(http === 409, i % 10 !== won)
    assert.deepEqual(await moneyOf(account), { balance: 1000 - (won + 1), held: 0 })
  }
})

test('50 captures of a whole hold at once: one wins', async () => {
  for (const spread of [false, true]) {
    const account = await accountWith(100)
    await post(hold(account, 'h', '60'))
    const captures = times(50, (i) => ({ type: 'capture', id: `c${i}`, account, hold: 'h', final: true }) as const)
    assert.deepEqual(outcomes(await race(captures, spread)), { 201: 1, hold_captured: 49 })
    assert.deepEqual(await moneyOf(account), { balance: 40, held: 0 })
  }
})

test('a capture and a release at once: one wins, and the money is either gone or free', async () => {
  for (let run = 0; run < 10; run++) {
    const account = await accountWith(100)
    await post(hold(account, 'h', '60'))
    const capture = { type: 'capture', id: 'c', account, hold: 'h', final: true } as const
    const release = { type: 'release', id: 'r', account, hold: 'h' } as const
    const first = run % 2 === 0
    const answers = await race(first ? [capture, release] : [release, capture], run > 5)
    const ended = outcomes(answers)
    assert.equal(ended[201], 1, JSON.stringify(ended))
    const captured = answers[first ? 0 : 1]?.http === 201
    assert.equal(ended[captured ? 'hold_captured' : 'hold_released'], 1, JSON.stringify(ended))
    assert.deepEqual(await moneyOf(account), { balance: captured ? 40 : 100, held: 0 })
  }
})

test('50 refunds of 10 of an original of 100 at once: exactly 10 win', async () => {
  for (const spread of [false, true]) {
    const account = await accountWith(100)
    await post(debit(account, 'original', '100'))
    const refunds = times(50, (i) => ({ type: 'refund', id: `r${i}`, account, of: 'original', amount: '10' }) as const)
    assert.deepEqual(outcomes(await race(refunds, spread)), { 201: 10, refund_exceeds_original: 40 })
    assert.deepEqual(await moneyOf(account), { balance: 100, held: 0 })
  }
})

test('a hold and the closing of its account at once: one wins', async () => {
  for (let run = 0; run < 10; run++) {
    const account = await accountWith(0, '60')
    const close = { type: 'change', id: `!close-${run}`, account, status: 'closed' } as const
    const place = hold(account, 'h', '60')
    const holdFirst = run % 2 === 0
    const answers = await race(holdFirst ? [place, close] : [close, place], run > 5)
    const [placed, closed] = holdFirst ? answers : [answers[1], answers[0]]
    if (placed?.http === 201) assert.equal(JSON.parse(closed?.body ?? '').code, 'account_not_empty')
    else {
      assert.equal(JSON.parse(placed?.body ?? '').code, 'account_closed')
      assert.equal(closed?.http, 200)
    }
  }
})

test('all commands of an owner run on one thread, and the owners are spread over the threads', async () => {
  const client = await connect(databaseUrl, { name: 'races test' })
  try {
    const { rows } = await client.query<{ partition: number; hosts: string[] }>(
      'SELECT partition, array_agg(DISTINCT host) AS hosts FROM suanpan.commit GROUP BY partition',
    )
    const threads = new Map<number, string>()
    for (const { partition, hosts } of rows) {
      assert.equal(hosts.length, 1, `partition ${partition} was written by ${hosts.join(', ')}`)
      const thread = / (t\d+) /.exec(`${hosts[0]} `)?.[1]
      assert.ok(thread, `${hosts[0]} names no thread`)
      threads.set(partition, thread)
    }
    assert.equal(new Set(threads.values()).size, 3, 'three threads decided')
    // The partition of each row is that of its owner: with one thread a partition, an owner has one thread.
    const placed = await client.query<{ partition: number; owner: string }>(
      'SELECT partition, owner FROM suanpan.account',
    )
    assert.equal(placed.rows.length, accounts)
    for (const { partition, owner } of placed.rows)
      assert.equal(partition, partitionOf(owner, engine.ledger.partitions), owner)
    const astray = await client.query(
      `SELECT a.owner FROM suanpan.journal j JOIN suanpan.account a ON a.key IN (j.from_key, j.to_key)
        WHERE j.partition <> a.partition LIMIT 1`,
    )
    assert.deepEqual(astray.rows, [])
  } finally {
    await client.end()
  }
  const { ok, finding } = await verifyLedger([databaseUrl])
  assert.ok(ok, JSON.stringify(finding))
})
