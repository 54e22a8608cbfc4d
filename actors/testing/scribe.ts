// Writes commits as a lane does, one at a time and by hand: for tests of the ledger on the other side of the port.

import { SeededRandom } from '../../adapters/simulated/random.ts'
import type { Account } from '../../core/account.ts'
import type { Asset } from '../../core/asset.ts'
import { calendarOf } from '../../core/business-date.ts'
import type { Command } from '../../core/command.ts'
import { idKeyOf } from '../../core/identity.ts'
import { ownerOfCommand, referredIdOf } from '../../core/owner.ts'
import { Batch } from '../batch.ts'
import { type Hosted, hostedAt } from '../hosted.ts'
import type { Claim, Head, LaneCommit, Ledger } from '../ports.ts'
import type { Position } from '../position.ts'
import { partitionOfCommand, placing } from '../route.ts'
import { SeenIds } from '../seen-ids.ts'
import { takenOf } from '../taken.ts'

/** All that it ever decided stays in memory: it hosts from the first commit of a ledger on, or decides only what needs nothing of the past. */
export class Scribe {
  readonly ledger: Ledger
  readonly hosted = new Map<number, Hosted>()
  readonly heads = new Map<number, Head>()
  now = Date.UTC(2027, 0, 31, 12)
  private readonly assets: ReadonlyMap<string, Asset>
  private readonly partitions: number
  private readonly random = new SeededRandom(11)
  private batches = 0
  private frames = 0

  constructor(ledger: Ledger, partitions: number, assets: ReadonlyMap<string, Asset>) {
    this.ledger = ledger
    this.partitions = partitions
    this.assets = assets
  }

  async host(claim: Claim = { kind: 'host' }): Promise<readonly Head[]> {
    const heads = await this.ledger.takeOver(
      Array.from({ length: this.partitions }, (_, partition) => partition),
      claim,
    )
    for (const head of heads) {
      this.heads.set(head.partition, head)
      const rules = {
        assets: this.assets,
        dateOf: calendarOf('UTC'),
        houseAutoOpen: true,
        partitionOf: placing(this.partitions),
      }
      this.hosted.set(head.partition, hostedAt(head, rules, new SeenIds(head.segment), undefined))
    }
    return heads
  }

  get epochs(): ReadonlyMap<number, number> {
    return new Map([...this.heads].map(([partition, { epoch }]) => [partition, epoch]))
  }

  partitionOf(command: Command): number {
    return partitionOfCommand(command, this.partitions)
  }

  /** Decides them as one batch; what it gives back is yet to be committed. */
  decide(...commands: readonly Command[]): LaneCommit {
    const parts = new Map<number, Command[]>()
    for (const command of commands) {
      const partition = this.partitionOf(command)
      parts.set(partition, [...(parts.get(partition) ?? []), command])
    }
    const batch = this.batch()
    const after = this.nextPosition()
    for (const [partition, list] of parts) {
      const received = list.map((command) => {
        const owner = ownerOfCommand(command)
        const ref = referredIdOf(command)
        const refKey = ref === undefined ? undefined : idKeyOf(owner, ref)
        return { command, idKey: idKeyOf(owner, command.id), refKey, stampedAt: this.now, ticket: 0 }
      })
      const taken = takenOf(
        received,
        received.map((_, i) => ({ ...after, index: i + 1 })),
      )
      batch.decideTaken(this.at(partition), taken, { ...after, index: list.length })
    }
    return batch.commitOf(this.at(0).segment)
  }

  /** Moves a partition and nothing else: as a note that a command is being tried, or to switch its segment. */
  advance(partition: number, attempt?: string, segment?: number): LaneCommit {
    const hosted = this.at(partition)
    const before = hosted.segment
    const batch = this.batch()
    batch.advance(hosted, attempt === undefined ? this.nextPosition() : hosted.position, attempt, segment)
    return batch.commitOf(before)
  }

  async post(...commands: readonly Command[]): Promise<LaneCommit> {
    const commit = this.decide(...commands)
    await this.ledger.commit(commit)
    return commit
  }

  /** As it stands in memory; of a house account the cell of that asset in that partition: `house:x|CNY`. */
  account(partition: number, name: string): Account {
    const account = this.at(partition).state.accounts.get(name)
    if (account === undefined) throw new Error(`no account ${name} in partition ${partition}`)
    return account
  }

  at(partition: number): Hosted {
    const hosted = this.hosted.get(partition)
    if (hosted === undefined) throw new Error(`partition ${partition} is not hosted`)
    return hosted
  }

  private nextPosition(): Position {
    return { generation: 1, high: ++this.frames, low: 0, index: 1 }
  }

  private batch(): Batch {
    return new Batch({
      number: ++this.batches,
      random: this.random,
      nowMs: this.now,
      elapsedMs: this.now,
    })
  }
}
