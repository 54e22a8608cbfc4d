// The connection of one lane to a simulated shard: where a commit may stand without an answer, be lost on its way, or be ended by whoever
// takes over. What happens is asked of whoever made it: a test by hand, or a simulation by chance.
import { RetryableFault } from '../../actors/faults.ts'
import type { Claim, Found, Head, LaneCommit, Ledger, Needs, PastIds } from '../../actors/ports.ts'
import type { IdKey } from '../../core/identity.ts'
import type { SimulatedShard } from './shard.ts'

/** What becomes of one commit: `lost` stands, but its answer never comes; a fault leaves nothing behind. */
export type Fate = 'kept' | 'lost' | RetryableFault

export type Request = 'takeOver' | 'load' | 'pastIds' | 'oldIds' | 'commit'

/** A commit that the server has begun: its rows are there, and nobody can see them. */
export interface UnderWay {
  readonly commit: LaneCommit
  readonly writer: string
  /** Ends it from outside, as `pg_terminate_backend` does: before its COMMIT, or behind it. One that is not asked for its end yet never stands. */
  end(stands: boolean): void
}

export class SimulatedLedger implements Ledger {
  readonly shard: SimulatedShard
  readonly name: string
  /** Asked for each commit that arrives; the commit waits for it. Default: kept. */
  fate: (commit: LaneCommit) => Promise<Fate> = async () => 'kept'
  /** Asked for each commit that was sent while one was under way: what becomes of its connection before that one is answered. Default: nothing. */
  staged: (commit: LaneCommit) => Promise<RetryableFault | undefined> = async () => undefined
  /** Asked before each activation and take-over. */
  trouble: (
    what: Exclude<Request, 'commit'>,
    needs?: ReadonlyMap<number, Needs>,
  ) => RetryableFault | Error | undefined = () => undefined
  /** The way to the server, in its time: what was sent arrives, whatever becomes of the sender. */
  way: (what: Request) => Promise<void> = () => new Promise((resolve) => setImmediate(resolve))
  /** The way back, in the time of whoever asked. */
  back: (what: Request) => Promise<void> = () => Promise.resolve()
  /** Shared by the connections to one shard: who takes over ends these. */
  underWay: Set<UnderWay> = new Set()
  /** Whether a commit that a take-over meets stands or not; default: the take-over waits for it. */
  endsStanding: () => boolean = () => true
  /** Whether the last commit that was sent stands; undefined: it is over. */
  private last: Promise<boolean> | undefined
  commits = 0
  loads = 0
  takeOvers = 0
  closed = false

  constructor(shard: SimulatedShard, name = '') {
    this.shard = shard
    this.name = name
  }

  async takeOver(partitions: readonly number[], claim: Claim): Promise<readonly Head[]> {
    return await this.ask('takeOver', undefined, () => {
      this.takeOvers++
      for (const one of [...this.underWay]) {
        if (one.commit.partitions.some(({ partition }) => partitions.includes(partition))) one.end(this.endsStanding())
      }
      return this.shard.takeOver(partitions, claim)
    })
  }

  async load(needs: ReadonlyMap<number, Needs>): Promise<ReadonlyMap<number, Found>> {
    return await this.ask('load', needs, () => {
      this.loads++
      return this.shard.load(needs)
    })
  }

  async commit(commit: LaneCommit): Promise<void> {
    const before = this.last
    const done = this.sent(commit, before)
    const stands = done.then(
      () => true,
      () => false,
    )
    this.last = stands
    try {
      await done
    } finally {
      if (this.last === stands) this.last = undefined
    }
  }

  private async sent(commit: LaneCommit, before: Promise<boolean> | undefined): Promise<void> {
    await this.way('commit')
    if (before !== undefined) await this.behind(commit, before)
    let fate: Fate
    try {
      fate = await this.underway(commit)
    } finally {
      await this.back('commit')
    }
    if (typeof fate !== 'string') throw fate
    this.commits++
    if (fate === 'lost') throw new RetryableFault('unavailable', 'the connection ended before the answer came')
  }

  /** Its rows are with the server; the rest is sent when the commit before was answered. */
  private async behind(commit: LaneCommit, before: Promise<boolean>): Promise<void> {
    let fault: RetryableFault | undefined
    const end = (): void => {
      fault ??= new RetryableFault('unavailable', 'the connection was ended')
    }
    const open: UnderWay = { commit, writer: this.name, end }
    this.underWay.add(open)
    try {
      const cut = this.staged(commit)
      if (!(await before)) throw new RetryableFault('unavailable', 'the commit before it failed')
      fault ??= await cut
      if (fault === undefined) await this.way('commit')
      if (fault !== undefined) throw fault
    } finally {
      this.underWay.delete(open)
    }
  }

  /** Until the commit stands or not. */
  private underway(commit: LaneCommit): Promise<Fate> {
    return new Promise((resolve, reject) => {
      let ended = false
      const under: UnderWay = {
        commit,
        writer: this.name,
        end: (stands) => settle(stands ? 'lost' : new RetryableFault('unavailable', 'the connection was ended')),
      }
      const settle = (fate: Fate): void => {
        if (ended) return
        ended = true
        this.underWay.delete(under)
        try {
          if (typeof fate === 'string') this.shard.commit(commit, this.name)
          resolve(fate)
        } catch (error) {
          reject(error)
        }
      }
      this.underWay.add(under)
      this.fate(commit).then(settle, (error: unknown) => {
        ended = true
        this.underWay.delete(under)
        reject(error)
      })
    })
  }

  async pastIds(partitions: readonly number[], into: PastIds): Promise<void> {
    await this.ask('pastIds', undefined, () => this.shard.pastIds(partitions, into))
  }

  async oldIds(
    before: number,
    ids: ReadonlyMap<number, readonly IdKey[]>,
  ): Promise<ReadonlyMap<number, readonly IdKey[]>> {
    return await this.ask('oldIds', undefined, () => this.shard.oldIds(before, ids))
  }

  private async ask<T>(
    what: Exclude<Request, 'commit'>,
    needs: ReadonlyMap<number, Needs> | undefined,
    answer: () => T,
  ): Promise<T> {
    await this.way(what)
    const trouble = this.trouble(what, needs)
    const answered = trouble === undefined ? answer() : undefined
    await this.back(what)
    if (trouble !== undefined) throw trouble
    return answered as T
  }

  segmentClosed(_segment: number): void {}

  async close(): Promise<void> {
    this.closed = true
  }
}
