import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slowLog } from './slow-log.ts'

test('slow requests are told once a second, with how many more there were; streams and quick ones never', (t) => {
  let now = 5_000
  t.mock.method(performance, 'now', () => now)
  const said: object[] = []
  const note = slowLog({ error: () => assert.fail(), warn: (fields) => void said.push(fields) })
  note('/v1/transactions', 'a', 201, 999)
  note('/v1/transactions/batch', 'b', 200, 60_000)
  assert.deepEqual(said, [])
  for (const id of ['c', 'd', 'e']) note('/v1/transactions', id, 503, 10_000.4)
  assert.deepEqual(said.splice(0), [
    { requestId: 'c', route: '/v1/transactions', status: 503, tookMs: 10_000, unsaid: 0 },
  ])
  now += 1_001
  note('/v1/transactions', 'f', 503, 10_000)
  assert.deepEqual(said, [{ requestId: 'f', route: '/v1/transactions', status: 503, tookMs: 10_000, unsaid: 2 }])
})
