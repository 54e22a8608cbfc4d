// Ids of the past, by partition: they outlive a recovery, because an id that was added and not committed only costs a query.
import { freshSeenIds } from './hosted.ts'
import { IdFilter, type SeenIds } from './id-filter.ts'
import type { LanePorts } from './lane-ports.ts'

export class PastSeen {
  private readonly ports: Pick<LanePorts, 'ledger' | 'news'>
  private readonly seen = new Map<number, SeenIds>()
  /** Made since `load` was last called. */
  private unread: number[] = []
  private loading = 0
  private failed = false

  constructor(ports: Pick<LanePorts, 'ledger' | 'news'>) {
    this.ports = ports
  }

  of(partition: number): SeenIds {
    const known = this.seen.get(partition)
    if (known !== undefined) return known
    const fresh = freshSeenIds()
    this.seen.set(partition, fresh)
    this.unread.push(partition)
    return fresh
  }

  forget(partition: number): void {
    this.seen.delete(partition)
  }

  /** False while each id costs a query: until they are loaded, and until the next hosting where that failed. */
  get areKnown(): boolean {
    return this.loading === 0 && !this.failed
  }

  /** Reads behind the work what is not known yet: until it is done every id is "maybe seen". */
  async load(): Promise<void> {
    const partitions = this.unread
    this.unread = []
    if (partitions.length === 0) return
    this.loading++
    const filters = new Map<number, SeenIds>()
    for (const partition of partitions) {
      const seen = this.seen.get(partition)
      if (seen !== undefined) filters.set(partition, seen)
    }
    try {
      await this.ports.ledger.pastIds(partitions, {
        id: (partition, idKey) => filters.get(partition)?.add(idKey),
        filter: (partition, segment, ids, bits) => filters.get(partition)?.addClosed(segment, IdFilter.from(ids, bits)),
      })
      for (const seen of filters.values()) seen.loaded = true
      this.failed = false
    } catch (error) {
      this.failed = true
      this.ports.news.log('warn', 'the ids of the past were not loaded; each id costs a query until the next hosting', {
        message: error instanceof Error ? error.message : String(error),
      })
      for (const partition of partitions) if (this.seen.get(partition)?.loaded === false) this.seen.delete(partition)
    } finally {
      this.loading--
    }
  }
}
