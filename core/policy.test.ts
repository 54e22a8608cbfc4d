// What consumer finance promises, over random histories of one customer and one campaign: claims, redemptions, orders of any mixture of parts, refunds of any
// of them in any number of parts, points that expire in between, stock that is called in and dealt out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { apply } from './apply.ts'
import type { Command } from './command.ts'
import { isMerchantAccount } from './house.ts'
import { allocateByWeight, areShares } from './money.ts'
import type { Row } from './row.ts'
import { campaignBody, catalogChange, moveStock } from './testing/catalog.ts'
import {
  claim,
  disburse,
  earn,
  expirePoints,
  order,
  redeem,
  redeemCoupon,
  refund,
  returnCoupon,
  settle,
} from './testing/commands.ts'
import { comparable, outcomeOf, TestLedger } from './testing/ledger.ts'

fc.configureGlobal({ includeErrorInReport: true })

/** A command whose id, and whose original where it is a refund, are settled later: `back` counts among the orders before. */
type Draw = { readonly make: (id: string, of: string) => Command; readonly back: number; readonly waitMs: number }

const money = fc.integer({ min: 1, max: 4000 }).map((minor) => (minor / 100).toFixed(2))
const points = fc.integer({ min: 1, max: 900 }).map(String)
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** Balanced most times: what cash, points and coupon leave is taken from the line, or is cash. */
const anyOrder = fc
  .record({
    cash: some(fc.nat(3000)),
    points: some(fc.integer({ min: 100, max: 900 })),
    coupon: fc.boolean(),
    rest: fc.nat(2000),
    off: fc.constantFrom(0, 0, 0, 0, 1),
  })
  .map(({ cash, points: n, coupon, rest, off }) => (id: string): Command => {
    const total = (cash ?? 0) + Math.floor((n ?? 0) / 3) * 1 + rest + 700
    const discount = coupon ? Math.min(Math.floor(total / 8), 500) : 0
    const credit = total - discount - (cash ?? 0) - Math.floor((n ?? 0) / 3) + off
    const text = (minor: number): string => (minor / 100).toFixed(2)
    return order({
      id,
      total: text(total),
      cash: cash === undefined || cash === 0 ? undefined : { account: 'c:cash', amount: text(cash) },
      points: n === undefined ? undefined : { amount: String(n) },
      coupon: coupon ? { campaign: 'SPRING' } : undefined,
      credit: credit > 0 ? { creditLine: 'c:line', amount: text(credit) } : undefined,
      ...(cash === 0 ? { asset: 'CNY' } : {}),
    })
  })

