import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseUnlessDurable } from './database.ts'
import { commandLine, UsageError } from './options.ts'

test('options: a scenario with what scales it', () => {
  const line = commandLine(['scale', '--rows', '50M', '--accounts', '100k', '--size', 'full', '--json'])
  assert.deepEqual(
    [line.words, line.rows, line.accounts, line.size, line.json],
    [['scale'], 50_000_000, 100_000, 'full', true],
  )
  assert.equal(commandLine(['--rows', '1_000']).rows, 1000)
})

for (const args of [['--size', 'huge'], ['--rows', '1.5'], ['--rows', '0'], ['--seconds', '-1'], ['--nonsense']]) {
  test(`options: ${args.join(' ')} is refused`, () => assert.throws(() => commandLine(args), UsageError))
}

test('options: help is no mistake', () => assert.equal(commandLine(['--help']).help, true))

test('durability: a Postgres that does not flush gives no figures', () => {
  refuseUnlessDurable({ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' })
  assert.throws(() => refuseUnlessDurable({ fsync: 'off', synchronous_commit: 'on' }), /fsync is off/)
  assert.throws(
    () => refuseUnlessDurable({ synchronous_commit: 'off', full_page_writes: 'off' }),
    /synchronous_commit and full_page_writes is off/,
  )
})
