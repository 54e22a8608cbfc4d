// A lane: the partitions that one worker thread hosts on one shard. It takes what waits in their mailboxes, activates, decides in memory,
// commits, and opens the gate. One batch commits while the next is being decided; nothing of a batch is heard outside before its commit.
//
//   recovering -> running -> recovering (any trouble: drop the memory, take over again, replay from the position) .. -> stopped

import type { IdKey } from '../core/identity.ts'
import { violated } from '../core/invariant.ts'
import { accountName, type Received, type Rules } from '../core/partition.ts'
import { FrameReader } from '../schemas/frame.ts'
import { TupleWriter } from '../schemas/journal-row.ts'
import { isPacket } from '../schemas/packet.ts'
import { Batch, CommandFailed } from './batch.ts'
import { Commits } from './commits.ts'
import { isFault } from './faults.ts'
import { freshSeenIds, type Hosted, hostedAt } from './hosted.ts'
import { IdFilter, type SeenIds } from './id-filter.ts'
import type { InHand } from './in-hand.ts'
import { type Leaving, type Outgoing, outgoingOf } from './links.ts'
import { Loopback } from './loopback.ts'
import type {
  AnswerSink,
  Clock,
  Frame,
  Head,
  Ledger,
  MailboxReader,
  Needs,
  PacketSink,
  Random,
  Timers,
} from './ports.ts'
import { comparePositions, type Position, positionText } from './position.ts'
import { Absent, collectTaken, install, NeedsOf, passivate } from './residency.ts'
import { attemptText, Cautions, nextTry, type Suspects } from './suspects.ts'
import { type Taken, takenOf } from './taken.ts'
import { Turns } from './turns.ts'
import { messagesIn, type Waiting } from './waiting.ts'
import { wakeable } from './wakeable.ts'

export interface LanePorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly ledger: Ledger
  readonly mailbox: MailboxReader
  readonly answers: AnswerSink
  readonly packets: PacketSink
  readonly news: LaneNews
  /** Shared by the lanes of a thread; without it the lane is alone in its own. */
  readonly turns?: Turns
  /** Memory that outlives the thread, shared by its lanes: they decide one at a time. */
  readonly inHand?: InHand
  /** A point where tests make a command throw, loop or end the thread. */
  readonly beforeDecide?: (received: Received) => void
}

/** What a lane tells the supervisor. */
export interface LaneNews {
  /** Hosted from this position on: whatever was consumed before and not answered must be asked again. */
  hosted(partition: number, position: Position): void
  /** It has gone on to the generation of this position: whatever was sent to a former one and not answered was lost with it. */
  turned(partition: number, position: Position): void
  /** Another host has it now. */
  lost(partitions: readonly number[]): void
  /** Given up as asked: all that was taken of it is committed, the rest waits in its mailbox. */
  released(partitions: readonly number[]): void
  /** The ledger stands at row `found`, though row `seen` was committed: the partition is not hosted, because what was told is not true there. */
  historyLost(partition: number, seen: number, found: number): void
  /** The lane cannot commit since it lost its shard; `undefined`: it can again. */
  trouble(code: string | undefined, message: string): void
  committed(stats: CommitStats): void
  quarantined(partition: number, position: string, id: string): void
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void
}

export interface CommitStats {
  readonly commands: number
  readonly rows: number
  readonly bytes: number
  readonly commitMs: number
  readonly decideMs: number
  readonly residents: number
  /** Answers by code: `posted`, `pending`, a refusal, `replayed`, or a transport code. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Number of the last journal row of each partition in it. */
  readonly pseqs: readonly (readonly [partition: number, pseq: number])[]
}

export interface LaneLimits {
  /** Commands taken into one batch. */
  readonly batchCommandsMax: number
  /** Below so many waiting commands a lane lets the commit under way end before it decides more; 0 if not given. */
  readonly overlapCommandsMin?: number
  /** Accounts and cells kept in memory. */
  readonly residentsMax: number
  /** False: packets between partitions of the lane go through the mailbox as all others do. What must not make a difference, for the test that it makes none. */
  readonly loopback?: boolean
}

