// Keeps the worker threads alive: gives each partition to a slot, hosts again what a dead thread left, ends a thread that no longer answers.
//
//   slot: starting -> hosting -> (thread ends) -> starting ..
import { violated } from '../core/invariant.ts'
import type { Intake } from './intake.ts'
import type { CommitStats } from './lane-ports.ts'
import type { Clock, Thread, Threads, Timers } from './ports.ts'
import type { Position } from './position.ts'
import type { Suspects, Suspicion } from './suspects.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

export interface SupervisorPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly threads: Threads
  readonly intake: Intake
  /** How far the partition's commands were handed to its thread. */
  readonly deliveredTo: (partition: number) => Position
  /** The process still may host this shard: asked before a dead thread's partitions are claimed again. */
  readonly mayHost: (shard: number) => boolean
  readonly news: SupervisorNews
}

export interface SupervisorNews {
  committed(slot: number, shard: number, stats: CommitStats): void
  threadStarted(slot: number, threadId: number): void
  threadEnded(slot: number, reason: string): void
  quarantined(partition: number, position: string, id: string): void
  /** Another process has taken these partitions: this one is no longer the host. */
  lost(partitions: readonly number[]): void
  /** The database holds less of the partition than was committed: it is not hosted any more. */
  historyLost(partition: number, seen: number, found: number): void
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void
}

export interface SupervisorOptions {
  readonly workers: number
  /** Shard of each partition; changes when one is moved. */
  readonly shardOf: number[]
  /** A thread that does not answer a ping for so long is ended: it is in an endless loop. */
  readonly watchdogMs: number
}

interface Slot {
  readonly number: number
  readonly partitions: readonly number[]
  thread: Thread | undefined
  /** Pings since the last pong. Counted, not timed: a process that was frozen has pongs lying there unread. */
  unanswered: number
  /** Shards that its thread cannot reach. */
  readonly troubled: Set<number>
}

const restartFirstMs = 10
const restartMostMs = 2000
const pingMostMs = 1000

export class Supervisor {
  private readonly ports: SupervisorPorts
  private readonly options: SupervisorOptions
  private readonly slots: Slot[]
  private readonly unhosted = new Set<number>()
  private readonly everHosted = new Set<number>()
  private readonly cancelPings: (() => void)[] = []
  private readonly segments = new Map<number, number>()
  private readonly addedShards: (readonly [shard: number, address: string])[] = []
  /** Number of the last row that is known to be committed, by partition: the ledger must never stand before it. */
  private readonly committedPseq = new Map<number, number>()
  /** Between two shards: hosted by nobody. What its last thread had in hand if that died. */
  private readonly moving = new Map<
    number,
    { readonly released: () => void; isReleased: boolean; suspicion: Suspicion | undefined }
  >()
  /** The last command of a partition that a thread died of. Kept over further deaths: they may come of others before it is tried. */
  private readonly known = new Map<number, Position>()
  private readonly historyless = new Set<number>()
  private stopping = false
  private allHosted: (() => void)[] = []

  constructor(ports: SupervisorPorts, options: SupervisorOptions) {
    this.ports = ports
    this.options = options
    const partitions = options.shardOf.map((_shard, partition) => partition)
    for (const partition of partitions) this.unhosted.add(partition)
    this.slots = Array.from({ length: options.workers }, (_, number) => ({
      number,
      partitions: partitions.filter((partition) => partition % options.workers === number),
      thread: undefined,
      unanswered: 0,
      troubled: new Set(),
    }))
  }

  /** Starts every slot; resolves when each has its thread. Hosting goes on behind: see `whenHosted`. */
  async start(): Promise<void> {
    await Promise.all(this.slots.map((slot) => this.startSlot(slot, new Map())))
    this.ping()
  }

  /** Every partition is hosted. */
  ready(): boolean {
    return this.unhosted.size === 0 && !this.stopping
  }

  /** Partitions that nobody can post to now. */
  downPartitions(): readonly number[] {
    return this.options.shardOf.flatMap((shard, partition) =>
      this.isTroubled(shard) || this.unhosted.has(partition) ? [partition] : [],
    )
  }

  /** Partitions whose database lost what was committed. */
  historyLost(): readonly number[] {
    return [...this.historyless]
  }

  private isTroubled(shard: number): boolean {
    return this.slots.some(({ troubled }) => troubled.has(shard))
  }

