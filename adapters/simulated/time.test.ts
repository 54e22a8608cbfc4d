import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualTime } from './time.ts'

test('time passes only when it is let, and each event happens at its own', () => {
  const time = new VirtualTime(1000)
  const happened: string[] = []
  time.after(20, () => happened.push(`b ${time.now()}`))
  time.after(10, () => {
    happened.push(`a ${time.now()}`)
    time.soon(() => happened.push(`a' ${time.now()}`))
  })
  assert.deepEqual([time.now(), happened], [1000, []])
  time.advance(15)
  assert.deepEqual([time.now(), happened], [1015, ['a 1010', "a' 1010"]])
  time.advance(100)
  assert.deepEqual(happened, ['a 1010', "a' 1010", 'b 1020'])
})

test('what is cancelled does not happen, and what is due after the limit waits', () => {
  const time = new VirtualTime()
  let calls = 0
  const cancel = time.after(5, () => calls++)
  time.after(6, () => calls++)
  cancel()
  assert.equal(time.pendingTimers, 1)
  assert.equal(time.next(5), false)
  assert.equal(time.next(6), true)
  assert.equal(calls, 1)
  assert.equal(time.next(), false)
})

test('what fell due while nothing ran happens behind it', () => {
  const time = new VirtualTime(0)
  const at: number[] = []
  time.after(10, () => at.push(time.now()))
  time.jump(50)
  assert.deepEqual(at, [50])
})

test('any number of events come out by time, then by order, then as they were made', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.constantFrom(0, 0.25, 0.5)), { maxLength: 200 }), (events) => {
      const time = new VirtualTime()
      const came: number[] = []
      for (const [i, [at, order]] of events.entries()) time.at(at, order, () => came.push(i))
      while (time.next());
      const expected = [...events.entries()]
        .sort(([i, [at, order]], [j, [otherAt, otherOrder]]) => at - otherAt || order - otherOrder || i - j)
        .map(([i]) => i)
      assert.deepEqual(came, expected)
    }),
  )
})
