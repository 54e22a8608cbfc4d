// The output gate of a lane: what a batch has to say waits here for its commit. Answers, packets to other partitions, and what links repeat when
// their time has come.
import type { Batch } from './batch.ts'
import type { Hosted } from './hosted.ts'
import type { LanePorts } from './lane-ports.ts'
import { type Leaving, type Outgoing, outgoingOf } from './links.ts'
import type { Loopback } from './loopback.ts'
import { letGo } from './residency.ts'

export class Gate {
  private readonly ports: Pick<LanePorts, 'answers' | 'clock' | 'packets' | 'timers'>
  private readonly partitions: ReadonlyMap<number, Hosted>
  private readonly loopback: Loopback
  private stopped = false
  private cancelSay: () => void = () => undefined

  constructor(
    ports: Pick<LanePorts, 'answers' | 'clock' | 'packets' | 'timers'>,
    partitions: ReadonlyMap<number, Hosted>,
    loopback: Loopback,
  ) {
    this.ports = ports
    this.partitions = partitions
    this.loopback = loopback
  }

  /** The commit stands: only now anything is heard of it. */
  open(batch: Batch): void {
    if (batch.answers.count > 0) {
      const { tickets, https, replayed, bodies } = batch.answers.take()
      this.ports.answers.answers(tickets, https, replayed, bodies)
    }
    const { linkChanges, leaving } = batch.crossing
    for (const [{ links }, changes] of linkChanges) links.committed(changes)
    this.leave(this.loopback.keep(leaving))
    this.sayDue()
    for (const [hosted, keys] of batch.touched) letGo(hosted, keys, batch.number)
  }

  leave(packets: readonly Leaving[]): void {
    if (packets.length > 0) this.ports.packets.packets(packets.map(outgoingOf))
  }

  /** What the links have to say beside packets of new messages; and again when it is time. */
  sayDue(): void {
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
    if (wait !== undefined && !this.stopped)
      this.cancelSay = this.ports.timers.after(Math.max(1, wait), () => this.sayDue())
  }

  /** Links repeat nothing until `sayDue` is called again. */
  silence(): void {
    this.cancelSay()
  }

  /** Links repeat nothing any more but what they have to say now. */
  stop(): void {
    this.stopped = true
  }
}
