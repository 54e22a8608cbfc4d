// The command line against a real server that is killed in the middle of a file.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { testPostgres } from '../../../adapters/embedded/testing/test-postgres.ts'
import { createClient } from '../../client/client.ts'
import { startTestServer } from '../../testing/test-server.ts'
import { runCaptured } from '../testing/captured-io.ts'

const rows = 20_000
const owners = 100

test('a server killed in mid-file and started again: every row is posted once, in one run of post', async (t) => {
  const postgres = await testPostgres()
  t.after(() => postgres.stop())
  const databaseUrl = await postgres.newDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'post-int-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'rows.csv')
  const mapping = join(folder, 'mapping.json')
  await writeFile(
    mapping,
    JSON.stringify({
      id: 'k-{no}',
      type: 'credit',
      account: 'cust-{owner}:cash',
      amount: { column: 'amount' },
      asset: 'CNY',
      open: { asset: 'CNY' },
    }),
  )
  await writeFile(
    file,
    `no,owner,amount\n${Array.from({ length: rows }, (_, n) => `${n},${n % owners},1.00\n`).join('')}`,
  )

  let server = await startTestServer({ databaseUrl })
  const { url } = server
  const client = createClient({ url, retry: { retriesMax: 0 } })
  t.after(() => client.close())
  const posting = runCaptured(['post', file, '-m', mapping, '--url', url], {
    retry: { retriesMax: 200, delayMs: 100, delayMsMax: 500 },
  })
  const posted = async () => Number((await client.accounts.get('cust-7:cash').catch(() => undefined))?.seq ?? 0)
  while ((await posted()) < 20) await turn()
  await server.kill9()
  server = await startTestServer({ databaseUrl, env: { PORT: new URL(url).port } })
  t.after(() => server.stop())

  const ran = await posting
  assert.equal(ran.code, 0, ran.out + ran.err)
  assert.match(ran.err, /was lost|Nothing can be reached/)
  assert.match(ran.out, /^20,000 rows of rows\.csv/)
  for (let owner = 0; owner < owners; owner++) {
    const account = await client.accounts.get(`cust-${owner}:cash`)
    assert.deepEqual([account?.balance, account?.seq], [`${rows / owners}.00`, rows / owners])
  }
})
