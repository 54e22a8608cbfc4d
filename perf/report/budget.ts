// What the design asks of the ratios, and where in a result each is found. Pure.
import type { BenchResult, Figure } from '../measurement.ts'

export interface BudgetLine {
  readonly what: string
  readonly target: string
  readonly measured: string
  /** Undefined: this result does not say. */
  readonly met: boolean | undefined
}

interface Budget {
  readonly what: string
  readonly scenario: string
  readonly name: string
  readonly figure: string
  readonly least?: number
  readonly most?: number
}

const rivals = ['row lock', 'SQL function', 'optimistic', 'Redis lock']

const budgets: readonly Budget[] = [
  {
    what: 'batches, uniform, to raw COPY of the same rows',
    scenario: 'engine',
    name: 'uniform',
    figure: 'to raw COPY',
    least: 0.8,
  },
  {
    what: 'batches, uniform, to the reference COPY',
    scenario: 'engine',
    name: 'uniform',
    figure: 'to reference COPY',
    least: 1,
  },
  { what: 'one hot account to uniform', scenario: 'engine', name: 'hot account', figure: 'to uniform', least: 1 },
  {
    what: 'one hot house account to 64 of them',
    scenario: 'engine',
    name: 'uniform',
    figure: 'to 64 house accounts',
    least: 1,
  },
  {
    what: 'HTTP, 64 connections, to bare Fastify',
    scenario: 'http',
    name: 'suanpan, 64',
    figure: 'to bare Fastify',
    least: 0.6,
  },
  {
    what: 'the same under autocannon',
    scenario: 'http',
    name: 'suanpan, 64, autocannon',
    figure: 'to bare Fastify',
    least: 0.6,
  },
  {
    what: 'HTTP batches (MessagePack) to in-process batches',
    scenario: 'http',
    name: 'batch msgpack',
    figure: 'to in-process',
    least: 0.7,
  },
  ...rivals.map((rival) => ({
    what: `ahead of the ${rival}, hot`,
    scenario: 'peers',
    name: `${rival}, hot`,
    figure: 'ahead of it',
    least: 5,
  })),
  ...rivals.map((rival) => ({
    what: `ahead of the ${rival}, uniform`,
    scenario: 'peers',
    name: `${rival}, uniform`,
    figure: 'ahead of it',
    least: 2,
  })),
  {
    what: 'ahead of the micro-batch, hot',
    scenario: 'peers',
    name: 'micro-batch, hot',
    figure: 'ahead of it',
    least: 1.1,
  },
  {
    what: 'ahead of the micro-batch, uniform',
    scenario: 'peers',
    name: 'micro-batch, uniform',
    figure: 'ahead of it',
    least: 1.1,
  },
  {
    what: 'batches ahead of the set-based call, uniform',
    scenario: 'peers',
    name: 'set-based call, uniform',
    figure: 'ahead of it',
    least: 3,
  },
  {
    what: 'batches ahead of the set-based call, hot',
    scenario: 'peers',
    name: 'set-based call, hot',
    figure: 'ahead of it',
    least: 1.5,
  },
  {
    what: 'Redis mailbox to memory, batches',
    scenario: 'redis',
    name: 'batch, redis',
    figure: 'to memory',
    least: 0.8,
  },
  { what: 'two shards to one', scenario: 'shards', name: 'two shards', figure: 'to one shard', least: 1 },
  { what: 'Redis mailbox to memory, HTTP', scenario: 'redis', name: 'HTTP, redis', figure: 'to memory', least: 0.7 },
  {
    what: 'the longest journal to an empty one',
    scenario: 'scale',
    name: 'journal of',
    figure: 'to empty',
    least: 0.8,
  },
  {
    what: 'bytes in memory an active account',
    scenario: 'memory',
    name: 'active accounts',
    figure: 'live bytes',
    most: 300,
  },
  { what: 'idle, p50 ms', scenario: 'latency', name: 'idle', figure: 'p50 ms', most: 3 },
  {
    what: 'at half the top rate, mean ms',
    scenario: 'latency',
    name: '50 % of the top rate',
    figure: 'mean ms',
    most: 10,
  },
  {
    what: 'at half the top rate, p95 ms',
    scenario: 'latency',
    name: '50 % of the top rate',
    figure: 'p95 ms',
    most: 15,
  },
  {
    what: 'at half the top rate, p99 ms',
    scenario: 'latency',
    name: '50 % of the top rate',
    figure: 'p99 ms',
    most: 25,
  },
  {
    what: 'first answer after kill -9, ms',
    scenario: 'recovery',
    name: 'kill -9 under load',
    figure: 'first answer ms',
    most: 2000,
  },
]

export function budgetLines(result: BenchResult): BudgetLine[] {
  return budgets.flatMap((budget): BudgetLine[] => {
    const figure = find(result, budget)
    if (figure === undefined) return []
    const { least, most } = budget
    const { median, min, max } = figure
    return [
      {
        what: budget.what,
        target: least === undefined ? `at most ${most}` : `at least ${least}`,
        measured: figure.rounds.length > 1 ? `${median} (${min}–${max})` : String(median),
        met: (least === undefined || median >= least) && (most === undefined || median <= most),
      },
    ]
  })
}

/** The last case whose name begins so: of several sizes the largest. */
function find(result: BenchResult, { scenario, name, figure }: Budget): Figure | undefined {
  const found = result.scenarios.find((one) => one.scenario === scenario)?.cases ?? []
  const exact = found.find((one) => one.name === name)
  return (exact ?? found.filter((one) => one.name.startsWith(name)).pop())?.figures[figure]
}
