import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownerHash, ownerHashName, partitionOf } from './route.ts'

/** Computed apart from this code, in Python, after the two sources that route.ts names. A change of any loses every account. */
const vectors = [
  ['', 2872998923],
  ['a', 444641715],
  ['house', 2000738336],
  ['c', 1185767313],
  ['cust-42', 2969900880],
  ['cust-43', 415044442],
  ['merchant-7', 163398228],
  ['camp-SPRING', 1800448254],
  ['foobar', 202221276],
  ['A-very.long_owner:name-that-goes-on-0123456789', 913741658],
] as const

test('the hash of owners is pinned, with its name', () => {
  assert.equal(ownerHashName, 'fnv1a32-murmur3fmix/1')
  for (const [text, hash] of vectors) assert.equal(ownerHash(text), hash, text)
  assert.equal(partitionOf('cust-42', 16), 2969900880 % 16)
})

test('owners that are counted up are spread evenly over any number of partitions', () => {
  for (const partitions of [2, 7, 16, 64, 1024]) {
    const owners = partitions * 400
    const counts = new Uint32Array(partitions)
    for (let i = 0; i < owners; i++) {
      const partition = partitionOf(`cust-${i}`, partitions)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    // Each count of a fair hash is Poisson(400): 6 standard deviations are 120.
    assert.ok(Math.min(...counts) > 280, `${partitions}: ${Math.min(...counts)}`)
    assert.ok(Math.max(...counts) < 520, `${partitions}: ${Math.max(...counts)}`)
  }
})
