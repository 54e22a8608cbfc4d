// Where commands enter: stamps, routes by owner, and keeps each command until its answer came or its deadline passed. How it gets into the
// mailbox, and there again, is the outbox's. Lives in the main thread.
import type { Command } from '../core/command.ts'
import { type Answer, instanceOf, stockElsewhere } from '../schemas/answer.ts'
import { type ProblemCode, problemBody, problems } from '../schemas/problem.ts'
import type { Outgoing } from './links.ts'
import { mayBeApplied, Outbox, type Pending } from './outbox.ts'
import type { Clock, MailboxWriter, Timers } from './ports.ts'
import type { Position } from './position.ts'
import { partitionOfCommand } from './route.ts'
import { Unanswered } from './unanswered.ts'

export interface IntakeOptions {
  readonly partitions: number
  /**
   * The mailbox's generation when this process opened it, higher than in any process before: frames of a former one may still lie there, and
   * whoever decides them answers under their tickets, which must not be ours.
   */
  readonly generation: number
  /** A command unanswered for so long is answered `outcome_unknown`; it may still be decided. */
  readonly deadlineMs: number
}

const sweepMs = 50

type Cause = 'shard' | 'mailbox'

/** Both stay exact numbers for two million generations. */
const ticketsPerGeneration = 2 ** 32

export class Intake {
  private readonly options: IntakeOptions
  private readonly outbox: Outbox
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly pending = new Unanswered<Pending>()
  private readonly down: Readonly<Record<Cause, Map<number, string>>> = { shard: new Map(), mailbox: new Map() }
  private tickets: number
  private accepting = false
  /** Called with each claim for which its partition has no stock: to be parked, then sent again or given up. */
  onStockElsewhere: (pending: Pending) => void = (pending) => this.giveUp(pending, 'No other partition can be asked.')
  private cancelSweep: () => void

  constructor(options: IntakeOptions, mailbox: MailboxWriter, clock: Clock, timers: Timers) {
    this.options = options
    this.tickets = options.generation * ticketsPerGeneration
    this.clock = clock
    this.timers = timers
    this.outbox = new Outbox(mailbox, timers, this.pending, (pending) =>
      this.answer(pending.ticket, overloaded(pending.command)),
    )
    this.cancelSweep = timers.after(sweepMs, () => this.sweep())
  }

  /**
   * See `Engine.submit`. `accepted` is called once when the mailbox holds the command, if it is not answered by then; from then on it has no
   * deadline.
   */
  submit(command: Command, reply: (answer: Answer) => void, waits = false, accepted?: () => void): void {
    const refusal = this.refusalOf(command)
    if (refusal !== undefined) {
      this.timers.soon(() => reply(refusal))
      return
    }
    const partition = this.partitionOf(command)
    if (!waits && this.outbox.isFull(partition)) {
      this.timers.soon(() => reply(overloaded(command)))
      return
    }
    const ticket = ++this.tickets
    const stampedAt = this.clock.now()
    const deadline = this.clock.elapsed() + this.options.deadlineMs
    const pending: Pending = {
      command,
      ticket,
      stampedAt,
      reply,
      partition,
      deadline,
      waits,
      accepted,
      frame: undefined,
      index: 0,
      sent: false,
    }
    this.pending.add(pending)
    this.outbox.add(pending)
  }

  private refusalOf(command: Command): Answer | undefined {
    if (!this.accepting)
      return problemAnswer('not_ready', command, 'The server is starting or stopping; nothing was accepted.')
    const { shard, mailbox } = this.down
    if (shard.size === 0 && mailbox.size === 0) return undefined
    const partition = this.partitionOf(command)
    const trouble = shard.get(partition) ?? mailbox.get(partition)
    return trouble === undefined ? undefined : problemAnswer('shard_unavailable', command, trouble)
  }

  partitionOf(command: Command): number {
    return partitionOfCommand(command, this.options.partitions)
  }

  /** The answers of one commit, as the gate let them out. */
  answers(tickets: ArrayLike<number>, https: ArrayLike<number>, replayed: ArrayLike<number>, bodies: string): void {
    const texts = bodies.split('\n')
    for (let i = 0; i < tickets.length; i++) {
      const ticket = tickets[i] ?? 0
      const pending = this.pending.get(ticket)
      if (pending === undefined) continue
      if (https[i] === stockElsewhere) {
        pending.frame = undefined
        this.onStockElsewhere(pending)
        continue
      }
      this.pending.delete(ticket)
      pending.reply({ http: https[i] ?? 500, replayed: replayed[i] === 1, body: texts[i] ?? '' })
    }
  }

