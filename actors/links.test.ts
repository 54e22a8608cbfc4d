// What a partition says to its peers when it is hosted; the rest of a link's life is in `across.sim.test.ts`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LinkHead, Links, repeatMs } from './links.ts'
import { messagesIn } from './waiting.ts'

const head: LinkHead = { peer: 1, sent: 4, acked: 4, received: 7, answered: 4, outbox: [] }
const marksOf = (links: Links, nowMs = 0) =>
  links
    .due(nowMs)
    .flatMap(({ to, bytes }) => (messagesIn(bytes) ?? []).map(({ arrived }) => ({ to, ...arrived?.marks })))

test('a partition that is hosted asks its peers to send again what it may have missed', () => {
  const [asked, ...others] = marksOf(new Links(0, [head]))
  assert.deepEqual([asked?.to, asked?.ack, asked?.again, others], [1, 7, true, []])
})

test('it does not ask those that are hosted with it: they send again anyway', () => {
  assert.deepEqual(marksOf(new Links(0, [head], new Set([0, 1]))), [])
  assert.equal(marksOf(new Links(0, [head, { ...head, peer: 2 }], new Set([0, 1]))).length, 1)
})

test('a mark that was told already is told again once in a while, however often it is asked for', () => {
  const links = new Links(0, [head], new Set([1]))
  const dropTwice = (): void => {
    for (let i = 0; i < 2; i++) links.dropped(1, 'again')
  }
  dropTwice()
  assert.equal(marksOf(links, 1000).length, 1)
  dropTwice()
  assert.equal(marksOf(links, 1001).length, 0)
  assert.equal(links.waitMs(1001), repeatMs - 1)
  assert.equal(marksOf(links, 1000 + repeatMs).length, 1)
  assert.equal(links.waitMs(1000 + repeatMs), undefined)
})

test('a mark that is new is told at once', () => {
  const links = new Links(0, [head], new Set([1]))
  links.dropped(1, 'again')
  assert.deepEqual(
    marksOf(links, 1000).map(({ ack }) => ack),
    [7],
  )
  links.committed([{ partition: 0, ...head, received: 8, packet: undefined }])
  links.dropped(1, 'again')
  assert.deepEqual(
    marksOf(links, 1001).map(({ ack }) => ack),
    [8],
  )
})

test('all that is not acknowledged leaves again once in a while, however often the peer asks for it', () => {
  const outbox = [
    { first: 5, last: 5, text: '[]' },
    { first: 6, last: 6, text: '[]' },
  ]
  const links = new Links(0, [{ ...head, sent: 6, outbox }], new Set([1]))
  const ask = (nowMs: number): void => links.hear({ from: 1, first: 8, sent: 7, ack: 4, again: true }, nowMs)
  assert.equal(links.due(1000).length, 2)
  ask(1001)
  assert.equal(links.due(1001).length, 0)
  assert.equal(links.waitMs(1001), repeatMs - 1)
  ask(1050)
  assert.equal(links.due(1000 + repeatMs).length, 2)
  assert.equal(links.due(1001 + repeatMs).length, 0)
})
