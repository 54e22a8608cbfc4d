// Reads the streams of one group, as far as this thread hosts their partitions, over one connection of its own: all of them in one XREAD, each
// from where it stands. A sealed generation is read until nothing more comes, then its successor begins. Reads only from the server that
// the writer writes to.
import type { Arrived } from '../../actors/arrivals.ts'
import type { Position } from '../../actors/position.ts'
import { connectRedis, cut, messageOf, type RedisConnection } from './connection.ts'
import type { Names } from './names.ts'
import type { GroupState } from './protocol.ts'

/** Where one opening of a partition stands. */
interface Cursor {
  readonly partition: number
  readonly deliver: (frame: Arrived) => void
  /** Consumed before it was opened. */
  readonly after: Position
  generation: number
  sequence: number
}

export interface GroupReaderOptions {
  readonly url: string
  readonly name: string
  readonly names: Names
  /** So many commands may wait untaken in this thread. */
  readonly windowCommandsMax: number
  /** Commands that wait untaken. */
  readonly waiting: () => number
  /** All that a read brought is delivered. */
  readonly delivered: () => void
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void
}

type Entry = readonly [id: Buffer, fields: readonly [commands: Buffer, frame: Buffer]]
type Reply = readonly (readonly [key: Buffer, entries: readonly Entry[]])[] | null

/** A reply may take as long as the block, and a little. */
const blockMs = 2000
const replyMs = blockMs + 1500
const retryFirstMs = 10
const retryMostMs = 1000
/** Entries of each stream in one read, at most. */
const entriesMax = 64

export class GroupReader {
  /** Commands sent to Redis. */
  reads = 0
  private readonly options: GroupReaderOptions
  private state: GroupState
  private readonly cursors = new Map<number, Cursor>()
  private connection: RedisConnection | undefined
  /** The connection waits in a read for what comes. */
  private blocked = false
  private running = false
  private closed = false
  /** The connection was dropped on purpose. */
  private interrupted = false
  private endPause: () => void = () => undefined
  private entryCommands = 1
  private failing = false

  constructor(state: GroupState, options: GroupReaderOptions) {
    this.state = state
    this.options = options
  }

  open(partition: number, after: Position, deliver: (frame: Arrived) => void): void {
    const { generation, high } = after
    // A frame that was consumed in part is read again; only its entry tells whether it was.
    this.cursors.set(partition, { partition, deliver, after, generation, sequence: Math.max(0, high - 1) })
    this.changed()
  }

  close(partition: number): void {
    this.cursors.delete(partition)
  }

  /** The writer went on to another generation, on the same server or another one. */
  turn(state: GroupState): void {
    this.interrupted = this.blocked || state.runId !== this.state.runId
    this.state = state
    if (this.interrupted) this.drop()
    this.goOn()
  }

  /** There is room for more commands in this thread. */
  goOn(): void {
    if (!this.running && this.hasRoom) this.run()
    else this.endPause()
  }

  end(): void {
    this.closed = true
    this.drop()
    this.endPause()
  }

  /** What is waited for is no longer what should be. */
  private changed(): void {
    this.interrupted = this.blocked
    if (this.blocked) this.drop()
    this.goOn()
  }

  private drop(): void {
    if (this.connection !== undefined) cut(this.connection.redis)
    this.connection = undefined
  }

  private get hasRoom(): boolean {
    return this.options.waiting() < this.options.windowCommandsMax
  }

  private run(): void {
    this.running = true
    void this.loop()
  }

  private async loop(): Promise<void> {
    let wait = retryFirstMs
    // All that is opened in this turn is read together.
    await Promise.resolve()
    while (!this.closed && this.cursors.size > 0 && this.hasRoom) {
      try {
        const connection = this.connection ?? (await this.connect())
        await this.read(connection)
        wait = retryFirstMs
        this.failing = false
      } catch (error) {
        this.drop()
        const { interrupted } = this
        this.interrupted = false
        if (interrupted) continue
        await this.backOff(wait, error)
        wait = Math.min(retryMostMs, wait * 2)
      }
    }
    this.running = false
  }

