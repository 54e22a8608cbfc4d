import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IdKey, idKeyFromBytes, idKeyOf } from '../core/identity.ts'
import { bitsPerId, IdFilter, pageBytes, probeOf, probes } from './id-filter.ts'

const keys = (count: number, owner: string): IdKey[] =>
  Array.from({ length: count }, (_, i) => idKeyOf(owner, String(i)))
const anyKey = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(idKeyFromBytes)

test('an id that was added is always found, in the filter and in its stored form', () => {
  fc.assert(
    fc.property(fc.array(anyKey, { minLength: 1, maxLength: 300 }), (ids) => {
      const filter = new IdFilter(ids.length)
      for (const id of ids) filter.add(id)
      const stored = IdFilter.from(ids.length, Buffer.from(filter.toBytes()))
      for (const id of ids) assert.ok(filter.mayHold(id) && stored.mayHold(id))
      assert.equal(stored.count, ids.length)
    }),
    { numRuns: 50 },
  )
})

test('at most one unknown id in a thousand is taken for a known one, in a filter that is as full as it gets', () => {
  for (const ids of [4096, 65_536]) {
    const filter = new IdFilter(ids)
    assert.equal(filter.bits.length * 32, ids * bitsPerId)
    for (const id of keys(ids, 'known')) filter.add(id)
    const unknown = keys(100_000, 'unknown')
    const wrong = unknown.filter((id) => filter.mayHold(id)).length
    assert.ok(wrong < unknown.length / 1000, `${wrong} of ${unknown.length} at ${ids} ids`)
    // So that the test means something: a filter that never says yes would pass it too.
    assert.ok(wrong > 5, String(wrong))
  }
})

test('all bits of an id lie in the page that its key names', () => {
  fc.assert(
    fc.property(anyKey, fc.constantFrom(1, 10_000), (id, ids) => {
      const filter = new IdFilter(ids)
      filter.add(id)
      const bytes = filter.toBytes()
      const pages = bytes.length / pageBytes
      const { hash, bit, step } = probeOf(id)
      const page = bytes.subarray((hash & (pages - 1)) * pageBytes)
      const set = new Set(Array.from({ length: probes }, (_, i) => (bit + i * step) % (pageBytes * 8)))
      for (const one of set) assert.ok(((page[one >> 3] ?? 0) & (1 << (one & 7))) !== 0)
      let bits = 0
      for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) bits++
      assert.equal(bits, set.size)
    }),
    { numRuns: 50 },
  )
})

test('an empty filter holds nothing; stored bytes of another size are refused', () => {
  const filter = new IdFilter(0)
  assert.equal(filter.mayHold(idKeyOf('a', '1')), false)
  assert.throws(() => IdFilter.from(10_000, filter.toBytes()), RangeError)
})
