import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Encoder } from '@msgpack/msgpack'
import fc from 'fast-check'
import type { Command } from '../core/command.ts'
import { firstDifference } from '../core/compare.ts'
import { decodeFrame, encodeFrame, type Stamped } from './frame.ts'
import { anyCommand } from './testing/any-command.ts'

const stamped: fc.Arbitrary<Stamped> = fc.record({
  command: anyCommand,
  ticket: fc.nat(Number.MAX_SAFE_INTEGER),
  stampedAt: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
})

/** Members that are undefined count as absent. */
const plain = (one: Stamped): unknown => JSON.parse(JSON.stringify(one))

test('a frame gives back the commands that went in, each with its ticket and its stamp, in their order', () => {
  const types = new Set<Command['type']>()
  fc.assert(
    fc.property(fc.array(stamped, { minLength: 1, maxLength: 8 }), (commands) => {
      const decoded = decodeFrame(encodeFrame(commands))
      assert.deepEqual(decoded.map(plain), commands.map(plain))
      for (const [i, { command }] of commands.entries()) {
        const again = decoded[i]?.command
        assert.ok(again !== undefined)
        assert.equal(firstDifference(command, again), undefined)
        types.add(command.type)
      }
    }),
    { numRuns: 500 },
  )
  assert.equal(types.size, 16)
})

test('the bytes of a frame are its own: the next one does not change them', () => {
  const one: Stamped = { command: { type: 'expire', id: '!e', account: 'c:cash' }, ticket: 1, stampedAt: 5 }
  const first = encodeFrame([one])
  const before = Buffer.from(first)
  encodeFrame([{ ...one, ticket: 2, command: { type: 'expire', id: '!f', account: 'd:save' } }])
  assert.deepEqual(Buffer.from(first), before)
})

test('what is not a frame of this version is refused', () => {
  const encode = (value: unknown): Uint8Array => new Encoder().encode(value)
  for (const value of [[1, '[0]'], [99, '[0]'], 'text', {}, [], [2, 5]])
    assert.throws(() => decodeFrame(encode(value)), RangeError, JSON.stringify(value))
  assert.throws(() => decodeFrame(encode([2, '[0,77,1,0,"id"]'])), /unknown type 77/)
  const whole = encodeFrame([{ command: { type: 'expire', id: '!e', account: 'c:cash' }, ticket: 1, stampedAt: 5 }])
  for (const bytes of [whole.subarray(0, whole.length - 1), new Uint8Array(0)]) assert.throws(() => decodeFrame(bytes))
})
