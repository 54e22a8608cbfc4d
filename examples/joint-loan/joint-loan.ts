// A loan that the platform and two banks fund together (联合放款): the banks are owners of their own, whose accounts live anywhere. The shares come out
// exactly, all parts or none, the loan is paid out once, and a reversal gives every part back.
// `node --import tsx examples/joint-loan/joint-loan.ts`, against a server at SUANPAN_URL (http://127.0.0.1:8080).
import { setTimeout } from 'node:timers/promises'
import { createClient } from '../../api/client/client.ts'

const client = createClient({ url: process.env.SUANPAN_URL ?? 'http://127.0.0.1:8080' })
/** Running it again is another borrower, and other banks. */
const now = Date.now()
const borrower = `cust-${now}`
const banks = [`bank-a-${now}:funds`, `bank-b-${now}:funds`] as const
const [wallet, line] = [`${borrower}:cash`, `${borrower}:line`]

async function post(request: Parameters<typeof client.transactions.post>[0]): Promise<void> {
  const outcome = await client.transactions.post(request)
  console.log(`${request.id.padEnd(8)} ${outcome.status}${'problem' in outcome ? `: ${outcome.problem.code}` : ''}`)
}

const shown = (id: string): string => id.replaceAll(`-${now}`, '')
const balance = async (id: string): Promise<string | undefined> => (await client.accounts.get(id))?.balance
async function told(funded: boolean): Promise<void> {
  // The banks' partitions follow the answer within milliseconds.
  for (const bank of banks) while (((await balance(bank)) !== '10000.00') !== funded) await setTimeout(10)
  const left = (await client.accounts.get(line))?.available
  console.log(
    `owed ${await balance(`${borrower}:loan:L1:principal`)}, in the wallet ${await balance(wallet)}, left of the line ${left}`,
  )
  console.log(`the banks have ${await balance(banks[0])} and ${await balance(banks[1])}`)
}

await client.accounts.open({ id: wallet, asset: 'CNY' })
await client.accounts.open({ id: line, asset: 'CNY', overdraft: '10000' })
for (const bank of banks) {
  await client.accounts.open({ id: bank, asset: 'CNY' })
  await client.transactions.post({ type: 'credit', id: 'funds', account: bank, amount: '10000' })
}
const loan = {
  type: 'disbursement',
  owner: borrower,
  loan: 'L1',
  to: wallet,
  creditLine: line,
  funders: [
    { account: 'house:lender:platform', share: '0.1' },
    { account: banks[0], share: '0.45' },
    { account: banks[1], share: '0.45' },
  ],
} as const
await post({ ...loan, id: 'loan-1', amount: '10000.01' })
await post({ ...loan, id: 'loan-2', amount: '999.99' })
await post({ ...loan, id: 'loan-3', amount: '1' })

const view = await client.transactions.get(borrower, 'loan-2')
for (const { from, to, amount } of view !== undefined && 'transfers' in view ? view.transfers : [])
  console.log(`  ${amount.padStart(7)}  ${shown(from)} -> ${shown(to)}`)
await told(true)

await post({ id: 'back', type: 'refund', account: wallet, of: 'loan-2' })
await told(false)
await post({ ...loan, id: 'loan-4', amount: '999.99' })
client.close()
