// A simulated thread ends as a real one does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Simulation } from './simulation.ts'
import { SimulatedThreads, type ThreadStart } from './threads.ts'

test('a thread that is ended in the middle of a decision has named its command, though its code runs on to its end', async () => {
  const simulation = new Simulation({ seed: 1, faults: {} })
  const main = simulation.party('main')
  let entered: ThreadStart | undefined
  const threads = new SimulatedThreads(simulation, main, async (start) => {
    entered = start
    await new Promise(() => undefined)
  })
  const starting = threads.start(0)
  await simulation.run(() => entered !== undefined)
  const thread = await starting
  assert.ok(entered !== undefined)
  const place = { generation: 1, high: 4, low: 0, index: 2 }
  entered.inHand.frame(3, place)
  entered.inHand.command(place.index)
  entered.party.kill()
  entered.inHand.clear()
  let reason: string | undefined
  void thread.ended.then((why) => {
    reason = why
  })
  await simulation.run(() => reason !== undefined)
  assert.equal(reason, 'it was killed')
  assert.deepEqual(thread.inHand(), { partition: 3, place })
})
