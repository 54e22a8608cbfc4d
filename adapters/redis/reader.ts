// The worker's end of the Redis mailbox: hands out a reader per lane, reads each group once for all of them, and tells the main thread what is
// committed.
import type { MessagePort } from 'node:worker_threads'
import { Arrivals, type Arrived } from '../../actors/arrivals.ts'
import type { Frame, MailboxReader } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import { GroupReader } from './group-reader.ts'
import { Names } from './names.ts'
import type { FromReader, RedisReaderSettings, ToReader } from './protocol.ts'

/** Commands that may wait in one thread, read and not taken. */
const windowCommandsMax = 16_384

export type ReaderLog = (message: string, fields: Readonly<Record<string, unknown>>) => void

/** One per worker thread. */
export class RedisMailboxPort {
  private readonly port: MessagePort
  private readonly settings: RedisReaderSettings
  private readonly names: Names
  private readonly groups: readonly GroupReader[]
  private readonly lanes: RedisMailboxReader[] = []
  private trims: number[] = []
  private told = 0

  constructor(port: MessagePort, settings: RedisReaderSettings, log: ReaderLog) {
    this.port = port
    this.settings = settings
    this.names = new Names(settings.ledger, settings.partitions, settings.perGroup)
    this.groups = settings.groups.map(
      (state) =>
        new GroupReader(state, {
          url: settings.url,
          name: settings.name,
          names: this.names,
          windowCommandsMax,
          waiting: () => this.waiting,
          delivered: () => this.delivered(),
          log,
        }),
    )
    port.on('message', ({ state }: ToReader) => this.groups[state.group]?.turn(state))
  }

  reader(): MailboxReader {
    const reader = new RedisMailboxReader(this)
    this.lanes.push(reader)
    return reader
  }

  /** Ends its connections. */
  end(): void {
    for (const group of this.groups) group.end()
    this.port.close()
  }

  open(partition: number, after: Position, deliver: (frame: Arrived) => void): void {
    this.groupOf(partition)?.open(partition, after, deliver)
  }

  close(partition: number): void {
    this.groupOf(partition)?.close(partition)
  }

  taken(frames: readonly Frame[]): void {
    const { taken } = this.settings
    for (const { partition, generation, high } of frames) {
      taken[2 * partition] = generation
      taken[2 * partition + 1] = high
    }
    for (const group of this.groups) group.goOn()
  }

  trim(partition: number, { generation, high, index }: Position): void {
    if (this.trims.length === 0) queueMicrotask(() => this.tell())
    this.trims.push(partition, generation, high, index)
  }

  /** What one commit trims goes in one message. */
  private tell(): void {
    let reads = 0
    for (const group of this.groups) reads += group.reads
    this.port.postMessage({ trims: this.trims, reads: reads - this.told } satisfies FromReader)
    this.told = reads
    this.trims = []
  }

  private groupOf(partition: number): GroupReader | undefined {
    return this.groups[this.names.groupOf(partition)]
  }

  private get waiting(): number {
    let sum = 0
    for (const { waitingCommands } of this.lanes) sum += waitingCommands
    return sum
  }

  private delivered(): void {
    for (const lane of this.lanes) lane.ring()
  }
}

class RedisMailboxReader implements MailboxReader {
  private readonly from: RedisMailboxPort
  private readonly arrivals = new Arrivals()

  constructor(from: RedisMailboxPort) {
    this.from = from
  }

  get waitingCommands(): number {
    return this.arrivals.waitingCommands
  }

  ring(): void {
    this.arrivals.ring()
  }

  open(partition: number, after: Position): void {
    this.arrivals.forget(partition)
    this.from.open(partition, after, (frame) => this.arrivals.put(frame))
    // Whoever committed up to there may have ended before it said so.
    this.from.trim(partition, after)
  }

  close(partition: number): void {
    this.arrivals.forget(partition)
    this.from.close(partition)
  }

  take(commandsMax: number): readonly Frame[] {
    const frames = this.arrivals.take(commandsMax)
    if (frames.length > 0) this.from.taken(frames)
    return frames
  }

  whenFrames(callback: () => void, commandsMin?: number): void {
    this.arrivals.whenFrames(callback, commandsMin)
  }

  trim(partition: number, position: Position): void {
    this.from.trim(partition, position)
  }
}
