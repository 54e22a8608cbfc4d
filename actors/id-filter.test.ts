import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IdKey, idKeyFromBytes, idKeyOf } from '../core/identity.ts'
import { bitsPerId, IdFilter, SeenIds } from './id-filter.ts'

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

test('an empty filter holds nothing; stored bytes of another size are refused', () => {
  const filter = new IdFilter(0)
  assert.equal(filter.mayHold(idKeyOf('a', '1')), false)
  assert.throws(() => IdFilter.from(1000, filter.toBytes()), RangeError)
})

test('until the past is loaded every id may have been seen', () => {
  const seen = new SeenIds()
  const [a, b] = keys(2, 'c') as [IdKey, IdKey]
  assert.ok(seen.mayHold(a))
  seen.add(a)
  seen.loaded = true
  assert.ok(seen.mayHold(a))
  assert.equal(seen.mayHold(b), false)
})

test('ids of closed segments and of a chain that grew are all found, and few others', () => {
  const seen = new SeenIds()
  seen.loaded = true
  const here = keys(30_000, 'here')
  for (const id of here) seen.add(id)
  const past = keys(5000, 'past')
  const closed = new IdFilter(past.length)
  for (const id of past) closed.add(id)
  seen.addClosed(1, closed)
  for (const id of [...here, ...past]) assert.ok(seen.mayHold(id))
  const wrong = keys(20_000, 'unknown').filter((id) => seen.mayHold(id)).length
  assert.ok(wrong < 60, String(wrong))
  assert.ok(seen.bytes < 30_000 * 8)
})
