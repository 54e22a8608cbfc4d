// Coupons through whole engines: a flash sale over all partitions, redemption and return, and the same answers after a restart.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { campaignBody } from '../core/testing/catalog.ts'
import { claim, redeemCoupon, returnCoupon } from '../core/testing/commands.ts'
import type { Answer } from '../schemas/answer.ts'
import { closeEngines, runEngine, verifyClean } from './testing/run.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await closeEngines()
  await postgres.stop()
})

const fine = (): void => undefined
const outcome = ({ http, body }: Answer): string => (http < 300 ? 'posted' : String(JSON.parse(body).code))
function countsOf(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[outcome(answer)] = (counts[outcome(answer)] ?? 0) + 1
  return counts
}

test('as many winners as coupons, nobody above the limit, and no coupon is left behind', {
  timeout: 120_000,
}, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()]
  const { engine } = await runEngine(urls, { partitions: 8, residentAccountsMax: 4000 })
  await engine.catalog.put('campaign', 'SPRING', campaignBody({ stock: 500, limitPerCustomer: 2 }), fine)
  const claims = Array.from({ length: 3000 }, (_, i) => claim({ id: `k${i}`, owner: `c${i % 700}` }))
  const answers = await engine.postAll(claims)
  const counts = countsOf(answers)
  assert.equal(counts.posted, 500, JSON.stringify(counts))
  assert.equal((counts.coupon_exhausted ?? 0) + (counts.coupon_limit_reached ?? 0), 2500)
  const of = async (name: string): Promise<string | undefined> =>
    (await engine.reads.account(`house:coupon:SPRING:${name}`, 'COUPON.SPRING'))?.balance
  assert.deepEqual([await of('issued'), await of('stock'), await of('claimed')], ['-500', '0', '-500'])
  assert.equal((await of('moving')) ?? '0', '0')
  const wins = new Map<string, number>()
  for (const [i, answer] of answers.entries())
    if (answer.http < 300) wins.set(claims[i]?.owner ?? '', (wins.get(claims[i]?.owner ?? '') ?? 0) + 1)
  assert.ok(Math.max(...wins.values()) <= 2)

  // Each winner uses one coupon; every other gives it back.
  const winners = [...wins.keys()]
  const used = await engine.postAll(winners.map((owner) => redeemCoupon({ owner, order: 'o' })))
  const back = await engine.postAll(
    winners.filter((_, i) => i % 2 === 0).map((owner) => returnCoupon({ owner, order: 'o' })),
  )
  assert.deepEqual(
    [countsOf(used), countsOf(back)],
    [{ posted: winners.length }, { posted: Math.ceil(winners.length / 2) }],
  )
  assert.equal(await of('redeemed'), String(Math.floor(winners.length / 2)))
  await engine.close()
  await verifyClean(urls)

  const again = await runEngine(urls, { partitions: 8 })
  const repeated = await again.engine.postAll([...claims])
  assert.deepEqual(
    repeated.map(({ body, replayed }) => [replayed, body]),
    answers.map(({ body }) => [true, body]),
  )
  const twice = await again.engine.postAll(
    winners.map((owner, i) => returnCoupon({ id: `back2-${i}`, owner, order: 'o' })),
  )
  assert.deepEqual(countsOf(twice), {
    original_not_found: Math.ceil(winners.length / 2),
    posted: Math.floor(winners.length / 2),
  })
  // More of them: whoever was refused under another id may win now.
  await again.engine.catalog.put('campaign', 'SPRING', campaignBody({ stock: 503, limitPerCustomer: 2 }), fine)
  const late = await again.engine.postAll(Array.from({ length: 20 }, (_, i) => claim({ owner: `late${i}` })))
  assert.deepEqual(countsOf(late), { posted: 3, coupon_exhausted: 17 })
  await again.engine.close()
  await verifyClean(urls)
})
