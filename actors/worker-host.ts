// What runs in a worker thread: one lane per shard, and the talk with the supervisor. No adapter is named here; the thread's entry brings them.
import type { Received, Rules } from '../core/partition.ts'
import type { InHand } from './in-hand.ts'
import { Lane } from './lane.ts'
import type { LaneLimits } from './lane-ports.ts'
import type { Clock, Ledger, MailboxReader, Random, Timers } from './ports.ts'
import { Turns } from './turns.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

export interface WorkerHostPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  /** A ledger of its own for the lane of this shard. */
  ledger(shard: number): LaneLedger
  /** From now on `ledger` may be asked for this one too. */
  addShard(shard: number, address: string): void
  mailbox(shard: number): MailboxReader
  send(message: FromWorker): void
  readonly inHand: InHand
  readonly beforeDecide?: (received: Received) => void
}

export type LaneLedger = Ledger & { segmentClosed(segment: number): void }

export class WorkerHost {
  private readonly ports: WorkerHostPorts
  private readonly limits: LaneLimits
  private readonly rules: Rules
  private readonly turns = new Turns()
  private readonly lanes = new Map<number, { lane: Lane; ledger: LaneLedger; ended: Promise<void> }>()
  private end: () => void = () => undefined

  constructor(ports: WorkerHostPorts, limits: LaneLimits, rules: Rules) {
    this.ports = ports
    this.limits = limits
    this.rules = rules
  }

  /** Resolves after `stop`, when every lane has committed what it took. */
  async run(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.end = resolve
    })
    await Promise.all([...this.lanes.values()].map(({ ended }) => ended))
  }

  hear(message: ToWorker): void {
    switch (message.kind) {
      case 'host':
        this.lane(message.shard).lane.host(message.partitions, new Map(message.suspects), new Map(message.seen))
        return
      case 'release': {
        const known = this.lanes.get(message.shard)
        if (known === undefined) this.ports.send({ kind: 'released', partitions: message.partitions })
        else known.lane.release(message.partitions)
        return
      }
      case 'shard':
        this.ports.addShard(message.shard, message.address)
        return
      case 'look_again':
        this.lanes.get(message.shard)?.lane.lookAgain()
        return
      case 'segment':
        this.lanes.get(message.shard)?.lane.switchSegment(message.segment)
        return
      case 'segment_closed': {
        const known = this.lanes.get(message.shard)
        known?.ledger.segmentClosed(message.segment)
        known?.lane.segmentClosed(message.segment)
        return
      }
      case 'ping':
        this.ports.send({ kind: 'pong', n: message.n })
        return
      case 'stop':
        for (const { lane } of this.lanes.values()) lane.stop()
        this.end()
        return
    }
  }

  private lane(shard: number) {
    let known = this.lanes.get(shard)
    if (known === undefined) {
      const ledger = this.ports.ledger(shard)
      const lane = this.newLane(shard, ledger)
      known = { lane, ledger, ended: lane.run() }
      this.lanes.set(shard, known)
    }
    return known
  }

  private newLane(shard: number, ledger: Ledger): Lane {
    const { clock, timers, random, send, inHand, beforeDecide } = this.ports
    return new Lane(
      {
        clock,
        timers,
        random,
        ledger,
        mailbox: this.ports.mailbox(shard),
        turns: this.turns,
        inHand,
        answers: {
          answers: (tickets, https, replayed, bodies) => send({ kind: 'answers', tickets, https, replayed, bodies }),
        },
        packets: { packets: (packets) => send({ kind: 'packets', packets }) },
        news: {
          hosted: (partition, position) => send({ kind: 'hosted', partition, position }),
          turned: (partition, position) => send({ kind: 'turned', partition, position }),
          lost: (partitions) => send({ kind: 'lost', partitions }),
          released: (partitions) => send({ kind: 'released', partitions }),
          historyLost: (partition, seen, found) => send({ kind: 'history_lost', partition, seen, found }),
          trouble: (code, message) => send({ kind: 'trouble', shard, code, message }),
          committed: (stats) => send({ kind: 'committed', shard, stats }),
          quarantined: (partition, position, id) => send({ kind: 'quarantined', partition, position, id }),
          log: (level, message, fields) => send({ kind: 'log', level, message, fields }),
        },
        ...(beforeDecide === undefined ? {} : { beforeDecide }),
      },
      this.laneLimits(),
      this.rules,
    )
  }

  /** The memory for filters is the thread's; how many lanes share it changes. */
  private laneLimits(): LaneLimits {
    const { idFilterBytesMax = Number.POSITIVE_INFINITY } = this.limits
    const { lanes } = this
    return {
      ...this.limits,
      get idFilterBytesMax() {
        return idFilterBytesMax / Math.max(1, lanes.size)
      },
    }
  }
}
