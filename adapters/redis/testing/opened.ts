// A Redis mailbox with its readers in the process of the test.
import { MessageChannel } from 'node:worker_threads'
import type { MailboxReader } from '../../../actors/ports.ts'
import { RedisMailbox, type RedisMailboxLimits } from '../mailbox.ts'
import { RedisMailboxPort } from '../reader.ts'

export interface OpenedRedis {
  readonly writer: RedisMailbox
  readonly ledger: string
  /** `generation 3: why`, `reachable true`, `superseded`, `warn text`. */
  readonly log: string[]
  reader(): MailboxReader & { die(): void }
  close(): Promise<void>
}

const open = new Set<OpenedRedis>()
let ledgers = 0

/** Eight partitions in two groups. `ledger`: of a mailbox that was opened before. */
export async function openedRedis(
  url: string,
  limits: Partial<RedisMailboxLimits> = {},
  ledger = `test-${++ledgers}`,
): Promise<OpenedRedis> {
  const log: string[] = []
  const writer = await RedisMailbox.start({
    url,
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
  const opened: OpenedRedis = {
    writer,
    ledger,
    log,
    reader: () => {
      const { port1, port2 } = new MessageChannel()
      const port = new RedisMailboxPort(port2, writer.connect(port1), () => undefined)
      ends.push(() => port.end())
      return Object.assign(port.reader(), { die: () => port.end() })
    },
    close: async () => {
      open.delete(opened)
      for (const end of ends) end()
      await writer.close()
    },
  }
  open.add(opened)
  return opened
}

/** For `afterEach`. */
export async function closeOpened(): Promise<void> {
  for (const one of [...open]) await one.close()
}
