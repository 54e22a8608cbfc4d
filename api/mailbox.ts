// Which mailbox a process has: in memory, or in Redis where its URL is given. A part of the composition root.
import type { Intake } from '../actors/intake.ts'
import type { MailboxWriter } from '../actors/ports.ts'
import type { Position } from '../actors/position.ts'
import { defaultMailboxLimits, MemoryMailbox } from '../adapters/memory/mailbox.ts'
import type { ConnectsWorkers } from '../adapters/piscina/threads.ts'
import { RedisMailbox, type RedisMailboxLimits } from '../adapters/redis/mailbox.ts'
import type { EngineLog } from './compose.ts'

export interface HostMailbox extends MailboxWriter, ConnectsWorkers {
  /** How far the partition's commands were handed to its lane. */
  deliveredTo(partition: number): Position
  /** Commands of this process that are not committed. */
  depth(): number
}

/** What is told of a mailbox outside of the process. */
export interface MailboxNews {
  /** One append, from its first byte to the reply. */
  appended(ms: number, frames: number): void
  /** History changed, so a new generation was opened while the process runs. */
  generation(generation: number, why: string): void
}

export interface MailboxOptions {
  readonly redisUrl: string | undefined
  readonly redisLimits?: Partial<RedisMailboxLimits> | undefined
  readonly processName: string
  readonly ledger: string
  readonly partitions: number
  /** Highest generation that any partition has consumed from. */
  readonly consumedGeneration: number
  readonly news?: MailboxNews | undefined
  readonly log: EngineLog
  /** Another process has opened the mailbox: this one is no longer the host. */
  readonly superseded: () => void
}

export interface OpenedMailbox {
  readonly mailbox: HostMailbox
  /** That this process opened: above those of all before. */
  readonly generation: number
  /** Undefined: in memory. */
  readonly redis: RedisMailbox | undefined
  /** From now on partitions whose mailbox is out of reach refuse commands. */
  attach(intake: Intake): void
  /** Why some of it is out of reach; undefined: it is not. */
  trouble(): string | undefined
  close(): Promise<void>
}

/** Throws a fault that says what is wrong with Redis. */
export async function openMailbox(options: MailboxOptions): Promise<OpenedMailbox> {
  const { redisUrl, log } = options
  if (redisUrl === undefined) {
    const mailbox = new MemoryMailbox(options.consumedGeneration + 1, defaultMailboxLimits)
    const nothing = async (): Promise<void> => undefined
    return {
      mailbox,
      generation: mailbox.generation,
      redis: undefined,
      attach: () => undefined,
      trouble: () => undefined,
      close: nothing,
    }
  }
  const down = new Map<number, string>()
  let intake: Intake | undefined
  const redis = await RedisMailbox.start({
    url: redisUrl,
    name: options.processName.replaceAll(' ', '-'),
    ledger: options.ledger,
    partitions: options.partitions,
    consumedGeneration: options.consumedGeneration,
    limits: options.redisLimits ?? {},
    news: {
      appended: (ms, frames) => options.news?.appended(ms, frames),
      generation: (generation, why) => options.news?.generation(generation, why),
      superseded: () => {
        log('error', 'another process has opened the mailbox', {})
        options.superseded()
      },
      reachable: (partitions, why) => {
        for (const partition of partitions) {
          if (why === undefined) down.delete(partition)
          else down.set(partition, why)
          intake?.setDown(partition, why === undefined ? undefined : outOfReach, 'mailbox')
        }
      },
      log,
    },
  })
  return {
    mailbox: redis,
    generation: redis.generation(),
    redis,
    attach: (to) => {
      intake = to
      for (const partition of down.keys()) to.setDown(partition, outOfReach, 'mailbox')
    },
    trouble: () => (down.size === 0 ? undefined : outOfReach),
    close: () => redis.close(),
  }
}

const outOfReach = 'Redis, which carries the commands of this owner, cannot be reached; nothing was accepted.'