const roundsMax = 4
const retryFirstMs = 20
const retryMostMs = 1000

export class Lane {
  private readonly ports: LanePorts
  private readonly limits: LaneLimits
  private readonly rules: Rules
  private readonly partitions = new Map<number, Hosted>()
  /** Every partition that is or should be hosted here. */
  private readonly mine = new Set<number>()
  private readonly seen = new Map<number, SeenIds>()
  private readonly writer = new TupleWriter()
  private readonly wake = wakeable()
  private readonly turns: Turns
  private readonly epochs = new Map<number, number>()
  private readonly cautions = new Cautions()
  /** Number of the last journal row that is known to be committed. */
  private readonly committedPseq = new Map<number, number>()
  private readonly releasing = new Set<number>()
  private readonly loopback: Loopback
  private needRecovery = true
  private joining = false
  private readonly commits: Commits
  private batchNumber = 0
  private committedNumber = 0
  private stopping = false
  private targetSegment = 0
  private failures = 0
  private cancelSay: () => void = () => undefined

  constructor(ports: LanePorts, limits: LaneLimits, rules: Rules) {
    this.ports = ports
    this.turns = ports.turns ?? new Turns()
    this.limits = limits
    this.rules = rules
    this.commits = new Commits(ports.ledger)
    this.loopback = new Loopback(this.partitions, limits.loopback !== false)
  }

  /** Adds partitions to host; those that are hosted go on. Takes effect in `run`. `seen`: rows that former hosts are known to have committed. */
  host(partitions: readonly number[], suspects: Suspects, seen: ReadonlyMap<number, number> = new Map()): void {
    for (const partition of partitions) {
      this.mine.add(partition)
      this.releasing.delete(partition)
      this.committed(partition, seen.get(partition) ?? 0)
      const suspicion = suspects.get(partition)
      if (suspicion !== undefined) this.cautions.suspect(partition, suspicion)
    }
    this.joining = true
    this.wake.now()
  }

  /** Gives partitions up once what was taken of them is committed. */
  release(partitions: readonly number[]): void {
    for (const partition of partitions) this.releasing.add(partition)
    this.wake.now()
  }

  /** From the next commit on rows go to this segment. */
  switchSegment(segment: number): void {
    this.targetSegment = Math.max(this.targetSegment, segment)
    this.wake.now()
  }

  /** Finishes what was taken, commits it, and ends `run`. */
  stop(): void {
    this.stopping = true
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
    this.cancelSay()
    await this.ports.ledger.close()
  }

  private ended(): boolean {
    if (!this.stopping) return false
    return this.commits.count === 0
  }

  private async step(): Promise<void> {
    this.commits.check()
    if (this.releasing.size > 0 || this.joining) return await this.changePartitions()
    const switching = this.partitionsToSwitch()
    if (switching.length > 0) return await this.switchSegments(switching)
    // A small batch gains nothing by being decided early: it would only commit apart from what comes in meanwhile.
    const enough = this.limits.overlapCommandsMin ?? 0
    if (this.commits.count > 0 && this.ports.mailbox.waitingCommands < enough) return await this.rest(enough)
    if (this.stopping) return await this.rest()
    const looped = this.loopback.take()
    this.leave(looped.gone)
    const frames = this.ports.mailbox.take(Math.max(1, this.limits.batchCommandsMax - looped.count))
    if (frames.length === 0 && looped.count === 0) return await this.rest()
    const work = this.sort(frames)
    this.addLooped(looped.here, work.together)
    if (work.together.size > 0) await this.together(work.together)
    for (const [hosted, after] of work.alone)
      await this.alone(hosted, hosted.taken.allWaiting(), hosted.taken.places(), after)
  }

  /** Waits for so many commands, the end of the commit in flight, or a call from outside. Whoever stops takes none: those that wait would ring on. */
  private async rest(commandsMin = 1): Promise<void> {
    if (!this.stopping) this.ports.mailbox.whenFrames(this.wake.now, commandsMin)
    await this.wake.next()
  }

  // ---- taking -------------------------------------------------------------------------------------------------------------------

