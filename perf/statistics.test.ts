import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareSpreads, median, pairedRatio, rounded, spreadOf } from './statistics.ts'

test('statistics: the median of an odd and of an even number of rounds, whatever their order', () => {
  assert.equal(median([5, 1, 9]), 5)
  assert.equal(median([4, 1, 2, 9]), 3)
  assert.equal(median([7]), 7)
})

test('statistics: a spread keeps its rounds in the order measured and refuses what is no figure', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3, rounds: [3, 1, 2] })
  assert.throws(() => spreadOf([]), RangeError)
  assert.throws(() => spreadOf([1, Number.NaN]), RangeError)
  assert.throws(() => spreadOf([1 / 0]), RangeError)
})

test('statistics: a ratio of rounds that took turns is not fooled by a slow minute that hit both', () => {
  // Round 2 ran on a machine at half its speed: the quotient of the medians would be 150 / 100.
  assert.equal(pairedRatio([200, 100, 200], [100, 50, 100]).median, 2)
  assert.deepEqual(pairedRatio([200, 100, 150], [100, 50, 100]).rounds, [2, 2, 1.5])
  assert.throws(() => pairedRatio([1], [1, 2]), RangeError)
})

const verdicts = [
  ['apart and higher', [100, 104, 102], [120, 125, 122], 'more', 'better'],
  ['apart and lower', [100, 104, 102], [80, 85, 82], 'more', 'worse'],
  ['lower, where less is better', [100, 104, 102], [80, 85, 82], 'less', 'better'],
  ['higher, where less is better', [100, 104, 102], [120, 125, 122], 'less', 'worse'],
  ['spreads that overlap', [100, 130, 110], [125, 150, 140], 'more', 'within noise'],
  ['spreads that touch', [100, 110], [110, 120], 'more', 'within noise'],
  ['one round, a little', [100], [120], 'more', 'within noise'],
  ['one round, a lot', [100], [125], 'more', 'better'],
  ['one round, a lot less', [100], [80], 'more', 'worse'],
] as const
for (const [name, before, after, better, verdict] of verdicts)
  test(`statistics: ${name} is ${verdict}`, () =>
    assert.equal(compareSpreads(spreadOf(before), spreadOf(after), better).verdict, verdict))

test('statistics: a comparison says between what the ratio may lie', () => {
  const { ratio, low, high } = compareSpreads(spreadOf([90, 100, 110]), spreadOf([180, 200, 220]), 'more')
  assert.equal(ratio, 2)
  assert.equal(low, 180 / 110)
  assert.equal(high, 220 / 90)
})

test('statistics: three digits, so that no figure looks more exact than it is', () => {
  assert.deepEqual([12_345, 0.123456, 99.95, 0, -1234].map(rounded), [12_300, 0.123, 100, 0, -1230])
})
