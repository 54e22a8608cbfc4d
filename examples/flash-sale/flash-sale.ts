// A flash sale: 1,000 coupons, 50,000 customers who all want one at the same moment. `node --import tsx examples/flash-sale/flash-sale.ts`, against a server at
// SUANPAN_URL (http://127.0.0.1:8080).
import { createClient } from '../../api/client/client.ts'

const client = createClient({ url: process.env.SUANPAN_URL ?? 'http://127.0.0.1:8080' })
const customers = Number(process.env.CUSTOMERS ?? 50_000)
/** Running it again is another sale. */
const campaign = `SALE-${Date.now().toString(36).toUpperCase()}`

await client.campaigns.put(campaign, { asset: 'CNY', stock: 1000, limitPerCustomer: 1, discount: { amount: '50' } })
const claims = Array.from(
  { length: customers },
  (_, i) => ({ id: `${campaign}-1`, type: 'coupon.claim', owner: `fan-${i}`, campaign }) as const,
)
const started = Date.now()
const outcomes = new Map<string, number>()
const winners: string[] = []
for await (const { outcome, row } of client.batch(claims)) {
  const code = outcome.status === 'declined' ? outcome.problem.code : outcome.status
  outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
  if (outcome.status === 'posted') winners.push(row.owner)
}
const seconds = (Date.now() - started) / 1000
console.log(
  `${customers.toLocaleString('en')} claims in ${seconds.toFixed(1)} s (${Math.round(customers / seconds).toLocaleString('en')}/s)`,
)
for (const [code, count] of [...outcomes].sort()) console.log(`  ${code.padEnd(18)} ${String(count).padStart(6)}`)

const again = await client.transactions.post({
  id: `${campaign}-2`,
  type: 'coupon.claim',
  owner: winners[0] ?? '',
  campaign,
})
console.log(`a winner tries again: ${again.status === 'declined' ? again.problem.code : again.status}`)
const { issued, left, claimed } = (await client.campaigns.get(campaign)) ?? {}
console.log(`issued ${issued}, left ${left}, claimed ${claimed}, winners ${new Set(winners).size}`)
client.close()
