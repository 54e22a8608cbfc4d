// Where the time of each thread goes, function by function: a server under batches and under single calls, with V8's sampling profiler in it, and
// its Postgres under `perf` where there is one. The tables and flame graphs are what `docs/performance.md` shows.
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { between, busyMicros, type CpuProfile, functionTimes, isOfWorker, stacksOf } from '../cpu-profile.ts'
import { answersOf, closedLoop } from '../load/loops.ts'
import { batchDebits, singleDebits } from '../load/requests.ts'
import { type Case, figure } from '../measurement.ts'
import { profilePostgres } from '../postgres-profile.ts'
import { flameGraph, type Stack } from '../report/flame.ts'
import { openAccounts, startServerRun } from '../server-run.ts'
import { uniform } from '../zipf.ts'

const shown = 25

export const profile: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const folder = await mkdtemp(join(tmpdir(), 'suanpan-profile-'))
  const cases: Case[] = []
  const verified: string[] = []
  for (const load of ['single', 'batch'] as const) {
    if (!bench.wanted(load)) continue
    bench.say(`profile: ${load}`)
    const into = join(folder, load)
    await mkdir(into)
    const { transactions, check, postgres, from, to } = await profiled(bench, load, into, accounts)
    verified.push(`${load}: ${check}`)
    if (postgres !== undefined) await drawFlames(bench, `${load}-postgres`, postgres)
    for (const name of await readdir(into)) {
      if (!name.endsWith('.cpuprofile')) continue
      const read = between(JSON.parse(await readFile(join(into, name), 'utf8')) as CpuProfile, from, to)
      const thread = isOfWorker(read) ? 'worker' : 'main'
      cases.push(...casesOf(`${load}, ${thread}`, read, transactions))
      await drawFlames(bench, `${load}-${thread}`, stacksOf(read))
    }
  }
  bench.say(`the .cpuprofile files are in ${folder}`)
  return resultOf({
    verified,
    cases,
    notes: ['Sampling costs some percent: read the shares, not the sums.'],
  })
}

interface Profiled {
  readonly transactions: number
  readonly check: string
  /** Of the backends; undefined: not asked for, or not possible. */
  readonly postgres: readonly Stack[] | undefined
  /** When the load began and ended, in microseconds of the monotonic clock. */
  readonly from: number
  readonly to: number
}

const batchLines = 1000

async function profiled(bench: Bench, load: 'single' | 'batch', folder: string, accounts: number): Promise<Profiled> {
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.3, small: 6, full: 20 })
  const batches = bench.sized({ tiny: 2, small: 300, full: 1000 })
  const database = await bench.database()
  const url = await database.fresh(`profile_${load}`)
  await openAccounts(url, accounts)
  const server = await startServerRun({ url, accounts, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`] })
  const pick = uniform(accounts, 12)
  const sampled =
    bench.flames === undefined || database.pid === undefined
      ? undefined
      : await profilePostgres(database.pid, join(folder, 'postgres.perf'))
  const from = monotonicMicros()
  let to = from
  let posted = 0
  let postgres: Stack[] | undefined
  try {
    if (load === 'single') {
      posted = answersOf(await closedLoop({ url: server.url, connections: 64, seconds, next: singleDebits('p', pick) }))
    } else {
      const { requests, check } = batchDebits('ndjson', 'p', batches, batchLines, pick)
      const left = requests.values()
      const loaded = await closedLoop({
        url: server.url,
        connections: 4,
        seconds: 600,
        next: () => left.next().value,
        check,
      })
      posted = answersOf(loaded, 200) * batchLines
    }
    to = monotonicMicros()
  } finally {
    postgres = await sampled?.end()
    await server.stop()
  }
  return {
    transactions: posted,
    postgres,
    from,
    to,
    check: await checkLedger([url], { debitedMinor: posted + server.warmed }),
  }
}

const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1000n)

async function drawFlames({ flames, say }: Bench, name: string, stacks: readonly Stack[]): Promise<void> {
  if (flames === undefined) return
  await mkdir(flames, { recursive: true })
  const file = join(flames, `${name}.svg`)
  await writeFile(file, flameGraph(`CPU time: ${name.replace('-', ', ')}`, stacks))
  say(`wrote ${file}`)
}

function casesOf(thread: string, read: CpuProfile, transactions: number): Case[] {
  const busy = busyMicros(read)
  return functionTimes(read)
    .slice(0, shown)
    .map(({ name, where, selfMicros, totalMicros }) => ({
      name: `${thread}: ${name} ${where}`.trimEnd(),
      setup: { transactions },
      figures: {
        'self %': figure('% of busy time', [(selfMicros * 100) / busy]),
        'with callees %': figure('% of busy time', [(totalMicros * 100) / busy]),
        'self us/tx': figure('us/tx', [selfMicros / transactions]),
      },
    }))
}
