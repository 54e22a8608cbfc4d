// What a dead thread had in hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InHand, inHandBytes } from './in-hand.ts'

test('in hand: whoever shares the memory reads which command is being decided, and none before, between and after', () => {
  const memory = new SharedArrayBuffer(inHandBytes)
  const [thread, supervisor] = [new InHand(memory), new InHand(memory)]
  assert.equal(supervisor.named(), undefined)
  const frame = { generation: 2, high: 2 ** 41, low: 7, index: 0 }
  thread.frame(5, frame)
  assert.equal(supervisor.named(), undefined)
  thread.command(3)
  assert.deepEqual(supervisor.named(), { partition: 5, place: { ...frame, index: 3 } })
  thread.frame(6, { ...frame, low: 8 })
  assert.equal(supervisor.named(), undefined, 'the index of the frame before is none of this one')
  thread.command(1)
  assert.deepEqual(supervisor.named(), { partition: 6, place: { ...frame, low: 8, index: 1 } })
  thread.clear()
  assert.equal(supervisor.named(), undefined)
})
