// Consumer finance in figures: orders of four parts against plain debits of the same customers in turns, and a flash sale, 50,000 claims at once on one
// campaign. In this process, without HTTP; each answer is durable.
import { performance } from 'node:perf_hooks'
import type { Command } from '../core/command.ts'
import { startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'
import { rounded } from './statistics.ts'

const customers = 2_000
const perCustomer = 4
const turns = 5
const claimers = 50_000
const coupons = 1_000

export async function consumer(say: (line: string) => void): Promise<unknown> {
  const database = await startBenchDatabase()
  try {
    const run = await startEngineRun({
      url: await database.fresh('consumer'),
      accounts: 100,
      workers: 1,
      partitions: 8,
    })
    const { engine } = run
    const rate = async (commands: readonly Command[]): Promise<number> => {
      const started = performance.now()
      const answers = await engine.postAll(commands)
      const seconds = (performance.now() - started) / 1000
      const refused = answers.find(({ http }) => http !== 201)
      if (refused !== undefined) throw new Error(`a command of the measurement was refused: ${refused.body}`)
      return commands.length / seconds
    }
    const campaign = (code: string, stock: number): Promise<unknown> =>
      engine.catalog.put(
        'campaign',
        code,
        JSON.stringify({ asset: 'CNY', stock, discount: { amount: '1' }, returnPolicy: 'return' }),
        () => undefined,
      )
    const owners = Array.from({ length: customers }, (_, i) => `shopper-${i}`)
    await campaign('USED', 100_000_000)
    await rate(owners.map((owner) => opened(`${owner}:cash`, '0')))
    await rate(owners.map((owner) => opened(`${owner}:line`, '1000000')))
    await rate(
      owners.map((owner) => ({ type: 'credit', id: 'first', account: `${owner}:cash`, amount: '1000000', from: bank })),
    )
    await rate(
      owners.map((owner) => ({ type: 'points.earn', id: 'points', owner, amount: '1000000', expiresOn: '2090-01' })),
    )
    const claims = Array.from({ length: (turns + 1) * perCustomer }, (_, i) =>
      owners.map((owner): Command => ({ type: 'coupon.claim', id: `k${i}`, owner, campaign: 'USED' })),
    )
    const claimRate = await rate(claims.flat())
    const debits: number[] = []
    const orders: number[] = []
    for (let turn = 0; turn <= turns; turn++) {
      const of = (make: (owner: string, id: string) => Command): Command[] =>
        Array.from({ length: perCustomer }, (_, i) => owners.map((owner) => make(owner, `${turn}-${i}`))).flat()
      const debit = await rate(
        of((owner, id) => ({ type: 'debit', id: `d${id}`, account: `${owner}:cash`, amount: '1', to: bank })),
      )
      const order = await rate(of(orderOf))
      // The first turn warms up.
      if (turn > 0) debits.push(debit)
      if (turn > 0) orders.push(order)
      say(`debits ${rounded(debit)}/s, orders ${rounded(order)}/s, ratio ${rounded(order / debit)}`)
    }
    await campaign('FLASH', coupons)
    const started = performance.now()
    const answers = await engine.postAll(
      Array.from(
        { length: claimers },
        (_, i): Command => ({ type: 'coupon.claim', id: 'k', owner: `claimer-${i}`, campaign: 'FLASH' }),
      ),
    )
    const flash = claimers / ((performance.now() - started) / 1000)
    const winners = answers.filter(({ http }) => http === 201).length
    if (winners !== coupons) throw new Error(`${winners} winners of ${coupons} coupons`)
    await run.close()
    const ratios = orders.map((order, i) => order / (debits[i] ?? order)).sort((a, b) => a - b)
    return {
      debitsPerS: Math.round(median(debits)),
      ordersPerS: Math.round(median(orders)),
      ordersToDebits: rounded(median(ratios)),
      claimsPerS: Math.round(claimRate),
      flashSale: { claimers, coupons, winners, claimsPerS: Math.round(flash) },
    }
  } finally {
    await database.stop()
  }
}

const bank = 'house:bank'
const opened = (account: string, overdraft: string): Command => ({
  type: 'open',
  id: `!open:${account}`,
  account,
  asset: 'CNY',
  overdraft,
  normal: 'credit',
})

/** Four transfers: cash, credit, the points that are burnt and their value. */
const orderOf = (owner: string, id: string): Command => ({
  type: 'order',
  id: `o${id}`,
  owner,
  total: '4',
  cash: { account: `${owner}:cash`, amount: '2' },
  credit: { creditLine: `${owner}:line`, amount: '1' },
  points: { amount: '100' },
  merchant: 'shop',
})

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
