// Which partitions a lane hosts, and by which right: they come and go, are taken over again after trouble, and their numbers never go back. What
// is decided in them is the lane's.
import type { Rules } from '../core/partition.ts'
import { type Hosted, hostedAt } from './hosted.ts'
import type { LanePorts } from './lane-ports.ts'
import type { PastSeen } from './past-seen.ts'
import type { Head } from './ports.ts'
import { Cautions, type Suspects } from './suspects.ts'

export class Hosting {
  /** Those that are hosted now. */
  readonly partitions = new Map<number, Hosted>()
  readonly cautions = new Cautions()
  private readonly ports: LanePorts
  private readonly rules: Rules
  private readonly seen: PastSeen
  /** Every partition that is or should be hosted here. */
  private readonly mine = new Set<number>()
  private readonly epochs = new Map<number, number>()
  /** Number of the last journal row that is known to be committed. */
  private readonly committedPseq = new Map<number, number>()
  private readonly releasing = new Set<number>()
  private joining = false

  constructor(ports: LanePorts, rules: Rules, seen: PastSeen) {
    this.ports = ports
    this.rules = rules
    this.seen = seen
  }

  /** Adds partitions to host; those that are hosted go on. `seen`: rows that former hosts are known to have committed. */
  host(partitions: readonly number[], suspects: Suspects, seen: ReadonlyMap<number, number>): void {
    for (const partition of partitions) {
      this.mine.add(partition)
      this.releasing.delete(partition)
      this.committed(partition, seen.get(partition) ?? 0)
      const suspicion = suspects.get(partition)
      if (suspicion !== undefined) this.cautions.suspect(partition, suspicion)
    }
    this.joining = true
  }

  /** Gives partitions up with the next change. */
  release(partitions: readonly number[]): void {
    for (const partition of partitions) this.releasing.add(partition)
  }

  committed(partition: number, pseq: number): void {
    this.committedPseq.set(partition, Math.max(pseq, this.committedPseq.get(partition) ?? 0))
  }

  /** Partitions are to come or to go. */
  get isToChange(): boolean {
    return this.releasing.size > 0 || this.joining
  }

  /** Expects that nothing is under way. Says whether partitions were opened. */
  async change(): Promise<boolean> {
    this.releaseNow()
    this.joining = false
    const fresh = [...this.mine].filter((partition) => !this.partitions.has(partition))
    if (fresh.length === 0) return false
    this.open(await this.ports.ledger.takeOver(fresh, { kind: 'host' }))
    return true
  }

  /** Drops all that is in memory. Expects that nothing is under way. */
  drop(): void {
    for (const partition of this.partitions.keys()) this.ports.mailbox.close(partition)
    this.partitions.clear()
    this.releaseNow()
  }

  /** After `drop`: hosts them anew, those that nobody has taken meanwhile. Says whether there are any to host. */
  async resume(): Promise<boolean> {
    const wanted = [...this.mine]
    if (wanted.length === 0) return false
    const heads = await this.takeOver(wanted)
    const got = new Set(heads.map(({ partition }) => partition))
    const lost = wanted.filter((partition) => !got.has(partition))
    for (const partition of lost) this.forget(partition)
    if (lost.length > 0) this.ports.news.lost(lost)
    this.open(heads)
    return true
  }

  /** Partitions hosted before may only be resumed; new ones are claimed by right of the process's hosting lock. */
  private async takeOver(wanted: readonly number[]): Promise<Head[]> {
    const { ledger } = this.ports
    const resumed = wanted.filter((partition) => this.epochs.has(partition))
    const fresh = wanted.filter((partition) => !this.epochs.has(partition))
    const heads: Head[] = []
    if (resumed.length > 0) heads.push(...(await ledger.takeOver(resumed, { kind: 'resume', epochs: this.epochs })))
    if (fresh.length > 0) heads.push(...(await ledger.takeOver(fresh, { kind: 'host' })))
    return heads
  }

  private open(heads: readonly Head[]): void {
    const { mailbox, news } = this.ports
    const besides = new Set(heads.map(({ partition }) => partition))
    for (const head of heads) {
      const committed = this.committedPseq.get(head.partition) ?? 0
      if (head.pseq < committed) {
        this.forget(head.partition)
        news.historyLost(head.partition, committed, head.pseq)
        continue
      }
      this.committed(head.partition, head.pseq)
      const isFirst = !this.epochs.has(head.partition)
      const caution = this.cautions.whenHosted(head.partition, head.position, head.attempt, isFirst)
      const hosted = hostedAt(head, this.rules, this.seen.of(head.partition, head.segment), caution, besides)
      this.partitions.set(head.partition, hosted)
      this.epochs.set(head.partition, head.epoch)
      mailbox.open(head.partition, head.position)
      news.hosted(head.partition, head.position)
    }
  }

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
    this.seen.forget(partition)
    this.epochs.delete(partition)
    this.cautions.forget(partition)
    this.committedPseq.delete(partition)
  }
}
