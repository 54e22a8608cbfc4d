// Every scenario end to end at its smallest, so that none can rot: its figures mean nothing here, its checks do.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { programArgs } from '../adapters/testing/program.ts'
import { checkLedger } from './correctness.ts'
import { startBenchDatabase } from './database.ts'
import { fillLedger } from './fill.ts'
import type { BenchResult } from './measurement.ts'
import { scenarios } from './scenarios.ts'

let postgres: TestPostgres
const quiet = (): void => undefined

before(async () => {
  postgres = await testPostgres()
})
after(async () => {
  await postgres.stop()
})

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `npm run bench --` without its build. */
function bench(...args: readonly string[]): Promise<Ran> {
  const main = programArgs(new URL('./main.ts', import.meta.url), import.meta.url)
  return new Promise((resolve) => {
    execFile(process.execPath, [...main, ...args], { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

/** Of the rivals and settings a few stand for all: each rival has tests of its own. */
const only: Readonly<Record<string, readonly string[]>> = {
  peers: ['--only', 'micro-batch'],
  pools: ['--only', 'SQL function'],
  profile: ['--only', 'batch'],
}

for (const name of Object.keys(scenarios)) {
  test(`scenario ${name} runs, checks what it did and gives finite figures`, async () => {
    const args = [name, '--size', 'tiny', '--json', '--database-url', postgres.url, ...(only[name] ?? [])]
    const { code, stdout, stderr } = await bench(...args)
    assert.equal(code, 0, stderr)
    const { scenarios: ran } = JSON.parse(stdout) as BenchResult
    const [result] = ran
    assert.ok(result !== undefined && result.verified.length > 0 && result.cases.length > 0)
    for (const { name: one, figures } of result.cases) {
      assert.ok(Object.keys(figures).length > 0, one)
      for (const [figure, { median, rounds }] of Object.entries(figures)) {
        assert.ok(rounds.length > 0 && Number.isFinite(median), `${one}, ${figure}`)
      }
    }
  })
}

async function change(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

test('a filled ledger is as good as a lived one, over segments; one changed row or one missing debit is noticed', async () => {
  const url = await postgres.newDatabase()
  await fillLedger(url, { accounts: 20, rows: 2500, segmentRowsMax: 1000, say: quiet })
  assert.match(await checkLedger([url], { debitedMinor: 2500 }), /verify clean/)
  await assert.rejects(checkLedger([url], { debitedMinor: 2501 }), /2501 were debited, the house accounts have 2500/)
  await change(
    url,
    'UPDATE suanpan.journal SET amount = 2 WHERE kind = 1 AND pseq = (SELECT max(pseq) FROM suanpan.journal)',
  )
  await assert.rejects(checkLedger([url], { debitedMinor: 2500 }), /the ledger is broken/)
})

test('a Postgres without fsync gets no figures: nothing on stdout, exit code 1', async () => {
  const unsafe = await testPostgres({ fsync: 'off' })
  try {
    const { code, stdout, stderr } = await bench('limits', '--size', 'tiny', '--json', '--database-url', unsafe.url)
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /fsync is off/)
  } finally {
    await unsafe.stop()
  }
})

test('a command line that is wrong says so and runs nothing', async () => {
  const { code, stdout, stderr } = await bench('enigne')
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /there is no scenario "enigne"/)
})

test('a Postgres of the benchmark is gone with all its data, also where root started it', async () => {
  const elsewhere = async (): Promise<readonly string[]> => await readdir('/var/lib/suanpan').catch(() => [])
  const before = new Set(await elsewhere())
  const database = await startBenchDatabase()
  await database.stop()
  assert.deepEqual(
    (await elsewhere()).filter((name) => !before.has(name) && name.startsWith('postgres-')),
    [],
  )
})
