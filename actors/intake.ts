// Where commands enter: stamps, routes by owner, gathers the commands of one tick into a frame per partition, and keeps each command until
// its answer came. Lives in the main thread.
import type { Command } from '../core/command.ts'
import { nonHouseOwnersOf, routingKeyOf } from '../core/owner.ts'
import { type Answer, instanceOf } from '../schemas/answer.ts'
import { encodeFrame, type Stamped } from '../schemas/frame.ts'
import { type ProblemCode, problemBody, problems } from '../schemas/problem.ts'
import type { Clock, FrameName, MailboxWriter, Timers } from './ports.ts'
import { comparePositions, type Position } from './position.ts'
import { partitionOf } from './route.ts'

export interface IntakeOptions {
  readonly partitions: number
  /** A command unanswered for so long is answered `outcome_unknown`; it may still be decided. */
  readonly deadlineMs: number
}

interface Pending {
  readonly command: Command
  readonly reply: (answer: Answer) => void
  readonly partition: number
  readonly stampedAt: number
  readonly deadline: number
  frame: FrameName | undefined
  /** Is kept until there is room: asked for so, or in the mailbox before, so that it may be applied already. */
  waits: boolean
  /** Its place in the frame, from 1. */
  index: number
}

/** Larger ticks are cut, so that a frame never fills a batch alone. */
const frameCommandsMax = 1024
const sweepMs = 50

export class Intake {
  private readonly options: IntakeOptions
  private readonly mailbox: MailboxWriter & { readonly generation: number }
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly pending = new Map<number, Pending>()
  private readonly gathered = new Map<number, Stamped[]>()
  private readonly down = new Map<number, string>()
  private readonly waitingForRoom = new Set<number>()
  private flushing = false
  private tickets = 0
  private accepting = false
  private cancelSweep: () => void

  constructor(
    options: IntakeOptions,
    mailbox: MailboxWriter & { readonly generation: number },
    clock: Clock,
    timers: Timers,
  ) {
    this.options = options
    this.mailbox = mailbox
    this.clock = clock
    this.timers = timers
    this.cancelSweep = timers.after(sweepMs, () => this.sweep())
  }

  /** See `Engine.submit`. */
  submit(command: Command, reply: (answer: Answer) => void, waits = false): void {
    const refusal = this.refusalOf(command)
    if (refusal !== undefined) {
      this.timers.soon(() => reply(refusal))
      return
    }
    const partition = this.partitionOf(command)
    const ticket = ++this.tickets
    const stampedAt = this.clock.now()
    const deadline = this.clock.elapsed() + this.options.deadlineMs
    this.pending.set(ticket, { command, reply, partition, stampedAt, deadline, frame: undefined, waits, index: 0 })
    this.gather(partition, { command, ticket, stampedAt })
  }

  private refusalOf(command: Command): Answer | undefined {
    if (!this.accepting)
      return problemAnswer('not_ready', command, 'The server is starting or stopping; nothing was accepted.')
    if (nonHouseOwnersOf(command).length > 1) {
      return problemAnswer(
        'across_owners_not_supported',
        command,
        'The accounts belong to different owners; nothing was recorded.',
      )
    }
    const trouble = this.down.size === 0 ? undefined : this.down.get(this.partitionOf(command))
    return trouble === undefined ? undefined : problemAnswer('shard_unavailable', command, trouble)
  }

  partitionOf(command: Command): number {
    return partitionOf(routingKeyOf(command), this.options.partitions)
  }

  private gather(partition: number, stamped: Stamped): void {
    const list = this.gathered.get(partition)
    if (list === undefined) this.gathered.set(partition, [stamped])
    else list.push(stamped)
    if (this.flushing) return
    this.flushing = true
    // After the I/O of this turn: all requests that were read together share their frames.
    this.timers.soon(() => this.flush())
  }

  private flush(): void {
    this.flushing = false
    for (const [partition, list] of this.gathered) {
      const left = this.append(partition, list)
      if (left.length === 0) this.gathered.delete(partition)
      else {
        this.gathered.set(partition, left)
        this.flushAfterRoom(partition)
      }
    }
  }

