// A lane: the partitions that one worker thread hosts on one shard. It takes what waits in their mailboxes, activates, decides in memory,
// commits, and opens the gate. Two batches commit while the next is being decided; nothing of a batch is heard outside before its commit.
//
//   recovering -> running -> recovering (any trouble: drop the memory, take over again, replay from the position) .. -> stopped

import { violated } from '../core/invariant.ts'
import type { Rules } from '../core/partition.ts'
import { type Activated, activate } from './activation.ts'
import { Batch, CommandFailed } from './batch.ts'
import { Commits } from './commits.ts'
import { isFault, RetryableFault } from './faults.ts'
import { Gate } from './gate.ts'
import { type Hosted, seeUndecided } from './hosted.ts'
import { Hosting } from './hosting.ts'
import type { LaneLimits, LanePorts } from './lane-ports.ts'
import { Loopback } from './loopback.ts'
import { type Neighbours, nobody } from './neighbours.ts'
import { PastSeen } from './past-seen.ts'
import type { Needs } from './ports.ts'
import { comparePositions, type Position, positionText } from './position.ts'
import { Absent, install, passivate } from './residency.ts'
import { attemptText, type Cautions, nextTry, type Suspects } from './suspects.ts'
import { type Taken, takenOf } from './taken.ts'
import { addLooped, sortFrames } from './taking.ts'
import { Turns } from './turns.ts'
import type { Waiting } from './waiting.ts'
import { wakeable } from './wakeable.ts'

const retryFirstMs = 20
const retryMostMs = 1000
const unknownIdsMost = 512

export class Lane {
  private readonly ports: LanePorts
  private readonly limits: LaneLimits
  private readonly seen: PastSeen
  private readonly wake = wakeable()
  private readonly turns: Turns
  private readonly hosting: Hosting
  private readonly partitions: ReadonlyMap<number, Hosted>
  private readonly cautions: Cautions
  private readonly loopback: Loopback
  private readonly gate: Gate
  private readonly commits: Commits
  private needRecovery = true
  private mustLook = false
  private batchNumber = 0
  private committedNumber = 0
  private stopping = false
  private targetSegment = 0
  private failures = 0

  constructor(ports: LanePorts, limits: LaneLimits, rules: Rules) {
    this.ports = ports
    this.turns = ports.turns ?? new Turns()
    this.limits = limits
    this.seen = new PastSeen(ports, () => limits.idFilterBytesMax ?? Number.POSITIVE_INFINITY)
    this.hosting = new Hosting(ports, rules, this.seen)
    this.partitions = this.hosting.partitions
    this.cautions = this.hosting.cautions
    this.commits = new Commits(ports.ledger)
    this.loopback = new Loopback(this.partitions, limits.loopback !== false)
    this.gate = new Gate(ports, this.partitions, this.loopback)
  }

  /** Adds partitions to host; those that are hosted go on. Takes effect in `run`. `seen`: rows that former hosts are known to have committed. */
  host(partitions: readonly number[], suspects: Suspects, seen: ReadonlyMap<number, number> = new Map()): void {
    this.hosting.host(partitions, suspects, seen)
    this.wake.now()
  }

  /** Gives partitions up once what was taken of them is committed. */
  release(partitions: readonly number[]): void {
    this.hosting.release(partitions)
    this.wake.now()
  }

  /** From the next commit on rows go to this segment. */
  switchSegment(segment: number): void {
    this.targetSegment = Math.max(this.targetSegment, segment)
    this.wake.now()
  }

  /** Nobody writes to it any more, and the ledger has its filters. */
  segmentClosed(segment: number): void {
    this.seen.segmentClosed(segment)
    this.wake.now()
  }

  /** Takes over again before anything else: a database that was replaced while nothing was committed shows only so what it has lost. */
  lookAgain(): void {
    this.mustLook = true
    this.wake.now()
  }

  /** Finishes what was taken, commits it, and ends `run`. */
  stop(): void {
    this.stopping = true
    this.gate.stop()
    this.wake.now()
  }

  /** Runs until `stop` or until every partition is lost. */
  async run(): Promise<void> {
    while (!this.ended()) {
      try {
        if (this.needRecovery) await this.recover()
        else await this.step()
      } catch (error) {
        await this.fail(error)
      }
    }
    await this.commits.over()
    this.gate.silence()
    await this.ports.ledger.close()
  }

