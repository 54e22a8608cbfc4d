// Suanpan beside what teams write today: the same requests over the same HTTP on the same Postgres, uniform and on one hot account, taking turns. Then
// the batch paths: the engine beside the set-based call of 1,000 debits.
import { defaultPartitions } from '../../api/compose.ts'
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import type { BenchDatabase } from '../database.ts'
import { startEngineRun } from '../engine-run.ts'
import { type BenchServer, startServer } from '../http-run.ts'
import { debits } from '../load/commands.ts'
import { answersOf, closedLoop, latencyOf } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { type Case, figure } from '../measurement.ts'
import { batchRows, postBatches } from '../peers/micro-batch.ts'
import { peerNames } from '../peers/peers.ts'
import { checkPeerTables, createPeerTables } from '../peers/schema.ts'
import { openAccounts, startServerRun } from '../server-run.ts'
import { pairedRatio } from '../statistics.ts'
import { type Picker, uniform } from '../zipf.ts'

const connections = 64
const batchSize = 1000

interface Rival {
  readonly name: string
  readonly server: BenchServer
  /** Debits acknowledged so far. */
  posted: number
  readonly check: (posted: number) => Promise<string>
}

interface Rounds {
  readonly rates: number[]
  readonly p50: number[]
  readonly p99: number[]
}

export const peersScenario: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.2, small: 1.5, full: 5 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const database = await bench.database()
  const loads: Readonly<Record<string, Picker>> = { uniform: uniform(accounts, 5), hot: () => 0 }
  const rivals = await startRivals(bench, database, accounts)
  const measured = new Map<string, Rounds>()
  const verified: string[] = []
  try {
    for (const rival of rivals) await load(rival, 'warm', loads.uniform, Math.min(1, seconds))
    for (let i = 0; i < rounds; i++) {
      bench.say(`peers: round ${i + 1} of ${rounds}`)
      for (const [distribution, pick] of Object.entries(loads)) {
        for (const rival of rivals) {
          const { rate, p50Ms, p99Ms } = await load(rival, `${distribution}-${i}`, pick, seconds)
          const into = roundsOf(measured, `${rival.name}, ${distribution}`)
          into.rates.push(rate)
          into.p50.push(p50Ms)
          into.p99.push(p99Ms)
        }
      }
    }
  } finally {
    for (const { server } of rivals) await server.stop()
  }
  for (const { name, posted, check } of rivals) verified.push(`${name}: ${await check(posted)}`)
  const cases = [...measured].map(([name, into]) => caseOf(name, into, measured, accounts))
  const batches = await batchPaths(bench, database)
  return resultOf({
    verified: [...verified, ...batches.verified],
    cases: [...cases, ...batches.cases],
    notes: [
      'The rivals do less: a refused debit is not recorded, and no account of the house is updated. Their pools: see `bench -- pools`.',
      '"ahead of it" is Suanpan’s rate divided by the rival’s, round by round.',
    ],
  })
}

async function startRivals(bench: Bench, database: BenchDatabase, accounts: number): Promise<Rival[]> {
  const url = await database.fresh('suanpan')
  await openAccounts(url, accounts)
  const suanpan = await startServerRun({ url, accounts })
  const rivals: Rival[] = [
    {
      name: 'suanpan',
      server: suanpan,
      posted: suanpan.warmed,
      check: (posted) => checkLedger([url], { debitedMinor: posted }),
    },
  ]
  for (const [i, name] of peerNames.entries()) {
    if (!bench.wanted(name)) continue
    const own = await database.fresh(`peer_${i}`)
    await createPeerTables(own, accounts)
    const redisUrl = name === 'Redis lock' ? { REDIS_URL: (await bench.redis()).url } : {}
    const server = await startServer('./peers/server.js', [name], { DATABASE_URL: own, ...redisUrl })
    rivals.push({ name, server, posted: 0, check: (posted) => checkPeerTables(own, posted) })
  }
  return rivals
}

