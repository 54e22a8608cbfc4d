import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { programArgs } from '../../adapters/testing/program.ts'
import { nearest } from './command.ts'
import { runCaptured } from './testing/captured-io.ts'
import { startFakeServer } from './testing/fake-server.ts'

test('help, version and mistakes at the top', async () => {
  const overview = await runCaptured(['--help'])
  assert.equal(overview.code, 0)
  for (const name of ['serve', 'post', 'account', 'tx', 'verify'])
    assert.match(overview.out, new RegExp(`^ {2}${name} `, 'm'))
  assert.match(overview.out, /Exit codes:/)
  assert.match((await runCaptured(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
  const none = await runCaptured([])
  assert.equal(none.code, 2)
  const misspelt = await runCaptured(['acount', 'x'])
  assert.equal(misspelt.code, 2)
  assert.match(misspelt.err, /there is no command acount; did you mean "suanpan account"\?/)
  assert.equal((await runCaptured(['constructor'])).code, 2)
})

for (const name of ['serve', 'post', 'account', 'tx', 'verify', 'shards', 'drill'])
  test(`${name} --help has usage, options and examples, and does nothing else`, async () => {
    const ran = await runCaptured([name, '--help'])
    assert.equal(ran.code, 0)
    assert.match(ran.out, new RegExp(`Usage: suanpan ${name}`))
    assert.match(ran.out, /Exit codes:\n {2}0 {2}\S/)
    // What only `post` can end with is not said of the others.
    assert.equal(/every row|rows do not map/.test(ran.out), name === 'post')
    assert.match(ran.out, new RegExp(`Examples:\n {2}.*suanpan ${name}`))
    assert.equal((await runCaptured(['help', name])).out, ran.out)
    // Fits a terminal of 120 columns.
    assert.deepEqual(
      ran.out.split('\n').filter((line) => line.length > 120),
      [],
    )
  })

test('account and tx: tables, JSON, and exit code 1 for what is not there', async (t) => {
  const server = await startFakeServer()
  t.after(() => server.close())
  const suanpan = (...argv: string[]) => runCaptured(argv, { env: { SUANPAN_URL: server.url } })
  const input = Array.from({ length: 30 }, (_, n) =>
    JSON.stringify({ id: `n-${n}`, type: 'credit', account: 'cust-1:cash', amount: '1.00' }),
  )
  server.accounts.set('cust-1:cash', {
    id: 'cust-1:cash',
    asset: 'CZK',
    overdraft: 5_00n,
    balance: 0n,
    seq: 0,
    status: 'open',
  })
  await runCaptured(['post', '-'], { env: { SUANPAN_URL: server.url }, input: input.join('\n') })

  const account = await suanpan('account', 'cust-1:cash')
  assert.equal(account.code, 0, account.err)
  assert.match(account.out, /^cust-1:cash\n {2}balance {4}30\.00 {2}CZK\n {2}held {8}0\.00 {2}CZK\n/)
  assert.equal(JSON.parse((await suanpan('account', 'cust-1:cash', '--json')).out).balance, '30.00')

  const entries = await suanpan('account', 'cust-1:cash', '--entries', '--limit', '3')
  assert.deepEqual(
    entries.out.split('\n').map((line) => line.trim().split(' ')[0]),
    ['seq', '30', '29', '28', ''],
  )
  const oldest = await suanpan('account', 'cust-1:cash', '-e', '--oldest', '--limit', '25', '--json')
  assert.deepEqual(
    oldest.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).seq),
    Array.from({ length: 25 }, (_, n) => n + 1),
  )
  assert.match((await suanpan('account', 'cust-1:cash', '--limit', '3')).err, /--limit goes with --entries/)
  const missing = await suanpan('account', 'cust-9:cash')
  assert.equal(missing.code, 1)
  assert.match(missing.err, /There is no account cust-9:cash\./)

  const tx = await suanpan('tx', 'n-3', '--owner', 'cust-1')
  assert.equal(tx.code, 0)
  assert.match(tx.out, /n-3 of cust-1\n {2}type {11}credit\n/)
  assert.match(tx.out, /1\.00 {2}CZK {2}credit {2}house:settlement:default -> cust-1:cash/)
  assert.equal((await suanpan('tx', 'n-99', '--owner', 'cust-1')).code, 1)
  const noOwner = await suanpan('tx', 'n-3')
  assert.equal(noOwner.code, 2)
  assert.match(noOwner.err, /--owner OWNER is missing/)
})

test('NO_COLOR and pipes get no escapes', async (t) => {
  const server = await startFakeServer()
  t.after(() => server.close())
  server.accounts.set('a:b', { id: 'a:b', asset: 'CZK', overdraft: 0n, balance: 0n, seq: 0, status: 'open' })
  const out = async (env: NodeJS.ProcessEnv, tty: boolean) =>
    (await runCaptured(['account', 'a:b'], { env: { SUANPAN_URL: server.url, ...env }, tty })).out
  assert.ok((await out({}, true)).includes('\u001b['))
  assert.ok(!(await out({ NO_COLOR: '1' }, true)).includes('\u001b['))
  assert.ok(!(await out({}, false)).includes('\u001b['))
})

test('the program itself gives the exit code to the shell', async () => {
  const main = programArgs(new URL('main.ts', import.meta.url), import.meta.url)
  const suanpan = (...argv: string[]) => promisify(execFile)(process.execPath, [...main, ...argv])
  assert.match((await suanpan('--version')).stdout, /^\d/)
  await assert.rejects(suanpan('pots'), (error) => (error as { code?: unknown }).code === 2)
})

test('a reader that is gone hides no exit code', async (t) => {
  const server = await startFakeServer()
  t.after(() => server.close())
  const main = programArgs(new URL('main.ts', import.meta.url), import.meta.url)
  const child = spawn(process.execPath, [...main, 'post', '-'], { env: { ...process.env, SUANPAN_URL: server.url } })
  child.stdout.destroy()
  child.stderr.destroy()
  server.accounts.set('a:b', { id: 'a:b', asset: 'CZK', overdraft: 0n, balance: 0n, seq: 0, status: 'open' })
  child.stdin.end('{"id":"n-1","type":"debit","account":"a:b","amount":"1.00"}\n')
  const [code] = await once(child, 'exit')
  assert.equal(server.decided.size, 1)
  assert.equal(code, 1)
})

test('verify in a folder without a ledger says so and makes none', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'run-test-'))
  t.after(() => rm(folder, { recursive: true }))
  const ran = await runCaptured(['verify'], { env: { DATA_DIR: join(folder, 'data') } })
  assert.equal(ran.code, 3)
  assert.match(ran.err, /there is no ledger in .*data: name it by DATA_DIR/)
  assert.deepEqual(await readdir(folder), [])
})

test('the nearest spelling is near, or there is none', () => {
  const names = ['account', 'amount', 'post', 'serve']
  assert.equal(nearest('acount', names), 'account')
  assert.equal(nearest('pots', names), 'post')
  assert.equal(nearest('verify', names), undefined)
})
