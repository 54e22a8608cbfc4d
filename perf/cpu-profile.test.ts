import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, busyMicros, type CpuProfile, functionTimes, isOfWorker, stacksOf } from './cpu-profile.ts'

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
  startTime: 5000,
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

test('profile: call paths with their own time, callers first, without root and waiting', () => {
  assert.deepEqual(
    stacksOf(profile).map(({ frames, micros }) => [frames.map(({ name }) => name).join(';'), micros]),
    [
      ['decide', 10],
      ['decide;walk', 20],
      ['decide;walk;walk', 70],
      ['query', 5],
    ],
  )
})

test('profile: what was before and after the load is cut off', () => {
  assert.deepEqual(between(profile, 5010, 5060).timeDeltas, [0, 0, 20, 30, 0, 0, 0])
  assert.equal(busyMicros(between(profile, 5010, 5060)), 50)
})

test('profile: a worker is known by its entry', () => {
  assert.equal(isOfWorker(profile), false)
  assert.equal(
    isOfWorker({ ...profile, nodes: [...profile.nodes, node(7, 'run', 'file:///x/adapters/piscina/worker.js')] }),
    true,
  )
})