async function load(
  rival: Rival,
  name: string,
  pick: Picker = () => 0,
  seconds: number,
): Promise<{ rate: number; p50Ms: number; p99Ms: number }> {
  const loaded = await closedLoop({ url: rival.server.url, connections, seconds, next: singleDebits(name, pick) })
  const answered = answersOf(loaded)
  rival.posted += answered
  return { rate: answered / loaded.seconds, ...latencyOf(loaded.latency) }
}

function roundsOf(measured: Map<string, Rounds>, name: string): Rounds {
  const known = measured.get(name)
  if (known !== undefined) return known
  const fresh: Rounds = { rates: [], p50: [], p99: [] }
  measured.set(name, fresh)
  return fresh
}

function caseOf(name: string, into: Rounds, measured: ReadonlyMap<string, Rounds>, accounts: number): Case {
  const hot = name.endsWith(', hot')
  const ours = measured.get(hot ? 'suanpan, hot' : 'suanpan, uniform')
  const even = measured.get(name.replace(/hot$/, 'uniform'))
  return {
    name,
    setup: { connections, accounts: hot ? 1 : accounts, distribution: hot ? 'one account' : 'uniform' },
    figures: {
      'durable tx/s': figure('tx/s', into.rates),
      'p50 ms': figure('ms', into.p50),
      'p99 ms': figure('ms', into.p99),
      ...(hot && even !== undefined && { 'to uniform': figure('ratio', pairedRatio(into.rates, even.rates).rounds) }),
      ...(ours !== undefined &&
        ours !== into && { 'ahead of it': figure('ratio', pairedRatio(ours.rates, into.rates).rounds) }),
    },
  }
}

// ---- batches --------------------------------------------------------------------------------------------------------------------

async function batchPaths(bench: Bench, database: BenchDatabase): Promise<{ verified: string[]; cases: Case[] }> {
  const accounts = bench.sized({ tiny: 200, small: 100_000, full: 100_000 })
  const perRound = bench.sized({ tiny: 2000, small: 40_000, full: 200_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const loads: Readonly<Record<string, Picker>> = { uniform: uniform(accounts, 6), hot: () => 0 }
  const url = await database.fresh('engine')
  const own = await database.fresh('peer_batches')
  await createPeerTables(own, accounts)
  const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions })
  let next = 0
  await run.post(debits(() => next++ % accounts)('warm', accounts))
  await postBatches(
    own,
    batchRows('warm', Math.ceil(accounts / batchSize), batchSize, (n) => n % accounts),
    1,
  )
  let [engineDebits, peerDebits] = [accounts, Math.ceil(accounts / batchSize) * batchSize]
  const rates = new Map<string, { ours: number[]; theirs: number[] }>()
  for (let i = 0; i < rounds; i++) {
    bench.say(`peers: batches, round ${i + 1} of ${rounds}`)
    for (const [distribution, pick] of Object.entries(loads)) {
      const into = rates.get(distribution) ?? { ours: [], theirs: [] }
      rates.set(distribution, into)
      const name = `${distribution}-${i}`
      const rows = batchRows(name, perRound / batchSize, batchSize, pick)
      into.theirs.push(await postBatches(own, rows, 1))
      const commands = debits(pick)(name, perRound)
      into.ours.push((perRound * 1000) / (await run.post(commands)).durableMs)
      engineDebits += perRound
      peerDebits += perRound
    }
  }
  await run.close()
  const verified = [
    `batches: ${await checkLedger([url], { debitedMinor: engineDebits })}`,
    `batches, rival: ${await checkPeerTables(own, peerDebits)}`,
  ]
  const cases = [...rates].flatMap(([distribution, { ours, theirs }]): Case[] => {
    const setup = { accounts: distribution === 'hot' ? 1 : accounts, distribution, debits: perRound }
    return [
      {
        name: `suanpan batches, ${distribution}`,
        setup: { 'batch (commands)': 10_000, ...setup },
        figures: { 'durable tx/s': figure('tx/s', ours) },
      },
      {
        name: `set-based call, ${distribution}`,
        setup: { 'batch (debits a call)': batchSize, connections: 1, ...setup },
        figures: {
          'durable tx/s': figure('tx/s', theirs),
          'ahead of it': figure('ratio', pairedRatio(ours, theirs).rounds),
        },
      },
    ]
  })
  return { verified, cases }
}
