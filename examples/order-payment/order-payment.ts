// One order paid with cash, credit, points and a coupon, then given back in two parts. `node --import tsx examples/order-payment/order-payment.ts`, against a
// server at SUANPAN_URL (http://127.0.0.1:8080).
import { createClient } from '../../api/client/client.ts'

const client = createClient({ url: process.env.SUANPAN_URL ?? 'http://127.0.0.1:8080' })
/** Running it again is another customer. */
const customer = `cust-${Date.now()}`
const shop = `shop-${Date.now()}`
const [cash, line] = [`${customer}:cash`, `${customer}:line`]

async function post(request: Parameters<typeof client.transactions.post>[0]): Promise<void> {
  const outcome = await client.transactions.post(request)
  console.log(`${request.id.padEnd(10)} ${outcome.status}${'problem' in outcome ? `: ${outcome.problem.detail}` : ''}`)
}

async function show(title: string): Promise<void> {
  console.log(`-- ${title}`)
  for await (const { id, balance } of client.accounts.list(customer))
    console.log(`   ${id.slice(customer.length + 1).padEnd(16)} ${balance.padStart(8)}`)
  for (const id of [`house:merchant:${shop}`, 'house:promotion:WELCOME'])
    console.log(`   ${id.replace(shop, 'shop').padEnd(24)} ${(await client.accounts.get(id))?.balance ?? '-'}`)
}

await client.campaigns.put('WELCOME', { asset: 'CNY', stock: 100_000, minimumSpend: '100', discount: { amount: '20' } })
await client.accounts.open({ id: cash, asset: 'CNY' })
await client.accounts.open({ id: line, asset: 'CNY', overdraft: '500' })
await client.accounts.open({ id: `${shop}:cash`, asset: 'CNY' })
await post({ id: 'salary', type: 'credit', account: cash, amount: '100' })
await post({ id: 'gift', type: 'points.earn', owner: customer, amount: '3000', expiresOn: '2090-06' })
await post({ id: 'claim', type: 'coupon.claim', owner: customer, campaign: 'WELCOME' })
await show('before')

const order = {
  type: 'order',
  owner: customer,
  total: '199.99',
  credit: { creditLine: line, amount: '69.99' },
  points: { amount: '3000' },
  coupon: { campaign: 'WELCOME' },
  merchant: shop,
} as const
await post({ ...order, id: 'order-1', cash: { account: cash, amount: '80.01' } })
await post({ ...order, id: 'order-2', cash: { account: cash, amount: '80' } })
await post({ ...order, id: 'order-3', cash: { account: cash, amount: '80' } })
await show('after the order')

await post({ id: 'refund-1', type: 'refund', account: cash, of: 'order-2', amount: '66.67' })
await show('a third of it given back')
await post({ id: 'refund-2', type: 'refund', account: cash, of: 'order-2', amount: '133.33' })
await post({ id: 'refund-3', type: 'refund', account: cash, of: 'order-2' })
await show('all of it given back')

await post({
  id: 'order-4',
  type: 'order',
  owner: customer,
  total: '30',
  cash: { account: cash, amount: '30' },
  merchant: shop,
})
await post({ id: 'payday', type: 'settle', merchant: shop, to: `${shop}:cash` })
console.log(`the shop has ${(await client.accounts.get(`${shop}:cash`))?.balance}`)
client.close()
