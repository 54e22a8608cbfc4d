// Does it stay as it is? A mixed load at half of the top rate for as long as is asked: rate, latency and memory by interval, and how the last third
// differs from the first.
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { residentBytes } from '../cpu.ts'
import { answersOf, closedLoop, latencyOf, openLoop } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { figure, type Series } from '../measurement.ts'
import { openAccounts, startServerRun } from '../server-run.ts'
import { median } from '../statistics.ts'
import { zipf } from '../zipf.ts'

export const soak: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.9, small: 18, full: 3600 })
  const intervals = bench.sized({ tiny: 3, small: 6, full: 120 })
  const database = await bench.database()
  const url = await database.fresh('soak')
  await openAccounts(url, accounts)
  const server = await startServerRun({ url, accounts })
  const pick = zipf(accounts, 0.99, 10)
  const each = seconds / intervals
  const rates: number[] = []
  const p99: number[] = []
  const resident: number[] = []
  let posted = server.warmed
  let ratePerSec = 0
  try {
    const top = await closedLoop({
      url: server.url,
      connections: 64,
      seconds: Math.min(3, each),
      next: singleDebits('top', pick),
    })
    posted += answersOf(top)
    ratePerSec = Math.max(20, Math.round(answersOf(top) / top.seconds / 2))
    for (let i = 0; i < intervals; i++) {
      if (i % Math.ceil(intervals / 10) === 0)
        bench.say(`soak: ${Math.round(i * each)} of ${seconds} s at ${ratePerSec}/s`)
      const loaded = await openLoop({
        url: server.url,
        connections: 256,
        seconds: each,
        ratePerSec,
        next: singleDebits(`s${i}`, pick),
      })
      posted += answersOf(loaded)
      rates.push(answersOf(loaded) / loaded.seconds)
      p99.push(latencyOf(loaded.latency).p99Ms)
      resident.push((residentBytes(server.pid) ?? 0) / 2 ** 20)
    }
  } finally {
    await server.stop()
  }
  const verified = await checkLedger([url], { debitedMinor: posted })
  const third = Math.max(1, Math.floor(intervals / 3))
  const drift = (values: readonly number[]): number => median(values.slice(-third)) / median(values.slice(0, third))
  const line = (y: string, values: readonly number[]): Series => ({
    name: y,
    x: 'seconds',
    y,
    points: values.map((value, i) => [Math.round((i + 1) * each * 10) / 10, Math.round(value * 100) / 100]),
  })
  return resultOf({
    verified: [verified],
    cases: [
      {
        name: `${seconds} s at half the top rate`,
        setup: { accounts, distribution: 'zipf (s = 0.99)', 'rate (tx/s)': ratePerSec, connections: 256 },
        figures: {
          'tx/s': figure('tx/s', rates),
          'p99 ms': figure('ms', p99),
          'RSS MB': figure('MB', resident),
          'last third to first, rate': figure('ratio', [drift(rates)]),
          'last third to first, RSS': figure('ratio to 1', [drift(resident)]),
        },
      },
    ],
    series: [line('p99 ms', p99), line('RSS MB', resident)],
  })
}
