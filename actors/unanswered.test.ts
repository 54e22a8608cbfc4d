import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unanswered } from './unanswered.ts'

const first = 7 * 2 ** 32

test('unanswered: as a Map in the order of tickets says, whatever is added, deleted and asked', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'delete', 'skip'), fc.nat(40_000)), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (done) => {
      const mine = new Unanswered<{ readonly ticket: number }>()
      const model = new Map<number, { readonly ticket: number }>()
      let ticket = first
      for (const [what, n] of done) {
        if (what === 'delete') {
          const known = [...model.keys()]
          const gone = known[n % Math.max(1, known.length)] ?? first
          mine.delete(gone)
          model.delete(gone)
        } else {
          // Many that are answered at once lie between those that are left.
          for (let i = what === 'skip' ? n : 0; i > 0; i--) {
            mine.add({ ticket: ++ticket })
            mine.delete(ticket)
          }
          const one = { ticket: ++ticket }
          mine.add(one)
          model.set(ticket, one)
        }
        assert.equal(mine.size, model.size)
        assert.equal(mine.get(ticket), model.get(ticket))
      }
      assert.deepEqual([...mine.values()], [...model.values()])
      for (const known of model.keys()) assert.equal(mine.has(known), true)
      assert.equal(mine.has(ticket + 1), false)
    }),
    { numRuns: 100 },
  )
})

test('unanswered: one that waits while the ring goes round many times is still the oldest, and found', () => {
  const mine = new Unanswered<{ readonly ticket: number }>()
  mine.add({ ticket: first })
  for (let ticket = first + 1; ticket <= first + 200_000; ticket++) {
    mine.add({ ticket })
    if (ticket > first + 10) mine.delete(ticket - 10)
  }
  assert.equal(mine.get(first)?.ticket, first)
  assert.equal(mine.size, 11)
  assert.deepEqual([...mine.values()].map(({ ticket }) => ticket - first).slice(0, 3), [0, 199_991, 199_992])
  mine.delete(first)
  assert.equal(mine.has(first), false)
  mine.delete(first)
  assert.equal(mine.size, 10)
})

test('unanswered: what is looped over may be deleted in the loop', () => {
  const mine = new Unanswered<{ readonly ticket: number }>()
  for (let ticket = first; ticket < first + 5; ticket++) mine.add({ ticket })
  for (const { ticket } of mine.values()) mine.delete(ticket)
  assert.deepEqual([...mine.values()], [])
  mine.add({ ticket: first + 9 })
  assert.deepEqual([...mine.values()].length, 1)
})
