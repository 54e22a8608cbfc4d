// All ids of one partition that are in memory, by the segment of their rows: what is written to, what is still open, and those closed ones whose
// filters are kept. Which are kept is `past-seen.ts`' business.
import { wordOfIdKey } from '../core/id-words.ts'
import { type IdKey, idKeyBytes } from '../core/identity.ts'
import { IdFilter } from './id-filter.ts'

/** Ids of the first and of the largest link of a growing chain; each link is four times the one before: a look costs a cache miss a link. */
const firstLinkIds = 16_384
const linkGrowth = 4
const largestLinkIds = 1 << 20

/**
 * A segment has one stored filter, or a chain of them that grows while ids are added. Until `loaded`, every id is "maybe seen", so that hosting never
 * waits for it.
 */
export class SeenIds {
  loaded = false
  /** Ids that were looked up because the filters in memory could not exclude them. */
  notExcluded = 0
  private readonly bySegment = new Map<number, IdFilter[]>()
  /** Those of all segments. */
  private filters: readonly IdFilter[] = []
  /** All that is in memory. */
  bytes = 0
  private current: number
  private last: IdFilter

  /** `segment`: what is written to. */
  constructor(segment: number) {
    this.current = segment
    this.last = this.grow(segment, firstLinkIds)
  }

  /** What is added from now on belongs to this segment, or to a later one that was named before. */
  switchTo(segment: number): void {
    if (segment <= this.current) return
    const before = this.countOf(this.current)
    this.current = segment
    // Segments are about equally long: a chain of one link costs one look.
    this.last = this.bySegment.get(segment)?.at(-1) ?? this.grow(segment, Math.max(firstLinkIds, before))
  }

  add(key: IdKey): void {
    this.addWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  addWords(first: number, second: number): void {
    if (this.last.count >= this.last.capacity) this.last = this.grow(this.current, nextIds(this.last))
    this.last.addWords(first, second)
  }

  /** An id of the past. */
  addTo(segment: number, key: IdKey): void {
    let link = this.bySegment.get(segment)?.at(-1)
    if (link === undefined || link.count >= link.capacity) {
      link = this.grow(segment, link === undefined ? firstLinkIds : nextIds(link))
      if (segment === this.current) this.last = link
    }
    link.add(key)
  }

  addFilter(segment: number, filter: IdFilter): void {
    this.bySegment.set(segment, [...(this.bySegment.get(segment) ?? []), filter])
    this.refresh()
  }

  /** Forgets the ids of a segment that nobody writes to any more. */
  drop(segment: number): void {
    if (segment === this.current) return
    if (this.bySegment.delete(segment)) this.refresh()
  }

  /** False: surely never seen in any segment that is here. */
  mayHold(key: IdKey): boolean {
    if (key.length !== idKeyBytes) return true
    return this.mayHoldWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  mayHoldWords(first: number, second: number): boolean {
    if (!this.loaded) return true
    for (const filter of this.filters) if (filter.mayHoldWords(first, second)) return true
    return false
  }

  /** Of each segment that is here. */
  *sizes(): Generator<readonly [segment: number, bytes: number]> {
    for (const [segment, filters] of this.bySegment) yield [segment, bytesOf(filters)]
  }

  private countOf(segment: number): number {
    return (this.bySegment.get(segment) ?? []).reduce((sum, { count }) => sum + count, 0)
  }

  private grow(segment: number, ids: number): IdFilter {
    const link = new IdFilter(ids)
    const chain = this.bySegment.get(segment)
    if (chain === undefined) this.bySegment.set(segment, [link])
    else chain.push(link)
    this.refresh()
    return link
  }

  private refresh(): void {
    this.filters = [...this.bySegment.values()].flat()
    this.bytes = bytesOf(this.filters)
  }
}

const nextIds = (link: IdFilter): number => Math.max(firstLinkIds, Math.min(link.capacity * linkGrowth, largestLinkIds))
const bytesOf = (filters: readonly IdFilter[]): number => filters.reduce((sum, { bytes }) => sum + bytes, 0)
