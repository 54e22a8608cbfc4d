// A lane that runs over a mailbox and a clock of the test's: commands in, answers out, and a record of what it told the supervisor.

import { SeededRandom } from '../../adapters/simulated/random.ts'
import { VirtualTime } from '../../adapters/simulated/time.ts'
import type { Command } from '../../core/command.ts'
import { routingKeyOf } from '../../core/owner.ts'
import type { Received, Rules } from '../../core/partition.ts'
import { encodeFrame } from '../../schemas/frame.ts'
import type { InHand } from '../in-hand.ts'
import type { Intake } from '../intake.ts'
import { Lane } from '../lane.ts'
import type { LaneLimits } from '../lane-ports.ts'
import type { Outgoing } from '../links.ts'
import type { Ledger, MailboxReader, Timers } from '../ports.ts'
import { partitionOf } from '../route.ts'
import type { Suspects } from '../suspects.ts'
import { FakeMailbox } from './fake-mailbox.ts'

export interface LaneRunOptions {
  readonly ledger: Ledger
  readonly rules: Rules
  readonly partitions: number
  readonly limits?: LaneLimits
  readonly mailbox?: FakeMailbox
  /** What the lane reads instead of `mailbox` itself. */
  readonly reader?: MailboxReader
  readonly suspects?: Suspects
  /** Hears answers and hostings as the main thread would. */
  readonly intake?: Pick<Intake, 'answers' | 'hosted'> & Partial<Pick<Intake, 'deliver'>>
  readonly time?: VirtualTime
  /** Default: whatever is waited for is over at once. */
  readonly timers?: Timers
  readonly inHand?: InHand
  readonly beforeDecide?: (received: Received) => void
}

export interface Heard {
  readonly ticket: number
  readonly http: number
  readonly replayed: boolean
  readonly body: string
}

/** Never the same twice: lanes that follow each other over one mailbox answer what was asked before them. */
let tickets = 0

export class LaneRun {
  readonly time: VirtualTime
  readonly mailbox: FakeMailbox
  readonly lane: Lane
  readonly heard = new Map<number, Heard>()
  /** In order: `hosted 3`, `lost 3`, `trouble unavailable`, `trouble over`, `committed 2`, `quarantined x`, `answered 1 2 3`. */
  readonly news: string[] = []
  private readonly partitions: number
  private readonly ended: Promise<void>

  constructor(options: LaneRunOptions) {
    this.time = options.time ?? new VirtualTime()
    this.mailbox = options.mailbox ?? new FakeMailbox()
    this.partitions = options.partitions
    this.lane = new Lane(
      {
        clock: this.time,
        // The pause after a fault: over at once.
        timers: options.timers ?? {
          after: (_ms, callback) => turns(callback),
          soon: (callback) => void turns(callback),
        },
        random: new SeededRandom(7),
        ledger: options.ledger,
        mailbox: options.reader ?? this.mailbox,
        answers: {
          answers: (...said) => {
            this.hear(...said)
            options.intake?.answers(...said)
          },
        },
        packets: {
          packets: (packets) => {
            if (options.intake?.deliver !== undefined) options.intake.deliver(packets)
            else this.deliver(packets)
          },
        },
        news: {
          hosted: (partition, position) => {
            this.news.push(`hosted ${partition}`)
            options.intake?.hosted(partition, position)
          },
          turned: (...to) => options.intake?.hosted(...to),
          released: (partitions) => this.news.push(`released ${partitions.join(' ')}`),
          historyLost: (partition, seen, found) => this.news.push(`history lost ${partition}: ${found} of ${seen}`),
          lost: (partitions) => this.news.push(`lost ${partitions.join(' ')}`),
          trouble: (code) => this.news.push(`trouble ${code ?? 'over'}`),
          committed: ({ commands }) => this.news.push(`committed ${commands}`),
          quarantined: (_partition, _position, id) => this.news.push(`quarantined ${id}`),
          log: () => undefined,
        },
        ...(options.inHand === undefined ? {} : { inHand: options.inHand }),
        ...(options.beforeDecide === undefined ? {} : { beforeDecide: options.beforeDecide }),
      },
      options.limits ?? { batchCommandsMax: 1000, residentsMax: 1000 },
      options.rules,
    )
    this.lane.host(
      Array.from({ length: this.partitions }, (_, partition) => partition),
      options.suspects ?? new Map(),
    )
    this.ended = this.lane.run()
  }

  private hear(
    tickets: ArrayLike<number>,
    https: ArrayLike<number>,
    replayed: ArrayLike<number>,
    bodies: string,
  ): void {
    const list = Array.from(tickets)
    this.news.push(`answered ${list.join(' ')}`)
    const texts = bodies.split('\n')
    for (const [i, ticket] of list.entries()) {
      this.heard.set(ticket, { ticket, http: https[i] ?? 0, replayed: replayed[i] === 1, body: texts[i] ?? '' })
    }
  }

  private deliver(packets: readonly Outgoing[]): void {
    const frames = packets.map(({ to, bytes, messages }) => ({
      partition: to,
      bytes,
      commands: messages,
      packet: true,
    }))
    this.mailbox.append(frames, () => undefined)
  }

  partitionOf(command: Command): number {
    return partitionOf(routingKeyOf(command), this.partitions)
  }

  /** Puts them into the mailbox, in one frame per partition. Returns their tickets. */
  send(...commands: readonly Command[]): number[] {
    const frames = new Map<number, { command: Command; ticket: number; stampedAt: number }[]>()
    const sent = commands.map((command) => {
      const ticket = ++tickets
      const partition = this.partitionOf(command)
      const stamped = { command, ticket, stampedAt: this.time.now() }
      frames.set(partition, [...(frames.get(partition) ?? []), stamped])
      return ticket
    })
    this.mailbox.append(
      [...frames].map(([partition, list]) => ({ partition, bytes: encodeFrame(list), commands: list.length })),
      () => undefined,
    )
    return sent
  }

  /** Sends them together and waits for their answers. */
  async ask(...commands: readonly Command[]): Promise<Heard[]> {
    const sent = this.send(...commands)
    await this.until(() => sent.every((ticket) => this.heard.has(ticket)))
    return sent.map((ticket) => this.heard.get(ticket) ?? never(ticket))
  }

  /** Sends each when the one before was answered. */
  async askInTurn(...commands: readonly Command[]): Promise<Heard[]> {
    const heard: Heard[] = []
    for (const command of commands) heard.push(...(await this.ask(command)))
    return heard
  }

  /** Waits until it holds; the lane and real I/O go on meanwhile. */
  async until(holds: () => boolean, ms = 30_000): Promise<void> {
    const late = performance.now() + ms
    for (let turn = 0; !holds(); turn++) {
      if (performance.now() > late)
        throw new Error(`it did not come to that in ${ms} ms: ${holds}\n${this.news.join('\n')}`)
      // In turns at first, then without keeping a core busy beside a real database.
      await new Promise<void>((resolve) => (turn < 30 ? setImmediate(resolve) : setTimeout(resolve, 1)))
    }
  }

  /** Lets the lane do what it can do now. */
  async settle(): Promise<void> {
    for (let i = 0; i < 50; i++) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  async stop(): Promise<void> {
    this.lane.stop()
    await this.ended
  }
}

function never(ticket: number): never {
  throw new Error(`ticket ${ticket} has no answer`)
}

function turns(callback: () => void): () => void {
  const immediate = setImmediate(callback)
  return () => clearImmediate(immediate)
}