  /** Puts what is new of these frames into `taken` of its partition, with the position behind it. */
  private sort(frames: readonly Frame[]): { together: Map<Hosted, Position>; alone: Map<Hosted, Position> } {
    const together = new Map<Hosted, Position>()
    const alone = new Map<Hosted, Position>()
    for (const frame of frames) {
      const hosted = this.partitions.get(frame.partition)
      if (hosted === undefined) continue
      const messages = isPacket(frame.bytes) ? messagesIn(frame.bytes) : undefined
      const reader = messages === undefined ? readerOf(frame) : undefined
      const { generation, high, low } = frame
      const after: Position = { generation, high, low, index: messages?.length ?? reader?.count ?? 0 }
      const before = together.get(hosted) ?? alone.get(hosted)
      const here = before ?? hosted.position
      if (comparePositions(after, here) <= 0) continue
      if (before === undefined) hosted.taken.clear()
      const behind: Position = { generation, high, low, index: isSameFrame(here, after) ? here.index : 0 }
      if (reader !== undefined) hosted.taken.add(reader, behind)
      else hosted.taken.begin(behind)
      for (const message of messages?.slice(behind.index) ?? []) hosted.taken.push(message)
      const among = hosted.caution === undefined ? together : alone
      among.set(hosted, after)
    }
    return { together, alone }
  }

  /** Behind the frames. */
  private addLooped(looped: ReadonlyMap<Hosted, readonly Waiting[]>, together: Map<Hosted, Position>): void {
    for (const [hosted, messages] of looped) {
      if (!together.has(hosted)) {
        hosted.taken.clear()
        together.set(hosted, hosted.position)
      }
      hosted.taken.begin(undefined)
      for (const message of messages) hosted.taken.push(message)
    }
  }

  // ---- the normal way -----------------------------------------------------------------------------------------------------------

