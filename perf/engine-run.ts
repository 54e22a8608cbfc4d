// Runs the engine in this process, without HTTP: batches of commands in, durable answers out.
import { type RunningEngine, startEngine } from '../api/compose.ts'
import type { Command } from '../core/command.ts'
import { debits, opening } from './load/commands.ts'
import type { Picker } from './zipf.ts'

export interface EngineRun {
  readonly engine: RunningEngine
  /** Answers/s of so many debits, from the first submit to the last durable answer. `hot`: all on one account. */
  round(count: number, hot: boolean): Promise<number>
  /** So many debits at a time, each lot when the one before is durable: as few to a commit as single HTTP requests make them. */
  small(commands: number, lots: number): Promise<void>
  /** Posts these, all of which must be answered 201. */
  post(commands: readonly Command[]): Promise<Posted>
  /** Commits and commands since the last call. */
  batches(): { commits: number; commands: number }
  close(): Promise<void>
}

export interface Posted {
  /** Until the engine had taken the last command (it takes them in batches of `batchCommands`, two of which may be under way). */
  readonly acceptedMs: number
  /** Until the last durable answer. */
  readonly durableMs: number
  readonly batchCommands: number
}

export interface EngineRunOptions {
  readonly url: string
  /** Of further shards. */
  readonly moreUrls?: readonly string[]
  readonly accounts: number
  readonly workers: number
  readonly partitions: number
  /** The accounts stand in the ledger already. */
  readonly opened?: boolean
  readonly redisUrl?: string | undefined
  /** Accounts that may stay in memory, where that is more than a million and `accounts`. */
  readonly residents?: number
  /** A module to run in the worker thread, see `memory-probe.ts`. */
  readonly probe?: string
}

/** What a job that posts a file would have under way. */
const batchCommands = 10_000
const batchesUnderWay = 2

/** Opens `accounts` accounts that can be debited for ever. */
export async function startEngineRun(options: EngineRunOptions): Promise<EngineRun> {
  let commits = 0
  let commands = 0
  let runs = 0
  const engine = await startEngine({
    urls: [options.url, ...(options.moreUrls ?? [])],
    workers: options.workers,
    partitions: options.partitions,
    deadlineMs: 60_000,
    houseAutoOpen: true,
    segmentRowsMax: 8_000_000,
    residentAccountsMax: Math.max(1_000_000, options.accounts, options.residents ?? 0),
    sabotage: options.probe,
    ...(options.redisUrl !== undefined && { redisUrl: options.redisUrl }),
    log: (level, message, fields) => {
      if (level !== 'info') process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`)
    },
    onCommit: (_slot, _shard, stats) => {
      commits++
      commands += stats.commands
    },
  })
  if (options.opened !== true) {
    mustBe(201, await engine.postAll(Array.from({ length: options.accounts }, (_, n) => opening(n))))
  }
  const anyAccount: Picker = () => Math.floor(Math.random() * options.accounts)
  return {
    engine,
    round: async (count, hot) => {
      runs++
      const batch = debits(hot ? () => 0 : anyAccount)(`r${runs}`, count)
      const started = performance.now()
      const answers = await engine.postAll(batch)
      const ms = performance.now() - started
      mustBe(201, answers)
      return (count * 1000) / ms
    },
    small: async (count, lots) => {
      for (let i = 0; i < lots; i++) {
        runs++
        mustBe(201, await engine.postAll(debits(anyAccount)(`s${runs}`, count)))
      }
    },
    post: (all) => postInBatches(engine, all),
    batches: () => {
      const seen = { commits, commands }
      commits = 0
      commands = 0
      return seen
    },
    close: () => engine.close(),
  }
}

async function postInBatches(engine: RunningEngine, commands: readonly Command[]): Promise<Posted> {
  const underWay: Promise<void>[] = []
  const started = performance.now()
  let acceptedMs = 0
  for (let at = 0; at < commands.length; at += batchCommands) {
    if (underWay.length === batchesUnderWay) await underWay.shift()
    const answers = engine.postAll(commands.slice(at, at + batchCommands))
    underWay.push(answers.then((given) => mustBe(201, given)))
    acceptedMs = performance.now() - started
  }
  await Promise.all(underWay)
  return { acceptedMs, durableMs: performance.now() - started, batchCommands }
}

/** A run with a wrong answer has no number. */
function mustBe(http: number, answers: readonly { readonly http: number; readonly body: string }[]): void {
  const wrong = answers.find((answer) => answer.http !== http)
  if (wrong !== undefined) throw new Error(`an answer was ${wrong.http} instead of ${http}: ${wrong.body}`)
}