  private ended(): boolean {
    if (!this.stopping) return false
    return this.commits.count === 0
  }

  private async step(): Promise<void> {
    this.commits.check()
    if (this.seen.settle()) for (const hosted of this.partitions.values()) seeUndecided(hosted)
    if (this.mustLook) throw new RetryableFault('unavailable', 'the database may be another one by now')
    if (this.hosting.isToChange) return await this.changePartitions()
    const switching = this.partitionsToSwitch()
    if (switching.length > 0) return await this.switchSegments(switching)
    // A small batch gains nothing by being decided early: it would only commit apart from what comes in meanwhile.
    const enough = this.limits.overlapCommandsMin ?? 0
    if (this.commits.count > 0 && this.ports.mailbox.waitingCommands < enough) return await this.rest(enough)
    if (this.stopping) return await this.rest()
    const looped = this.loopback.take()
    this.gate.leave(looped.gone)
    const frames = this.ports.mailbox.take(Math.max(1, this.commandsMost() - looped.count))
    if (frames.length === 0 && looped.count === 0) return await this.rest()
    const work = sortFrames(frames, this.partitions)
    addLooped(looped.here, work.together)
    if (work.together.size > 0) await this.together(work.together)
    for (const [hosted, after] of work.alone)
      await this.alone(hosted, hosted.taken.allWaiting(), hosted.taken.places(), after)
  }

  /** While each id must be looked up in many segments, a full batch would take as long as its deadline on a large journal. */
  private commandsMost(): number {
    const { batchCommandsMax } = this.limits
    return this.seen.areKnown ? batchCommandsMax : Math.min(batchCommandsMax, unknownIdsMost)
  }

  /** Waits for so many commands, the end of the commit in flight, or a call from outside. Whoever stops takes none: those that wait would ring on. */
  private async rest(commandsMin = 1): Promise<void> {
    if (!this.stopping) this.ports.mailbox.whenFrames(this.wake.now, commandsMin)
    await this.wake.next()
  }

  // ---- the normal way -----------------------------------------------------------------------------------------------------------

  private async together(parts: ReadonlyMap<Hosted, Position>): Promise<void> {
    const number = ++this.batchNumber
    const neighbour = this.goesTogether() ? this.neighbour : nobody.hosted
    const { came, absent } = await this.activateOrSuspect(parts, number, ({ taken }) => taken, neighbour)
    // Deciding is one step: it needs a turn only where another lane has one.
    const endTurn = this.turns.busy ? await this.turns.take() : undefined
    const started = this.ports.clock.elapsed()
    let commands = 0
    for (const { taken } of parts.keys()) commands += taken.count
    const isAbsent = (partition: number, id: string): boolean => absent.get(partition)?.accounts.has(id) === true
    const batch = this.newBatch(number, commands, { hosted: neighbour, isAbsent })
    try {
      this.commits.check()
      for (const [hosted, after] of parts) {
        try {
          batch.decideTaken(hosted, hosted.taken, after)
        } catch (error) {
          this.blame(hosted, error, hosted.taken)
          throw error
        }
      }
    } finally {
      endTurn?.()
    }
    for (const [hosted, keys] of came) batch.touch(hosted, keys)
    const decideMs = this.ports.clock.elapsed() - started
    await this.send(batch, decideMs)
    this.makeRoom()
  }

  private goesTogether(): boolean {
    const { together = 1 } = this.limits
    return together === 1 || this.ports.random.fraction() < together
  }

  /** A fault is the world's; whatever else an activation throws is for one of the commands, and would be thrown again. */
  private async activateOrSuspect(
    parts: ReadonlyMap<Hosted, Position>,
    batch: number,
    commandsOf: (hosted: Hosted) => Taken,
    neighbour = nobody.hosted,
  ): Promise<Activated> {
    const hosts = [...parts.keys()]
    try {
      await this.seen.lookUp(hosts, commandsOf)
      return await activate(this.ports.ledger, hosts, batch, commandsOf, neighbour)
    } catch (error) {
      if (isFault(error)) throw error
      for (const [{ partition }, until] of parts) this.cautions.suspect(partition, { until, known: undefined })
      throw new CommandFailed([...parts.keys()].map(({ partition }) => partition).join(', '), error)
    }
  }