  private async together(parts: ReadonlyMap<Hosted, Position>): Promise<void> {
    const number = ++this.batchNumber
    const came = await this.activateOrSuspect(parts, number, ({ taken }) => taken)
    // Deciding is one step: it needs a turn only where another lane has one.
    const endTurn = this.turns.busy ? await this.turns.take() : undefined
    const started = this.ports.clock.elapsed()
    let commands = 0
    for (const { taken } of parts.keys()) commands += taken.count
    const batch = this.newBatch(number, commands)
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

  /** A fault is the world's; whatever else an activation throws is for one of the commands, and would be thrown again. */
  private async activateOrSuspect(
    parts: ReadonlyMap<Hosted, Position>,
    batch: number,
    commandsOf: (hosted: Hosted) => Taken,
  ): Promise<(readonly [Hosted, readonly IdKey[]])[]> {
    try {
      return await this.activate([...parts.keys()], batch, commandsOf)
    } catch (error) {
      if (isFault(error)) throw error
      for (const [{ partition }, until] of parts) this.cautions.suspect(partition, { until, known: undefined })
      throw new CommandFailed([...parts.keys()].map(({ partition }) => partition).join(', '), error)
    }
  }

  /** Loads what the commands need and is not in memory: one round trip, a second where a found row names another account. */
  private async activate(
    parts: readonly Hosted[],
    batch: number,
    commandsOf: (hosted: Hosted) => Taken,
  ): Promise<(readonly [Hosted, readonly IdKey[]])[]> {
    const came: (readonly [Hosted, readonly IdKey[]])[] = []
    const absents = new Map<number, Absent>()
    for (let round = 0; round < roundsMax; round++) {
      const needs = new Map<number, Needs>()
      for (const hosted of parts) {
        let absent = absents.get(hosted.partition)
        if (absent === undefined) {
          absent = new Absent()
          absents.set(hosted.partition, absent)
        }
        const wanted = new NeedsOf()
        collectTaken(hosted, commandsOf(hosted), batch, absent, wanted)
        if (!wanted.empty) needs.set(hosted.partition, wanted.list())
      }
      if (needs.size === 0) return came
      const found = await this.ports.ledger.load(needs)
      for (const hosted of parts) {
        const asked = needs.get(hosted.partition)
        const absent = absents.get(hosted.partition)
        if (asked === undefined || absent === undefined) continue
        came.push([hosted, install(hosted, asked, found.get(hosted.partition), batch, absent)])
      }
    }
    throw new Error(`what a batch needs was not found in ${roundsMax} rounds`)
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
        this.openGate(batch)
        for (const { partition, before, after, lastPseq } of commit.partitions) {
          this.committedPseq.set(partition, lastPseq)
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

  /** The commit stands: only now anything is heard of it. */
  private openGate(batch: Batch): void {
    if (batch.answers.count > 0) {
      const { tickets, https, replayed, bodies } = batch.answers.take()
      this.ports.answers.answers(tickets, https, replayed, bodies)
    }
    const { linkChanges, leaving } = batch.crossing
    for (const [{ links }, changes] of linkChanges) links.committed(changes)
    this.leave(this.loopback.keep(leaving))
    this.sayDue()
    for (const [hosted, keys] of batch.touched) {
      hosted.plainRows = hosted.plainRows.filter((rows) => rows.batch > batch.number)
      const { accounts } = hosted
      const { remembered } = hosted.state
      const before = hosted.usedAgain
      hosted.usedAgain = []
      for (const key of before.length === 0 ? keys : [...before, ...keys]) {
        const one = remembered.get(key)
        if (one === undefined) continue
        if ((one.lastUsed ?? 0) > batch.number) {
          hosted.usedAgain.push(key)
          continue
        }
        // Open holds of resident accounts keep their transaction: a capture needs no query, and its row finds what it links to.
        const held = one.decided?.command.type === 'hold' ? one.decided.rows.at(-1)?.from : undefined
        if (held !== undefined && accounts.peek(accountName(held.id, held.asset.code))?.holds.has(key)) continue
        remembered.delete(key)
      }
    }
  }

  private leave(packets: readonly Leaving[]): void {
    if (packets.length > 0) this.ports.packets.packets(packets.map(outgoingOf))
  }

  /** What the links have to say beside packets of new messages; and again when it is time. */
  private sayDue(): void {
    this.cancelSay()
    const now = this.ports.clock.elapsed()
    const due: Outgoing[] = []
    let wait: number | undefined
    for (const { links } of this.partitions.values()) {
      for (const packet of links.due(now)) due.push(packet)
      const ms = links.waitMs(now)
      if (ms !== undefined) wait = Math.min(wait ?? ms, ms)
    }
    if (due.length > 0) this.ports.packets.packets(due)
    if (wait !== undefined && !this.stopping)
      this.cancelSay = this.ports.timers.after(Math.max(1, wait), () => this.sayDue())
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
    const came = await this.activateOrSuspect(new Map([[hosted, after]]), number, () => alone)
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

  // ---- partitions that come and go ----------------------------------------------------------------------------------------------

  private async changePartitions(): Promise<void> {
    await this.commits.drained()
    this.releaseNow()
    this.joining = false
    const fresh = [...this.mine].filter((partition) => !this.partitions.has(partition))
    if (fresh.length > 0) this.open(await this.ports.ledger.takeOver(fresh, { kind: 'host' }))
  }

  /** Only where nothing of them is under way. */
  private releaseNow(): void {
    if (this.releasing.size === 0) return
    const gone = [...this.releasing]
    this.releasing.clear()
    for (const partition of gone) {
      if (this.partitions.delete(partition)) this.ports.mailbox.close(partition)
      this.forget(partition)
    }
    this.ports.news.released(gone)
  }

  private forget(partition: number): void {
    this.mine.delete(partition)
    this.seen.delete(partition)
    this.epochs.delete(partition)
    this.cautions.forget(partition)
    this.committedPseq.delete(partition)
  }

  private committed(partition: number, pseq: number): void {
    this.committedPseq.set(partition, Math.max(pseq, this.committedPseq.get(partition) ?? 0))
  }

  // ---- recovery: the one path for every trouble ---------------------------------------------------------------------------------

  private async fail(error: unknown): Promise<void> {
    await this.commits.over()
    this.needRecovery = true
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
    for (const partition of this.partitions.keys()) this.ports.mailbox.close(partition)
    this.partitions.clear()
    this.loopback.clear()
    this.releaseNow()
    this.cancelSay()
    if (this.stopping || this.mine.size === 0) {
      this.needRecovery = false
      return
    }
    const wanted = [...this.mine]
    const heads = await this.takeOver(wanted)
    this.needRecovery = false
    const got = new Set(heads.map(({ partition }) => partition))
    const lost = wanted.filter((partition) => !got.has(partition))
    for (const partition of lost) this.forget(partition)
    if (lost.length > 0) this.ports.news.lost(lost)
    this.open(heads)
    this.ports.news.trouble(undefined, 'hosting')
  }

  private open(heads: readonly Head[]): void {
    const unseen: number[] = []
    for (const head of heads) {
      const committed = this.committedPseq.get(head.partition) ?? 0
      if (head.pseq < committed) {
        this.forget(head.partition)
        this.ports.news.historyLost(head.partition, committed, head.pseq)
        continue
      }
      this.committed(head.partition, head.pseq)
      let seen = this.seen.get(head.partition)
      if (seen === undefined) {
        seen = freshSeenIds()
        this.seen.set(head.partition, seen)
        unseen.push(head.partition)
      }
      const isFirst = !this.epochs.has(head.partition)
      const caution = this.cautions.whenHosted(head.partition, head.position, head.attempt, isFirst)
      const hosted = hostedAt(head, this.rules, seen, caution)
      this.partitions.set(head.partition, hosted)
      this.epochs.set(head.partition, head.epoch)
      this.ports.mailbox.open(head.partition, head.position)
      this.ports.news.hosted(head.partition, head.position)
    }
    this.sayDue()
    if (unseen.length > 0) void this.loadSeen(unseen)
  }

  /** Partitions hosted before may only be resumed; new ones are claimed by right of the process's hosting lock. */
  private async takeOver(wanted: readonly number[]): Promise<Head[]> {
    const resumed = wanted.filter((partition) => this.epochs.has(partition))
    const fresh = wanted.filter((partition) => !this.epochs.has(partition))
    const heads: Head[] = []
    if (resumed.length > 0)
      heads.push(...(await this.ports.ledger.takeOver(resumed, { kind: 'resume', epochs: this.epochs })))
    if (fresh.length > 0) heads.push(...(await this.ports.ledger.takeOver(fresh, { kind: 'host' })))
    return heads
  }

  /** Loads the ids of the past behind the work: until it is done every id is "maybe seen". */
  private async loadSeen(partitions: readonly number[]): Promise<void> {
    const filters = new Map<number, SeenIds>()
    for (const partition of partitions) {
      const seen = this.seen.get(partition) ?? freshSeenIds()
      this.seen.set(partition, seen)
      filters.set(partition, seen)
    }
    try {
      await this.ports.ledger.pastIds(partitions, {
        id: (partition, idKey) => filters.get(partition)?.add(idKey),
        filter: (partition, segment, ids, bits) => filters.get(partition)?.addClosed(segment, IdFilter.from(ids, bits)),
      })
      for (const seen of filters.values()) seen.loaded = true
    } catch (error) {
      this.ports.news.log('warn', 'the ids of the past were not loaded; each id costs a query until the next hosting', {
        message: error instanceof Error ? error.message : String(error),
      })
      for (const partition of partitions) if (this.seen.get(partition)?.loaded === false) this.seen.delete(partition)
    }
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

  private newBatch(number: number, commands = 0): Batch {
    return new Batch({
      number,
      commands,
      writer: this.writer,
      random: this.ports.random,
      nowMs: this.ports.clock.now(),
      elapsedMs: this.ports.clock.elapsed(),
      beforeDecide: this.ports.beforeDecide,
      inHand: this.ports.inHand,
    })
  }
}

const isSameFrame = (a: Position, b: Position): boolean =>
  a.generation === b.generation && a.high === b.high && a.low === b.low

/** The beginning of a generation holds none. */
const readerOf = ({ bytes }: Frame): FrameReader | undefined =>
  bytes.length === 0 ? undefined : new FrameReader(bytes)