  whenHosted(): Promise<void> {
    if (this.unhosted.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.allHosted.push(resolve)
    })
  }

  utilizations(): readonly { slot: number; share: number }[] {
    return this.slots.map(({ number, thread }) => ({ slot: number, share: thread?.utilization() ?? 0 }))
  }

  /** Tells every worker of a shard that was added; one that starts meanwhile is told before it hosts. */
  addShard(shard: number, address: string): void {
    this.addedShards.push([shard, address])
    for (const slot of this.slots) this.tell(slot, { kind: 'shard', shard, address })
  }

  /**
   * Takes a partition from its thread; resolves when nobody hosts it. What comes for it waits in its mailbox until `rehost`, and after
   * `waitMs` new commands are refused. The caller moves it meanwhile.
   */
  async release(partition: number, waitMs: number): Promise<void> {
    const slot = this.slotOf(partition)
    const { thread } = slot
    await new Promise<void>((resolve) => {
      this.moving.set(partition, { released: resolve, isReleased: false, suspicion: undefined })
      this.unhosted.add(partition)
      const shard = this.options.shardOf[partition] ?? 0
      if (thread === undefined) return resolve()
      void thread.ended.then(() => resolve())
      this.tell(slot, { kind: 'release', shard, partitions: [partition] })
    })
    this.ports.timers.after(waitMs, () => {
      if (this.moving.has(partition)) this.ports.intake.setDown(partition, 'The data of this owner are being moved.')
    })
  }

  /** Hosts a released partition again, on this shard. */
  rehost(partition: number, shard: number): void {
    const suspicion = this.moving.get(partition)?.suspicion
    this.moving.delete(partition)
    this.options.shardOf[partition] = shard
    const slot = this.slotOf(partition)
    const { thread } = slot
    // Without a thread it comes with all others of the slot.
    if (thread !== undefined)
      void this.hostOn(slot, thread, shard, [partition], new Map(suspicion && [[partition, suspicion]]))
  }

  private slotOf(partition: number): Slot {
    return this.slots[partition % this.slots.length] ?? violated('every partition has a slot', { partition })
  }

  switchSegment(shard: number, segment: number): void {
    this.segments.set(shard, segment)
    for (const slot of this.slots) this.tell(slot, { kind: 'segment', shard, segment })
  }

  /** Whatever is hosted on the shard is taken over again: its database may have been replaced while nobody committed. */
  lookAgain(shard: number): void {
    for (const slot of this.slots) this.tell(slot, { kind: 'look_again', shard })
  }

  segmentClosed(shard: number, segment: number): void {
    for (const slot of this.slots) this.tell(slot, { kind: 'segment_closed', shard, segment })
  }

  /** Lets the lanes finish what they took; resolves when the threads have ended or `ms` are over. */
  async stop(ms: number): Promise<void> {
    this.stopping = true
    for (const cancel of this.cancelPings) cancel()
    for (const slot of this.slots) this.tell(slot, { kind: 'stop' })
    const ended = Promise.all(this.slots.map(({ thread }) => thread?.ended))
    let cancel: () => void = () => undefined
    const late = new Promise<void>((resolve) => {
      cancel = this.ports.timers.after(ms, resolve)
    })
    await Promise.race([ended, late])
    cancel()
    for (const { thread } of this.slots) thread?.terminate()
    await ended
  }

  private async startSlot(slot: Slot, suspects: Suspects): Promise<void> {
    let wait = restartFirstMs
    for (;;) {
      if (this.stopping) return
      try {
        const thread = await this.ports.threads.start(slot.number)
        slot.thread = thread
        slot.unanswered = 0
        thread.onMessage((message: FromWorker) => this.hear(slot, message))
        void thread.ended.then((reason) => this.onEnd(slot, thread, reason))
        if (this.stopping) return thread.terminate()
        // Its settings may be older than these.
        for (const [shard, address] of this.addedShards) this.tell(slot, { kind: 'shard', shard, address })
        this.ports.news.threadStarted(slot.number, thread.id)
        await this.hostSlot(slot, thread, suspects)
        return
      } catch (error) {
        this.ports.news.log('error', 'a worker thread did not start', { slot: slot.number, message: String(error) })
        await this.pause(wait)
        wait = Math.min(restartMostMs, wait * 2)
      }
    }
  }

  /** Shard by shard, but none waits for another: one whose lock is lost would hold up all. */
  private async hostSlot(slot: Slot, thread: Thread, suspects: Suspects): Promise<void> {
    const wanted = slot.partitions.filter(
      (partition) => !this.moving.has(partition) && !this.historyless.has(partition),
    )
    await Promise.all(
      [...this.byShard(wanted)].map(([shard, partitions]) => this.hostOn(slot, thread, shard, partitions, suspects)),
    )
  }

  private async hostOn(
    slot: Slot,
    thread: Thread,
    shard: number,
    partitions: readonly number[],
    suspects: Suspects,
  ): Promise<void> {
    const over = (): boolean => this.stopping || slot.thread !== thread
    while (!this.ports.mayHost(shard) && !over()) await this.pause(restartFirstMs * 5)
    if (over()) return
    this.tell(slot, {
      kind: 'host',
      shard,
      partitions,
      suspects: [...suspects].filter(([partition]) => partitions.includes(partition)),
      seen: partitions.flatMap((partition) => {
        const pseq = this.committedPseq.get(partition)
        return pseq === undefined ? [] : [[partition, pseq] as const]
      }),
    })
    const segment = this.segments.get(shard)
    if (segment !== undefined) this.tell(slot, { kind: 'segment', shard, segment })
  }

  private byShard(partitions: readonly number[]): Map<number, number[]> {
    const groups = new Map<number, number[]>()
    for (const partition of partitions) {
      const shard = this.options.shardOf[partition] ?? 0
      const group = groups.get(shard)
      if (group === undefined) groups.set(shard, [partition])
      else group.push(partition)
    }
    return groups
  }

  private onEnd(slot: Slot, thread: Thread, reason: string | undefined): void {
    if (slot.thread !== thread) return
    slot.thread = undefined
    slot.troubled.clear()
    if (this.stopping) return
    const named = thread.inHand()
    if (named !== undefined) this.known.set(named.partition, named.place)
    const suspects = new Map<number, Suspicion>()
    for (const partition of slot.partitions) {
      this.unhosted.add(partition)
      // A thread that was hosting its very first partitions had nothing in hand.
      if (!this.everHosted.has(partition)) continue
      // If it did not name the command it died of, all that was delivered to it is suspect.
      const until = named === undefined ? this.ports.deliveredTo(partition) : undefined
      const known = this.known.get(partition)
      if (until === undefined && known === undefined) continue
      suspects.set(partition, { until, known })
      const moving = this.moving.get(partition)
      if (moving !== undefined && !moving.isReleased) moving.suspicion = { until, known }
    }
    this.ports.news.threadEnded(slot.number, reason ?? 'it ended without a reason')
    void this.startSlot(slot, suspects)
  }

  private hear(slot: Slot, message: FromWorker): void {
    const { intake, news } = this.ports
    switch (message.kind) {
      case 'answers':
        intake.answers(message.tickets, message.https, message.replayed, message.bodies)
        return
      case 'packets':
        intake.deliver(message.packets)
        return
      case 'committed':
        for (const [partition, pseq] of message.stats.pseqs) this.committedPseq.set(partition, pseq)
        news.committed(slot.number, message.shard, message.stats)
        return
      case 'hosted':
        // A new thread may claim what another process took while this one was frozen; only a process that starts anew may host it.
        if (intake.isOfAnother(message.partition, message.position)) {
          this.lost([message.partition])
          return
        }
        this.everHosted.add(message.partition)
        this.unhosted.delete(message.partition)
        intake.setDown(message.partition, undefined)
        intake.hosted(message.partition, message.position)
        if (this.unhosted.size === 0) for (const resolve of this.allHosted.splice(0)) resolve()
        return
      case 'turned':
        intake.hosted(message.partition, message.position)
        return
      case 'lost':
        this.lost(message.partitions)
        return
      case 'released':
        for (const partition of message.partitions) {
          const moving = this.moving.get(partition)
          if (moving === undefined) continue
          moving.isReleased = true
          moving.released()
        }
        return
      case 'history_lost':
        this.unhosted.add(message.partition)
        this.historyless.add(message.partition)
        intake.setDown(message.partition, 'The database of this owner lost what was committed; people must look.')
        news.historyLost(message.partition, message.seen, message.found)
        return
      case 'trouble':
        this.onTrouble(slot, message.shard, message.code, message.message)
        return
      case 'quarantined':
        news.quarantined(message.partition, message.position, message.id)
        return
      case 'pong':
        slot.unanswered = 0
        return
      case 'log':
        news.log(message.level, message.message, { slot: slot.number, ...message.fields })
        return
    }
  }

  private lost(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.unhosted.add(partition)
      this.ports.intake.setDown(partition, 'Another process hosts this partition now.')
    }
    this.ports.news.lost(partitions)
  }

  private onTrouble(slot: Slot, shard: number, code: string | undefined, message: string): void {
    if (code === undefined) {
      slot.troubled.delete(shard)
      return
    }
    slot.troubled.add(shard)
    this.ports.news.log('warn', 'a shard cannot be reached', { slot: slot.number, shard, code, message })
    for (const partition of slot.partitions) {
      if (this.options.shardOf[partition] === shard)
        this.ports.intake.setDown(partition, 'The database of this owner cannot be reached.')
    }
  }

  private ping(): void {
    let n = 0
    const everyMs = Math.min(pingMostMs, this.options.watchdogMs / 4)
    const round = (): void => {
      n++
      for (const slot of this.slots) {
        const { thread } = slot
        if (thread === undefined) continue
        if (slot.unanswered++ * everyMs >= this.options.watchdogMs) {
          this.ports.news.log('error', 'a worker thread does not answer and is ended', { slot: slot.number })
          thread.terminate()
        } else this.tell(slot, { kind: 'ping', n })
      }
      this.cancelPings[0] = this.ports.timers.after(everyMs, round)
    }
    round()
  }

  private tell(slot: Slot, message: ToWorker): void {
    slot.thread?.post(message)
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.ports.timers.after(ms, resolve)
    })
  }
}
