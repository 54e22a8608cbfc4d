// The mailbox in Redis, as the main thread sees it: appends through one writer per group, and tells the readers in the worker threads when a
// generation ends. A replayable transport, never the truth: losing all of it loses no answered command (DESIGN.md section 7).
import { randomUUID } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import type { Appended, MailboxWriter, NewFrame } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import { shownUrl } from './connection.ts'
import { type GroupNews, GroupWriter } from './group-writer.ts'
import { Names, partitionsPerGroup } from './names.ts'
import type { FromReader, GroupState, RedisReaderSettings, ToReader } from './protocol.ts'

export interface RedisMailboxOptions {
  readonly url: string
  /** In `CLIENT LIST`. */
  readonly name: string
  /** Id of the ledger: several may share a Redis. */
  readonly ledger: string
  readonly partitions: number
  /** Highest generation that any partition has consumed from. */
  readonly consumedGeneration: number
  readonly limits?: Partial<RedisMailboxLimits>
  readonly news: RedisMailboxNews
}

export interface RedisMailboxLimits {
  readonly partitionCommandsMax: number
  /** Frames of all groups together. */
  readonly bytesMax: number
  /** A reply that takes longer is not waited for. */
  readonly replyMs: number
  readonly perGroup: number
}

export type RedisMailboxNews = Omit<GroupNews, 'opened'> & {
  /** Why a new generation was opened while the process runs. */
  generation(generation: number, why: string): void
}

export const defaultRedisLimits: RedisMailboxLimits = {
  partitionCommandsMax: 32_768,
  bytesMax: 256 * 1024 * 1024,
  replyMs: 1500,
  perGroup: partitionsPerGroup,
}

export class RedisMailbox implements MailboxWriter {
  readonly names: Names
  private readonly options: RedisMailboxOptions
  private readonly limits: RedisMailboxLimits
  private readonly writers: readonly GroupWriter[]
  private readonly ports = new Set<MessagePort>()
  private readonly taken: Int32Array
  private reads = 0
  private listener: (partitions: readonly number[], generation: number) => void = () => undefined
  private started = false

  private constructor(options: RedisMailboxOptions) {
    this.options = options
    this.limits = { ...defaultRedisLimits, ...options.limits }
    const { partitionCommandsMax, bytesMax, replyMs, perGroup } = this.limits
    this.names = new Names(options.ledger, options.partitions, perGroup)
    this.taken = new Int32Array(new SharedArrayBuffer(8 * options.partitions))
    const producer = randomUUID()
    const news: GroupNews = { ...options.news, opened: (state, why) => this.opened(state, why) }
    this.writers = Array.from(
      { length: this.names.groups },
      (_, group) =>
        new GroupWriter(
          {
            url: options.url,
            name: options.name,
            names: this.names,
            group,
            producer,
            partitionCommandsMax,
            bytesMax: bytesMax / this.names.groups,
            replyMs,
          },
          news,
        ),
    )
  }

  /** Connects, looks at the server and opens the generation of this process. Throws a fault that says what is wrong, without secrets. */
  static async start(options: RedisMailboxOptions): Promise<RedisMailbox> {
    const mailbox = new RedisMailbox(options)
    try {
      const servers = await Promise.all(mailbox.writers.map((writer) => writer.start(options.consumedGeneration)))
      const server = servers[0]
      const { log } = options.news
      const redis = shownUrl(options.url)
      if (server !== undefined) {
        const { version, maxmemory, maxmemoryPolicy } = server
        log('info', 'the mailbox is in Redis', { redis, version, generation: mailbox.writers[0]?.state.generation })
        if (maxmemory > 0 && maxmemoryPolicy.startsWith('allkeys')) {
          log('warn', 'Redis may evict commands that wait: set maxmemory-policy to noeviction', {
            redis,
            maxmemoryPolicy,
          })
        }
      }
      mailbox.started = true
      return mailbox
    } catch (error) {
      await mailbox.close()
      throw error
    }
  }

  append<F extends NewFrame>(frames: readonly F[], settled: (frame: F, outcome: Appended) => void): void {
    for (const frame of frames) {
      const { partition, bytes, commands, packet = false } = frame
      const settle = (outcome: Appended): void => settled(frame, outcome)
      this.writerOf(partition)?.append({ partition, bytes, commands, packet, settle })
    }
  }

  room(partition: number): Promise<void> {
    return this.writerOf(partition)?.room(partition) ?? Promise.resolve()
  }

  onGeneration(listener: (partitions: readonly number[], generation: number) => void): void {
    this.listener = listener
  }

  /** Connects a worker. What it must know to read. */
  connect(port: MessagePort): RedisReaderSettings {
    this.ports.add(port)
    port.on('message', (message: FromReader) => this.hear(message))
    port.on('close', () => this.ports.delete(port))
    const { url, name, ledger, partitions } = this.options
    const groups = this.writers.map(({ state }) => state)
    const { perGroup } = this.limits
    return { kind: 'redis', url, name, ledger, partitions, perGroup, groups, taken: this.taken }
  }

  /** How far the partition's frames were taken by its lane: what a thread that died may have had in hand. */
  deliveredTo(partition: number): Position {
    const [generation = 0, high = 0] = this.taken.subarray(2 * partition, 2 * partition + 2)
    return { generation, high, low: 0, index: Number.MAX_SAFE_INTEGER }
  }

  /** Commands appended by this process that are not committed. */
  depth(): number {
    return this.writers.reduce((sum, writer) => sum + writer.depth(), 0)
  }

  /** Commands sent to Redis by all threads so far. */
  calls(): number {
    return this.writers.reduce((sum, { calls }) => sum + calls, this.reads)
  }

  generation(): number {
    return Math.max(...this.writers.map(({ state }) => state.generation))
  }

  async close(): Promise<void> {
    for (const port of this.ports) port.close()
    await Promise.all(this.writers.map((writer) => writer.close()))
  }

  private hear({ trims, reads }: FromReader): void {
    this.reads += reads
    for (let i = 0; i < trims.length; i += 4) {
      const [partition = 0, generation = 0, high = 0, index = 0] = trims.slice(i, i + 4)
      this.writerOf(partition)?.trim(partition, { generation, high, low: 0, index })
    }
  }

  private opened(state: GroupState, why: string): void {
    if (!this.started) return
    const partitions = this.names.partitionsOf(state.group)
    this.options.news.log('warn', 'a new generation of the mailbox was opened', { ...state, partitions, why })
    this.options.news.generation(state.generation, why)
    this.listener(partitions, state.generation)
    for (const port of this.ports) port.postMessage({ kind: 'group', state } satisfies ToReader)
  }

  private writerOf(partition: number): GroupWriter | undefined {
    return this.writers[this.names.groupOf(partition)]
  }
}
