// The package as its users get it: packed, put beside its dependencies, and used by a test of plain JavaScript, one whose types are checked, and
// one under each of the other test runners.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { projectRoot } from '../../adapters/testing/program.ts'

const run = promisify(execFile)
const root = projectRoot()
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'suanpan-package-'))
  // Packing builds first.
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as readonly { readonly filename: string }[]
  const modules = join(folder, 'node_modules')
  const target = join(modules, 'suanpan')
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', join(folder, packed?.filename ?? ''), '--strip-components=1', '-C', target])
  // An installation would put them here; this one needs no registry.
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'))
  for (const name of ['@types/node', 'typescript', 'fast-check']) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
})
after(() => rm(folder, { recursive: true }))

const consumer = (asserts: string): string => `
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHarness, explore } from 'suanpan/testing'

test('two taps, one payment', async () => {
  const bank = await createHarness({ seed: 7, accounts: { 'cust-1:cash': '100.00 CNY' } })
  const { winners } = await bank.race(2, () => bank.debit({ id: 'order-1', account: 'cust-1:cash', amount: '60.00' }))
  ${asserts}
  await bank.assertInvariants()
})

test('a failure names its seed', async () => {
  await assert.rejects(
    explore({ seeds: 3, accounts: { 'cust-1:cash': '1.00 CNY' } }, async (bank) => {
      assert.equal(bank.account('cust-1:cash').balance, '2.00')
    }),
    /SUANPAN_SEED=1 node .*consumer/,
  )
})
`

test('a test of plain JavaScript runs under node --test', async () => {
  await writeFile(join(folder, 'consumer.test.js'), consumer(`assert.equal(winners.length, 1)`))
  const { stdout } = await run(process.execPath, ['--test', 'consumer.test.js'], { cwd: folder, env: plain() })
  assert.match(stdout, /pass 2/)
})

test('the types say what there is, and what there is not', async () => {
  const wrong = `
const bank = await createHarness({ faults: { thread_dies: 2 } })
// @ts-expect-error there is no such fault
await createHarness({ faults: { cosmic_rays: 1 } })
// @ts-expect-error an amount is a decimal string
await bank.debit({ account: 'cust-1:cash', amount: 60 })
const outcome = await bank.hold({ account: 'cust-1:cash', amount: '1', expiresIn: 60 })
if (outcome.status === 'declined') outcome.problem.code satisfies string
import { transactions } from 'suanpan/testing/arbitraries'
transactions({ accounts: ['cust-1:cash'] })
`
  await writeFile(join(folder, 'consumer.ts'), consumer(`assert.equal(winners[0]?.status, 'posted')`) + wrong)
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', 'consumer.ts']
  const { stdout } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags], {
    cwd: folder,
  }).catch((error: { readonly stdout: string }) => error)
  assert.equal(stdout, '')
})

test('vitest and jest run it, and their failures name the seed', { timeout: 120_000 }, async () => {
  const runners = join(folder, 'runners')
  await mkdir(runners)
  await writeFile(join(runners, 'package.json'), '{"type":"module"}')
  await writeFile(
    join(runners, 'consumer.test.js'),
    `
import { createHarness, explore } from 'suanpan/testing'

test('two taps, one payment', async () => {
  const bank = await createHarness({ seed: 7, accounts: { 'cust-1:cash': '100.00 CNY' } })
  const { winners } = await bank.race(2, () => bank.debit({ id: 'order-1', account: 'cust-1:cash', amount: '60.00' }))
  expect(winners.length).toBe(1)
  await bank.assertInvariants()
})

test('must fail', () =>
  explore({ seeds: 3, accounts: { 'cust-1:cash': '1.00 CNY' } }, async (bank) => {
    await bank.debit({ id: 'tap', account: 'cust-1:cash', amount: '1.00' })
    expect(bank.account('cust-1:cash').balance).toBe('2.00')
  }))
`,
  )
  const modules = join(root, 'node_modules')
  const vitest = [join(modules, 'vitest/vitest.mjs'), 'run', '--globals']
  const jest = ['--experimental-vm-modules', join(modules, 'jest/bin/jest.js'), '--transform', '{}']
  for (const [name, command] of Object.entries({ vitest, jest })) {
    const failed = await run(process.execPath, command, { cwd: runners, env: { ...plain(), NO_COLOR: '1' } }).then(
      () => assert.fail(`${name} does not see the test that must fail`),
      (error: { readonly stdout: string; readonly stderr: string }) => error.stdout + error.stderr,
    )
    assert.match(failed, /1 failed[^\n]*1 passed/, name)
    assert.match(failed, /seed 1: /, name)
    assert.match(failed, /The last 1 of 1 commands:\n.*"id":"tap"/, name)
    assert.match(failed, new RegExp(`Again: SUANPAN_SEED=1 .*npx ${name}.* consumer\\.test\\.js`), name)
  }
})

test('a failure names the file where the runner is not asked for globals and the test does not wait itself', {
  timeout: 120_000,
}, async () => {
  const imported = join(folder, 'imported')
  await mkdir(imported)
  await writeFile(join(imported, 'package.json'), '{"type":"module"}')
  await symlink(join(root, 'node_modules'), join(imported, 'node_modules'))
  await writeFile(
    join(imported, 'imported.test.js'),
    `
import { expect, test } from 'vitest'
import { explore } from '../node_modules/suanpan/dist/api/harness/testing.js'

test('must fail', () =>
  explore({ seeds: 3, accounts: { 'cust-1:cash': '1.00 CNY' } }, async (bank) => {
    expect(bank.seed).toBe(1)
  }))
`,
  )
  const failed = await run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run'], {
    cwd: imported,
    env: { ...plain(), NO_COLOR: '1' },
  }).then(
    () => assert.fail('vitest does not see the test that must fail'),
    (error: { readonly stdout: string; readonly stderr: string }) => error.stdout + error.stderr,
  )
  assert.match(failed, /Again: SUANPAN_SEED=2 npx vitest run imported\.test\.js/)
})

/** Without what this test runner tells its own children. */
const plain = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|SUANPAN_|TSX)/.test(name)))
