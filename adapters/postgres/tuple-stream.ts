// Reads tuples of binary COPY out of a stream of chunks, each as a view of its exact bytes: what the hash chain runs over.
import { copyHeader } from '../../schemas/journal-row.ts'

/** The bytes of one tuple (field count included), valid until the next one is asked for. The trailer ends the stream. */
export async function* tuplesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0)
  let started = false
  for await (const chunk of chunks) {
    let bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    if (!started) {
      if (bytes.length < copyHeader.length) {
        rest = bytes
        continue
      }
      bytes = bytes.subarray(copyHeader.length)
      started = true
    }
    const tuples: Buffer[] = []
    let at = 0
    for (;;) {
      const end = endOfTuple(bytes, at)
      if (end === undefined) break
      tuples.push(bytes.subarray(at, end))
      at = end
    }
    rest = bytes.subarray(at)
    if (tuples.length > 0) yield tuples
  }
}

/** Undefined: the tuple is not whole yet, or it is the trailer. */
function endOfTuple(bytes: Buffer, start: number): number | undefined {
  if (bytes.length - start < 2) return undefined
  const fields = bytes.readInt16BE(start)
  if (fields < 0) return undefined
  let at = start + 2
  for (let i = 0; i < fields; i++) {
    if (bytes.length - at < 4) return undefined
    const length = bytes.readInt32BE(at)
    at += 4 + Math.max(0, length)
  }
  return at <= bytes.length ? at : undefined
}

/** Field by field through one tuple, in column order. */
export class TupleFields {
  private readonly bytes: Buffer
  private at = 2

  constructor(tuple: Buffer) {
    this.bytes = tuple
  }

  /** int8, or undefined for null. */
  int8(): bigint | undefined {
    const length = this.length()
    if (length < 0) return undefined
    const value = this.bytes.readBigInt64BE(this.at)
    this.at += length
    return value
  }

  int2(): number | undefined {
    const length = this.length()
    if (length < 0) return undefined
    const value = this.bytes.readInt16BE(this.at)
    this.at += length
    return value
  }

  /** The raw bytes as a latin1 string: an id key, a hash, an ASCII text. */
  latin1(): string | undefined {
    const length = this.length()
    if (length < 0) return undefined
    const value = this.bytes.toString('latin1', this.at, this.at + length)
    this.at += length
    return value
  }

  skip(): void {
    const length = this.length()
    this.at += Math.max(0, length)
  }

  private length(): number {
    const length = this.bytes.readInt32BE(this.at)
    this.at += 4
    return length
  }
}