  /**
   * Sends a parked claim again; one whose deadline has passed is forgotten. Where it was sent was heard, and nothing came of it: it waits for
   * room, but as one that was never sent.
   */
  resend(pending: Pending): void {
    if (!this.pending.has(pending.ticket)) return
    pending.waits = true
    this.outbox.add(pending)
  }

  /** A parked claim could not be decided. */
  giveUp(pending: Pending, detail: string): void {
    const { ticket, command } = pending
    this.answer(
      ticket,
      mayBeApplied(pending) ? unknown(command, detail) : problemAnswer('shard_unavailable', command, detail),
    )
  }

  private answer(ticket: number, answer: Answer): void {
    const pending = this.pending.get(ticket)
    if (pending === undefined) return
    this.pending.delete(ticket)
    pending.reply(answer)
  }

  /** Packets that a host let out for other partitions. One that is out of reach asks for them when it is hosted again, or its link sends again; they would only fill its mailbox. */
  deliver(packets: readonly Outgoing[]): void {
    for (const packet of packets) if (!this.down.shard.has(packet.to)) this.outbox.addPacket(packet)
  }

  /** See `LaneNews.hosted` and `turned`: what was sent before `position` and is still unanswered is sent again. */
  hosted(partition: number, position: Position): void {
    this.outbox.hosted(partition, position)
  }

  /**
   * The position is in a generation that this process never opened, or where it has appended nothing: another one has hosted meanwhile, and what is
   * in our mailbox would all be taken for consumed. (Whoever follows a process that committed nothing opens the same generation in memory.)
   */
  isOfAnother(partition: number, position: Position): boolean {
    const { generation } = position
    const newest = Math.max(this.options.generation, this.outbox.generation)
    return generation > newest || (generation === newest && this.outbox.neverReached(partition, position))
  }

  /** A partition's shard or mailbox is out of reach (`detail`), or back (undefined): new commands are refused before the mailbox meanwhile. */
  setDown(partition: number, detail: string | undefined, cause: Cause = 'shard'): void {
    if (detail === undefined) this.down[cause].delete(partition)
    else this.down[cause].set(partition, detail)
  }

  /** All deadlines are equally long, so the oldest entries end first; what was accepted for later has none. */
  private sweep(): void {
    const now = this.clock.elapsed()
    let unsent = false
    for (const pending of this.pending.values()) {
      const { ticket, deadline, command, frame } = pending
      if (deadline === Number.POSITIVE_INFINITY) continue
      if (deadline > now) break
      this.answer(ticket, mayBeApplied(pending) ? unknown(command, late) : overloaded(command, tooMuch))
      if (frame === undefined) unsent = true
    }
    if (unsent) this.outbox.forgetAnswered()
    this.cancelSweep = this.timers.after(sweepMs, () => this.sweep())
  }

  get waiting(): number {
    return this.pending.size
  }

  accept(accepting: boolean): void {
    this.accepting = accepting
  }

  get isAccepting(): boolean {
    return this.accepting
  }

  /** Answers whatever is left: nobody will wait for it any more. */
  close(): void {
    this.cancelSweep()
    this.accepting = false
    for (const pending of this.pending.values()) {
      const { ticket, command } = pending
      this.answer(
        ticket,
        mayBeApplied(pending)
          ? unknown(command, stopped)
          : problemAnswer('not_ready', command, `${stopped} ${nothing}`),
      )
    }
  }
}

const late = 'No answer came before the deadline.'
const stopped = 'The server stopped before the answer came.'
const nothing = 'Nothing was accepted.'
/** It waited for room, or for coupons that are left in other partitions. */
const tooMuch = `Too much was before it until the deadline. ${nothing}`

const overloaded = (command: Command, detail = 'The mailbox of this owner is full; nothing was accepted.'): Answer =>
  problemAnswer('overloaded', command, detail)

const unknown = (command: Command, why: string): Answer =>
  problemAnswer('outcome_unknown', command, `${why} The command may still be applied.`)

const problemAnswer = (code: ProblemCode, command: Command, detail: string): Answer => ({
  http: problems[code].http,
  replayed: false,
  body: problemBody(code, { detail, instance: instanceOf(command) }),
})
