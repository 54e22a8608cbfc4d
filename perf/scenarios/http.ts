// One transaction a request, at 1 to 256 connections, beside a bare Fastify route of the same shape; and batches of 1,000 in each format, beside the
// same server's engine. The load comes from a lean client of our own; one case repeats the comparison under autocannon, which costs more CPU than
// the bare route under it.
import { setTimeout as pause } from 'node:timers/promises'
import { defaultPartitions } from '../../api/compose.ts'
import type { Bench, Scenario } from '../bench.ts'
import { resultOf } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, cpuPerTx, readCpu } from '../cpu.ts'
import { type EngineRun, startEngineRun } from '../engine-run.ts'
import { load as autocannonLoad, type BenchServer, startServer } from '../http-run.ts'
import { answersOf, closedLoop, latencyOf } from '../load/loops.ts'
import { type BatchKind, batchDebits, batchKinds, singleDebits } from '../load/requests.ts'
import { type Case, type Figure, figure } from '../measurement.ts'
import { openAccounts, startServerRun } from '../server-run.ts'
import { median, pairedRatio } from '../statistics.ts'
import { uniform } from '../zipf.ts'

interface Rounds {
  readonly rates: number[]
  readonly p50: number[]
  readonly p99: number[]
  readonly cpu: Record<string, number[]>
}

const batchSize = 1000
const batchConnections = 4

export const http: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.2, small: 1.5, full: 5 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const counts = bench.sized({ tiny: [1, 16], small: [1, 16, 64, 256], full: [1, 16, 64, 256] })
  const batches = bench.sized({ tiny: 2, small: 40, full: 200 })
  const database = await bench.database()
  const url = await database.fresh('http')
  bench.say(`http: opening ${accounts} accounts`)
  await openAccounts(url, accounts)
  const bare = await startServer('./bare-server.js', [], {})
  const suanpan = await startServerRun({ url, accounts })
  const inProcess = await startInProcess(await database.fresh('http_engine'), accounts)
  const pick = uniform(accounts, 3)
  const measured = new Map<string, Rounds>()
  let posted = suanpan.warmed
  try {
    const single = async (server: BenchServer, name: string, connections: number, into: Rounds): Promise<number> => {
      const cpu = () => readCpu({ server: server.pid, client: process.pid, postmaster: database.pid })
      const before = cpu()
      const loaded = await closedLoop({ url: server.url, connections, seconds, next: singleDebits(name, pick) })
      const answered = answersOf(loaded)
      note(into, answered / loaded.seconds, cpuPerTx(before, cpu(), answered))
      const latency = latencyOf(loaded.latency)
      into.p50.push(latency.p50Ms)
      into.p99.push(latency.p99Ms)
      return answered
    }
    await single(bare, 'warm', 64, empty())
    posted += await single(suanpan, 'warm', 64, empty())
    for (let i = 0; i < rounds; i++) {
      bench.say(`http: round ${i + 1} of ${rounds}`)
      for (const connections of counts) {
        await single(bare, 'b', connections, roundsOf(measured, `bare Fastify, ${connections}`))
        const name = `suanpan, ${connections}`
        posted += await single(suanpan, `s${i}-${connections}`, connections, roundsOf(measured, name))
      }
      for (const kind of batchKinds) {
        const into = roundsOf(measured, `batch ${kind}`)
        posted += await batchRound(bench, suanpan, database.pid, kind, `k${i}-${kind}`, batches, pick, into)
      }
      const perRound = batches * (bench.size === 'tiny' ? 100 : batchSize)
      note(roundsOf(measured, 'in-process'), await inProcess.round(perRound, false), {})
      if (bench.size !== 'tiny' && i < 2) posted += await underAutocannon(bare, suanpan, i, accounts, seconds, measured)
      await pause(50)
    }
  } finally {
    await suanpan.stop()
    await bare.stop()
    await inProcess.close()
  }
  bench.say('http: verifying')
  const verified = await checkLedger([url], { debitedMinor: posted })
  const setup = { accounts, distribution: 'uniform', mailbox: 'memory', workers: 1 }
  return resultOf({
    verified: [verified],
    cases: [...measured].map(([name, into]) => caseOf(name, into, measured, setup)),
    notes: [
      'Every answer is durable, so accepted and durable are one figure here; a closed loop leaves at most one request a connection to drain.',
      'Load: a lean client in one thread. Where its CPU and the server’s main thread together pass one core, both take from each other on two cores.',
    ],
  })
}

