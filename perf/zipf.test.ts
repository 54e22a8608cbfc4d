import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededFraction, uniform, zipf } from './zipf.ts'

const picked = (pick: () => number, count: number): Map<number, number> => {
  const counts = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const account = pick()
    counts.set(account, (counts.get(account) ?? 0) + 1)
  }
  return counts
}

test('zipf: shares follow 1 / rank^s', () => {
  const counts = [...picked(zipf(1000, 1, 42), 200_000).values()].sort((a, b) => b - a)
  const harmonic = Array.from({ length: 1000 }, (_, k) => 1 / (k + 1)).reduce((a, b) => a + b)
  for (const rank of [0, 1, 2, 9]) {
    const expected = 200_000 / (rank + 1) / harmonic
    assert.ok(
      Math.abs((counts[rank] ?? 0) - expected) < expected * 0.06,
      `rank ${rank}: ${counts[rank]}, not ${expected}`,
    )
  }
})

test('zipf: with s = 0 every account is as likely as any other', () => {
  for (const count of picked(zipf(10, 0, 1), 100_000).values()) assert.ok(Math.abs(count - 10_000) < 500)
})

for (const accounts of [1, 2, 7, 1000, 1024]) {
  test(`zipf: each of ${accounts} accounts has one rank`, () => {
    const seen = picked(zipf(accounts, 0, 3), accounts * 40)
    assert.equal(seen.size, accounts)
    assert.ok([...seen.keys()].every((account) => account >= 0 && account < accounts))
  })
}

test('zipf: the popular accounts are not neighbours', () => {
  const [first = 0, second = 0] = [...picked(zipf(10_000, 1.2, 5), 50_000)]
    .sort((a, b) => b[1] - a[1])
    .map(([account]) => account)
  assert.ok(Math.abs(first - second) > 100)
})

test('zipf: the same seed gives the same load, another seed another', () => {
  const take = (seed: number): number[] => Array.from({ length: 50 }, zipf(1000, 0.99, seed))
  assert.deepEqual(take(1), take(1))
  assert.notDeepEqual(take(1), take(2))
})

test('uniform: every account, none outside', () => {
  const seen = picked(uniform(16, 9), 4000)
  assert.equal(seen.size, 16)
  assert.ok(Math.max(...seen.keys()) === 15 && Math.min(...seen.keys()) === 0)
})

test('seeded fractions lie in [0, 1) and spread evenly', () => {
  const fraction = seededFraction(1)
  const tenths = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) {
    const value = fraction()
    assert.ok(value >= 0 && value < 1)
    const tenth = Math.floor(value * 10)
    tenths[tenth] = (tenths[tenth] ?? 0) + 1
  }
  for (const count of tenths) assert.ok(Math.abs(count - 10_000) < 500)
})
