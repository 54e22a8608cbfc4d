// Appends the frames of one group. One call is under way at a time and takes all that came meanwhile; a call whose outcome is not known is
// repeated as it was until it is, on a new connection, and its numbers tell Redis what it has already. When the server is another than before,
// or misses something, the next generation is opened.
//
//   connecting -> (same server) -> appending -> (time-out, cut) -> connecting ..
//              -> (other server, gap) -> opening -> appending
//   opening -> (another process opened a later one) -> superseded, for good
import { RetryableFault } from '../../actors/faults.ts'
import type { Position } from '../../actors/position.ts'
import { faultOf, isRefusal, messageOf, movedTo, type RedisConnection, type RedisServer } from './connection.ts'
import { argumentsOf, deleteEntries, type Flight, flightOf, type Outgoing } from './flight.ts'
import { deleteGenerations, openGeneration } from './generations.ts'
import { KeptConnection } from './kept-connection.ts'
import type { Names } from './names.ts'
import type { GroupState } from './protocol.ts'
import { appendScript } from './scripts.ts'
import { StreamEnd } from './stream-end.ts'

export interface GroupWriterOptions {
  readonly url: string
  readonly name: string
  readonly names: Names
  readonly group: number
  /** Of this process; never used before. */
  readonly producer: string
  /** Commands of a partition that are not committed. */
  readonly partitionCommandsMax: number
  /** Bytes of frames of the group that are not committed. */
  readonly bytesMax: number
  /** A reply that takes longer is not waited for. */
  readonly replyMs: number
}

export interface GroupNews {
  /** A new generation was opened. Called before anything is settled as lost. */
  opened(state: GroupState, why: string): void
  /** Cannot be reached for a while (why), or can again (undefined). */
  reachable(partitions: readonly number[], why: string | undefined): void
  /** Another process has opened a generation: this one appends no more. */
  superseded(): void
  appended(ms: number, frames: number): void
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void
}

/** A cluster that is being resharded may send us on more than once. */
const movesMax = 5
const retryFirstMs = 20
const retryMostMs = 1000
/** Entries that are committed lie there so long at most. */
const deleteMs = 100
/** What waits unread is looked after so often, in case it was lost while nothing is appended. */
const lookEveryMs = 1000
const refusedMs = 100

export class GroupWriter {
  readonly partitions: readonly number[]
  /** Commands sent to Redis by this class. */
  private sent = 0
  private readonly options: GroupWriterOptions
  private readonly news: GroupNews
  private readonly connection: KeptConnection
  /** The server of the present generation. */
  private serverIs: RedisServer | undefined
  private generation = 0
  private live: readonly number[] = []
  private ends = new Map<number, StreamEnd>()
  private queue: Outgoing[] = []
  private flight: Flight | undefined
  /** Why the next generation must be opened. */
  private opening: string | undefined
  private working = false
  private awake = false
  private closed = false
  private superseded = false
  /** Lets entries be deleted, and what waits be looked after, in the next call. */
  private deletes = false
  private looks = false
  private readonly turnedTo = new Map<number, number>()
  private rooms: (() => void)[] = []
  private readonly timers = new Set<NodeJS.Timeout>()
  private deletesLater = false
  private endPause: () => void = () => undefined

  constructor(options: GroupWriterOptions, news: GroupNews) {
    this.options = options
    this.news = news
    this.partitions = options.names.partitionsOf(options.group)
    const { url, name, replyMs, group } = options
    this.connection = new KeptConnection(
      url,
      { name, replyMs },
      {
        lost: (why) => news.log('warn', 'Redis cannot be reached', { group, why }),
        back: () => {
          news.log('info', 'Redis can be reached again', { group })
          news.reachable(this.partitions, undefined)
        },
        away: (why) => news.reachable(this.partitions, why),
        ended: () => this.pump(),
      },
    )
  }

  /** Connects and opens the first generation of this process, above `floor`. Throws a fault that says what is wrong. */
  async start(floor: number): Promise<RedisServer> {
    this.generation = floor
    this.opening = 'start'
    const { server } = await this.openFirst()
    const look = setInterval(() => {
      this.looks = true
      this.pump()
    }, lookEveryMs)
    this.timers.add(look)
    return server
  }

