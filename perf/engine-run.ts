// Runs the engine in this process, without HTTP: batches of commands in, durable answers out.
import { type RunningEngine, startEngine } from '../api/compose.ts'
import type { Command } from '../core/command.ts'

export interface EngineRun {
  readonly engine: RunningEngine
  /** Answers/s of so many debits, from the first submit to the last durable answer. `hot`: all on one account. */
  round(count: number, hot: boolean): Promise<number>
  /** So many debits at a time, each lot when the one before is durable: as few to a commit as single HTTP requests make them. */
  small(commands: number, lots: number): Promise<void>
  /** Commits and commands since the last call. */
  batches(): { commits: number; commands: number }
  close(): Promise<void>
}

/** Opens `accounts` accounts that can be debited for ever, and debits one of them once, so that all is resident. */
export async function startEngineRun(options: {
  url: string
  accounts: number
  workers: number
  partitions: number
}): Promise<EngineRun> {
  let commits = 0
  let commands = 0
  let runs = 0
  const engine = await startEngine({
    urls: [options.url],
    workers: options.workers,
    partitions: options.partitions,
    deadlineMs: 60_000,
    houseAutoOpen: true,
    segmentRowsMax: 8_000_000,
    residentAccountsMax: 1_000_000,
    log: (level, message, fields) => {
      if (level !== 'info') process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`)
    },
    onCommit: (_slot, _shard, stats) => {
      commits++
      commands += stats.commands
    },
  })
  const opened = await engine.postAll(
    Array.from({ length: options.accounts }, (_, i) => ({
      type: 'open',
      id: `!open-${i}`,
      account: `cust-${i}:cash`,
      asset: 'CNY',
      overdraft: '1000000000',
      normal: 'credit',
    })),
  )
  mustBe(201, opened)
  return {
    engine,
    round: async (count, hot) => {
      runs++
      const batch = debits(count, options.accounts, `r${runs}`, hot)
      const started = performance.now()
      const answers = await engine.postAll(batch)
      const ms = performance.now() - started
      mustBe(201, answers)
      return (count * 1000) / ms
    },
    small: async (count, lots) => {
      for (let i = 0; i < lots; i++) {
        runs++
        mustBe(201, await engine.postAll(debits(count, options.accounts, `s${runs}`, false)))
      }
    },
    batches: () => {
      const seen = { commits, commands }
      commits = 0
      commands = 0
      return seen
    },
    close: () => engine.close(),
  }
}

function debits(count: number, accounts: number, name: string, hot: boolean): Command[] {
  return Array.from({ length: count }, (_, i) => ({
    type: 'debit',
    id: `${name}-${i}`,
    account: `cust-${hot ? 0 : Math.floor(Math.random() * accounts)}:cash`,
    amount: '0.01',
    to: 'house:settlement:default',
  }))
}

/** A run with a wrong answer has no number. */
function mustBe(http: number, answers: readonly { readonly http: number; readonly body: string }[]): void {
  const wrong = answers.find((answer) => answer.http !== http)
  if (wrong !== undefined) throw new Error(`an answer was ${wrong.http} instead of ${http}: ${wrong.body}`)
}
