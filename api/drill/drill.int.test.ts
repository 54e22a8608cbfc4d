// Fifty faults at random against whole processes, with an oracle that knows every answer; and the oracle against a ledger that was tampered with.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
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

test('a drill over a ledger that forgets what it said finds it', { timeout: 120_000 }, async () => {
  const report = await runDrill({
    seed,
    rounds: 2,
    redis: false,
    news: async (_round, databaseUrl) => {
      const client = new pg.Client(databaseUrl)
      await client.connect()
      await client.query(`DELETE FROM suanpan.journal WHERE id LIKE 'd-%' AND kind = (
        SELECT kind FROM suanpan.journal WHERE id LIKE 'd-%' AND code IS NULL GROUP BY kind ORDER BY count(*) DESC LIMIT 1)`)
      await client.end()
    },
  })
  assert.equal(isClean(report), false)
  assert.ok(report.rounds.some(({ lost, doubled }) => lost + doubled > 0))
  assert.ok(report.wrong.length > 0)
  assert.equal(report.verified, false)
})
