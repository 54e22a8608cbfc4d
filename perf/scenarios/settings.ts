// What Postgres settings change: the same engine load on servers that differ from the defaults of `adapters/embedded/settings.ts` in one setting each,
// taking turns. Settings that would make commits less than durable are not among them.
import { defaultPartitions } from '../../api/compose.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, cpuPerTx, readCpu } from '../cpu.ts'
import { type BenchDatabase, startBenchDatabase } from '../database.ts'
import { type EngineRun, startEngineRun } from '../engine-run.ts'
import { debits } from '../load/commands.ts'
import { type Case, figure } from '../measurement.ts'
import { pairedRatio } from '../statistics.ts'
import { uniform } from '../zipf.ts'

const variants: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'as stated': {},
  'Postgres defaults': {
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    min_wal_size: '80MB',
    checkpoint_timeout: '5min',
  },
  'shared_buffers 64MB': { shared_buffers: '64MB' },
  'max_wal_size 256MB': { max_wal_size: '256MB', min_wal_size: '80MB' },
  'checkpoint_timeout 30s': { checkpoint_timeout: '30s' },
  'wal_compression pglz': { wal_compression: 'pglz' },
  'wal_buffers 64MB': { wal_buffers: '64MB' },
  'wal_sync_method open_datasync': { wal_sync_method: 'open_datasync' },
  'huge_pages off': { huge_pages: 'off' },
}

interface Standing {
  readonly name: string
  readonly database: BenchDatabase
  readonly url: string
  readonly run: EngineRun
  readonly rates: number[]
  readonly cpu: Record<string, number[]>
}

export const settings: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 200, small: 100_000, full: 100_000 })
  const perRound = bench.sized({ tiny: 500, small: 50_000, full: 300_000 })
  const rounds = bench.sized({ tiny: 1, small: 4, full: 10 })
  const names = Object.keys(variants).filter((name) => name === 'as stated' || bench.wanted(name))
  const standing: Standing[] = []
  const verified: string[] = []
  try {
    for (const name of bench.size === 'tiny' ? names.slice(0, 2) : names) {
      bench.say(`settings: ${name}`)
      const database = await startBenchDatabase({ settings: variants[name] ?? {} })
      const url = await database.fresh('settings')
      const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions })
      await run.post(debits(uniform(accounts, 13))('warm', perRound))
      standing.push({ name, database, url, run, rates: [], cpu: {} })
    }
    for (let i = 0; i < rounds; i++) {
      bench.say(`settings: round ${i + 1} of ${rounds}`)
      for (const { run, database, rates, cpu } of standing) {
        const sources = { server: process.pid, postmaster: database.pid }
        const before = readCpu(sources)
        const posted = await run.post(debits(uniform(accounts, 14 + i))(`r${i}`, perRound))
        rates.push((perRound * 1000) / posted.durableMs)
        addRound(cpu, cpuPerTx(before, readCpu(sources), perRound))
      }
    }
    for (const { name, url, run } of standing) {
      await run.close()
      verified.push(`${name}: ${await checkLedger([url], { debitedMinor: perRound * (rounds + 1) })}`)
    }
  } finally {
    for (const { database } of standing) await database.stop()
  }
  const base = standing[0]
  const cases = standing.map(
    ({ name, rates, cpu }): Case => ({
      name,
      setup: { accounts, distribution: 'uniform', transactions: perRound, ...variants[name] },
      figures: {
        'durable tx/s': figure('tx/s', rates),
        ...(base !== undefined &&
          name !== base.name && { 'to as stated': figure('ratio', pairedRatio(rates, base.rates).rounds) }),
        ...(cpu.backends !== undefined && { 'CPU backends': figure('us/tx', cpu.backends) }),
        ...(cpu['postgres background'] !== undefined && {
          'CPU background': figure('us/tx', cpu['postgres background']),
        }),
      },
    }),
  )
  return resultOf({ verified, cases })
}
