// Simulated histories of the production engine under every fault, from a fixed set of seeds and one that the commit gives; each runs twice and
// must come out the same. What is found here is shown by `npm run sim -- --seed N --trace`.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { faultKinds } from '../../../adapters/simulated/faults.ts'
import type { WorldOptions } from '../world.ts'
import { runHistory } from './history.ts'

const fixed = Array.from({ length: 30 }, (_, i) => i + 1)
const steps = 100

/** Another one for each state of the source; the same for everybody who has it. */
function commitSeed(): number {
  try {
    const hash = execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number.parseInt(hash.toString().slice(0, 12), 16)
  } catch {
    return 20_270_131
  }
}

const again = (seed: number): string => `npm run sim -- --seed ${seed} --steps ${steps} --trace`

test('whatever dies and whatever is lost, every promise holds, and one seed is one schedule', async (t) => {
  const happened: Record<string, number> = {}
  const failed: string[] = []
  const seeds = [...fixed, commitSeed()]
  for (const seed of seeds) {
    const first = await runHistory({ seed, steps })
    if (first.failure !== undefined) failed.push(`${first.failure.message}\n  ${again(seed)}`)
    const second = await runHistory({ seed, steps })
    if (second.hash !== first.hash) failed.push(`seed ${seed} came out in two ways: ${first.hash}, ${second.hash}`)
    for (const [kind, times] of Object.entries(first.happened)) happened[kind] = (happened[kind] ?? 0) + times
  }
  assert.deepEqual(failed, [])
  t.diagnostic(`the commit's own seed: ${again(commitSeed())}`)
  // So that it is no empty talk.
  for (const kind of faultKinds) assert.ok((happened[kind] ?? 0) > 0, `${kind}: ${happened[kind]}`)
})

test('whoever asks after a crash is not told what one before him had asked: frames left in the streams have tickets too', async () => {
  // Found so: seeds 35, 47, 49, 70, 79 and 80 gave a client the answer to a command of the process before.
  const variant = (options: WorldOptions): WorldOptions => ({
    ...options,
    streams: true,
    deadlineMs: 12_000,
    faults: { process_dies: 12, commit_slow: 6, shard_down: 1 },
  })
  for (let seed = 1; seed <= 12; seed++) {
    const { failure } = await runHistory({ seed, steps: 60, variant })
    assert.equal(failure, undefined, failure?.message)
  }
})

test('a part of the steps is a history too, and the rest of it stays as it was', async () => {
  const whole = await runHistory({ seed: 5, steps: 30 })
  const part = await runHistory({ seed: 5, steps: 30, only: new Set([3, 4, 29]) })
  assert.deepEqual(
    part.steps,
    [3, 4, 29].map((number) => whole.steps[number]),
  )
  assert.equal(part.failure, undefined)
})