  /** At the node that has the slot, if there are many. */
  private async openFirst(moves = 0): Promise<RedisConnection> {
    const connection = await this.connection.open()
    try {
      await this.open(connection, true)
      return connection
    } catch (error) {
      const text = messageOf(error)
      if (movedTo(text) === undefined || moves === movesMax) throw faultOf(this.options.url, error)
      this.connection.drop(text)
      return await this.openFirst(moves + 1)
    }
  }

  get state(): GroupState {
    const { generation, live } = this
    return { group: this.options.group, generation, live, runId: this.serverIs?.runId, node: this.connection.node }
  }

  /** Commands sent to Redis, at least one of them for each connection. */
  get calls(): number {
    return this.sent + this.connection.opened
  }

  /** Commands appended and not trimmed in this generation. */
  depth(): number {
    let sum = 0
    for (const { heldCommands } of this.ends.values()) sum += heldCommands
    return sum
  }

  append(frame: Outgoing): void {
    this.queue.push(frame)
    this.pump()
  }

  room(partition: number): Promise<void> {
    const end = this.end(partition)
    if (!end.refused && end.heldCommands < this.options.partitionCommandsMax) return Promise.resolve()
    return new Promise<void>((resolve) => {
      this.rooms.push(resolve)
    }).then(() => this.room(partition))
  }

  private roomMade(): void {
    for (const end of this.ends.values()) end.refused = false
    const rooms = this.rooms
    this.rooms = []
    for (const resolve of rooms) resolve()
  }

  trim(partition: number, { generation, high, index }: Position): void {
    const turned = this.turnedTo.get(partition) ?? 0
    if (generation > turned) {
      this.turnedTo.set(partition, generation)
      this.pump()
    }
    if (generation !== this.generation) return
    const end = this.end(partition)
    if (!end.trim(high, index)) return
    this.roomMade()
    if (end.trimmedTo - end.deletedTo >= deleteEntries) this.deletes = true
    else if (!this.deletesLater) {
      this.deletesLater = true
      this.later(deleteMs, () => {
        this.deletesLater = false
        this.deletes = true
        this.pump()
      })
    }
  }

