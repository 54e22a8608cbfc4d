// The oracle of a drill against a ledger that was tampered with: it can say that something is wrong.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { isClean, runDrill } from './drill.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)

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