  /** Appends frame by frame until one is refused. What may wait is given back, in order; all else of the rest is answered `overloaded`. */
  private append(partition: number, list: readonly Stamped[]): Stamped[] {
    let at = 0
    if (!this.waitingForRoom.has(partition)) {
      for (; at < list.length; at += frameCommandsMax) {
        const part = list.length <= frameCommandsMax ? list : list.slice(at, at + frameCommandsMax)
        const frame = this.mailbox.append(partition, encodeFrame(part), part.length)
        if (frame === undefined) break
        for (const [i, { ticket }] of part.entries()) {
          const pending = this.pending.get(ticket)
          if (pending === undefined) continue
          pending.frame = frame
          pending.waits = true
          pending.index = i + 1
        }
      }
    }
    const left: Stamped[] = []
    for (const stamped of list.slice(at)) {
      const pending = this.pending.get(stamped.ticket)
      if (pending?.waits === true) left.push(stamped)
      else if (pending !== undefined) this.answer(stamped.ticket, overloaded(pending.command))
    }
    return left
  }

  private flushAfterRoom(partition: number): void {
    if (this.waitingForRoom.has(partition)) return
    this.waitingForRoom.add(partition)
    void this.mailbox.room(partition).then(() => {
      this.waitingForRoom.delete(partition)
      if (!this.flushing) this.flush()
    })
  }

  /** The answers of one commit, as the gate let them out. */
  answers(tickets: ArrayLike<number>, https: ArrayLike<number>, replayed: ArrayLike<number>, bodies: string): void {
    const texts = bodies.split('\n')
    for (let i = 0; i < tickets.length; i++) {
      const ticket = tickets[i] ?? 0
      const pending = this.pending.get(ticket)
      if (pending === undefined) continue
      this.pending.delete(ticket)
      pending.reply({ http: https[i] ?? 500, replayed: replayed[i] === 1, body: texts[i] ?? '' })
    }
  }

  private answer(ticket: number, answer: Answer): void {
    const pending = this.pending.get(ticket)
    if (pending === undefined) return
    this.pending.delete(ticket)
    pending.reply(answer)
  }

  /**
   * A partition is hosted (again) from `position` on. What was consumed before it and is still unanswered lost its answer with the former
   * host: it is asked again, and idempotency gives the first answer.
   */
  hosted(partition: number, position: Position): void {
    const { generation } = this.mailbox
    for (const [ticket, pending] of this.pending) {
      const { frame } = pending
      if (pending.partition !== partition || frame === undefined) continue
      const place: Position = { generation, high: frame.high, low: frame.low, index: pending.index }
      if (comparePositions(place, position) > 0) continue
      pending.frame = undefined
      this.gather(partition, { command: pending.command, ticket, stampedAt: pending.stampedAt })
    }
  }

  /** A partition's shard cannot be reached (`detail`) or can again (undefined): new commands are refused before the mailbox meanwhile. */
  setDown(partition: number, detail: string | undefined): void {
    if (detail === undefined) this.down.delete(partition)
    else this.down.set(partition, detail)
  }

  /** All deadlines are equally long, so the oldest entries end first. */
  private sweep(): void {
    const now = this.clock.elapsed()
    for (const [ticket, { deadline, command }] of this.pending) {
      if (deadline > now) break
      this.answer(
        ticket,
        problemAnswer(
          'outcome_unknown',
          command,
          'No answer came before the deadline. The command may still be applied.',
        ),
      )
    }
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
    for (const [ticket, { command }] of this.pending) {
      this.answer(ticket, problemAnswer('outcome_unknown', command, 'The server stopped before the answer came.'))
    }
  }
}

function overloaded(command: Command): Answer {
  return problemAnswer('overloaded', command, 'The mailbox of this owner is full; nothing was accepted.')
}

const problemAnswer = (code: ProblemCode, command: Command, detail: string): Answer => ({
  http: problems[code].http,
  replayed: false,
  body: problemBody(code, { detail, instance: instanceOf(command) }),
})
