import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Big } from 'big.js'
import fc from 'fast-check'
import {
  allocate,
  formatMinor,
  isAmountSyntax,
  isDecimalSyntax,
  minorMax,
  normalizeDecimal,
  parseAmount,
} from './money.ts'

const syntax = [
  ['0', true, false],
  ['0.00', true, false],
  ['1', true, true],
  ['10.5', true, true],
  ['0.000000000000000001', true, true],
  ['0.0000000000000000001', false, false],
  ['9999999999999999999', true, true],
  ['10000000000000000000', false, false],
  ['010', false, false],
  ['00', false, false],
  ['.5', false, false],
  ['5.', false, false],
  ['', false, false],
  ['-1', false, false],
  ['+1', false, false],
  ['1e3', false, false],
  ['1,5', false, false],
  ['1.5.0', false, false],
  ['1\n', false, false],
  [' 1', false, false],
  ['１', false, false],
] as const

for (const [text, decimal, amount] of syntax) {
  test(`syntax: ${JSON.stringify(text)} is ${decimal ? '' : 'no '}decimal and ${amount ? 'an' : 'no'} amount`, () => {
    assert.equal(isDecimalSyntax(text), decimal)
    assert.equal(isAmountSyntax(text), amount)
    if (!decimal) assert.throws(() => parseAmount(text, 2), /amount_syntax/)
  })
}

const parsed = [
  ['12.34', 2, 1234n],
  ['12.3', 2, 1230n],
  ['12', 2, 1200n],
  ['0.01', 2, 1n],
  ['0', 2, 0n],
  ['12', 0, 12n],
  ['12.0', 0, 12n],
  ['12.000', 2, 1200n],
  ['12.001', 2, 'amount_scale'],
  ['0.5', 0, 'amount_scale'],
  ['0.00000001', 8, 1n],
  ['0.000000001', 8, 'amount_scale'],
  ['9007199254740993', 0, 9007199254740993n],
  ['9223372036854775807', 0, minorMax],
  ['9223372036854775808', 0, 'amount_overflow'],
  ['92233720368547758.07', 2, minorMax],
  ['92233720368547758.08', 2, 'amount_overflow'],
  ['92233720368547758.080', 2, 'amount_overflow'],
  ['9999999999999999999.999', 2, 'amount_scale'],
] as const

for (const [text, scale, expected] of parsed) {
  test(`parse: ${text} at scale ${scale} -> ${expected}`, () => assert.equal(parseAmount(text, scale), expected))
}

const formatted = [
  [1234n, 2, '12.34'],
  [-1234n, 2, '-12.34'],
  [0n, 2, '0.00'],
  [5n, 2, '0.05'],
  [-5n, 2, '-0.05'],
  [100n, 2, '1.00'],
  [-7n, 0, '-7'],
  [1n, 8, '0.00000001'],
  [minorMax, 2, '92233720368547758.07'],
] as const

for (const [minor, scale, expected] of formatted) {
  test(`format: ${minor} at scale ${scale} -> ${expected}`, () => assert.equal(formatMinor(minor, scale), expected))
}

const normalised = [
  ['10.50', '10.5'],
  ['10.0', '10'],
  ['10', '10'],
  ['100', '100'],
  ['0.0', '0'],
  ['0.000000010', '0.00000001'],
  ['9999999999999999999.900000000000000000', '9999999999999999999.9'],
] as const

for (const [text, expected] of normalised) {
  test(`normalise: ${text} -> ${expected}`, () => assert.equal(normalizeDecimal(text), expected))
}

