// What a transaction costs in CPU, by who spends it: for large batches, and for commits as small as 64 HTTP connections make them.
import { cpuPerTx, readCpu } from './cpu.ts'
import { type BenchDatabase, startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'
import { rawCopy, writtenRows } from './limits.ts'
import { rounded } from './statistics.ts'

const accounts = 100_000
const small = { commands: 28, commits: 1500 }
const rowsPerCommit = 4096
const large = { commands: 80_000, rounds: 4 }

export async function cost(say: (line: string) => void): Promise<unknown> {
  const database = await startBenchDatabase()
  try {
    const url = await database.fresh('cost')
    const rawUrl = await database.fresh('raw')
    const run = await startEngineRun({ url, accounts, workers: 1, partitions: 8 })
    await run.round(large.commands, false)
    const batch = await measured(database, large.commands * large.rounds, async () => {
      for (let i = 0; i < large.rounds; i++) await run.round(large.commands, false)
    })
    say(JSON.stringify(batch))
    // The rows alone, from a client that does nothing else: what of the above is the database's own share.
    const written = await writtenRows(url, large.commands, rowsPerCommit)
    const raw = await rawCopy(rawUrl, written, rowsPerCommit, 1)
    const rawCost = await measured(database, written.length * rowsPerCommit, async () => {
      await raw.round()
    })
    await raw.close()
    say(JSON.stringify(rawCost))
    run.batches()
    await run.small(small.commands, small.commits / 4)
    run.batches()
    const commits = await measured(database, small.commands * small.commits, () =>
      run.small(small.commands, small.commits),
    )
    const seen = run.batches()
    await run.close()
    return { batch, raw: rawCost, small: { ...commits, commandsPerCommit: seen.commands / seen.commits } }
  } finally {
    await database.stop()
  }
}

/** Microseconds a transaction by part, and on the wall. */
async function measured(
  database: BenchDatabase,
  count: number,
  work: () => Promise<void>,
): Promise<Record<string, number>> {
  const sources = { server: process.pid, postmaster: database.pid }
  const before = readCpu(sources)
  const started = performance.now()
  await work()
  const wall = ((performance.now() - started) * 1000) / count
  const parts = cpuPerTx(before, readCpu(sources), count)
  return Object.fromEntries(Object.entries({ wall, ...parts }).map(([name, us]) => [`${name}Us`, rounded(us)]))
}
