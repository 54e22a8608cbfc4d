import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparePositions, positionText } from './position.ts'

const ordered = [
  [0, 0, 0, 0],
  [1, 0, 0, 0],
  [1, 7, 0, 0],
  [1, 7, 0, 1],
  [1, 7, 0, 1024],
  [1, 7, 2, 0],
  [1, 8, 0, 0],
  [2, 1, 0, 1],
  [2, Number.MAX_SAFE_INTEGER - 1, 0, 0],
  [2, Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER],
].map(([generation = 0, high = 0, low = 0, index = 0]) => ({ generation, high, low, index }))

test('positions are ordered by generation, frame and index', () => {
  for (const [i, a] of ordered.entries())
    for (const [j, b] of ordered.entries()) assert.equal(Math.sign(comparePositions(a, b)), Math.sign(i - j))
})

test('the stored form tells any two apart', () => {
  assert.equal(positionText({ generation: 3, high: 12, low: 1, index: 40 }), '3:12-1+40')
  assert.equal(new Set(ordered.map(positionText)).size, ordered.length)
})
