// The simulator can fail: every broken variant of the engine is found within a bounded number of seeds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runHistory } from './history.ts'
import { mutants } from './mutants.ts'
import { shrink } from './shrink.ts'

const seedsMost = 60
const steps = 100

for (const [name, { what, variant }] of Object.entries(mutants)) {
  test(`${name} is found: ${what}`, async (t) => {
    for (let seed = 1; seed <= seedsMost; seed++) {
      const { failure } = await runHistory({ seed, steps, variant })
      if (failure === undefined) continue
      assert.notEqual(failure.rule, 'error', failure.stack)
      t.diagnostic(`seed ${seed}: ${failure.message.slice(0, 200)}`)
      return
    }
    assert.fail(`not found with ${seedsMost} seeds`)
  })
}

test('a failing history is made small and still breaks the same rule', async () => {
  const { variant } = mutants.details_not_written ?? assert.fail()
  const options = { seed: 1, steps, variant }
  const whole = await runHistory(options)
  const small = await shrink(options, whole)
  assert.equal(small.result.failure?.rule, whole.failure?.rule)
  assert.ok(small.only.length < steps / 4, `${small.only.length} steps are left`)
})
