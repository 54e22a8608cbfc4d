import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { engineMetrics } from './engine-metrics.ts'

test('every figure of a commit is in the metrics, by worker and shard', async () => {
  const registry = new Registry()
  const metrics = engineMetrics(registry)
  const stats = {
    commands: 3,
    rows: 4,
    bytes: 500,
    commitMs: 7,
    decideMs: 1,
    residents: 6,
    idFilterBytes: 8192,
    idsLookedUp: 2,
    outcomes: { posted: 2, insufficient_funds: 1 },
    pseqs: [],
  }
  metrics.committed(1, 0, stats)
  metrics.committed(1, 0, { ...stats, residents: 5, idFilterBytes: 4096 })
  const lines = new Set((await registry.metrics()).split('\n'))
  for (const line of [
    'suanpan_commands_total{worker="1",shard="0"} 6',
    'suanpan_journal_rows_total{worker="1",shard="0"} 8',
    'suanpan_journal_bytes_total{worker="1",shard="0"} 1000',
    'suanpan_batch_commands_bucket{le="4",worker="1",shard="0"} 2',
    'suanpan_batch_commands_bucket{le="2",worker="1",shard="0"} 0',
    'suanpan_commit_seconds_sum{worker="1",shard="0"} 0.014',
    'suanpan_resident_accounts{worker="1",shard="0"} 5',
    'suanpan_id_filter_bytes{worker="1",shard="0"} 4096',
    'suanpan_ids_looked_up_total{worker="1",shard="0"} 4',
    'suanpan_outcomes_total{code="posted"} 4',
    'suanpan_outcomes_total{code="insufficient_funds"} 2',
  ])
    assert.ok(lines.has(line), `${line} is not among\n${[...lines].filter((one) => !one.startsWith('#')).join('\n')}`)
})
