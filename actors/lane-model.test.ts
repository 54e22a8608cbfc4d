// Random histories through a lane with tiny batches and a tiny memory: every answer is the one that the plain rules give, byte for byte,
// whatever waits, is forgotten, loaded again or committed beside.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedLedger } from '../adapters/simulated/ledger.ts'
import { SimulatedShard } from '../adapters/simulated/shard.ts'
import { calendarOf } from '../core/business-date.ts'
import type { Answer } from '../schemas/answer.ts'
import { placing } from './route.ts'
import { history, Models } from './testing/histories.ts'
import { LaneRun } from './testing/lane-run.ts'

const partitions = 3

test('a lane answers any history as one state with everything in memory does', async () => {
  const codes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      history('', { min: 30, max: 90 }),
      fc.constantFrom(1, 3, 1000),
      fc.constantFrom(1, 6, 1000),
      async (bursts, batchCommandsMax, residentsMax) => {
        const shard = new SimulatedShard(partitions)
        const rules = {
          assets: shard.assets,
          dateOf: calendarOf('UTC'),
          houseAutoOpen: true,
          partitionOf: placing(partitions),
        }
        const run = new LaneRun({
          ledger: new SimulatedLedger(shard),
          rules,
          partitions,
          limits: { batchCommandsMax, residentsMax },
        })
        const models = new Models((command) => run.partitionOf(command))
        try {
          for (const { waitMs, commands } of bursts) {
            run.time.advance(waitMs)
            // Two frames, so that one batch is decided while the other commits.
            const half = commands.length >> 1
            const sent = [...run.send(...commands.slice(0, half)), ...run.send(...commands.slice(half))]
            await run.until(() => sent.every((ticket) => run.heard.has(ticket)))
            for (const [i, command] of commands.entries()) {
              const { ticket: _ticket, ...answer } = run.heard.get(sent[i] ?? 0) ?? { ticket: 0 }
              assert.deepEqual(answer, models.post(command, run.time.now()), JSON.stringify(command))
              const { http, replayed, body } = answer as Answer
              const refusal =
                http === 422 ? String(JSON.parse(body).code) : http === 409 ? 'conflict' : `${command.type} ${http}`
              const code = replayed ? 'replayed' : refusal
              codes.set(code, (codes.get(code) ?? 0) + 1)
            }
          }
        } finally {
          await run.stop()
        }
      },
    ),
    { numRuns: Number(process.env.SIM_RUNS ?? 60) },
  )
  // So that the histories are no empty talk.
  for (const code of [
    'hold 201',
    'capture 201',
    'release 201',
    'refund 201',
    'postings 201',
    'replayed',
    'hold_released',
    'hold_expired',
    'hold_captured',
    'refund_exceeds_original',
    'insufficient_funds',
    'conflict',
  ])
    assert.ok((codes.get(code) ?? 0) > 0, `${code}: ${JSON.stringify([...codes])}`)
})
