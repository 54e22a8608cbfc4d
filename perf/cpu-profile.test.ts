import assert from 'node:assert/strict'
import { test } from 'node:test'
import { busyMicros, type CpuProfile, functionTimes, isOfWorker } from './cpu-profile.ts'

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
  children,
})

const profile: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 3, 6]),
    node(2, '(idle)', ''),
    node(3, 'decide', 'file:///x/core/decide.ts', [4]),
    node(4, 'walk', 'file:///x/actors/batch.ts', [5]),
    node(5, 'walk', 'file:///x/actors/batch.ts'),
    node(6, 'query', 'file:///x/node_modules/pg/lib/client.js'),
  ],
  // The time between two samples belongs to the earlier one.
  samples: [3, 4, 5, 5, 2, 6],
  timeDeltas: [0, 10, 20, 30, 40, 1000, 5],
}

test('profile: own time and time with callees; recursion counts once, waiting not at all', () => {
  assert.deepEqual(functionTimes(profile), [
    { name: 'walk', where: 'actors/batch.ts:10', selfMicros: 90, totalMicros: 90 },
    { name: 'decide', where: 'core/decide.ts:10', selfMicros: 10, totalMicros: 100 },
    { name: 'query', where: 'pg', selfMicros: 5, totalMicros: 5 },
  ])
  assert.equal(busyMicros(profile), 105)
})

test('profile: a worker is known by its entry', () => {
  assert.equal(isOfWorker(profile), false)
  assert.equal(
    isOfWorker({ ...profile, nodes: [...profile.nodes, node(7, 'run', 'file:///x/adapters/piscina/worker.js')] }),
    true,
  )
})