  private later(ms: number, callback: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      callback()
    }, ms)
    this.timers.add(timer)
    return timer
  }

  async close(): Promise<void> {
    this.closed = true
    for (const timer of this.timers) clearTimeout(timer)
    this.endPause()
    this.connection.close()
    while (this.working) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  // ---- the one loop -------------------------------------------------------------------------------------------------------------

  private pump(): void {
    this.awake = true
    if (this.working || this.closed || this.superseded) return
    this.working = true
    void this.work()
  }

  private async work(): Promise<void> {
    let wait = retryFirstMs
    while (!this.closed && !this.superseded) {
      try {
        const connection = await this.connection.open()
        this.compare(connection.server)
        if (this.opening !== undefined) await this.open(connection, false)
        else {
          this.awake = false
          this.flight ??= this.nextFlight()
          if (this.flight !== undefined) await this.fly(connection, this.flight)
          else if (this.live.length > 1 && (await this.deleteConsumed(connection))) continue
          else if (!this.awake) break
        }
        wait = retryFirstMs
      } catch (error) {
        this.connection.drop(messageOf(error))
        await this.pause(wait * (0.5 + Math.random()))
        wait = Math.min(retryMostMs, wait * 2)
      }
    }
    this.working = false
  }

  private pause(ms: number): Promise<void> {
    if (this.closed) return Promise.resolve()
    return new Promise((resolve) => {
      this.endPause = resolve
      this.later(ms, resolve)
    })
  }

  /** Whether the history that this generation was written into is still the server's. */
  private compare({ runId, replId }: RedisServer): void {
    if (this.serverIs?.runId !== runId) this.opening ??= 'the server is another one or was restarted'
    else if (this.serverIs?.replId !== replId) this.opening ??= 'the server has another history of replication'
  }

  // ---- appending ----------------------------------------------------------------------------------------------------------------

  private nextFlight(): Flight | undefined {
    const queue = this.queue
    const asks = { deletes: this.deletes, looks: this.looks }
    if (queue.length === 0 && !asks.deletes && !asks.looks) return undefined
    this.queue = []
    this.deletes = false
    this.looks = false
    return flightOf(queue, (partition) => this.end(partition), this.ends.values(), asks)
  }

  private async fly(connection: RedisConnection, flight: Flight): Promise<void> {
    const started = performance.now()
    flight.tries++
    this.sent++
    let reply: unknown
    try {
      reply = await connection.redis.call('EVALSHA', appendScript.sha, ...this.argumentsOf(flight))
    } catch (error) {
      const text = messageOf(error)
      if (text.startsWith('NOSCRIPT')) {
        this.sent++
        flight.tries--
        await connection.redis.script('LOAD', appendScript.lua)
        return
      }
      // Before the script began, so nothing came of this try; of an earlier one something may have.
      if (!isRefusal(text) || flight.tries > 1) throw error
      this.refuseAll(flight, text)
      return
    }
    const [said, ...facts] = reply as [string, ...(string | number)[]]
    if (said === 'ok') this.settle(flight, facts, performance.now() - started)
    else {
      this.opening =
        { gone: 'its streams are gone', sealed: 'it was sealed', gap: 'a stream lost its end' }[said] ?? said
    }
  }

  private argumentsOf(flight: Flight): (string | number | Buffer)[] {
    let trimmedBytes = 0
    for (const end of this.ends.values()) trimmedBytes += end.trimmedBytes
    const { opened } = this.connection
    return argumentsOf(flight, { ...this.options, generation: this.generation, connection: opened, trimmedBytes })
  }

  private settle(
    { streams, frames: count, tries }: Flight,
    [refused, ...lasts]: (string | number)[],
    ms: number,
  ): void {
    this.flight = undefined
    if (refused !== '') {
      // A replica, say. And of an earlier try something may come yet, so nobody may be told that nothing was accepted.
      if (!isRefusal(String(refused)) || tries > 1) {
        this.flight = { streams, frames: count, tries }
        throw new RetryableFault('unavailable', String(refused))
      }
      this.refusedBy(String(refused))
    }
    for (const [i, { end, deleteTo, first, frames }] of streams.entries()) {
      const last = Number(lasts[i])
      if (deleteTo !== undefined) end.deletedTo = deleteTo
      for (const [j, frame] of frames.entries()) {
        const sequence = first + j
        if (sequence <= last) {
          end.appended(frame.commands, frame.bytes.length)
          frame.settle({ generation: this.generation, high: sequence, low: 0 })
        } else {
          end.refused = true
          frame.settle('full')
        }
      }
    }
    if (count > 0) this.news.appended(ms, count)
  }

  private refuseAll({ streams }: Flight, why: string): void {
    this.flight = undefined
    this.refusedBy(why)
    for (const { end, frames } of streams) {
      for (const frame of frames) {
        end.refused = true
        frame.settle('full')
      }
    }
  }

  /** The server takes no writes: that may end without anything of ours being trimmed. */
  private refusedBy(why: string): void {
    this.news.log('warn', 'Redis refuses to write; commands are answered as overloaded', { why })
    this.later(refusedMs, () => this.roomMade())
  }

  // ---- generations --------------------------------------------------------------------------------------------------------------

  private async open({ redis, server }: RedisConnection, takesOver: boolean): Promise<void> {
    const why = this.opening ?? ''
    const { names, group, producer } = this.options
    this.sent += 3
    const opened = await openGeneration(redis, {
      names,
      group,
      producer,
      above: this.generation,
      live: takesOver ? [] : this.live,
      takesOver,
    })
    this.opening = undefined
    if (opened.outcome === 'superseded') {
      this.superseded = true
      this.news.superseded()
      return
    }
    const lost = [...(this.flight?.streams.flatMap(({ frames }) => frames) ?? []), ...this.queue]
    this.flight = undefined
    this.queue = []
    this.serverIs = server
    this.generation = opened.generation
    this.live = opened.live
    this.ends = new Map()
    this.news.opened(this.state, why)
    for (const frame of lost) frame.settle('lost')
    this.roomMade()
  }

  /** Those that every partition has left behind. Returns whether there were any. */
  private async deleteConsumed({ redis }: RedisConnection): Promise<boolean> {
    const { names, group } = this.options
    const reached = Math.min(this.generation, ...this.partitions.map((partition) => this.turnedTo.get(partition) ?? 0))
    const consumed = this.live.filter((generation) => generation < reached)
    if (consumed.length === 0) return false
    this.sent += 2 * consumed.length
    await deleteGenerations(redis, names, group, consumed)
    this.live = this.live.filter((generation) => generation >= reached)
    return true
  }

  private end(partition: number): StreamEnd {
    let end = this.ends.get(partition)
    if (end === undefined) {
      end = new StreamEnd(partition)
      this.ends.set(partition, end)
    }
    return end
  }
}
