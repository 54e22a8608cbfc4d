// How long an answer takes at a fixed rate, whatever the server does: an open loop at parts of the top rate that was just measured, every request counted
// from the moment it was due. And the idle server: one request after the other.
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { answersOf, closedLoop, type Latency, latencyOf, openLoop } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { type Case, figure, type Series } from '../measurement.ts'
import { openAccounts, startServerRun } from '../server-run.ts'
import { rounded } from '../statistics.ts'
import { uniform } from '../zipf.ts'

const connections = 256
const shares = [0.1, 0.25, 0.5, 0.75, 0.9]
const percentiles = [50, 75, 90, 95, 99, 99.9]

export const latency: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.3, small: 3, full: 20 })
  const rounds = bench.sized({ tiny: 1, small: 2, full: 3 })
  const database = await bench.database()
  const url = await database.fresh('latency')
  await openAccounts(url, accounts)
  const server = await startServerRun({ url, accounts })
  const pick = uniform(accounts, 7)
  let posted = server.warmed
  const idle: Latency[] = []
  const tops: number[] = []
  const measured = new Map(
    shares.map((share) => [
      share,
      { rates: [] as number[], latencies: [] as Latency[], late: [] as number[], queued: 0 },
    ]),
  )
  const series: Series[] = []
  try {
    posted += answersOf(
      await closedLoop({ url: server.url, connections: 64, seconds, next: singleDebits('warm', pick) }),
    )
    for (let i = 0; i < rounds; i++) {
      bench.say(`latency: round ${i + 1} of ${rounds}`)
      const alone = await closedLoop({
        url: server.url,
        connections: 1,
        seconds: seconds / 2,
        next: singleDebits(`i${i}`, pick),
      })
      idle.push(latencyOf(alone.latency))
      const full = await closedLoop({
        url: server.url,
        connections: 64,
        seconds: seconds / 2,
        next: singleDebits(`t${i}`, pick),
      })
      const top = answersOf(full) / full.seconds
      tops.push(top)
      posted += answersOf(alone) + answersOf(full)
      for (const [share, into] of measured) {
        const ratePerSec = Math.max(20, Math.round(top * share))
        const name = `o${i}-${share * 100}`
        const loaded = await openLoop({
          url: server.url,
          connections,
          seconds,
          ratePerSec,
          next: singleDebits(name, pick),
        })
        posted += answersOf(loaded)
        into.rates.push(ratePerSec)
        into.latencies.push(latencyOf(loaded.latency))
        into.late.push(latencyOf(loaded.lateness).p99Ms)
        into.queued = Math.max(into.queued, loaded.queuedMost)
        if (i > 0) continue
        series.push({
          name: `${Math.round(share * 100)} % of the top rate`,
          x: 'percentile',
          y: 'ms',
          points: percentiles.map((p) => [p, rounded(loaded.latency.percentile(p) / 1e6)]),
        })
      }
    }
  } finally {
    await server.stop()
  }
  const verified = await checkLedger([url], { debitedMinor: posted })
  const cases: Case[] = [
    { name: 'idle', setup: { connections: 1, accounts }, figures: latencyFigures(idle) },
    { name: 'top rate', setup: { connections: 64, accounts }, figures: { 'durable tx/s': figure('tx/s', tops) } },
    ...[...measured].map(
      ([share, { rates, latencies, late, queued }]): Case => ({
        name: `${Math.round(share * 100)} % of the top rate`,
        setup: { connections, accounts, distribution: 'uniform', 'most waiting for a connection': queued },
        figures: { 'tx/s': figure('tx/s', rates), ...latencyFigures(latencies), 'client p99 ms': figure('ms', late) },
      }),
    ),
  ]
  return resultOf({
    verified: [verified],
    cases,
    series,
    notes: [
      'Open loop: a request counts from the moment it was due, also while it waits for a connection. The client looks at the clock once a millisecond; "client p99" is how late it noticed, and is part of the figures.',
    ],
  })
}

const latencyFigures = (latencies: readonly Latency[]): Case['figures'] => ({
  'mean ms': figure(
    'ms',
    latencies.map(({ meanMs }) => meanMs),
  ),
  'p50 ms': figure(
    'ms',
    latencies.map(({ p50Ms }) => p50Ms),
  ),
  'p95 ms': figure(
    'ms',
    latencies.map(({ p95Ms }) => p95Ms),
  ),
  'p99 ms': figure(
    'ms',
    latencies.map(({ p99Ms }) => p99Ms),
  ),
  'max ms': figure(
    'ms',
    latencies.map(({ maxMs }) => maxMs),
  ),
})
