import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Encoder } from '@msgpack/msgpack'
import fc from 'fast-check'
import type { Command } from '../core/command.ts'
import { firstDifference } from '../core/compare.ts'
import { decodeFrame, encodeFrame, FrameReader, type Stamped } from './frame.ts'
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
  assert.equal(types.size, 22)
})

const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019._:-'), minLength: 1, maxLength: 128 })
const channel = fc.option(fc.constantFrom('alipay', 'a'), { nil: undefined })
const bare = fc.oneof(
  fc.record({ type: fc.constant('debit' as const), id: word, account: word, amount: word, to: word, channel }),
  fc.record({ type: fc.constant('credit' as const), id: word, account: word, amount: word, from: word, channel }),
  fc.record({ type: fc.constant('transfer' as const), id: word, from: word, to: word, amount: word, channel }),
)

test('plain and other commands keep their order, and a plain one is read without an object', () => {
  let plains = 0
  const any = fc.record({
    command: fc.oneof(bare, anyCommand),
    ticket: fc.nat(),
    stampedAt: fc.integer({ min: 0, max: 2e12 }),
  })
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 20 }), (commands) => {
      const bytes = encodeFrame(commands)
      assert.deepEqual(decodeFrame(bytes).map(plain), commands.map(plain))
      const reader = new FrameReader(bytes)
      assert.equal(reader.count, commands.length)
      for (const { command, ticket } of commands) {
        assert.ok(reader.next())
        if (reader.general !== undefined) continue
        plains++
        assert.equal(reader.ticket, ticket)
        const id = Buffer.from(reader.bytes.subarray(reader.idAt, reader.idAt + reader.idLength)).toString()
        assert.equal(id, command.id)
      }
      assert.equal(reader.next(), false)
    }),
    { numRuns: 300 },
  )
  assert.ok(plains > 300, `${plains}`)
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
  const none = new Uint8Array(0)
  for (const value of [[2, '[0]'], [99, 0, none, ''], 'text', {}, [], [3, 5], [3, 0, 'text', ''], [3, 0, none, 7]])
    assert.throws(() => decodeFrame(encode(value)), RangeError, JSON.stringify(value))
  assert.throws(() => decodeFrame(encode([3, 1, new Uint8Array([0]), '[0,77,1,0,"id"]'])), /unknown type 77/)
  assert.throws(() => decodeFrame(encode([3, 1, new Uint8Array(22).fill(9, 0, 1), ''])), /unknown type 9/)
  for (const cut of [new Uint8Array(40).fill(9), new Uint8Array(21).fill(1, 0, 1)])
    assert.throws(() => decodeFrame(encode([3, 1, cut, ''])), /cut short/)
  const whole = encodeFrame([{ command: { type: 'expire', id: '!e', account: 'c:cash' }, ticket: 1, stampedAt: 5 }])
  for (const bytes of [whole.subarray(0, whole.length - 1), new Uint8Array(0)]) assert.throws(() => decodeFrame(bytes))
})
