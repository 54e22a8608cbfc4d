// Made-up rows for the reference yardstick, encoded before the clock starts.
import { randomBytes } from 'node:crypto'
import { postgresEpochMs } from '../schemas/journal-row.ts'

export const referenceTable = `
  CREATE TABLE ref (id uuid, account bigint, seq bigint, amount bigint, balance bigint, kind smallint, at timestamptz);
  CREATE UNIQUE INDEX ON ref (id);
  CREATE INDEX ON ref (account, seq)`

/** Tuples of `ref`: random ids, random accounts out of `seqs.length`, whose numbers go on from call to call. */
export function referenceBatches(options: {
  batches: number
  rows: number
  seqs: Float64Array
  nowMs: number
}): Buffer[] {
  const { seqs } = options
  const tupleBytes = 2 + 7 * 4 + 16 + 8 * 5 + 2
  const batches: Buffer[] = []
  for (let b = 0; b < options.batches; b++) {
    const bytes = Buffer.alloc(options.rows * tupleBytes)
    const ids = randomBytes(options.rows * 16)
    let o = 0
    const int8 = (value: bigint): void => {
      bytes.writeInt32BE(8, o)
      bytes.writeBigInt64BE(value, o + 4)
      o += 12
    }
    for (let r = 0; r < options.rows; r++) {
      const account = Math.floor(Math.random() * seqs.length)
      const seq = (seqs[account] ?? 0) + 1
      seqs[account] = seq
      bytes.writeInt16BE(7, o)
      bytes.writeInt32BE(16, o + 2)
      ids.copy(bytes, o + 6, r * 16, r * 16 + 16)
      o += 22
      int8(BigInt(account))
      int8(BigInt(seq))
      int8(100n)
      int8(1_000_000n)
      bytes.writeInt32BE(2, o)
      bytes.writeInt16BE(1, o + 4)
      o += 6
      int8(BigInt((options.nowMs - postgresEpochMs) * 1000))
    }
    batches.push(bytes)
  }
  return batches
}