const scale = fc.integer({ min: 0, max: 8 })
const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${maxLength}}$`))
const decimal = fc
  .tuple(fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,18}$/)), fc.option(digits(18), { nil: undefined }))
  .map(([whole, decimals]) => (decimals === undefined ? whole : `${whole}.${decimals}`))

test('parsing agrees with big.js for every decimal and scale', () => {
  fc.assert(
    fc.property(decimal, scale, (text, decimals) => {
      const exact = new Big(text).times(new Big(10).pow(decimals))
      const expected = !exact.eq(exact.round(0, 0))
        ? 'amount_scale'
        : exact.gt(minorMax.toString())
          ? 'amount_overflow'
          : BigInt(exact.toFixed())
      assert.equal(parseAmount(text, decimals), expected)
    }),
    { numRuns: 3000 },
  )
})

test('formatting agrees with big.js and is read back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -minorMax, max: minorMax }), scale, (minor, decimals) => {
      const text = formatMinor(minor, decimals)
      const exact = new Big(minor.toString()).div(new Big(10).pow(decimals))
      assert.equal(text, exact.toFixed(decimals))
      if (minor >= 0n) assert.equal(parseAmount(text, decimals), minor)
    }),
    { numRuns: 2000 },
  )
})

test('normalising keeps the value, drops trailing zeros, and has nothing to do the second time', () => {
  fc.assert(
    fc.property(decimal, (text) => {
      const normal = normalizeDecimal(text)
      assert.ok(new Big(text).eq(normal))
      assert.ok(isDecimalSyntax(normal))
      assert.doesNotMatch(normal, /\.[0-9]*0$/)
      assert.equal(normalizeDecimal(normal), normal)
    }),
  )
})

const allocations = [
  ['thirds: the first gets the odd unit', 100n, ['0.34', '0.33', '0.33'], [34n, 33n, 33n]],
  ['ties go to the lower index', 1n, ['0.5', '0.5'], [1n, 0n]],
  ['ties of three', 2n, ['0.25', '0.25', '0.25', '0.25'], [1n, 1n, 0n, 0n]],
  ['the largest fraction first', 10n, ['0.11', '0.19', '0.7'], [1n, 2n, 7n]],
  ['nothing', 0n, ['0.3', '0.7'], [0n, 0n]],
  ['one share', 77n, ['1'], [77n]],
  ['a share of nothing gets nothing', 1n, ['0', '0.1', '0.9'], [0n, 0n, 1n]],
  ['everything there is', minorMax, ['0.5', '0.5'], [4611686018427387904n, 4611686018427387903n]],
] as const

for (const [name, total, shares, expected] of allocations) {
  test(`allocate: ${name}`, () => assert.deepEqual(allocate(total, shares), expected))
}

test('allocate refuses shares that do not sum to 1, shares that are none, and negative totals', () => {
  assert.throws(() => allocate(10n, ['0.3', '0.3']), RangeError)
  assert.throws(() => allocate(10n, []), RangeError)
  assert.throws(() => allocate(10n, ['0.5', '0.500000000000000001']), RangeError)
  assert.throws(() => allocate(10n, ['-0.5', '1.5']), RangeError)
  assert.throws(() => allocate(-1n, ['1']), RangeError)
})

test('the parts of an allocation sum to the total and are less than a unit from their exact share', () => {
  const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 8 }).map((parts) => {
    // Shares of six decimals that sum to exactly 1: the last takes the rest.
    const sum = parts.reduce((a, b) => a + b, 0)
    const shares = parts.slice(1).map((part) => Math.floor((part * 1_000_000) / Math.max(1, sum)))
    const rest = 1_000_000 - shares.reduce((a, b) => a + b, 0)
    return [...shares, rest].map((millionths) => new Big(millionths).div(1_000_000).toFixed())
  })
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: minorMax }), weights, (total, shares) => {
      const parts = allocate(total, shares)
      assert.equal(
        parts.reduce((a, b) => a + b, 0n),
        total,
      )
      for (const [index, part] of parts.entries()) {
        const distance = new Big(part.toString()).minus(new Big(total.toString()).times(shares[index] ?? '0'))
        assert.ok(distance.abs().lt(1), `part ${index} is ${distance.toFixed()} off`)
      }
    }),
    { numRuns: 500 },
  )
})
