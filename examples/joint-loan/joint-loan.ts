// A loan that the platform and two banks fund together (联合放款): the shares come out exactly, the loan is paid out once, and a reversal gives every part back.
// `node --import tsx examples/joint-loan/joint-loan.ts`, against a server at SUANPAN_URL (http://127.0.0.1:8080).
import { createClient } from '../../api/client/client.ts'

const client = createClient({ url: process.env.SUANPAN_URL ?? 'http://127.0.0.1:8080' })
/** Running it again is another borrower. */
const borrower = `cust-${Date.now()}`
const [wallet, line] = [`${borrower}:cash`, `${borrower}:line`]

async function post(request: Parameters<typeof client.transactions.post>[0]): Promise<void> {
  const outcome = await client.transactions.post(request)
  console.log(`${request.id.padEnd(8)} ${outcome.status}${'problem' in outcome ? `: ${outcome.problem.code}` : ''}`)
}

await client.accounts.open({ id: wallet, asset: 'CNY' })
await client.accounts.open({ id: line, asset: 'CNY', overdraft: '10000' })
const loan = {
  type: 'disbursement',
  owner: borrower,
  loan: 'L1',
  to: wallet,
  creditLine: line,
  funders: [
    { account: 'house:lender:platform', share: '0.1' },
    { account: 'house:lender:bank-a', share: '0.45' },
    { account: 'house:lender:bank-b', share: '0.45' },
  ],
} as const
await post({ ...loan, id: 'loan-1', amount: '10000.01' })
await post({ ...loan, id: 'loan-2', amount: '999.99' })
await post({ ...loan, id: 'loan-3', amount: '1' })

const view = await client.transactions.get(borrower, 'loan-2')
for (const { from, to, amount } of view !== undefined && 'transfers' in view ? view.transfers : [])
  console.log(`  ${amount.padStart(7)}  ${from.replace(borrower, 'cust')} -> ${to.replace(borrower, 'cust')}`)
console.log(
  `owed ${(await client.accounts.get(`${borrower}:loan:L1:principal`))?.balance}, in the wallet ${(await client.accounts.get(wallet))?.balance}, left of the line ${(await client.accounts.get(line))?.available}`,
)

await post({ id: 'back', type: 'refund', account: wallet, of: 'loan-2' })
console.log(
  `owed ${(await client.accounts.get(`${borrower}:loan:L1:principal`))?.balance}, in the wallet ${(await client.accounts.get(wallet))?.balance}, left of the line ${(await client.accounts.get(line))?.available}`,
)
await post({ ...loan, id: 'loan-4', amount: '999.99' })
client.close()
