// Points through the whole engine: lots that are loaded, forgotten and loaded again, answers after a restart, and the job that expires them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import type { Command } from '../core/command.ts'
import { earn, redeem } from '../core/testing/commands.ts'
import { credit, refund } from './testing/commands.ts'
import { closeEngines, eventually, rowsOf, runEngine, verifyClean } from './testing/run.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres.stop()
})

const owners = Array.from({ length: 40 }, (_, i) => `c${i}`)
const earnings = owners.flatMap((owner) =>
  ['2090-06', '2090-01-15', '2091-01'].map((expiresOn) =>
    earn({ id: `e-${expiresOn}`, owner, amount: '100', expiresOn }),
  ),
)
const redemptions = owners.map((owner) => redeem({ id: 'r', owner, amount: '150' }))
const refunds = owners.map((owner) => refund('b', `${owner}:points:2090-06`, 'r', { amount: '70' }))

test('points are taken earliest first and come home to their lots, whatever is in memory; every answer is repeated byte for byte', {
  timeout: 60_000,
}, async () => {
  const url = await postgres.newDatabase()
  // So few residents that lots are forgotten in mid-course.
  const first = await runEngine([url], { residentAccountsMax: 20 })
  const answers: { http: number; body: string }[] = []
  const commands: Command[] = [...earnings, ...redemptions, ...refunds]
  for (const part of [earnings, redemptions, refunds]) answers.push(...(await first.engine.postAll(part)))
  assert.deepEqual(new Set(answers.map(({ http }) => http)), new Set([201]))
  for (const owner of owners) {
    const { programs } = await first.engine.reads.points(owner)
    assert.deepEqual(
      programs.map(({ program, available, lots }) => [
        program,
        available,
        lots.map(({ account, expiresOn, balance }) => [account, expiresOn, balance]),
      ]),
      [
        [
          'POINTS',
          '220',
          [
            [`${owner}:points:2090-01-15`, '2090-01-15', '20'],
            [`${owner}:points:2090-06`, '2090-06-30', '100'],
            [`${owner}:points:2091-01`, '2091-01-31', '100'],
          ],
        ],
      ],
    )
  }
  const view = await first.engine.reads.transaction('c1', 'r')
  assert.deepEqual([view?.now.state, view?.now.refunded, view?.now.remaining], ['partly_refunded', '70', '80'])
  await first.engine.close()
  const second = await runEngine([url])
  const again = await second.engine.postAll(commands)
  assert.deepEqual(
    again.map(({ http, replayed, body }) => [http, replayed, body]),
    answers.map(({ body }) => [200, true, body]),
  )
  const more = await second.engine.postAll(owners.map((owner) => redeem({ id: 'r2', owner, amount: '221' })))
  assert.deepEqual(new Set(more.map(({ body }) => JSON.parse(body).available)), new Set(['220']))
  await second.engine.close()
  await verifyClean([url])
})

test('points whose last day is over are expired by the job, once a day', {
  timeout: 60_000,
}, async () => {
  const url = await postgres.newDatabase()
  const { engine } = await runEngine([url])
  const old = (owner: string): string => `${owner}:points:2020-02`
  // As a ledger that was moved here would bring them.
  await engine.postAll(
    owners.map((owner) => credit('old', old(owner), '25', { asset: 'POINTS', from: 'house:points:issued' })),
  )
  await engine.postAll(owners.map((owner) => earn({ owner, amount: '7', expiresOn: '2090-01' })))
  await engine.close()
  // As if a day had passed since.
  await rowsOf(url, 'DELETE FROM suanpan.daily_job')
  const again = await runEngine([url])
  const balances = async (): Promise<string[]> => {
    const views = await Promise.all(owners.map((owner) => again.engine.reads.points(owner)))
    return views.map(({ programs }) => (programs[0]?.lots ?? []).map(({ balance }) => balance).join(' '))
  }
  await eventually('the old lots are empty', async () => (await balances()).every((text) => text === '0 7'))
  const expired = await again.engine.reads.account('house:points:expired', undefined)
  assert.equal(expired?.balance, String(25 * owners.length))
  const done = async () => await rowsOf(url, 'SELECT FROM suanpan.daily_job')
  await eventually('the day is noted as done', async () => (await done()).length === 1)
  await again.engine.close()
  await verifyClean([url])
})