  /** Waits until there is room for one more commit, then starts this one and goes on. */
  private async send(batch: Batch, decideMs: number): Promise<void> {
    const commit = batch.commitOf(this.segmentNow())
    await this.commits.room()
    const started = this.ports.clock.elapsed()
    this.commits.send(
      commit,
      () => {
        this.failures = 0
        this.committedNumber = batch.number
        this.gate.open(batch)
        for (const { partition, before, after, lastPseq } of commit.partitions) {
          this.hosting.committed(partition, lastPseq)
          this.ports.mailbox.trim(partition, after)
          // What was appended to the former generation and has no answer by now was lost with it.
          if (before.generation !== after.generation) this.ports.news.turned(partition, after)
        }
        this.ports.news.committed({
          commands: batch.commands,
          rows: batch.rowCount,
          bytes: commit.rows.length,
          commitMs: this.ports.clock.elapsed() - started,
          decideMs,
          residents: this.residents(),
          idFilterBytes: this.seen.bytes,
          idsLookedUp: this.seen.takeNotExcluded(),
          outcomes: batch.outcomes,
          pseqs: commit.partitions.map(({ partition, lastPseq }) => [partition, lastPseq] as const),
        })
        this.wake.now()
      },
      (error) => {
        if (isFault(error) && error.code === 'rows_refused') {
          for (const { partition, after } of commit.partitions) {
            this.cautions.suspect(partition, { until: after, known: undefined })
          }
        }
        this.wake.now()
      },
    )
  }

  // ---- suspects -----------------------------------------------------------------------------------------------------------------

  /** Tries commands that may have ended a former host, apart from all others, each time after a note in the ledger: see `suspects.ts`. */
  private async alone(
    hosted: Hosted,
    waiting: readonly Waiting[],
    places: readonly Position[],
    end: Position,
  ): Promise<void> {
    for (let at = 0; at < waiting.length; ) {
      const endTurn = await this.turns.take()
      try {
        at += await this.tryNext(hosted, waiting.slice(at), places.slice(at))
      } finally {
        endTurn()
      }
      hosted.caution = this.cautions.whenPassed(hosted.partition, hosted.position)
    }
    if (comparePositions(hosted.position, end) >= 0) return
    // A generation begins behind them.
    await this.commits.drained()
    const batch = this.newBatch(++this.batchNumber)
    batch.advance(hosted, end, undefined)
    await this.sendAndWait(batch)
    hosted.caution = this.cautions.whenPassed(hosted.partition, end)
  }

  /** Returns how many of the commands are decided and committed. */
  private async tryNext(hosted: Hosted, waiting: readonly Waiting[], places: readonly Position[]): Promise<number> {
    await this.commits.drained()
    const [first, ...others] = places
    const [command] = waiting
    if (first === undefined || command === undefined) return violated('every command has a place', { places: 0 })
    const { count, note, giveUp } = nextTry(hosted.caution, [first, ...others])
    if (giveUp) {
      await this.giveUp(hosted, command, first)
      return 1
    }
    if (note !== undefined) {
      const batch = this.newBatch(++this.batchNumber)
      batch.advance(hosted, hosted.position, attemptText(note))
      await this.sendAndWait(batch)
    }
    const number = ++this.batchNumber
    const tried = waiting.slice(0, count)
    const after = places[count - 1] ?? first
    const alone = takenOf(tried, places)
    const { came } = await this.activateOrSuspect(new Map([[hosted, after]]), number, () => alone)
    const batch = this.newBatch(number)
    try {
      batch.decideTaken(hosted, alone, after)
    } catch (error) {
      this.blame(hosted, error, alone)
      throw error
    }
    for (const [hosted, keys] of came) batch.touch(hosted, keys)
    await this.sendAndWait(batch)
    return count
  }

  /** Loads nothing but its own id: what it needs beside may be what it fails of. */
  private async giveUp(hosted: Hosted, received: Waiting, after: Position): Promise<void> {
    const number = ++this.batchNumber
    const { partition, state } = hosted
    if (received.arrived === undefined && !state.remembered.has(received.idKey)) {
      const own: Needs = { accounts: [], cells: [], lotsOf: [], transactions: [received.idKey] }
      const found = await this.ports.ledger.load(new Map([[partition, own]]))
      install(hosted, own, found.get(partition), number, new Absent())
    }
    const batch = this.newBatch(number)
    batch.quarantine(hosted, received, after)
    batch.touch(hosted, [received.idKey])
    await this.sendAndWait(batch)
    this.ports.news.quarantined(partition, positionText(after), received.command.id)
  }

