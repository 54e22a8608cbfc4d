// A whole Suanpan server as a process of its own, over a ledger whose accounts stand and are in memory: what the HTTP scenarios load.
import { defaultPartitions } from '../api/compose.ts'
import { startEngineRun } from './engine-run.ts'
import { type BenchServer, startServer } from './http-run.ts'
import { answersOf, closedLoop } from './load/loops.ts'
import { batchDebits } from './load/requests.ts'

export interface ServerRun extends BenchServer {
  readonly accounts: number
  /** Debits that were posted to warm it up. */
  readonly warmed: number
}

export interface ServerRunOptions {
  readonly url: string
  readonly accounts: number
  readonly redisUrl?: string | undefined
  readonly nodeArgs?: readonly string[]
  readonly workers?: number
}

/** Opens the accounts in a ledger that has none yet. */
export async function openAccounts(url: string, accounts: number): Promise<void> {
  const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions })
  await run.close()
}

/** Starts over a ledger whose accounts are open, and debits each of them once: what follows finds all of them in memory. */
export async function startServerRun(options: ServerRunOptions): Promise<ServerRun> {
  const server = await startServer(
    '../api/cli/main.js',
    ['serve'],
    {
      DATABASE_URL: options.url,
      WORKERS: String(options.workers ?? 1),
      RESIDENT_ACCOUNTS_MAX: String(Math.max(1_000_000, options.accounts)),
      ...(options.redisUrl !== undefined && { REDIS_URL: options.redisUrl }),
    },
    options.nodeArgs,
  )
  const warmed = await postOnce(server.url, options.accounts, `warm-${server.pid}`)
  return { ...server, accounts: options.accounts, warmed }
}

async function postOnce(url: string, accounts: number, name: string): Promise<number> {
  const size = Math.min(1000, accounts)
  let next = 0
  const { requests, check } = batchDebits('ndjson', name, Math.ceil(accounts / size), size, () => next++ % accounts)
  const left = requests.values()
  const loaded = await closedLoop({ url, connections: 4, seconds: 600, next: () => left.next().value, check })
  return answersOf(loaded, 200) * size
}
