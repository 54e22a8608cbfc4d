// Amounts: decimal strings outside, integers of the smallest unit inside. Exact both ways; nothing here rounds. `parseAmount` and
// `formatMinor` run once or more per command, where big.js costs 0.4-1 us a call and digits 0.05 us: they work on digits, and a
// property test holds them against big.js, which does the arithmetic that is not a mere shift of the point.
import { Big } from 'big.js'
import { violated } from './invariant.ts'

/** Own constructor, so that nobody's settings reach in; strict: a JavaScript number in or out is an error. */
const Exact = Big()
Exact.strict = true
const roundDown = 0

/** Balances, holds and amounts are at most this, in either direction: |x| < 2^63. */
export const minorMax = 2n ** 63n - 1n
export const minorMin = -minorMax

const decimalSyntax = /^(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?$/
/** Digits of which every number is exact in a double. */
const exactDigits = 15
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, exponent) => 10 ** exponent)

/** A plain decimal that is not negative: what `overdraft` takes. */
export const isDecimalSyntax = (text: string): boolean => decimalSyntax.test(text)

/** A plain decimal above zero: what every amount takes. */
export const isAmountSyntax = (text: string): boolean => decimalSyntax.test(text) && /[1-9]/.test(text)

/** Without trailing zeros: `10.50` -> `10.5`, `10.0` -> `10`. Expects `isDecimalSyntax`. */
export function normalizeDecimal(text: string): string {
  if (!text.includes('.') || !text.endsWith('0')) return text
  return new Exact(text).toFixed()
}

export type AmountRefusal = 'amount_scale' | 'amount_overflow'

/**
 * Minor units of a decimal that is not negative. Decimals beyond the scale may only be zeros, else `amount_scale`; above `minorMax`:
 * `amount_overflow`. Expects `isDecimalSyntax`, which intake has checked; anything else is an InvariantViolation.
 */
export function parseAmount(text: string, scale: number): bigint | AmountRefusal {
  const { length } = text
  if (length + scale > exactDigits) return parseLong(text, scale)
  let digits = 0
  let point = -1
  for (let index = 0; index < length; index++) {
    const digit = text.charCodeAt(index) - 48
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (digit === -2 && point === -1) point = index
    else return parseLong(text, scale)
  }
  const decimals = point === -1 ? 0 : length - point - 1
  // What looks odd (no digit beside the point, a leading zero, too many decimals) is judged in one place.
  if (decimals > scale || point === 0 || point === length - 1 || length === 0) return parseLong(text, scale)
  if (length > 1 && point !== 1 && text.charCodeAt(0) === 48) return parseLong(text, scale)
  return BigInt(digits * (powersOfTen[scale - decimals] ?? 1))
}

/**
 * As `parseAmount`, from ASCII bytes to a whole number; NaN for whatever is not surely one that a double adds exactly: `parseAmount` then says
 * what it is.
 */
export function parseWhole(bytes: Uint8Array, at: number, length: number, scale: number): number {
  if (length === 0 || length + scale > exactDigits) return Number.NaN
  let digits = 0
  let point = -1
  for (let i = 0; i < length; i++) {
    const digit = (bytes[at + i] ?? 0) - 48
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (digit === -2 && point === -1) point = i
    else return Number.NaN
  }
  const decimals = point === -1 ? 0 : length - point - 1
  if (decimals > scale || point === 0 || point === length - 1) return Number.NaN
  if (length > 1 && point !== 1 && bytes[at] === 48) return Number.NaN
  return digits * (powersOfTen[scale - decimals] ?? Number.NaN)
}

function parseLong(text: string, scale: number): bigint | AmountRefusal {
  if (!decimalSyntax.test(text)) violated('amount_syntax', { text })
  const point = text.indexOf('.')
  const whole = point === -1 ? text : text.slice(0, point)
  let decimals = point === -1 ? '' : text.slice(point + 1)
  if (decimals.length > scale) {
    if (/[1-9]/.test(decimals.slice(scale))) return 'amount_scale'
    decimals = decimals.slice(0, scale)
  }
  const minor = BigInt(whole + decimals.padEnd(scale, '0'))
  return minor > minorMax ? 'amount_overflow' : minor
}

/** `-1234n` at scale 2 -> `-12.34`: exactly `scale` decimals. */
export function formatMinor(minor: bigint, scale: number): string {
  if (scale === 0) return minor.toString()
  const negative = minor < 0n
  let digits = (negative ? -minor : minor).toString()
  if (digits.length <= scale) digits = digits.padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${negative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}

/**
 * Splits a total by whole weights that sum up to at least it, by the largest remainder: no part is above its weight, the parts sum up to the total. Ties go to the
 * lower index.
 */
export function allocateByWeight(total: bigint, weights: readonly bigint[]): bigint[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0n)
  if (total < 0n || total > whole) throw new RangeError(`cannot split ${total} by weights of ${whole}`)
  if (whole === 0n) return weights.map(() => 0n)
  const parts = weights.map((weight, index) => ({
    index,
    units: (total * weight) / whole,
    fraction: (total * weight) % whole,
  }))
  let missing = total
  for (const { units } of parts) missing -= units
  for (const part of parts.toSorted((a, b) =>
    a.fraction === b.fraction ? a.index - b.index : a.fraction < b.fraction ? 1 : -1,
  )) {
    if (missing === 0n) break
    part.units += 1n
    missing -= 1n
  }
  return parts.map(({ units }) => units)
}

/** Plain decimals that sum up to exactly 1, each above zero. */
export function areShares(shares: readonly string[]): boolean {
  let sum = new Exact(0n)
  for (const share of shares) {
    if (!isAmountSyntax(share)) return false
    sum = sum.plus(share)
  }
  return sum.eq(1n)
}

/**
 * Splits a total by shares that sum to exactly 1 (decimal strings), by the largest remainder (Hamilton's method): each part is its exact
 * share rounded down, and what is then missing goes one unit each to the largest fractions; ties to the lower index. The parts sum to
 * the total. Throws RangeError for shares that do not sum to 1, a share that is no plain decimal, or a negative total.
 */
export function allocate(totalMinor: bigint, shares: readonly string[]): bigint[] {
  if (totalMinor < 0n) throw new RangeError(`cannot allocate a negative total: ${totalMinor}`)
  const total = new Exact(totalMinor)
  let sum = new Exact(0n)
  const parts = shares.map((share, index) => {
    if (!isDecimalSyntax(share)) throw new RangeError(`shares[${index}] is not a plain decimal: ${share}`)
    sum = sum.plus(share)
    const exact = total.times(share)
    const down = exact.round(0, roundDown)
    return { index, units: BigInt(down.toFixed()), fraction: exact.minus(down) }
  })
  if (!sum.eq(1n)) throw new RangeError(`shares sum to ${sum.toFixed()}, not 1`)
  let missing = totalMinor
  for (const part of parts) missing -= part.units
  // `sort` is stable: equal fractions stay in the order of their index.
  for (const part of parts.toSorted((a, b) => b.fraction.cmp(a.fraction))) {
    if (missing === 0n) break
    part.units += 1n
    missing -= 1n
  }
  if (missing !== 0n) violated('allocation_sums_to_total', { totalMinor, shares, missing })
  return parts.map((part) => part.units)
}
