// One ledger on one database beside one on two, on the same machine: the same batches in process, taking turns.
import { defaultPartitions } from '../../api/compose.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, cpuPerTx, readCpu } from '../cpu.ts'
import { startEngineRun } from '../engine-run.ts'
import { debits } from '../load/commands.ts'
import { type Figure, figure } from '../measurement.ts'
import { pairedRatio } from '../statistics.ts'
import { uniform } from '../zipf.ts'

export const shards: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 50_000, full: 100_000 })
  const perRound = bench.sized({ tiny: 500, small: 50_000, full: 200_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const database = await bench.database()
  const pick = uniform(accounts, 12)
  const ledgers = []
  for (const count of [1, 2]) {
    const urls: string[] = []
    for (let shard = 0; shard < count; shard++) urls.push(await database.fresh(`shards_${count}_${shard}`))
    const [url = '', ...moreUrls] = urls
    const run = await startEngineRun({ url, moreUrls, accounts, workers: 1, partitions: defaultPartitions })
    const cpu: Record<string, number[]> = {}
    ledgers.push({ urls, run, rates: [] as number[], cpu, name: count === 1 ? 'one shard' : 'two shards' })
  }
  // The first round warms up.
  for (let i = -1; i < rounds; i++) {
    bench.say(i < 0 ? 'shards: warming up' : `shards: round ${i + 1} of ${rounds}`)
    for (const { run, rates, cpu } of ledgers) {
      const commands = debits(pick)(`r${i + 1}`, perRound)
      const sources = { server: process.pid, postmaster: database.pid }
      const before = readCpu(sources)
      const { durableMs } = await run.post(commands)
      if (i < 0) continue
      rates.push((perRound * 1000) / durableMs)
      addRound(cpu, cpuPerTx(before, readCpu(sources), perRound))
    }
  }
  const verified: string[] = []
  for (const { urls, run } of ledgers) {
    await run.close()
    verified.push(await checkLedger(urls, { debitedMinor: perRound * (rounds + 1) }))
  }
  const [one] = ledgers
  return resultOf({
    verified,
    cases: ledgers.map(({ name, rates, cpu }, i) => ({
      name,
      setup: { accounts, partitions: defaultPartitions, workers: 1, transactions: perRound },
      figures: {
        'durable tx/s': figure('tx/s', rates),
        ...Object.fromEntries(
          Object.entries(cpu).map(([part, values]): [string, Figure] => [`CPU ${part}`, figure('us/tx', values)]),
        ),
        ...(i > 0 && { 'to one shard': figure('ratio', pairedRatio(rates, one?.rates ?? []).rounds) }),
      },
    })),
    notes: ['Both databases are of one Postgres; a worker has a lane for each.'],
  })
}
