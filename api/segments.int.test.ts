// Journal segments that close and accounts that leave the memory: neither may show in any answer.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import type { Command, TransactionCommand } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import type { EngineOptions } from './compose.ts'
import { capture, credit, debit, dice, hold, mixed, opening, refund, release } from './testing/commands.ts'
import { Model } from './testing/model.ts'
import { closeEngines, eventually, type Run, rowsOf, runEngine, verifyClean } from './testing/run.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres.stop()
})

const accounts = Array.from({ length: 20 }, (_, i) => `c${i}:cash`)
const codeOf = (answer: Answer | undefined): unknown => JSON.parse(answer?.body ?? '{}').code
const first = ({ body }: Answer) => ({ body, replayed: true })
const shown = ({ body, replayed }: Answer) => ({ body, replayed })

const filler = accounts[19] ?? ''
let filled = 0

/** Every row up to now is in a closed segment: an account of its own fills the next one. */
async function closed(url: string, run: Run, model: Model): Promise<void> {
  const segments = async () =>
    (
      await rowsOf<{ closed: number; written: number }>(
        url,
        `SELECT (SELECT coalesce(max(segment), 0) FROM suanpan.segment WHERE closed_at IS NOT NULL) AS closed,
                (SELECT max(segment) FROM suanpan.commit) AS written`,
      )
    )[0] ?? { closed: 0, written: 0 }
  const { written } = await segments()
  await eventually('the segment with the last rows is closed', async () => {
    await model.postAll(
      run.engine,
      Array.from({ length: 50 }, () => credit(`fill-${++filled}`, filler, '1')),
    )
    return (await segments()).closed >= written
  })
}

async function closedSegments(idFilterBytesMax: number): Promise<void> {
  const url = await postgres.newDatabase()
  const looked = { ids: 0, filterBytes: 0 }
  const settings: Partial<EngineOptions> = {
    segmentRowsMax: 200,
    idFilterBytesMax,
    onCommit: (_slot, _shard, stats) => {
      looked.ids += stats.idsLookedUp
      looked.filterBytes = stats.idFilterBytes
    },
  }
  const model = new Model()
  const one = await runEngine([url], settings)
  const openings = accounts.map((account) => opening(account))
  const [a, b] = ['c0:cash', 'c1:cash']
  const old: TransactionCommand[] = [
    credit('salary', a, '1000', { reference: 'May', metadata: '{"a":1}', businessDate: '2027-05-31', channel: 'app' }),
    debit('lunch', a, '12.5'),
    debit('car', a, '90000'),
    hold('hotel', a, '100'),
    hold('taxi', a, '30'),
    capture('taxi-paid', a, 'taxi', { amount: '21' }),
    refund('lunch-back', a, 'lunch', { amount: '2.5' }),
    release('too-soon', a, 'late-hold'),
    credit('b-salary', b, '50'),
    hold('b-hold', b, '20', { expiresIn: 1 }),
    hold('b-open', b, '5'),
  ]
  await model.postAll(one.engine, openings)
  const answers = await model.postAll(one.engine, old)
  assert.equal(codeOf(answers[2]), 'insufficient_funds')
  const filling = mixed('m', accounts.slice(5), 300)
  const filledBefore = filled
  await model.postAll(one.engine, filling)
  await closed(url, one, model)
  if (idFilterBytesMax === 0) {
    // The process that wrote the segment drops its ids as well: new ones are asked for from then on.
    let fresh = 0
    await eventually('what closed has left the memory', async () => {
      const before = looked.ids
      await model.postAll(
        one.engine,
        Array.from({ length: 20 }, () => credit(`fresh-${++fresh}`, filler, '1')),
      )
      return looked.ids - before >= 20
    })
  }
  // In the engine that saw them, and in one that did not.
  assert.deepEqual((await one.engine.postAll(old)).map(shown), answers.map(first))
  await one.engine.close()

  const two = await runEngine([url], settings)
  const { engine } = two
  assert.deepEqual((await engine.postAll(old)).map(shown), answers.map(first))
  // From now on only what the filters of the closed segments hold is looked for, and what they might if they were in memory.
  await eventually(
    'the filters are loaded',
    async () =>
      (await rowsOf(url, "SELECT FROM pg_stat_activity WHERE application_name LIKE 'suanpan% ids'")).length === 0,
  )
  assert.deepEqual((await engine.postAll(old)).map(shown), answers.map(first))
  // Alone: a release beside it would bring the tombstone to memory.
  const [lateHold] = await model.postAll(engine, [hold('late-hold', a, '1')])
  assert.equal(codeOf(lateHold), 'hold_released')
  const late: Command[] = [
    release('again', a, 'late-hold'),
    refund('lunch-rest', a, 'lunch'),
    refund('lunch-more', a, 'lunch', { amount: '0.01' }),
    capture('hotel-part', a, 'hotel', { amount: '40', final: false }),
    refund('taxi-back', a, 'taxi-paid'),
    capture('taxi-again', a, 'taxi'),
    { ...credit('salary', a, '1000.01', { reference: 'May' }) },
    release('b-free', b, 'b-open'),
    capture('b-late', b, 'b-open'),
  ]
  const lateAnswers = await model.postAll(engine, late)
  assert.deepEqual(
    lateAnswers.map((answer) => codeOf(answer) ?? 'ok'),
    [
      'hold_released',
      'ok',
      'refund_exceeds_original',
      'ok',
      'ok',
      'hold_captured',
      'id_conflict',
      'ok',
      'hold_released',
    ],
  )
  // Of every segment, as the model remembers them.
  const fills = Array.from({ length: filled - filledBefore }, (_, i) =>
    credit(`fill-${filledBefore + i + 1}`, filler, '1'),
  )
  await model.postAll(engine, [...filling, ...fills])
  const lookedBefore = looked.ids
  const news = Array.from({ length: 100 }, (_, i) => credit(`new-${i}`, accounts[i % 10] ?? '', '1'))
  await model.postAll(engine, news)
  // A filter errs once in a thousand times.
  if (idFilterBytesMax === 0) assert.ok(looked.ids - lookedBefore >= 100, `${looked.ids - lookedBefore} were looked up`)
  else assert.ok(looked.ids - lookedBefore < 20, `${looked.ids - lookedBefore} were looked up`)
  assert.ok(looked.filterBytes > 0)
  await model.postAll(engine, news)
  await model.postAll(engine, mixed('n', accounts, 300, 2))
  await closed(url, two, model)
  await model.checkAccounts(engine)
  await engine.close()

  // Everything of every account stands in closed segments now.
  const three = await runEngine([url], settings)
  await model.checkAccounts(three.engine)
  await model.postAll(
    three.engine,
    accounts.map((account) => credit(`last-${account}`, account, '1')),
  )
  await model.postAll(three.engine, [capture('hotel-rest', a, 'hotel'), release('b-twice', b, 'b-open')])
  await model.checkAccounts(three.engine)
  assert.deepEqual((await three.engine.postAll(old)).map(shown), answers.map(first))
  assert.ok((await rowsOf(url, 'SELECT FROM suanpan.segment WHERE closed_at IS NOT NULL')).length >= 2)
  await three.engine.close()
  await verifyClean([url])
}

