// Does it stay fast? The same batches against journals of growing length and against growing numbers of accounts, all of them on disk and none in memory
// at the start. `--rows` and `--accounts` give the largest; a tenth and none of it are measured beside it.
import { setTimeout as pause } from 'node:timers/promises'
import { defaultPartitions } from '../../api/compose.ts'
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, cpuPerTx, readCpu } from '../cpu.ts'
import type { BenchDatabase } from '../database.ts'
import { type EngineRun, startEngineRun } from '../engine-run.ts'
import { fillLedger } from '../fill.ts'
import { debits } from '../load/commands.ts'
import { type Case, type Figure, figure, type Series } from '../measurement.ts'
import { median, pairedRatio } from '../statistics.ts'
import { uniform } from '../zipf.ts'

interface Place {
  readonly rows: number
  readonly accounts: number
}

interface Standing extends Place {
  readonly url: string
  readonly rates: number[]
  readonly coldRates: number[]
  readonly cpu: Record<string, number[]>
  readonly startMs: number
  posted: number
}

const segmentRowsMax = 8_000_000

export const scale: Scenario = async (bench) => {
  const mostRows = bench.rows ?? bench.sized({ tiny: 3000, small: 1_000_000, full: 50_000_000 })
  const mostAccounts = bench.accounts ?? bench.sized({ tiny: 2000, small: 200_000, full: 10_000_000 })
  const someAccounts = bench.sized({ tiny: 500, small: 20_000, full: 100_000 })
  const perRound = bench.sized({ tiny: 1000, small: 40_000, full: 200_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const database = await bench.database()
  const byRows = bench
    .sized({ tiny: [0, mostRows], small: [0, mostRows / 5, mostRows], full: [0, mostRows / 5, mostRows] })
    .map((rows): Place => ({ rows: Math.round(rows), accounts: someAccounts }))
  const byAccounts = (bench.size === 'tiny' ? [mostAccounts] : accountSteps(mostAccounts)).map(
    (accounts): Place => ({ rows: 0, accounts }),
  )
  const journals = await measureAll(bench, database, 'rows', byRows, perRound, rounds)
  const crowds = await measureAll(bench, database, 'accounts', byAccounts, perRound, rounds)
  const [empty] = journals.standing
  const [few] = crowds.standing
  return resultOf({
    verified: [...journals.verified, ...crowds.verified],
    cases: [
      ...journals.standing.map((standing) =>
        caseOf(`journal of ${standing.rows} rows`, standing, empty, 'to empty', perRound),
      ),
      ...crowds.standing.map((standing) =>
        caseOf(`${standing.accounts} accounts`, standing, few, 'to the fewest', perRound),
      ),
    ],
    series: [
      line('journal rows', journals.standing, ({ rows }) => rows),
      line('accounts', crowds.standing, ({ accounts }) => accounts),
    ],
    notes: [
      `Filled by COPY of valid rows in segments of ${segmentRowsMax}, as the engine would have left them. "cold": every account named is read from disk first.`,
    ],
  })
}

/** 1 k, 100 k, 1 M, 10 M as far as they go, and the largest itself. */
const accountSteps = (most: number): number[] => [
  ...new Set([1000, 100_000, 1_000_000, 10_000_000].filter((step) => step < most).concat(most)),
]

async function measureAll(
  bench: Bench,
  database: BenchDatabase,
  kind: string,
  places: readonly Place[],
  perRound: number,
  rounds: number,
): Promise<{ standing: Standing[]; verified: string[] }> {
  const standing: Standing[] = []
  const runs: EngineRun[] = []
  try {
    for (const [i, { rows, accounts }] of places.entries()) {
      bench.say(`scale: ${rows} rows, ${accounts} accounts`)
      const url = await database.fresh(`scale_${kind}_${i}`)
      await fillLedger(url, { rows, accounts, segmentRowsMax, say: bench.say })
      const started = performance.now()
      const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions, opened: true })
      runs.push(run)
      standing.push({
        rows,
        accounts,
        url,
        rates: [],
        coldRates: [],
        cpu: {},
        startMs: performance.now() - started,
        posted: rows,
      })
    }
    for (const [i, run] of runs.entries()) {
      const here = standing[i]
      if (here === undefined) continue
      const posted = await run.post(debits(uniform(here.accounts, 20))('cold', perRound))
      here.coldRates.push((perRound * 1000) / posted.durableMs)
      here.posted += perRound
      // The rest of the accounts, as far as one round names them, come to memory before the rounds that count.
      await run.post(debits(uniform(here.accounts, 21))('warm', perRound))
      here.posted += perRound
    }
    await pause(200)
    for (let round = 0; round < rounds; round++) {
      for (const [i, run] of runs.entries()) {
        const here = standing[i]
        if (here !== undefined) await oneRound(run, here, database.pid, round, perRound)
      }
    }
  } finally {
    for (const run of runs) await run.close()
  }
  const verified: string[] = []
  for (const { url, posted, rows, accounts } of standing) {
    bench.say(`scale: verifying ${rows} rows, ${accounts} accounts`)
    verified.push(await checkLedger([url], { debitedMinor: posted }))
  }
  return { standing, verified }
}

async function oneRound(
  run: EngineRun,
  here: Standing,
  postmaster: number | undefined,
  round: number,
  perRound: number,
): Promise<void> {
  const commands = debits(uniform(here.accounts, 30 + round))(`r${round}`, perRound)
  const before = readCpu({ server: process.pid, postmaster })
  const posted = await run.post(commands)
  const spent = cpuPerTx(before, readCpu({ server: process.pid, postmaster }), perRound)
  here.rates.push((perRound * 1000) / posted.durableMs)
  addRound(here.cpu, spent)
  here.posted += perRound
}

function caseOf(name: string, here: Standing, base: Standing | undefined, against: string, perRound: number): Case {
  const figures: Record<string, Figure> = {
    'durable tx/s': figure('tx/s', here.rates),
    'cold tx/s': figure('tx/s', here.coldRates),
    'start ms': figure('ms', [here.startMs]),
  }
  if (base !== undefined && base !== here)
    figures[against] = figure('ratio', pairedRatio(here.rates, base.rates).rounds)
  for (const [part, micros] of Object.entries(here.cpu)) {
    if (part === 'worker' || part === 'backends') figures[`CPU ${part}`] = figure('us/tx', micros)
  }
  return {
    name,
    setup: {
      rows: here.rows,
      accounts: here.accounts,
      distribution: 'uniform',
      transactions: perRound,
      'batch (commands)': 10_000,
    },
    figures,
  }
}

const line = (x: string, standing: readonly Standing[], of: (here: Standing) => number): Series => ({
  name: `by ${x}`,
  x,
  y: 'durable tx/s',
  points: standing.map((here) => [of(here), Math.round(median(here.rates))]),
})
