// The three examples of consumer finance print what their README shows.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { startTestServer, type TestServer } from '../api/testing/test-server.ts'

let server: TestServer
before(async () => {
  server = await startTestServer()
})
after(() => server?.stop())

const run = promisify(execFile)
async function outputOf(name: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const script = `${import.meta.dirname}/${name}/${name}.ts`
  const { stdout } = await run(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, SUANPAN_URL: server.url, ...env },
  })
  return stdout
}
const readme = (name: string): string => readFileSync(`${import.meta.dirname}/${name}/README.md`, 'utf8')

for (const name of ['order-payment', 'joint-loan'])
  test(`${name} prints what its README shows`, { timeout: 120_000 }, async () => {
    assert.ok(readme(name).includes(await outputOf(name)))
  })

test('flash-sale: 1,000 winners, whatever the crowd', { timeout: 180_000 }, async () => {
  const output = await outputOf('flash-sale', { CUSTOMERS: '3000' })
  assert.match(output, /coupon_exhausted +2000\n +posted +1000\n/)
  assert.match(output, /issued 1000, left 0, claimed 1000, winners 1000/)
})
