// What a transaction costs in CPU, by who spends it: for large batches, and for commits as small as 64 HTTP connections make them.
import pg from 'pg'
import { countPostgres, cpuTimes, noteWorkers, parentOf } from './cpu.ts'
import { startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'

const accounts = 100_000
const small = { commands: 28, commits: 1500 }
const large = { commands: 80_000, rounds: 4 }

export async function cost(say: (line: string) => void): Promise<unknown> {
  const database = await startBenchDatabase()
  try {
    const url = await database.fresh('cost')
    countPostgres(await postmasterOf(url))
    const run = await noteWorkers(() => startEngineRun({ url, accounts, workers: 1, partitions: 8 }))
    await run.round(large.commands, false)
    const batch = await measured(large.commands * large.rounds, async () => {
      for (let i = 0; i < large.rounds; i++) await run.round(large.commands, false)
    })
    say(JSON.stringify(batch))
    run.batches()
    await run.small(small.commands, small.commits / 4)
    run.batches()
    const commits = await measured(small.commands * small.commits, () => run.small(small.commands, small.commits))
    const seen = run.batches()
    await run.close()
    return { batch, small: { ...commits, commandsPerCommit: seen.commands / seen.commits } }
  } finally {
    await database.stop()
  }
}

async function postmasterOf(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const parent = parentOf(rows[0]?.pid ?? 0)
  await client.end()
  return parent
}

async function measured(count: number, work: () => Promise<void>): Promise<Record<string, number>> {
  const before = cpuTimes()
  const started = performance.now()
  await work()
  const wall = (performance.now() - started) * 1000
  const after = cpuTimes()
  const each = (us: number): number => Math.round((us / count) * 100) / 100
  return {
    wallUs: each(wall),
    mainUs: each(after.main - before.main),
    workerUs: each(after.worker - before.worker),
    helpersUs: each(after.helpers - before.helpers),
    postgresUs: each(after.postgres - before.postgres),
  }
}
