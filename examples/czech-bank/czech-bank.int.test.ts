// A real bank's fifteen months through a real server: what stands in the ledger afterwards is what the file says, account by account.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCaptured } from '../../api/cli/testing/captured-io.ts'
import { createClient } from '../../api/client/client.ts'
import { startTestServer } from '../../api/testing/test-server.ts'
import { bankFile, korunas, mappingFile, skipped, sumBankFile } from './independent-sum.ts'

test('49,102 rows of a bank are posted to the haléř, and a second run posts none', { skip: skipped }, async (t) => {
  const sums = await sumBankFile(bankFile)
  const server = await startTestServer()
  t.after(() => server.stop())
  const client = createClient({ url: server.url })
  t.after(() => client.close())
  const post = () => runCaptured(['post', bankFile, '--mapping', mappingFile, '--url', server.url])

  const assertBalances = async () => {
    const accounts = [...sums.accounts]
    const read = await Promise.all(accounts.map(([id]) => client.accounts.get(id)))
    let total = 0n
    for (const [i, [id, { balance, rows }]] of accounts.entries()) {
      const account = read[i]
      assert.deepEqual([id, account?.asset, account?.balance, account?.seq], [id, 'CZK', korunas(balance), rows])
      total += balance
    }
    for (const [id, { balance, rows }] of sums.house) {
      const account = await client.accounts.get(id, { asset: 'CZK' })
      assert.deepEqual([id, account?.balance, account?.seq], [id, korunas(balance), rows])
      total += balance
    }
    assert.equal(total, 0n)
  }

  const first = await post()
  assert.equal(first.code, 0, first.out + first.err)
  assert.match(first.err, /1,229 accounts opened/)
  assert.match(first.out, /posted +49,102\n/)
  await assertBalances()

  const second = await post()
  assert.equal(second.code, 0, second.out + second.err)
  assert.match(second.out, /posted +0\n +replayed +49,102 /)
  await assertBalances()

  const entries = []
  for await (const entry of client.entries('acct-576:cash', { limit: 50 })) entries.push(entry)
  assert.deepEqual(
    entries.map((entry) => entry.seq),
    Array.from({ length: sums.accounts.get('acct-576:cash')?.rows ?? 0 }, (_, n) => n + 1),
  )
  assert.equal(entries.at(-1)?.balance, korunas(sums.accounts.get('acct-576:cash')?.balance ?? 0n))
})
