// The Redis mailbox over a real redis-server, against the suite of its port.
import { after, before, test } from 'node:test'
import {
  type MailboxBounds,
  type MailboxUnderTest,
  mailboxConformance,
} from '../../actors/testing/mailbox-conformance.ts'
import { type OpenedRedis, openedRedis } from './testing/opened.ts'
import { noRedis, type TestRedis, testRedis } from './testing/test-redis.ts'

let redis: TestRedis
before(async () => {
  if (noRedis === undefined) redis = await testRedis()
})
after(() => redis?.stop())

/** In every group, and noticed by an append whose frame is lost with it. */
async function endGeneration({ writer, log }: OpenedRedis, keeps: 'everything' | 'nothing'): Promise<void> {
  const told = log.length
  if (keeps === 'nothing') await redis.call('FLUSHALL')
  else {
    for (const group of [0, 1]) await redis.call('HSET', writer.names.meta(group, writer.generation()), 'producer', 'x')
  }
  for (const partition of [4, 5]) {
    writer.append([{ partition, bytes: Buffer.from('lost'), commands: 1 }], () => undefined)
  }
  while (log.slice(told).filter((line) => line.startsWith('generation')).length < 2) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function underTest(bounds: MailboxBounds): Promise<MailboxUnderTest> {
  const opened = await openedRedis(redis.url, bounds)
  return { ...opened, generation: opened.writer.generation(), endGeneration: (keeps) => endGeneration(opened, keeps) }
}

if (noRedis === undefined) mailboxConformance('redis mailbox', underTest)
else test('redis mailbox: the suite of the port', { skip: noRedis }, () => undefined)
