// The faults that take seconds by themselves, each by itself and twice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultNames, isClean, runDrill } from './drill.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)

/** Those that strike at random leave these out; the others of this kind have tests of their own. */
for (const { name, lastsMs } of [
  { name: 'disk full', lastsMs: 1000 },
  { name: 'disk of the log full', lastsMs: 0 },
  { name: 'promoted', lastsMs: 0 },
  { name: 'out of memory', lastsMs: 500 },
]) {
  test(`${name}, twice: nothing is lost or doubled`, { timeout: 120_000 }, async (t) => {
    const here = await faultNames({ only: name })
    if (here.length === 0) {
      t.skip(`NOT TESTED here: ${name} (takes the right to mount, or redis-server)`)
      return
    }
    const report = await runDrill({ seed, only: name, rounds: 2 })
    assert.ok(isClean(report), JSON.stringify(report, undefined, 1))
    assert.equal(report.rounds.length, 2)
    for (const { fault, acknowledged, unavailableMs } of report.rounds) {
      assert.ok(acknowledged > 12, `${fault}: hardly any load`)
      // It was felt: while it lasted nobody could be answered.
      assert.ok(unavailableMs >= lastsMs, `${fault}: answers went on`)
    }
  })
}