const draw: fc.Arbitrary<Draw> = fc.record({
  make: fc.oneof(
    { weight: 5, arbitrary: anyOrder },
    {
      weight: 6,
      arbitrary: some(money).map((amount) => (id: string, of: string) => refund({ id, of, amount, account: 'c:cash' })),
    },
    {
      weight: 2,
      arbitrary: some(money).map((amount) => (id: string, of: string) => refund({ id, of, amount, account: 'c:line' })),
    },
    { weight: 4, arbitrary: fc.constant((id: string) => claim({ id })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('o', 'p').map((name) => (id: string) => redeemCoupon({ id, order: name })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('o', 'p').map((name) => (id: string) => returnCoupon({ id, order: name })),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(points, fc.constantFrom('2027-01-31', '2027-02-01', '2027-02')).map(
        ([amount, expiresOn]) =>
          (id: string) =>
            earn({ id, amount, expiresOn }),
      ),
    },
    { weight: 2, arbitrary: points.map((amount) => (id: string) => redeem({ id, amount })) },
    { weight: 1, arbitrary: fc.constant((id: string) => expirePoints({ id: `!${id}` })) },
    { weight: 1, arbitrary: some(money).map((amount) => (id: string) => settle({ id, amount, to: 'c:cash' })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('L1', 'L2').map(
        (loan) => (id: string) =>
          disburse({
            id,
            loan,
            amount: '10.01',
            creditLine: 'c:line',
            funders: [
              { account: 'house:lender:a', share: '0.3' },
              { account: 'house:lender:b', share: '0.7' },
            ],
          }),
      ),
    },
    { weight: 1, arbitrary: fc.constant((id: string) => moveStock({ id: `!${id}` })) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: 3 })
        .map((amount) => (id: string) => moveStock({ id: `!${id}`, action: 'grant', amount })),
    },
  ),
  back: fc.integer({ min: 0, max: 3 }),
  waitMs: fc.constantFrom(0, 0, 0, 0, 0, 0, 30_000_000),
})
const history = fc.array(draw, { minLength: 20, maxLength: 80, size: 'max' })

const coupons = 'COUPON.SPRING'

function started(): TestLedger {
  return new TestLedger()
    .account('c:cash')
    .account('c:line', { overdraft: 100_000n })
    .accept(
      catalogChange({
        body: campaignBody({
          stock: 12,
          limitPerCustomer: 5,
          minimumSpend: '5',
          discount: { percent: '12.5', cap: '5' },
          validDays: 1,
        }),
      }),
      catalogChange({
        version: 2,
        kind: 'program',
        code: 'POINTS',
        body: '{"asset":"CNY","points":"3","worth":"0.01"}',
      }),
      { type: 'credit', id: 'first', account: 'c:cash', amount: '500', from: 'house:settlement:default' },
    )
}

function play(draws: readonly Draw[], each: (ledger: TestLedger) => void = () => undefined): TestLedger {
  const ledger = started()
  const originals: string[] = []
  for (const [i, { make, back, waitMs }] of draws.entries()) {
    const command = make(String(i), originals.at(-1 - back) ?? 'none')
    ledger.wait(waitMs)
    // Coupons that were called in are dealt out before more than that could be.
    if (command.type === 'stock' && command.action === 'grant') {
      const moving = ledger.state.accounts.get(`house:coupon:SPRING:moving|${coupons}`)?.balance ?? 0n
      if (BigInt(command.amount ?? 0) > moving) continue
    }
    const outcome = outcomeOf(ledger.post(command))
    if (outcome === 'accepted' && ['order', 'disbursement', 'points.redeem'].includes(command.type))
      originals.push(command.id)
    each(ledger)
  }
  return ledger
}

const check = (property: (draws: readonly Draw[]) => void, numRuns = 150) =>
  fc.assert(fc.property(history, property), { numRuns })

test('the histories are not empty talk', () => {
  const kinds = new Map<string, number>()
  check((draws) => {
    for (const { rows } of play(draws).journal) {
      const kind = rows[0].code === 0 ? (rows.at(-1)?.kind ?? '') : `declined ${rows[0].kind}`
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  })
  for (const kind of [
    'order',
    'refund',
    'coupon.claim',
    'coupon.redeem',
    'coupon.return',
    'points.earn',
    'points.redeem',
    'points.expire',
    'settle',
    'disbursement',
    'stock',
    'declined order',
    'declined refund',
  ])
    assert.ok((kinds.get(kind) ?? 0) > 20, `${kind}: ${JSON.stringify([...kinds])}`)
})

test('after every decision each asset sums up to zero, no lot and no stock is below zero', () => {
  check((draws) => {
    play(draws, ({ state }) => {
      const sums = new Map<string, bigint>()
      for (const { id, key, asset, balance, held } of state.accounts.values()) {
        sums.set(asset.code, (sums.get(asset.code) ?? 0n) + balance)
        if (/^c:(points|coupon|quota):|:stock$/.test(id))
          assert.ok(balance >= 0n && balance >= held, `${id}: ${balance}`)
        assert.ok(key !== 0)
      }
      for (const [code, sum] of sums) assert.equal(sum, 0n, code)
    })
  })
})

test('stock, what is on its way, what customers hold and what is redeemed are what was issued; the quota is what was claimed', () => {
  check((draws) => {
    play(draws, ({ state, journal }) => {
      const of = (name: string): bigint => state.accounts.get(`house:coupon:SPRING:${name}|${coupons}`)?.balance ?? 0n
      let held = 0n
      for (const { id, balance } of state.accounts.values()) if (id.startsWith('c:coupon:')) held += balance
      assert.equal(of('stock') + of('moving') + held + of('redeemed'), -of('issued'))
      const claims = journal.filter(({ command, rows }) => command.type === 'coupon.claim' && rows[0].code === 0).length
      assert.equal(state.accounts.get('c:quota:SPRING')?.balance ?? 0n, BigInt(claims))
      assert.equal(-of('claimed'), BigInt(claims))
      assert.ok(claims <= 5)
    })
  })
})

test('an order is its total exactly, and its refunds give each part back to the unit, never more, in whatever parts they come', () => {
  check((draws) => {
    const { journal } = play(draws)
    for (const { idKey, command, rows } of journal) {
      if (command.type !== 'order' || rows[0].code !== 0) continue
      const taken = rows.filter(({ to }) => to !== undefined && isMerchantAccount(to.id))
      const total = taken.reduce((sum, { amount }) => sum + amount, 0n)
      assert.equal(total, BigInt(Math.round(Number(command.total) * 100)))
      const backs = journal.flatMap((one) =>
        one.rows.filter(({ kind, link, code }) => code === 0 && kind === 'refund' && link === idKey),
      )
      const backOf = (row: Row): bigint =>
        backs
          .filter(({ from, to }) => from?.key === row.to?.key && to?.key === row.from?.key)
          .reduce((sum, { amount }) => sum + amount, 0n)
      const moved = rows.filter(({ kind }) => kind === 'order')
      for (const row of moved) assert.ok(backOf(row) <= row.amount, `${row.from?.id}: ${backOf(row)} of ${row.amount}`)
      const returned = taken.reduce((sum, row) => sum + backOf(row), 0n)
      const isCoupon = ({ to }: Row): boolean => to?.asset.code === coupons
      if (returned === total) for (const row of moved) assert.equal(backOf(row), row.amount, row.from?.id)
      else for (const row of moved.filter(isCoupon)) assert.equal(backOf(row), 0n)
      // In proportion: no part is more than a unit for each refund away from its exact share.
      const count = BigInt(new Set(backs.map(({ fromSeq }) => fromSeq)).size + 1)
      for (const row of taken) {
        const off = backOf(row) * total - row.amount * returned
        assert.ok((off < 0n ? -off : off) <= count * total * BigInt(taken.length), `${off}`)
      }
    }
  })
})

test('replaying the journal gives the same accounts and the same catalog', () => {
  check((draws) => {
    const ledger = play(draws)
    const { state } = new TestLedger().account('c:cash').account('c:line', { overdraft: 100_000n })
    for (const decided of ledger.journal) apply(state, decided)
    assert.equal(comparable(state.accounts), comparable(ledger.state.accounts))
    assert.equal(comparable(state.catalog), comparable(ledger.state.catalog))
  }, 60)
})

test('a total is split by weights to the last unit, each part within its weight and within a unit of its share', () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: 0n, max: 10n ** 12n }), { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 1_000_000 }),
      (weights, millionths) => {
        const whole = weights.reduce((sum, weight) => sum + weight, 0n)
        const total = (whole * BigInt(millionths)) / 1_000_000n
        const parts = allocateByWeight(total, weights)
        assert.equal(
          parts.reduce((sum, part) => sum + part, 0n),
          total,
        )
        for (const [i, part] of parts.entries()) {
          const weight = weights[i] ?? 0n
          assert.ok(part >= 0n && part <= weight)
          const off = part * whole - total * weight
          assert.ok(whole === 0n || (off < whole && off > -whole), `${part} of ${weight}`)
        }
      },
    ),
  )
  assert.throws(() => allocateByWeight(3n, [1n, 1n]), RangeError)
})

for (const [shares, right] of [
  [['1'], true],
  [['0.3', '0.7'], true],
  [['0.333333333333333333', '0.333333333333333333', '0.333333333333333334'], true],
  [['0.3', '0.6'], false],
  [['0.5', '0.500000000000000001'], false],
  [['1', '0'], false],
  [['1.5', '-0.5'], false],
  [[], false],
] as const)
  test(`shares ${shares.join(' + ')} are ${right ? '' : 'not '}a whole`, () => assert.equal(areShares(shares), right))
