// The Redis mailbox over a real redis-server: the suite of its port first, then what only a mailbox outside of the process meets.
import { after, before, test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import {
  type MailboxBounds,
  type MailboxUnderTest,
  mailboxConformance,
} from '../../actors/testing/mailbox-conformance.ts'
import { RedisMailbox, type RedisMailboxLimits } from './mailbox.ts'
import { RedisMailboxPort } from './reader.ts'
import { noRedis, type TestRedis, testRedis } from './testing/test-redis.ts'

let redis: TestRedis
before(async () => {
  if (noRedis === undefined) redis = await testRedis()
})
after(() => redis?.stop())

let ledgers = 0

interface Opened extends MailboxUnderTest {
  readonly writer: RedisMailbox
  readonly ledger: string
  readonly log: string[]
}

async function opened(
  limits: Partial<RedisMailboxLimits>,
  given: { ledger?: string; url?: string } = {},
): Promise<Opened> {
  const ledger = given.ledger ?? `test-${++ledgers}`
  const log: string[] = []
  const writer = await RedisMailbox.start({
    url: given.url ?? redis.url,
    name: 'suanpan-test',
    ledger,
    partitions: 8,
    consumedGeneration: 0,
    limits: { perGroup: 4, ...limits },
    news: {
      generation: (generation, why) => log.push(`generation ${generation}: ${why}`),
      reachable: (_partitions, why) => log.push(`reachable ${why === undefined}`),
      superseded: () => log.push('superseded'),
      appended: () => undefined,
      log: (level, message) => log.push(`${level} ${message}`),
    },
  })
  const ends: (() => void)[] = []
  return {
    writer,
    ledger,
    log,
    generation: writer.generation(),
    reader: () => {
      const { port1, port2 } = new MessageChannel()
      const port = new RedisMailboxPort(port2, writer.connect(port1), () => undefined)
      ends.push(() => port.end())
      return Object.assign(port.reader(), { die: () => port.end() })
    },
    endGeneration: async (keeps) => {
      const turned = new Promise<void>((resolve) => {
        const before = log.length
        const look = setInterval(() => {
          if (log.slice(before).filter((line) => line.startsWith('generation')).length < 2) return
          clearInterval(look)
          resolve()
        }, 1)
      })
      if (keeps === 'nothing') await redis.call('FLUSHALL')
      else {
        for (const group of [0, 1])
          await redis.call('HSET', writer.names.meta(group, writer.generation()), 'producer', 'somebody else')
      }
      for (const partition of [0, 1, 2, 3])
        writer.append([{ partition, bytes: Buffer.from('lost'), commands: 1 }], () => undefined)
      await turned
    },
    close: async () => {
      for (const end of ends) end()
      await writer.close()
    },
  }
}

if (noRedis === undefined) mailboxConformance('redis mailbox', (bounds: MailboxBounds) => opened(bounds))
else test('redis mailbox: everything', { skip: noRedis }, () => undefined)
