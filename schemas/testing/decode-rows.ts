// Reads tuples of binary COPY back: written after PostgreSQL's page on the format, with nothing shared with the writer but the list of columns.
import { journalColumns } from '../journal-row.ts'

type Column = (typeof journalColumns)[number]

/** One tuple: the bytes of each column, null where it is NULL. */
export type StoredTuple = Readonly<Record<Column, Buffer | null>>

/** `bytes` holds tuples only: no header, no trailer. Throws for anything left over. */
export const decodeRows = (bytes: Uint8Array): StoredTuple[] => sliceRows(bytes).map(({ tuple }) => tuple)

/** Each tuple with the bytes that it takes. */
export function sliceRows(bytes: Uint8Array): { readonly tuple: StoredTuple; readonly bytes: Buffer }[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tuples: { tuple: StoredTuple; bytes: Buffer }[] = []
  let at = 0
  while (at < buffer.length) {
    const start = at
    const count = buffer.readInt16BE(at)
    at += 2
    if (count !== journalColumns.length) throw new RangeError(`a tuple of ${count} columns`)
    const tuple: Partial<Record<Column, Buffer | null>> = {}
    for (const column of journalColumns) {
      const length = buffer.readInt32BE(at)
      at += 4
      if (length > buffer.length - at) throw new RangeError(`${column} is longer than the bytes`)
      tuple[column] = length < 0 ? null : buffer.subarray(at, at + length)
      at += Math.max(0, length)
    }
    tuples.push({ tuple: tuple as StoredTuple, bytes: buffer.subarray(start, at) })
  }
  return tuples
}

export const int8 = (value: Buffer | null): bigint | undefined => value?.readBigInt64BE(0)
export const int4 = (value: Buffer | null): number | undefined => value?.readInt32BE(0)
export const int2 = (value: Buffer | null): number | undefined => value?.readInt16BE(0)
export const text = (value: Buffer | null): string | undefined => value?.toString('utf8')
