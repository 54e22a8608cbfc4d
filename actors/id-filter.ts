// "Surely not seen" for transaction ids, so that a new id costs no query. Bloom filters (Bloom 1970) of 16 bits an id; an id key is a
// cryptographic hash already, so its own bits give the probes by double hashing (Kirsch and Mitzenmacher 2006).
import { wordOfIdKey } from '../core/id-words.ts'
import { type IdKey, idKeyBytes } from '../core/identity.ts'

export const bitsPerId = 16
/** With 16 bits an id, 8 probes err on 0.06 % of unknown ids; 11 would err on 0.05 % and touch 3 more cache lines. */
const probes = 8

/** Fixed-size filter over at most `ids` ids. */
export class IdFilter {
  readonly bits: Uint32Array
  /** Ids added. */
  count = 0
  private readonly mask: number

  /** Size is the power of two at or above 16 bits an id, at least 1,024 bits. */
  constructor(ids: number, bits?: Uint32Array) {
    const size = Math.max(1024, 2 ** Math.ceil(Math.log2(Math.max(1, ids) * bitsPerId)))
    if (bits !== undefined && bits.length !== size / 32) {
      throw new RangeError(`a filter over ${ids} ids has ${size / 32} words, not ${bits.length}`)
    }
    this.bits = bits ?? new Uint32Array(size / 32)
    this.mask = size - 1
    if (bits !== undefined) this.count = ids
  }

  /** A stored filter: the words as little-endian bytes. */
  static from(ids: number, bytes: Uint8Array): IdFilter {
    const words = new Uint32Array(bytes.byteLength / 4)
    new Uint8Array(words.buffer).set(bytes)
    return new IdFilter(ids, words)
  }

  /** What `from` reads. */
  toBytes(): Uint8Array {
    return new Uint8Array(this.bits.buffer, this.bits.byteOffset, this.bits.byteLength)
  }

  add(key: IdKey): void {
    this.addWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  mayHold(key: IdKey): boolean {
    return this.mayHoldWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  /** The first two words of a key, as `idWords` gives them. */
  addWords(first: number, second: number): void {
    const { bits } = this
    const mask = this.mask
    let h = swapped(first)
    const step = swapped(second) | 1
    for (let i = 0; i < probes; i++) {
      const bit = h & mask
      bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) | (1 << (bit & 31))
      h = (h + step) | 0
    }
    this.count++
  }

  mayHoldWords(first: number, second: number): boolean {
    const { bits } = this
    const mask = this.mask
    let h = swapped(first)
    const step = swapped(second) | 1
    for (let i = 0; i < probes; i++) {
      const bit = h & mask
      if (((bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false
      h = (h + step) | 0
    }
    return true
  }
}

/** Stored filters count from the last byte of a word. */
const swapped = (word: number): number =>
  (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24)

/** Ids of the first and of the largest link of a growing chain; each link is four times the one before: a look costs a cache miss a link. */
const firstLinkIds = 16_384
const linkGrowth = 4
const largestLinkIds = 1 << 20

/**
 * All ids of one partition: a growing chain for segments that are still open, and one filter per closed segment. Until `loaded`, every id is
 * "maybe seen", so that hosting never waits for it.
 */
export class SeenIds {
  private readonly recent: IdFilter[] = []
  private last = new IdFilter(firstLinkIds)
  private lastIds = firstLinkIds
  private readonly closed = new Map<number, IdFilter>()
  loaded = false

  add(key: IdKey): void {
    this.addWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  addWords(first: number, second: number): void {
    if (this.last.count >= this.lastIds) {
      this.recent.push(this.last)
      this.lastIds = Math.min(this.lastIds * linkGrowth, largestLinkIds)
      this.last = new IdFilter(this.lastIds)
    }
    this.last.addWords(first, second)
  }

  addClosed(segment: number, filter: IdFilter): void {
    this.closed.set(segment, filter)
  }

  /** False: surely never seen. */
  mayHold(key: IdKey): boolean {
    if (key.length !== idKeyBytes) return true
    return this.mayHoldWords(wordOfIdKey(key, 0), wordOfIdKey(key, 1))
  }

  mayHoldWords(first: number, second: number): boolean {
    if (!this.loaded || this.last.mayHoldWords(first, second)) return true
    for (const filter of this.recent) if (filter.mayHoldWords(first, second)) return true
    for (const filter of this.closed.values()) if (filter.mayHoldWords(first, second)) return true
    return false
  }

  get bytes(): number {
    let sum = this.last.bits.byteLength
    for (const filter of this.recent) sum += filter.bits.byteLength
    for (const filter of this.closed.values()) sum += filter.bits.byteLength
    return sum
  }
}