/** What batches over HTTP are held against: the engine in this process, on a ledger of its own. */
async function startInProcess(url: string, accounts: number): Promise<EngineRun> {
  const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions })
  await run.round(accounts * 3, false)
  return run
}

async function batchRound(
  bench: Bench,
  server: BenchServer,
  postmaster: number | undefined,
  kind: BatchKind,
  name: string,
  batches: number,
  pick: () => number,
  into: Rounds,
): Promise<number> {
  const size = bench.size === 'tiny' ? 100 : batchSize
  const { requests, check } = batchDebits(kind, name, batches, size, pick)
  const left = requests.values()
  const cpu = () => readCpu({ server: server.pid, client: process.pid, postmaster })
  const before = cpu()
  const loaded = await closedLoop({
    url: server.url,
    connections: batchConnections,
    seconds: 600,
    next: () => left.next().value,
    check,
  })
  const answered = answersOf(loaded, 200) * size
  note(into, answered / loaded.seconds, cpuPerTx(before, cpu(), answered))
  return answered
}

/** As many requests as the lean client got answered in the time: autocannon then breaks nothing off, and the ledger can be checked. */
async function underAutocannon(
  bare: BenchServer,
  suanpan: BenchServer,
  round: number,
  accounts: number,
  seconds: number,
  measured: Map<string, Rounds>,
): Promise<number> {
  const options = { connections: 64, seconds: 600, accounts }
  const amountOf = (name: string): number => Math.ceil(seconds * median(measured.get(name)?.rates ?? [1000]))
  const bareAmount = amountOf('bare Fastify, 64')
  const toBare = await autocannonLoad(bare.url, { ...options, name: `ab${round}`, amount: bareAmount })
  note(roundsOf(measured, 'bare Fastify, 64, autocannon'), toBare.perSec, {})
  const amount = amountOf('suanpan, 64')
  const toSuanpan = await autocannonLoad(suanpan.url, { ...options, name: `as${round}`, amount })
  if (toSuanpan.not201 > 0) throw new Error(`${toSuanpan.not201} of ${amount} requests were not answered 201`)
  note(roundsOf(measured, 'suanpan, 64, autocannon'), toSuanpan.perSec, {})
  return toSuanpan.requests
}

function note(into: Rounds, rate: number, cpu: Readonly<Record<string, number>>): void {
  into.rates.push(rate)
  addRound(into.cpu, cpu)
}

const empty = (): Rounds => ({ rates: [], p50: [], p99: [], cpu: {} })

function roundsOf(measured: Map<string, Rounds>, name: string): Rounds {
  const known = measured.get(name)
  if (known !== undefined) return known
  const fresh = empty()
  measured.set(name, fresh)
  return fresh
}

function caseOf(
  name: string,
  into: Rounds,
  measured: ReadonlyMap<string, Rounds>,
  setup: Readonly<Record<string, string | number>>,
): Case {
  const bare = name.startsWith('suanpan') ? measured.get(name.replace('suanpan', 'bare Fastify')) : undefined
  const figures: Record<string, Figure> = { 'durable tx/s': figure('tx/s', into.rates) }
  if (bare !== undefined) figures['to bare Fastify'] = figure('ratio', pairedRatio(into.rates, bare.rates).rounds)
  const inProcess = measured.get('in-process')
  if (name.startsWith('batch') && inProcess !== undefined) {
    figures['to in-process'] = figure('ratio', pairedRatio(into.rates, inProcess.rates).rounds)
  }
  if (into.p50.length > 0) {
    figures['p50 ms'] = figure('ms', into.p50)
    figures['p99 ms'] = figure('ms', into.p99)
  }
  for (const [part, micros] of Object.entries(into.cpu)) figures[`CPU ${part}`] = figure('us/tx', micros)
  const load = name.startsWith('batch')
    ? { 'batch (debits a request)': batchSize, connections: batchConnections }
    : { connections: Number(/\d+/.exec(name)?.[0] ?? 0) }
  return { name, setup: { ...load, ...setup }, figures }
}
