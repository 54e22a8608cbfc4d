// What a scenario gets to work with: its size, a Postgres and a Redis of its own that start when they are first needed, and a place to say what
// is going on. Everything that was started ends with `close`.
import { type BenchDatabase, startBenchDatabase } from './database.ts'
import type { Case, ScenarioResult, Series } from './measurement.ts'
import { type BenchRedis, startBenchRedis } from './redis.ts'

/** tiny: shows that a scenario works, its figures mean nothing. small: about a minute. full: what takes as long as it takes. */
export const sizes = ['tiny', 'small', 'full'] as const
export type Size = (typeof sizes)[number]

export interface BenchOptions {
  readonly size: Size
  /** Undefined: a Postgres of the benchmark's own. */
  readonly databaseUrl?: string | undefined
  /** Scenarios that can be scaled take these instead of their sizes' own. */
  readonly accounts?: number | undefined
  readonly rows?: number | undefined
  readonly seconds?: number | undefined
  /** Only cases whose name contains it. */
  readonly only?: string | undefined
  /** A folder for flame graphs. */
  readonly flames?: string | undefined
  readonly say: (line: string) => void
}

export interface Bench extends BenchOptions {
  readonly database: () => Promise<BenchDatabase>
  readonly redis: () => Promise<BenchRedis>
  /** The value for this size. */
  readonly sized: <T>(values: Readonly<Record<Size, T>>) => T
  readonly wanted: (name: string) => boolean
  readonly close: () => Promise<void>
}

export type Scenario = (bench: Bench) => Promise<Omit<ScenarioResult, 'scenario' | 'seconds'>>

/** What a scenario returns, with the parts that are often empty filled in. */
export const resultOf = (parts: {
  readonly verified: readonly string[]
  readonly cases: readonly Case[]
  readonly series?: readonly Series[]
  readonly notes?: readonly string[]
}): Awaited<ReturnType<Scenario>> => ({ notes: [], ...parts })

export function openBench(options: BenchOptions): Bench {
  let database: Promise<BenchDatabase> | undefined
  let redis: Promise<BenchRedis> | undefined
  return {
    ...options,
    database: () => {
      database ??= startBenchDatabase({ url: options.databaseUrl })
      return database
    },
    redis: () => {
      redis ??= startBenchRedis()
      return redis
    },
    sized: (values) => values[options.size],
    wanted: (name) => options.only === undefined || name.includes(options.only),
    close: async () => {
      const ends = [database, redis].map(async (started) => (await started)?.stop())
      await Promise.allSettled(ends)
    },
  }
}

export async function runScenario(name: string, scenario: Scenario, bench: Bench): Promise<ScenarioResult> {
  const started = performance.now()
  const result = await scenario(bench)
  return { scenario: name, ...result, seconds: Math.round((performance.now() - started) / 100) / 10 }
}
