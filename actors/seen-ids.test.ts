import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IdKey, idKeyOf } from '../core/identity.ts'
import { IdFilter } from './id-filter.ts'
import { SeenIds } from './seen-ids.ts'

const keys = (count: number, owner: string): IdKey[] =>
  Array.from({ length: count }, (_, i) => idKeyOf(owner, String(i)))

const loaded = (segment = 1): SeenIds => {
  const seen = new SeenIds(segment)
  seen.loaded = true
  return seen
}

function filterOf(ids: readonly IdKey[]): IdFilter {
  const filter = new IdFilter(ids.length)
  for (const id of ids) filter.add(id)
  return filter
}

test('until the past is loaded every id may have been seen', () => {
  const seen = new SeenIds(1)
  const [a, b] = keys(2, 'c') as [IdKey, IdKey]
  assert.ok(seen.mayHold(a))
  seen.add(a)
  seen.loaded = true
  assert.ok(seen.mayHold(a))
  assert.equal(seen.mayHold(b), false)
})

test('ids of closed segments and of a chain that grew are all found, and few others', () => {
  const seen = loaded()
  const here = keys(30_000, 'here')
  for (const id of here) seen.add(id)
  const past = keys(5000, 'past')
  seen.addFilter(0, filterOf(past))
  for (const id of [...here, ...past]) assert.ok(seen.mayHold(id))
  const wrong = keys(20_000, 'unknown').filter((id) => seen.mayHold(id)).length
  assert.ok(wrong < 60, String(wrong))
  assert.ok(seen.bytes < 30_000 * 8)
})

test('a segment that is dropped takes its ids along and no others, and what is written to is never dropped', () => {
  const seen = loaded()
  const [a, b, c, d] = keys(4, 'c') as [IdKey, IdKey, IdKey, IdKey]
  seen.add(a)
  seen.switchTo(3)
  seen.add(b)
  // As by a recovery before the switch was committed.
  seen.switchTo(1)
  seen.add(c)
  seen.addTo(2, d)
  const { bytes } = seen
  seen.drop(1)
  seen.drop(3)
  assert.deepEqual(
    [a, b, c, d].map((id) => seen.mayHold(id)),
    [false, true, true, true],
  )
  assert.ok(seen.bytes < bytes)
  assert.deepEqual(
    [...seen.sizes()].map(([segment]) => segment),
    [3, 2],
  )
  assert.equal(
    [...seen.sizes()].reduce((sum, [, size]) => sum + size, 0),
    seen.bytes,
  )
})

test('a segment begins with room for as many ids as the one before it had', () => {
  const seen = loaded()
  for (const id of keys(40_000, 'first')) seen.add(id)
  seen.switchTo(2)
  const [, size = 0] = [...seen.sizes()].find(([segment]) => segment === 2) ?? []
  for (const id of keys(40_000, 'second')) seen.add(id)
  assert.deepEqual(
    [...seen.sizes()].find(([segment]) => segment === 2),
    [2, size],
  )
})
