// A simulated Postgres: one shard, its hosting lock, and the connections to it. The server goes on whatever becomes of its clients: a commit
// that has arrived is decided there, and only the answer needs somebody alive.
import type { CatalogStore } from '../../actors/catalog-keeper.ts'
import { RetryableFault } from '../../actors/faults.ts'
import type { LaneCommit } from '../../actors/ports.ts'
import type { CatalogChange } from '../../core/catalog.ts'
import { type Fate, SimulatedLedger, type UnderWay } from './ledger.ts'
import type { Party } from './party.ts'
import type { SimulatedShard } from './shard.ts'
import type { Simulation } from './simulation.ts'

const slowCommitMs = 3000

export class SimulatedDatabase {
  readonly shard: SimulatedShard
  /** Whose session holds the hosting lock. */
  lockedBy: Party | undefined
  diskIsFull = false
  /** The catalog's changes, where this shard keeps them. */
  readonly catalog: CatalogChange[] = []
  private down = false
  private readonly simulation: Simulation
  private readonly server: Party
  private readonly underWay = new Set<UnderWay>()

  constructor(simulation: Simulation, shard: SimulatedShard, name: string) {
    this.simulation = simulation
    this.shard = shard
    this.server = simulation.party(name)
  }

  get isDown(): boolean {
    return this.down
  }

  /** Every session ends: what was being committed stands or not, and the lock is free. */
  goDown(): void {
    this.down = true
    this.lockedBy = undefined
    for (const one of [...this.underWay]) one.end(this.simulation.random.chance(0.5))
  }

  comeUp(): void {
    this.down = false
  }

  /** False: somebody else alive holds it, or there is no session to be had. */
  lock(party: Party, force = false): boolean {
    if (this.down) return false
    if (this.lockedBy?.alive === true && this.lockedBy !== party && !force) return false
    this.lockedBy = party
    return true
  }

  /** A question of a party that is not a lane: undefined if the server cannot be reached. */
  async ask<T>(party: Party, question: () => T): Promise<T | undefined> {
    await this.server.wait(this.simulation.delayMs('query'))
    const answer = this.down ? undefined : question()
    await party.wait(this.simulation.delayMs('query'))
    return answer
  }

  /** Of a process: as the tables are. */
  catalogStore(party: Party): CatalogStore {
    const known = async <T>(question: () => T): Promise<T> => {
      const answer = await this.ask(party, question)
      if (answer === undefined) throw cut()
      return answer
    }
    return {
      append: (change) =>
        known(() => {
          if (this.catalog.some(({ version }) => version === change.version))
            throw new RetryableFault('other', 'it stands')
          this.catalog.push(change)
        }),
      after: (version, limit) => known(() => this.catalog.filter((one) => one.version > version).slice(0, limit)),
    }
  }

  connect(party: Party, name: string): SimulatedLedger {
    const { simulation, server } = this
    const { faults, random } = simulation
    const ledger = new SimulatedLedger(this.shard, name)
    ledger.underWay = this.underWay
    ledger.way = () => server.wait(simulation.delayMs('query'))
    ledger.back = () => party.wait(simulation.delayMs('query'))
    ledger.trouble = () => (this.down || faults.strikes('read_fails') ? cut() : undefined)
    ledger.endsStanding = () => random.chance(0.5)
    ledger.fate = (commit) => this.decide(name, commit)
    ledger.staged = (commit) => this.stage(name, commit)
    return ledger
  }

  private async stage(name: string, commit: LaneCommit): Promise<RetryableFault | undefined> {
    const { simulation, server } = this
    if (!simulation.faults.strikes('staged_cut')) return undefined
    await server.wait(simulation.delayMs('commit'))
    const fault = cut()
    this.told(name, commit, fault)
    return fault
  }

  private async decide(name: string, commit: LaneCommit): Promise<Fate> {
    const { simulation, server } = this
    const { faults, random } = simulation
    const cutAt = faults.strikes('commit_cut') ? random.fraction() : undefined
    const slowMs = faults.strikes('commit_slow') ? random.fraction() * slowCommitMs : 0
    if (slowMs > 0) faults.trouble(slowMs)
    const takes = simulation.delayMs('commit') + slowMs
    if (cutAt !== undefined) {
      await server.wait(takes * cutAt)
      return this.told(name, commit, cut())
    }
    await server.wait(takes)
    if (this.down) return this.told(name, commit, cut())
    if (this.diskIsFull) {
      return this.told(
        name,
        commit,
        new RetryableFault('unavailable', 'could not extend file: No space left on device'),
      )
    }
    return this.told(name, commit, faults.strikes('commit_unanswered') ? 'lost' : 'kept')
  }

  private told(name: string, { partitions, rows }: LaneCommit, fate: Fate): Fate {
    const what = partitions.map(({ partition, epoch, lastPseq }) => `${partition}@${epoch}:${lastPseq}`).join(' ')
    this.simulation.trace.note(
      name,
      `commit ${what} of ${rows.length} bytes: ${typeof fate === 'string' ? fate : fate.message}`,
    )
    return fate
  }
}

const cut = (): RetryableFault => new RetryableFault('unavailable', 'the connection ended')
