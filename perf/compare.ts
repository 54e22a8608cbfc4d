// Two result files side by side: what changed, and what of it is more than noise. Pure; reads the results of scenarios and of `quick`.
import { type BenchResult, type Figure, resultFormat } from './measurement.ts'
import { type Comparison, compareSpreads, spreadOf } from './statistics.ts'

export interface Line extends Comparison {
  readonly name: string
  readonly unit: string
  readonly before: number
  readonly after: number
}

/** Figures that are in both, in the order of the second. */
export function compareResults(before: unknown, after: unknown): Line[] {
  const known = new Map(figuresOf(before))
  return [...figuresOf(after)].flatMap(([name, now]) => {
    const then = known.get(name)
    if (then === undefined || then.median === 0 || now.median === 0) return []
    const line = compareSpreads(then, now, now.better)
    return [{ name, unit: now.unit, before: then.median, after: now.median, ...line }]
  })
}

export function comparisonText(lines: readonly Line[], all: boolean): string {
  const shown = all ? lines : lines.filter(({ verdict }) => verdict !== 'within noise')
  const width = Math.max(10, ...shown.map(({ name }) => name.length))
  const rows = shown.map(
    ({ name, unit, before, after, ratio, low, high, verdict }) =>
      `${name.padEnd(width)}  ${String(before).padStart(9)} -> ${String(after).padStart(9)} ${unit.padEnd(8)}  x ${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})  ${verdict}`,
  )
  const quiet = lines.length - shown.length
  const tail = all
    ? `${lines.length} figures`
    : `${shown.length} of ${lines.length} figures are outside noise${quiet > 0 ? '; --all shows the others' : ''}`
  return [...rows, tail].join('\n')
}

function figuresOf(result: unknown): [string, Figure][] {
  if (isBenchResult(result)) {
    return result.scenarios.flatMap(({ scenario, cases }) =>
      cases.flatMap(({ name, figures }) =>
        Object.entries(figures).map(([figure, value]): [string, Figure] => [
          `${scenario} / ${name} / ${figure}`,
          value,
        ]),
      ),
    )
  }
  return quickFigures('', result)
}

const isBenchResult = (result: unknown): result is BenchResult =>
  typeof result === 'object' && result !== null && 'format' in result && result.format === resultFormat

/** Every number of a `quick` result; where its rounds are known (`rounds`), with their spread. */
function quickFigures(path: string, value: unknown): [string, Figure][] {
  if (typeof value !== 'object' || value === null) return []
  const rounds = 'rounds' in value ? (value.rounds as Readonly<Record<string, readonly number[]>>) : {}
  return Object.entries(value).flatMap(([key, inner]): [string, Figure][] => {
    if (key === 'rounds' || key === 'machine' || key === 'verified') return []
    const name = path === '' ? key : `${path}.${key}`
    if (typeof inner !== 'number') return quickFigures(name, inner)
    const better = /Ms$|bytes|seconds/i.test(key) ? 'less' : 'more'
    return [[name, { unit: '', better, ...spreadOf(rounds[key] ?? [inner]) }]]
  })
}
