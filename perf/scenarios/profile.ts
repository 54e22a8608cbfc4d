// Where the time of each thread goes, function by function: a server under batches and under single calls, with V8's sampling profiler in it. The tables
// are what `docs/performance.md` shows; the .cpuprofile files are kept for a flame graph (open them in Chrome's or VS Code's profiler).
import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { busyMicros, type CpuProfile, functionTimes, isOfWorker } from '../cpu-profile.ts'
import { answersOf, closedLoop } from '../load/loops.ts'
import { batchDebits, singleDebits } from '../load/requests.ts'
import { type Case, figure } from '../measurement.ts'
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
    const { transactions, check } = await profiled(bench, load, into, accounts)
    verified.push(`${load}: ${check}`)
    for (const name of await readdir(into)) {
      const read = JSON.parse(await readFile(join(into, name), 'utf8')) as CpuProfile
      cases.push(...casesOf(`${load}, ${isOfWorker(read) ? 'worker' : 'main'}`, read, transactions))
    }
  }
  return resultOf({
    verified,
    cases,
    notes: [
      `The .cpuprofile files are in ${folder}. Sampling costs some percent, and start and warm-up are in it: read the shares, not the sums.`,
    ],
  })
}

async function profiled(
  bench: Bench,
  load: 'single' | 'batch',
  folder: string,
  accounts: number,
): Promise<{ transactions: number; check: string }> {
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.3, small: 6, full: 20 })
  const batches = bench.sized({ tiny: 2, small: 300, full: 1000 })
  const database = await bench.database()
  const url = await database.fresh(`profile_${load}`)
  await openAccounts(url, accounts)
  const server = await startServerRun({ url, accounts, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`] })
  const pick = uniform(accounts, 12)
  let posted = 0
  try {
    if (load === 'single') {
      posted = answersOf(await closedLoop({ url: server.url, connections: 64, seconds, next: singleDebits('p', pick) }))
    } else {
      const { requests, check } = batchDebits('ndjson', 'p', batches, 100, pick)
      const left = requests.values()
      const loaded = await closedLoop({
        url: server.url,
        connections: 4,
        seconds: 600,
        next: () => left.next().value,
        check,
      })
      posted = answersOf(loaded, 200) * 100
    }
  } finally {
    await server.stop()
  }
  return { transactions: posted, check: await checkLedger([url], { debitedMinor: posted + server.warmed }) }
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
