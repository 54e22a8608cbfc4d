// Ids of the past, by partition: they outlive a recovery, because an id that was added and not committed only costs a query. The filters of closed
// segments are kept in memory up to a bound, the newest first; of older ones the ledger is asked, once a batch.
//
//   unread -> (load, behind the work) -> in memory: open segments and closed ones from `keptFrom` on | in the ledger: closed ones before it
import type { IdKey } from '../core/identity.ts'
import type { Hosted } from './hosted.ts'
import { IdFilter } from './id-filter.ts'
import type { LanePorts } from './lane-ports.ts'
import { SeenIds } from './seen-ids.ts'
import type { Taken } from './taken.ts'

export class PastSeen {
  private readonly ports: Pick<LanePorts, 'ledger' | 'news'>
  private readonly bytesMax: () => number
  private readonly seen = new Map<number, SeenIds>()
  /** Made since `load` was last called. */
  private unread: number[] = []
  private loading = 0
  private failed = false
  /** Segments whose filters stand in the ledger. */
  private readonly closed = new Set<number>()
  /** Filters of closed segments before this one are not in memory. */
  private keptFrom = 0
  /** What came while a batch was on its way. */
  private news: (() => void)[] = []

  /** `bytesMax` bounds all filters together; those of open segments are kept beyond it. */
  constructor(ports: Pick<LanePorts, 'ledger' | 'news'>, bytesMax: () => number) {
    this.ports = ports
    this.bytesMax = bytesMax
  }

  /** `segment`: what the partition writes to. */
  of(partition: number, segment: number): SeenIds {
    const known = this.seen.get(partition)
    if (known !== undefined) {
      known.switchTo(segment)
      return known
    }
    const fresh = new SeenIds(segment)
    this.seen.set(partition, fresh)
    this.unread.push(partition)
    return fresh
  }

  forget(partition: number): void {
    this.seen.delete(partition)
  }

  /** False while ids cost a query: until they are loaded, until the next hosting where that failed, and while some are in the ledger only. */
  get areKnown(): boolean {
    return this.loading === 0 && !this.failed && this.keptFrom === 0
  }

  get bytes(): number {
    let sum = 0
    for (const { bytes } of this.seen.values()) sum += bytes
    return sum
  }

  /** How many ids were looked up since the last call because the filters in memory could not exclude them. */
  takeNotExcluded(): number {
    let sum = 0
    for (const seen of this.seen.values()) {
      sum += seen.notExcluded
      seen.notExcluded = 0
    }
    return sum
  }

  /** Its filter stands in the ledger now. */
  segmentClosed(segment: number): void {
    this.news.push(() => {
      this.closed.add(segment)
    })
  }

  /**
   * Between two batches: takes note of what was loaded and closed. Within one, an id that a filter could not exclude must not become new because the
   * filter has gone. True: filters have gone, and with them what was noted beside the journal's ids.
   */
  settle(): boolean {
    if (this.news.length === 0) return false
    for (const note of this.news) note()
    this.news = []
    return this.makeRoom()
  }

  private makeRoom(): boolean {
    const bySegment = new Map<number, number>()
    let bytes = 0
    for (const seen of this.seen.values()) {
      for (const [segment, size] of seen.sizes()) {
        if (this.closed.has(segment)) bySegment.set(segment, (bySegment.get(segment) ?? 0) + size)
        else bytes += size
      }
    }
    for (const [segment, size] of [...bySegment].sort(([a], [b]) => b - a)) {
      bytes += size
      if (bytes <= this.bytesMax()) continue
      this.keptFrom = Math.max(this.keptFrom, segment + 1)
      break
    }
    let dropped = false
    for (const segment of bySegment.keys()) {
      if (segment >= this.keptFrom) continue
      for (const seen of this.seen.values()) seen.drop(segment)
      dropped = true
    }
    return dropped
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
    const closed: number[] = []
    let { keptFrom } = this
    try {
      await this.ports.ledger.pastIds(partitions, {
        id: (partition, segment, idKey) => filters.get(partition)?.addTo(segment, idKey),
        keeps: (segment, bytes) => {
          closed.push(segment)
          if (segment >= keptFrom && this.bytes + bytes > this.bytesMax()) keptFrom = segment + 1
          return segment >= keptFrom
        },
        filter: (partition, segment, ids, bits) => filters.get(partition)?.addFilter(segment, IdFilter.from(ids, bits)),
      })
      this.news.push(() => {
        for (const seen of filters.values()) seen.loaded = true
        for (const segment of closed) this.closed.add(segment)
        this.keptFrom = Math.max(this.keptFrom, keptFrom)
        this.failed = false
      })
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

  /** Asks the ledger for the ids of these commands that may be of a segment whose filter is not in memory: from now on they are "maybe seen". */
  async lookUp(parts: readonly Hosted[], takenOf: (hosted: Hosted) => Taken): Promise<void> {
    if (this.keptFrom === 0) return
    const asked = new Map<number, IdKey[]>()
    for (const hosted of parts) {
      const { seen } = hosted
      const keys = [...takenOf(hosted).keys()].filter((key) => !seen.mayHold(key))
      seen.notExcluded += keys.length
      if (keys.length > 0) asked.set(hosted.partition, keys)
    }
    if (asked.size === 0) return
    const found = await this.ports.ledger.oldIds(this.keptFrom, asked)
    for (const { partition, seen } of parts) for (const key of found.get(partition) ?? []) seen.add(key)
  }
}