  private async backOff(ms: number, error: unknown): Promise<void> {
    if (!this.failing) this.options.log('a reader has lost Redis', { group: this.state.group, why: messageOf(error) })
    this.failing = true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms * (0.5 + Math.random()))
      this.endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private async connect(): Promise<RedisConnection> {
    const { url, name } = this.options
    const connection = await connectRedis(url, { name, replyMs, node: this.state.node })
    this.reads++
    const { runId } = connection.server
    if (runId !== this.state.runId) {
      cut(connection.redis)
      throw new Error('the writer is connected to another server')
    }
    this.connection = connection
    return connection
  }

  private async read(connection: RedisConnection): Promise<void> {
    const sealed = [...this.cursors.values()].filter(({ generation }) => generation < this.state.generation)
    if (sealed.length > 0) {
      const came = await this.ask(connection, sealed, undefined)
      // Sealed before it was asked, so what is not there now never comes.
      for (const cursor of sealed) if (!came.has(cursor)) this.beginNext(cursor)
      this.options.delivered()
      return
    }
    const all = [...this.cursors.values()]
    const came = await this.ask(connection, all, blockMs)
    // Up to Redis 7.0 whoever was blocked gets one stream only, though one script may have appended to many.
    const others = all.filter((cursor) => !came.has(cursor))
    if (came.size > 0 && others.length > 0) await this.ask(connection, others, undefined)
    this.options.delivered()
  }

  /** Reads and delivers; returns the cursors that something came for. */
  private async ask(
    { redis }: RedisConnection,
    cursors: readonly Cursor[],
    waitMs: number | undefined,
  ): Promise<ReadonlySet<Cursor>> {
    const { names, windowCommandsMax, waiting } = this.options
    const byKey = new Map(cursors.map((cursor) => [names.stream(cursor.partition, cursor.generation), cursor]))
    const room = windowCommandsMax - waiting()
    const count = Math.max(1, Math.min(entriesMax, Math.floor(room / (this.entryCommands * cursors.length))))
    this.reads++
    this.blocked = waitMs !== undefined
    let reply: Reply
    try {
      reply = (await redis.callBuffer(
        'XREAD',
        'COUNT',
        count,
        ...(waitMs === undefined ? [] : ['BLOCK', waitMs]),
        'STREAMS',
        ...byKey.keys(),
        ...cursors.map(({ sequence }) => `${sequence}-0`),
      )) as Reply
    } finally {
      this.blocked = false
    }
    const came = new Set<Cursor>()
    for (const [key, entries] of reply ?? []) {
      const cursor = byKey.get(key.toString('latin1'))
      if (cursor === undefined) continue
      came.add(cursor)
      for (const entry of entries) this.deliver(cursor, entry)
    }
    return came
  }

  private deliver(cursor: Cursor, [id, [commandsText, bytes]]: Entry): void {
    const high = Number.parseInt(id.toString('latin1'), 10)
    const commands = Number(commandsText.toString('latin1'))
    cursor.sequence = high
    this.entryCommands += (commands - this.entryCommands) / 16
    const { partition, generation, after } = cursor
    if (generation === after.generation && (high < after.high || (high === after.high && commands <= after.index)))
      return
    // Opened again or closed meanwhile: it is not waited for any more.
    if (this.cursors.get(partition) === cursor) cursor.deliver({ partition, generation, high, low: 0, commands, bytes })
  }

  private beginNext(cursor: Cursor): void {
    const { live, generation: last } = this.state
    const { partition } = cursor
    cursor.generation = live.find((one) => one > cursor.generation) ?? last
    cursor.sequence = 0
    if (this.cursors.get(partition) !== cursor) return
    const { generation } = cursor
    cursor.deliver({ partition, generation, high: 0, low: 0, commands: 0, bytes: noBytes })
  }
}

const noBytes = new Uint8Array(0)
