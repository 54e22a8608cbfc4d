import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Party } from './party.ts'
import { SeededRandom } from './random.ts'
import { VirtualTime } from './time.ts'

function given() {
  const time = new VirtualTime(0)
  const random = new SeededRandom(1)
  const process = new Party('process', time, random)
  return { time, process, thread: new Party('thread', time, random, process) }
}

test('nothing happens to the dead, nor to the threads of a dead process', () => {
  const { time, process, thread } = given()
  const happened: string[] = []
  thread.timers.after(10, () => happened.push('thread'))
  process.timers.after(10, () => happened.push('process'))
  thread.kill()
  time.advance(20)
  assert.deepEqual(happened, ['process'])
  process.timers.after(10, () => happened.push('late'))
  process.kill()
  time.advance(20)
  assert.deepEqual(happened, ['process'])
  assert.deepEqual([process.alive, thread.alive], [false, false])
})

test('whoever is frozen gets in the end all that came meanwhile, in its order, and a thread waits for its process too', () => {
  const { time, process, thread } = given()
  const happened: string[] = []
  thread.timers.after(10, () => happened.push(`a ${thread.clock.now()}`))
  const cancel = thread.timers.after(11, () => happened.push('cancelled'))
  thread.timers.after(12, () => happened.push('b'))
  process.freeze()
  time.advance(50)
  cancel()
  assert.equal(happened.length, 0)
  process.thaw()
  time.turn()
  assert.deepEqual(happened, ['a 50', 'b'])
  thread.freeze()
  process.freeze()
  thread.timers.soon(() => happened.push('c'))
  time.turn()
  process.thaw()
  time.turn()
  assert.deepEqual(happened, ['a 50', 'b'])
  thread.thaw()
  time.turn()
  assert.deepEqual(happened, ['a 50', 'b', 'c'])
})

test('a wrong wall clock shows nothing on the monotonic one', () => {
  const { time, process, thread } = given()
  process.skewMs = -5000
  time.advance(1)
  assert.deepEqual([thread.clock.now(), thread.clock.elapsed(), process.clock.now()], [-4999, 1, -4999])
})
