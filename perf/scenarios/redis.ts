// The Redis mailbox beside the memory mailbox: the same batches in process and the same single calls over HTTP, taking turns, on ledgers of their own.
import { setTimeout as pause } from 'node:timers/promises'
import { defaultPartitions } from '../../api/compose.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, cpuPerTx, readCpu } from '../cpu.ts'
import { startEngineRun } from '../engine-run.ts'
import { debits } from '../load/commands.ts'
import { answersOf, closedLoop, latencyOf } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { type Case, type Figure, figure } from '../measurement.ts'
import { startServerRun } from '../server-run.ts'
import { pairedRatio } from '../statistics.ts'
import { uniform } from '../zipf.ts'

const mailboxes = ['memory', 'redis'] as const

interface Rounds {
  readonly rates: number[]
  readonly p50: number[]
  readonly cpu: Record<string, number[]>
  /** Commands sent to Redis for one transaction. */
  readonly calls: number[]
}

export const redis: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.2, small: 1.5, full: 5 })
  const perRound = bench.sized({ tiny: 500, small: 40_000, full: 200_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const database = await bench.database()
  const server = await bench.redis()
  const pick = uniform(accounts, 8)
  const ledgers = await Promise.all(
    mailboxes.map(async (mailbox) => ({
      mailbox,
      url: await database.fresh(`mailbox_${mailbox}`),
      redisUrl: mailbox === 'redis' ? server.url : undefined,
      posted: 0,
      batch: { rates: [], p50: [], cpu: {}, calls: [] } as Rounds,
      http: { rates: [], p50: [], cpu: {}, calls: [] } as Rounds,
    })),
  )
  const runs = []
  for (const { url, redisUrl } of ledgers) {
    runs.push(await startEngineRun({ url, redisUrl, accounts, workers: 1, partitions: defaultPartitions }))
  }
  for (let i = -1; i < rounds; i++) {
    for (const [k, ledger] of ledgers.entries()) {
      const run = runs[k]
      if (run === undefined) continue
      const redisPid = ledger.redisUrl === undefined ? undefined : server.pid
      const sources = { server: process.pid, postmaster: database.pid, redis: redisPid }
      const commands = debits(pick)(`b${i + 1}`, perRound)
      const before = readCpu(sources)
      const called = run.engine.redis?.calls() ?? 0
      const posted = await run.post(commands)
      ledger.posted += perRound
      // The first round warms up.
      if (i < 0) continue
      ledger.batch.rates.push((perRound * 1000) / posted.durableMs)
      addRound(ledger.batch.cpu, cpuPerTx(before, readCpu(sources), perRound))
      const { redis } = run.engine
      if (redis !== undefined) ledger.batch.calls.push((redis.calls() - called) / perRound)
    }
  }
  for (const run of runs) await run.close()
  const servers = []
  try {
    for (const { url, redisUrl } of ledgers) servers.push(await startServerRun({ url, redisUrl, accounts }))
    for (let i = -1; i < rounds; i++) {
      bench.say(`redis: HTTP, round ${i + 1} of ${rounds}`)
      for (const [k, ledger] of ledgers.entries()) {
        const suanpan = servers[k]
        if (suanpan === undefined) continue
        if (i < 0) ledger.posted += suanpan.warmed
        const sources = {
          server: suanpan.pid,
          client: process.pid,
          postmaster: database.pid,
          redis: ledger.redisUrl === undefined ? undefined : server.pid,
        }
        const before = readCpu(sources)
        const called = await redisCalls(suanpan.url)
        const loaded = await closedLoop({
          url: suanpan.url,
          connections: 64,
          seconds,
          next: singleDebits(`h${i + 1}`, pick),
        })
        const answered = answersOf(loaded)
        ledger.posted += answered
        await pause(20)
        if (i < 0) continue
        ledger.http.rates.push(answered / loaded.seconds)
        ledger.http.p50.push(latencyOf(loaded.latency).p50Ms)
        addRound(ledger.http.cpu, cpuPerTx(before, readCpu(sources), answered))
        if (ledger.redisUrl !== undefined) ledger.http.calls.push(((await redisCalls(suanpan.url)) - called) / answered)
      }
    }
  } finally {
    for (const suanpan of servers) await suanpan.stop()
  }
  const verified: string[] = []
  for (const { mailbox, url, posted } of ledgers) {
    verified.push(`${mailbox}: ${await checkLedger([url], { debitedMinor: posted })}`)
  }
  const [memory] = ledgers
  const cases = ledgers.flatMap(({ mailbox, batch, http }): Case[] => [
    {
      name: `batch, ${mailbox}`,
      setup: { accounts, distribution: 'uniform', 'batch (commands)': 10_000, transactions: perRound },
      figures: figuresOf(batch, memory?.batch),
    },
    {
      name: `HTTP, ${mailbox}`,
      setup: { accounts, distribution: 'uniform', connections: 64 },
      figures: figuresOf(http, memory?.http),
    },
  ])
  return resultOf({
    verified,
    cases,
    notes: ['Redis: appendonly yes, appendfsync everysec. Nobody is answered from Redis.'],
  })
}

/** As the server's metrics count them. */
async function redisCalls(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^suanpan_redis_commands_total (\S+)/m.exec(metrics)?.[1] ?? 0)
}

function figuresOf(rounds: Rounds, memory: Rounds | undefined): Record<string, Figure> {
  const figures: Record<string, Figure> = { 'durable tx/s': figure('tx/s', rounds.rates) }
  if (memory !== undefined && memory !== rounds)
    figures['to memory'] = figure('ratio', pairedRatio(rounds.rates, memory.rates).rounds)
  if (rounds.p50.length > 0) figures['p50 ms'] = figure('ms', rounds.p50)
  if (rounds.calls.length > 0) figures['Redis commands'] = figure('commands/tx', rounds.calls)
  for (const [part, micros] of Object.entries(rounds.cpu)) figures[`CPU ${part}`] = figure('us/tx', micros)
  return figures
}