  private async sendAndWait(batch: Batch): Promise<void> {
    await this.send(batch, 0)
    await this.commits.drained()
  }

  /** The command that made deciding throw is known: those around it are no suspects. */
  private blame({ partition }: Hosted, error: unknown, taken: Taken): void {
    const index = error instanceof CommandFailed ? error.index : undefined
    if (index === undefined) this.cautions.suspect(partition, { until: taken.places().at(-1), known: undefined })
    // One without a place comes again with one.
    else this.cautions.suspect(partition, { until: undefined, known: taken.placeAt(index) })
  }

  // ---- segments -----------------------------------------------------------------------------------------------------------------

  private segmentNow(): number {
    for (const hosted of this.partitions.values()) return hosted.segment
    return 1
  }

  private partitionsToSwitch(): Hosted[] {
    let newest = this.targetSegment
    for (const { segment } of this.partitions.values()) newest = Math.max(newest, segment)
    this.targetSegment = newest
    return [...this.partitions.values()].filter(({ segment }) => segment < newest)
  }

  /** An empty commit that only moves the partitions to the new segment: afterwards all of the lane write to the same one. */
  private async switchSegments(behind: readonly Hosted[]): Promise<void> {
    const batch = this.newBatch(++this.batchNumber)
    for (const hosted of behind) batch.advance(hosted, hosted.position, undefined, this.targetSegment)
    await this.sendAndWait(batch)
  }

  // ---- recovery: the one path for every trouble ---------------------------------------------------------------------------------

  private async fail(error: unknown): Promise<void> {
    await this.commits.over()
    this.needRecovery = true
    this.mustLook = false
    this.failures++
    const code = isFault(error) ? error.code : 'other'
    const message = error instanceof Error ? error.message : String(error)
    if (!isFault(error)) {
      this.ports.news.log('error', 'a lane dropped its memory', {
        message,
        stack: error instanceof Error ? error.stack : undefined,
      })
    }
    const ours = error instanceof CommandFailed || code === 'rows_refused' || code === 'fenced'
    if (ours) this.ports.news.log('warn', 'a lane recovers', { code, message })
    else this.ports.news.trouble(code, message)
    // A first failure of our own making is recovered from at once; whatever fails again waits, longer each time.
    if (ours && this.failures <= 2) return
    const ms = Math.min(retryMostMs, retryFirstMs * 2 ** Math.min(10, this.failures - 1))
    await new Promise<void>((resolve) => {
      const cancel = this.ports.timers.after(ms * (0.5 + this.ports.random.fraction()), resolve)
      if (this.stopping) {
        cancel()
        resolve()
      }
    })
  }

  private async recover(): Promise<void> {
    this.hosting.drop()
    this.loopback.clear()
    this.gate.silence()
    const opened = !this.stopping && (await this.hosting.resume())
    this.needRecovery = false
    if (!opened) return
    this.opened()
    this.ports.news.trouble(undefined, 'hosting')
  }

  private async changePartitions(): Promise<void> {
    await this.commits.drained()
    if (await this.hosting.change()) this.opened()
  }

  private opened(): void {
    this.gate.sayDue()
    void this.seen.load()
  }

  // ---- passivation --------------------------------------------------------------------------------------------------------------

  private residents(): number {
    let sum = 0
    for (const { state } of this.partitions.values()) sum += state.accounts.size
    return sum
  }

  private makeRoom(): void {
    const excess = this.residents() - this.limits.residentsMax
    if (excess <= 0) return
    // A little more than needed, so that not every batch sweeps; the last batches' accounts get a second chance.
    const share = Math.ceil((excess * 1.1 + 16) / Math.max(1, this.partitions.size))
    for (const hosted of this.partitions.values()) {
      passivate(hosted, share, this.committedNumber, this.batchNumber - 4)
    }
  }

  /** What is tried with care is asked through its mailbox. */
  private readonly neighbour = (partition: number): Hosted | undefined => {
    const hosted = this.partitions.get(partition)
    return hosted?.caution === undefined ? hosted : undefined
  }

  private newBatch(number: number, commands = 0, neighbours: Neighbours = nobody): Batch {
    return new Batch({
      number,
      commands,
      neighbours,
      random: this.ports.random,
      nowMs: this.ports.clock.now(),
      elapsedMs: this.ports.clock.elapsed(),
      beforeDecide: this.ports.beforeDecide,
      inHand: this.ports.inHand,
    })
  }
}
