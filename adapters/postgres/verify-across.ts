// Whether transactions of owners in several partitions stand whole: every amount that went into transit in one partition came out of it in another,
// under the same id. Over all shards, and only where nothing was on its way when they were looked at.
import type pg from 'pg'
import { transitId } from '../../core/across/joint.ts'
import type { PartitionReplay } from './replay.ts'
import { Broken } from './replay.ts'

interface Marks {
  readonly partition: number
  readonly peer: number
  readonly sent: string
  readonly received: string
}

export class Transit {
  /** Asset of each cell of transit. */
  private readonly cells = new Map<bigint, string>()
  /** What a transaction has put in and not taken out, by id key and asset; nothing for most. */
  private readonly between = new Map<string, bigint>()
  private readonly marks: Marks[] = []
  private readonly replays: PartitionReplay[] = []

  /** Before the rows of a shard are replayed. */
  async shard(client: pg.Client, partitions: readonly number[]): Promise<void> {
    const cells = await client.query<{ key: string; asset: string }>(
      'SELECT key, asset FROM suanpan.cell WHERE id = $1',
      [transitId],
    )
    for (const { key, asset } of cells.rows) this.cells.set(BigInt(key), asset)
    const { rows } = await client.query<Marks>(
      'SELECT partition, peer, sent, received FROM suanpan.link WHERE partition = ANY ($1::smallint[])',
      [partitions],
    )
    this.marks.push(...rows)
  }

  of(replay: PartitionReplay): void {
    this.replays.push(replay)
  }

  moved(key: bigint | undefined, change: bigint, idKey: string): void {
    const asset = key === undefined ? undefined : this.cells.get(key)
    if (asset === undefined) return
    const name = `${idKey} ${asset}`
    const left = (this.between.get(name) ?? 0n) + change
    if (left === 0n) this.between.delete(name)
    else this.between.set(name, left)
  }

  /** After all shards. Throws Broken. */
  check(): void {
    if (!this.isQuiet()) return
    const [open] = this.between
    if (open !== undefined) {
      const [name, amount] = open
      const [idKey = '', asset = ''] = [name.slice(0, 16), name.slice(17)]
      const key = Buffer.from(idKey, 'latin1').toString('hex')
      throw new Broken(-1, undefined, 'transit', `transaction ${key} stands in part: ${amount} of ${asset} is missing`)
    }
    for (const replay of this.replays) {
      const [name] = replay.reserved.keys()
      if (name === undefined) continue
      const key = Buffer.from(name.slice(0, 16), 'latin1').toString('hex')
      replay.broken(undefined, 'reserved', `transaction ${key} is over, but something is reserved for it`)
    }
  }

  /** All that one partition ever sent to another was applied there, as both of them say: then the snapshots agree and nothing is on its way. */
  private isQuiet(): boolean {
    const received = new Map(this.marks.map((one) => [`${one.peer} ${one.partition}`, one.received]))
    return this.marks.every(({ partition, peer, sent }) => (received.get(`${partition} ${peer}`) ?? '0') === sent)
  }
}
