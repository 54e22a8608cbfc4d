// What a partition says to its peers when it is hosted; the rest of a link's life is in `across.sim.test.ts`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LinkHead, Links } from './links.ts'
import { messagesIn } from './waiting.ts'

const head: LinkHead = { peer: 1, sent: 4, acked: 4, received: 7, answered: 4, outbox: [] }
const marksOf = (links: Links) =>
  links.due(0).flatMap(({ to, bytes }) => (messagesIn(bytes) ?? []).map(({ arrived }) => ({ to, ...arrived?.marks })))

test('a partition that is hosted asks its peers to send again what it may have missed', () => {
  const [asked, ...others] = marksOf(new Links(0, [head]))
  assert.deepEqual([asked?.to, asked?.ack, asked?.again, others], [1, 7, true, []])
})

test('it does not ask those that are hosted with it: they send again anyway', () => {
  assert.deepEqual(marksOf(new Links(0, [head], new Set([0, 1]))), [])
  assert.equal(marksOf(new Links(0, [head, { ...head, peer: 2 }], new Set([0, 1]))).length, 1)
})
