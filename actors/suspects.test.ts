// How suspects are tried: which of them together, what is noted, and which one is given up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { comparePositions, type Position } from './position.ts'
import { type Attempt, attemptFrom, attemptText, type Caution, Cautions, isOver, nextTry } from './suspects.ts'

const at = (high: number): Position => ({ generation: 1, high, low: 0, index: 1 })
const places = (from: number, to: number): readonly [Position, ...Position[]] => [
  at(from),
  ...Array.from({ length: to - from }, (_, i) => at(from + 1 + i)),
]
const careful = (given: Partial<Caution>): Caution => ({
  until: undefined,
  known: undefined,
  failed: undefined,
  ...given,
})
const note = (until: number, commands: number, again: boolean): Attempt => ({ until: at(until), commands, again })

const table = [
  ['nothing is suspected: all at once, no note', undefined, 5, { count: 5, note: undefined }],
  ['all are suspects: all at once', careful({ until: at(5) }), 5, { count: 5, note: note(5, 5, false) }],
  ['suspects end before the last: those alone', careful({ until: at(3) }), 5, { count: 3, note: note(3, 3, false) }],
  ['suspects are over: the rest without a note', careful({ until: at(0) }), 5, { count: 5, note: undefined }],
  ['one is known to fail: those before it first', careful({ known: at(4) }), 5, { count: 3, note: undefined }],
  ['the one that is known comes next: alone', careful({ known: at(1) }), 5, { count: 1, note: note(1, 1, true) }],
  ['the one that is known is behind these', careful({ known: at(9) }), 5, { count: 5, note: undefined }],
  [
    'suspects before one that is known',
    careful({ until: at(9), known: at(3) }),
    5,
    { count: 2, note: note(2, 2, false) },
  ],
  [
    'a failed attempt of few: one after the other',
    careful({ failed: note(5, 5, false) }),
    5,
    { count: 1, note: note(1, 1, true) },
  ],
  [
    'one failed attempt of one: once more',
    careful({ failed: note(1, 1, false) }),
    5,
    { count: 1, note: note(1, 1, true) },
  ],
  ['a second one of the same: given up', careful({ failed: note(1, 1, true) }), 5, { count: 1, note: undefined }],
  ['a failed attempt that is over: all', careful({ failed: note(0, 1, true) }), 5, { count: 5, note: undefined }],
] as const
for (const [name, caution, last, expected] of table)
  test(`suspects: ${name}`, () => {
    const { count, note: noted, giveUp } = nextTry(caution, places(1, last))
    assert.deepEqual({ count, note: noted }, expected)
    assert.equal(giveUp, name.endsWith('given up'))
  })

test('suspects: a failed attempt of many is cut into 64 parts', () => {
  assert.equal(nextTry(careful({ failed: note(4096, 4096, false) }), places(1, 4096)).count, 64)
})

test('suspects: whatever few commands always fail, those and no others are given up, in few tries', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 5000 })
        .chain((n) => fc.tuple(fc.constant(n), fc.uniqueArray(fc.integer({ min: 1, max: n }), { maxLength: 3 }))),
      ([n, bad]) => {
        let caution: Caution | undefined = careful({ until: at(n) })
        let done = 0
        let tries = 0
        const givenUp: number[] = []
        while (done < n) {
          assert.ok(++tries < 10_000)
          const { count, note: noted, giveUp } = nextTry(caution, places(done + 1, n))
          assert.ok(count > 0)
          const fails = !giveUp && bad.some((one) => one > done && one <= done + count)
          if (giveUp) givenUp.push(done + 1)
          if (fails) caution = { ...careful(caution ?? {}), failed: noted }
          else done += count
          if (caution !== undefined && done > 0 && isOver(caution, at(done))) caution = undefined
        }
        assert.deepEqual(
          givenUp,
          bad.toSorted((a, b) => a - b),
        )
        assert.ok(tries <= 3 + bad.length * 200, `${tries} tries for ${bad.length} of ${n}`)
      },
    ),
  )
})

test('suspects: an attempt counts as failed if a command ended it, or the host before, and not if the database did', () => {
  const noted = note(5, 5, false)
  const none = { until: undefined, known: undefined }
  const cautions = new Cautions()
  assert.equal(cautions.whenHosted(0, at(0), attemptText(noted), false), undefined)
  assert.deepEqual(cautions.whenHosted(0, at(0), attemptText(noted), true), { ...none, failed: noted })
  const blamed = new Cautions()
  blamed.suspect(0, { until: undefined, known: at(3) })
  const careful = { until: undefined, known: at(3), failed: noted }
  assert.deepEqual(blamed.whenHosted(0, at(0), attemptText(noted), false), careful)
  assert.deepEqual(blamed.whenHosted(0, at(0), attemptText(note(4, 1, true)), false), careful, 'blamed once')
})

test('suspects: of what a dead thread is suspected to have died of, nothing is left that is committed', () => {
  const cautions = new Cautions()
  cautions.suspect(0, { until: undefined, known: at(3) })
  assert.deepEqual(cautions.whenHosted(0, at(2), undefined, true), careful({ known: at(3) }))
  assert.equal(cautions.whenHosted(0, at(3), undefined, true), undefined)
  assert.equal(cautions.whenHosted(0, at(2), undefined, true), undefined)
})

test('suspects: an attempt is read back as it was noted, and another text is none', () => {
  for (const one of [note(5, 17, false), note(1, 1, true)]) assert.deepEqual(attemptFrom(attemptText(one)), one)
  for (const other of ['', '1:2-0+1', 'x 3', '1:2-0+1 3 twice']) assert.equal(attemptFrom(other), undefined)
  assert.ok(comparePositions(at(1), at(2)) < 0)
})