test('ids, holds and originals of closed segments are found after a restart', { timeout: 60_000 }, () =>
  closedSegments(Number.POSITIVE_INFINITY),
)

test('so they are where no filter of a closed segment is kept in memory', { timeout: 60_000 }, () => closedSegments(0))

test('300 accounts with room for 8 answer like all in memory', { timeout: 60_000 }, async () => {
  const url = await postgres.newDatabase()
  const many = Array.from({ length: 300 }, (_, i) => `c${i}:cash`)
  const residents: number[] = []
  const { engine, log } = await runEngine([url], {
    partitions: 1,
    workers: 1,
    residentAccountsMax: 8,
    segmentRowsMax: 1000,
    onCommit: (_slot, _shard, stats) => residents.push(stats.residents),
  })
  const model = new Model()
  await model.postAll(
    engine,
    many.map((account) => opening(account, { overdraft: '20' })),
  )
  const roll = dice(11)
  const made: { id: string; account: string; type: 'hold' | 'debit' | 'capture' }[] = []
  let number = 0
  const next = (): TransactionCommand => {
    const id = `t${++number}`
    const account = many[roll(many.length)] ?? ''
    const amount = String(1 + roll(15))
    const known = made[roll(made.length)] ?? { id: 'none', account, type: 'hold' as const }
    // Mostly of the hold's account, now and then of another or of a transaction of the wrong type.
    const of = roll(20) === 0 ? account : known.account
    switch (roll(8)) {
      case 0:
        return credit(id, account, amount)
      case 1:
        made.push({ id, account, type: 'debit' })
        return debit(id, account, amount)
      case 2:
      case 3:
        made.push({ id, account, type: 'hold' })
        return hold(id, account, amount)
      case 4:
        made.push({ id, account: of, type: 'capture' })
        return capture(id, of, known.id, { final: roll(2) === 0, ...(roll(2) === 0 ? {} : { amount: '2' }) })
      case 5:
        return release(id, of, known.id)
      case 6:
        return refund(id, of, known.id, roll(2) === 0 ? {} : { amount: '1' })
      default: {
        // A repeat, with the first body only sometimes.
        return debit(known.id, known.account, amount)
      }
    }
  }
  const seen = new Set<string>()
  // Without waiting for answers: one batch is decided while the one before commits.
  const sent: TransactionCommand[] = []
  const answers: Answer[] = []
  for (let round = 0; round < 200; round++) {
    for (let left = 1 + roll(30); left > 0; left--) {
      const command = next()
      const at = sent.push(command) - 1
      engine.submit(command, (answer) => {
        answers[at] = answer
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await eventually('every answer', () => Object.keys(answers).length === sent.length)
  for (const [i, command] of sent.entries()) {
    model.check(command, answers[i])
    seen.add(`${command.type} ${codeOf(answers[i]) ?? 'ok'}`)
  }
  // The load must have met what it is there for.
  for (const wanted of [
    'capture ok',
    'release ok',
    'refund ok',
    'capture hold_released',
    'refund refund_exceeds_original',
  ])
    assert.ok(seen.has(wanted), `${wanted} did not occur`)
  await model.checkAccounts(engine)
  for (let i = 0; i < 30; i++) await model.postAll(engine, [credit(`alone-${i}`, many[i * 7] ?? '', '1')])
  // A state that was forgotten too early would be refused by an index and healed by a recovery.
  assert.deepEqual(
    log.filter((line) => !line.startsWith('info')),
    [],
  )
  assert.ok(Math.min(...residents.slice(-10)) < 60, `residents: ${residents.slice(-10).join()}`)
  await engine.close()
  await verifyClean([url])
})
