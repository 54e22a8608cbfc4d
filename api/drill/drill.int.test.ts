// Fifty faults at random against whole processes, with an oracle that knows every answer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isClean, runDrill } from './drill.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 50)

test(`${rounds} faults at random lose nothing and double nothing (SEED=${seed})`, {
  timeout: 290_000,
}, async () => {
  const report = await runDrill({ seed, rounds, random: true })
  const made = report.rounds.length
  assert.equal(made, rounds)
  assert.ok(isClean(report), JSON.stringify(report, undefined, 1))
  const faults = new Set(report.rounds.map(({ fault }) => fault))
  assert.ok(made < 20 || faults.size >= 4, `only ${[...faults].join(', ')}`)
  const acknowledged = report.rounds.reduce((sum, round) => sum + round.acknowledged, 0)
  assert.ok(acknowledged > made * 12, `hardly any load: ${acknowledged}`)
})
