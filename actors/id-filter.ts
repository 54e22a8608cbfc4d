// "Surely not seen" for the ids of one segment in one partition, so that a new id costs no query. A Bloom filter (Bloom 1970) of 16 bits an id; an
// id key is a cryptographic hash already, so its own bits give page and probes, these by double hashing (Kirsch and Mitzenmacher 2006).
import { wordOfIdKey } from '../core/id-words.ts'
import type { IdKey } from '../core/identity.ts'

export const bitsPerId = 16
/** With 16 bits an id, 8 probes err on 0.06 % of unknown ids; 11 would err on 0.05 % and touch 3 more cache lines. */
export const probes = 8
/**
 * All bits of an id lie in one page: whoever looks into a filter that is not in memory reads this much of it. Pages this large are so evenly filled
 * that it costs nothing in errors.
 */
export const pageBytes = 1024
const pageBits = pageBytes * 8
const pageWords = pageBytes / 4
const bitOf = (second: number): number => second & (pageBits - 1)
const stepOf = (second: number): number => ((second >>> 13) & (pageBits - 1)) | 1

/** Fixed-size filter over at most `ids` ids. */
export class IdFilter {
  readonly bits: Uint32Array
  /** Ids added. */
  count = 0
  private readonly pageMask: number

  /** Size is the power of two at or above 16 bits an id, at least a page. */
  constructor(ids: number, bits?: Uint32Array) {
    const size = Math.max(pageBits, 2 ** Math.ceil(Math.log2(Math.max(1, ids) * bitsPerId)))
    if (bits !== undefined && bits.length !== size / 32) {
      throw new RangeError(`a filter over ${ids} ids has ${size / 32} words, not ${bits.length}`)
    }
    this.bits = bits ?? new Uint32Array(size / 32)
    this.pageMask = size / pageBits - 1
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

  get bytes(): number {
    return this.bits.byteLength
  }

  /** What `bits` has room for. */
  get capacity(): number {
    return (this.bits.length * 32) / bitsPerId
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
    const page = (first & this.pageMask) * pageWords
    const step = stepOf(second)
    let bit = bitOf(second)
    for (let i = 0; i < probes; i++) {
      const word = page + (bit >>> 5)
      bits[word] = (bits[word] ?? 0) | (1 << (bit & 31))
      bit = (bit + step) & (pageBits - 1)
    }
    this.count++
  }

  mayHoldWords(first: number, second: number): boolean {
    const { bits } = this
    const page = (first & this.pageMask) * pageWords
    const step = stepOf(second)
    let bit = bitOf(second)
    for (let i = 0; i < probes; i++) {
      if (((bits[page + (bit >>> 5)] ?? 0) & (1 << (bit & 31))) === 0) return false
      bit = (bit + step) & (pageBits - 1)
    }
    return true
  }
}

/** Where a key's bits are in any stored filter: in page `hash & (pages - 1)`, the bits `bit`, `bit + step`, .. of its bytes, each modulo the page. */
export function probeOf(key: IdKey): { readonly hash: number; readonly bit: number; readonly step: number } {
  const second = wordOfIdKey(key, 1)
  return { hash: wordOfIdKey(key, 0), bit: bitOf(second), step: stepOf(second) }
}
