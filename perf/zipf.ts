// Which account a command names: uniform, or a few that are named most of the time, as real merchants and campaigns are. Pure, from a seed,
// so that every rival and every round gets the same load.

/** The next account, from 0. */
export type Picker = () => number

/** Mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): 32 bits of state, more than good enough for load. */
export function seededFraction(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function uniform(accounts: number, seed: number): Picker {
  const fraction = seededFraction(seed)
  return () => Math.floor(fraction() * accounts)
}

/**
 * Rank k of `accounts` with probability proportional to 1 / (k + 1)^s, by the inverse of the summed weights (exact, one binary search a pick).
 * Ranks are spread over the account numbers by a fixed permutation: the popular ones are not neighbours in an index.
 */
export function zipf(accounts: number, s: number, seed: number): Picker {
  const cumulated = new Float64Array(accounts)
  let sum = 0
  for (let k = 0; k < accounts; k++) {
    sum += (k + 1) ** -s
    cumulated[k] = sum
  }
  const fraction = seededFraction(seed)
  const step = coprimeStep(accounts)
  return () => {
    const wanted = fraction() * sum
    let low = 0
    let high = accounts - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((cumulated[middle] ?? 0) > wanted) high = middle
      else low = middle + 1
    }
    return (low * step) % accounts
  }
}

/** Near the golden section of the range, and without a common divisor with it: `rank * step mod accounts` meets every account once. */
function coprimeStep(accounts: number): number {
  let step = Math.max(1, Math.floor(accounts * 0.618_034))
  while (greatestCommonDivisor(step, accounts) !== 1) step++
  return step
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))
