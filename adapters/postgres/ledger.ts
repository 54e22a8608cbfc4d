// The ledger of one lane on one shard: connections that commit and one that loads. After any trouble all are dropped and made anew
// under a new name, so that whoever takes over can end exactly the backends of before.
import type pg from 'pg'
import type { Claim, Found, Head, LaneCommit, Ledger, Needs, PastIds } from '../../actors/ports.ts'
import type { Asset } from '../../core/asset.ts'
import { assetsOfChange, type CatalogChange } from '../../core/catalog.ts'
import type { IdKey } from '../../core/identity.ts'
import { violated } from '../../core/invariant.ts'
import { connect, destroy, faulting, within } from './connect.ts'
import { faultOf } from './faults.ts'
import { loadFound } from './load.ts'
import { type FilterSizes, filterSizes, oldIds } from './old-ids.ts'
import { readPastIds } from './past-ids.ts'
import { takeOverPartitions } from './take-over.ts'
import { Writers } from './writers.ts'

/** A question that takes longer is treated like a lost connection. */
const questionMs = 30_000

export interface PostgresLedgerOptions {
  readonly url: string
  /** Who this is in `pg_stat_activity` and in the journal: at most 50 characters; a number for each connection is added. */
  readonly name: string
  readonly assets: ReadonlyMap<string, Asset>
}

export class PostgresLedger implements Ledger {
  private readonly options: PostgresLedgerOptions
  private writers: Writers | undefined
  private reader: pg.Client | undefined
  private host = ''
  private connections = 0
  private openSegments: number[] = []
  /** Read anew whenever the lane may learn of a stored filter. A promise, so that an answer under way cannot come in its place later. */
  private filterSizes: Promise<FilterSizes> | undefined
  private readonly assets: Map<string, Asset>

  constructor(options: PostgresLedgerOptions) {
    this.options = options
    this.assets = new Map(options.assets)
  }

  async takeOver(partitions: readonly number[], claim: Claim): Promise<readonly Head[]> {
    return await faulting(async () => {
      // No former commit of ours can be under way for partitions that we have not hosted: those beside them go on undisturbed.
      const joining = claim.kind === 'host' ? this.writers : undefined
      const { client, host } = joining ?? (await this.freshWriters())
      const heads = await within(questionMs, 'taking over', takeOverPartitions(client, host, partitions, claim))
      const { rows } = await client.query<{ segment: number }>(
        'SELECT segment FROM suanpan.segment WHERE closed_at IS NULL AND moving IS NULL ORDER BY segment',
      )
      this.openSegments = rows.map(({ segment }) => segment)
      for (const { catalog } of heads) this.learn(catalog.changes)
      return heads
    })
  }

  /** Going on after trouble begins with connections that no former commit can be under way on. */
  private async freshWriters(): Promise<Writers> {
    this.drop()
    this.connections++
    this.host = `${this.options.name} ${this.connections}`
    this.writers = await Writers.open(this.options.url, this.host)
    return this.writers
  }

  async load(needs: ReadonlyMap<number, Needs>): Promise<ReadonlyMap<number, Found>> {
    return await this.ask('loading', (client) => loadFound(client, needs, this.openSegments, this.assets))
  }

  async oldIds(
    before: number,
    ids: ReadonlyMap<number, readonly IdKey[]>,
  ): Promise<ReadonlyMap<number, readonly IdKey[]>> {
    return await this.ask('looking for old ids', async (client) => {
      this.filterSizes ??= filterSizes(client)
      return await oldIds(client, before, ids, await this.filterSizes)
    })
  }

  private async ask<T>(what: string, question: (client: pg.Client) => Promise<T>): Promise<T> {
    try {
      this.reader ??= await connect(this.options.url, {
        name: `${this.host} load`,
        pipeline: true,
        // Few keys out of tables of any size: index reads are right whatever the statistics say, and they are missing on a fresh segment.
        settings: { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off', jit: 'off' },
      })
      return await within(questionMs, what, question(this.reader))
    } catch (error) {
      this.drop()
      throw faultOf(error)
    }
  }

  async commit(commit: LaneCommit): Promise<void> {
    const { writers } = this
    if (writers === undefined) return violated('a lane commits only after it has taken over')
    // Accounts of a new asset are loaded from the commit on that brings it, not before.
    this.learn(commit.catalog.map(({ change }) => change))
    try {
      await writers.commit(commit)
    } catch (error) {
      if (this.writers === writers) this.drop()
      throw faultOf(error)
    }
    for (const { nextSegment } of commit.partitions) {
      if (!this.openSegments.includes(nextSegment)) this.openSegments.push(nextSegment)
    }
  }

  private learn(changes: readonly CatalogChange[]): void {
    for (const { kind, code, body } of changes)
      for (const asset of assetsOfChange(kind, code, body)) this.assets.set(asset.code, asset)
  }

  /** Closed segments need no probe any more: their sums stand in the account rows. */
  segmentClosed(closed: number): void {
    this.openSegments = this.openSegments.filter((segment) => segment !== closed)
    this.filterSizes = undefined
  }

  /** On a connection of its own: long reads must not stand in the way of commits. */
  async pastIds(partitions: readonly number[], into: PastIds): Promise<void> {
    await faulting(async () => {
      const client = await connect(this.options.url, { name: `${this.options.name} ids` })
      try {
        await readPastIds(client, partitions, into)
      } finally {
        this.filterSizes = undefined
        await client.end()
      }
    })
  }

  private drop(): void {
    this.writers?.drop()
    destroy(this.reader)
    this.writers = undefined
    this.reader = undefined
    this.filterSizes = undefined
  }

  async close(): Promise<void> {
    const ends = [this.writers?.close(), this.reader?.end()]
    this.writers = undefined
    this.reader = undefined
    await Promise.allSettled(ends)
  }
}
