// The arithmetic of figures: what a handful of rounds says, and what the ratio of two such figures says. Pure.

/** A figure of several rounds. `rounds` are kept in the order measured, so that figures of interleaved cases can be compared round by round. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: readonly number[]
}

export function spreadOf(rounds: readonly number[]): Spread {
  if (rounds.length === 0) throw new RangeError('a figure needs at least one round')
  if (rounds.some((value) => !Number.isFinite(value))) throw new RangeError(`not all figures: ${rounds.join(', ')}`)
  return { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * a / b of two cases that took turns: each round is divided by its neighbour, because a machine that is slow for a while is slow for both. The
 * median of such quotients is steadier than the quotient of the medians.
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): Spread {
  if (a.length !== b.length) throw new RangeError(`${a.length} rounds do not pair with ${b.length}`)
  return spreadOf(a.map((value, i) => value / (b[i] ?? Number.NaN)))
}

export type Verdict = 'better' | 'worse' | 'within noise'

export interface Comparison {
  /** after / before of the medians. */
  readonly ratio: number
  /** What the ratio could be at the ends of both spreads. */
  readonly low: number
  readonly high: number
  readonly verdict: Verdict
}

/**
 * Two figures of different runs. Outside noise only if the spreads do not even touch: with few rounds that is about what can be said, and one
 * round on either side says nothing unless it moved by `oneRoundFactor`.
 */
export function compareSpreads(before: Spread, after: Spread, better: 'more' | 'less'): Comparison {
  const ratio = after.median / before.median
  const low = after.min / before.max
  const high = after.max / before.min
  const single = before.rounds.length < 2 || after.rounds.length < 2
  const apart = single ? Math.max(ratio, 1 / ratio) >= oneRoundFactor : low > 1 || high < 1
  const improved = better === 'more' ? ratio > 1 : ratio < 1
  return { ratio, low, high, verdict: apart ? (improved ? 'better' : 'worse') : 'within noise' }
}

/** What single rounds differ by on a shared machine without any change. */
const oneRoundFactor = 1.25

/** Three significant digits, so that no figure looks more exact than it is. */
export function rounded(value: number): number {
  return value === 0 || !Number.isFinite(value) ? value : Number(value.toPrecision(3))
}
