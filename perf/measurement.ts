// The shape of results: what `--json` prints, what `compare` and the report read. Data only.
import type { Machine } from './environment.ts'
import { rounded, type Spread, spreadOf } from './statistics.ts'

export const resultFormat = 1

export interface Figure extends Spread {
  readonly unit: string
  readonly better: 'more' | 'less'
}

/** One thing measured: a load on a set-up. `setup` states what a figure depends on: accounts, distribution, batch size, connections .. */
export interface Case {
  readonly name: string
  readonly setup: Readonly<Record<string, string | number>>
  readonly figures: Readonly<Record<string, Figure>>
}

/** For the charts: points of a line over an axis of its own. */
export interface Series {
  readonly name: string
  readonly x: string
  readonly y: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface ScenarioResult {
  readonly scenario: string
  /** What was found right after the load, before any figure was let out. */
  readonly verified: readonly string[]
  readonly cases: readonly Case[]
  readonly series?: readonly Series[]
  readonly notes: readonly string[]
  readonly seconds: number
}

export interface BenchResult {
  readonly format: typeof resultFormat
  readonly startedAt: string
  readonly machine: Machine
  readonly postgres: string
  readonly durability: Readonly<Record<string, string>>
  readonly size: string
  readonly scenarios: readonly ScenarioResult[]
}

/** Units of which less is better; of all others more is. */
const costs = new Set(['ms', 's', 'us/tx', 'commands/tx', 'bytes', 'bytes/account', 'MB', 'bytes/tx', 'ratio to 1'])

export function figure(unit: string, rounds: readonly number[]): Figure {
  const { median, min, max } = spreadOf(rounds)
  return {
    unit,
    better: costs.has(unit) ? 'less' : 'more',
    median: rounded(median),
    min: rounded(min),
    max: rounded(max),
    rounds: rounds.map(rounded),
  }
}
