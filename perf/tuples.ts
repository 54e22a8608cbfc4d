// Made-up rows for the two yardsticks, encoded before the clock starts.
import { randomBytes } from 'node:crypto'
import { idKeyFromBytes } from '../core/identity.ts'
import type { AccountRef } from '../core/account.ts'
import type { Row } from '../core/row.ts'
import { TupleWriter, postgresEpochMs } from '../schemas/journal-row.ts'

/** Journal rows of plain debits by random accounts of `accounts`, as the engine writes them; keys and numbers continue from call to call. */
export function journalBatches(options: { batches: number; rows: number; accounts: number; partitions: number; nowMs: number }): Buffer[] {
  const asset = { code: 'CNY', scale: 2, autoOpen: false }
  const seqs = new Float64Array(options.accounts)
  const pseqs = new Float64Array(options.partitions)
  const refs: AccountRef[] = Array.from({ length: options.accounts }, (_, i) => ({
    key: (i % options.partitions) * 2 ** 40 + 1_000_000 + i,
    id: `cust-${i}:cash`,
    asset,
    normal: 'credit',
  }))
  const writer = new TupleWriter()
  const batches: Buffer[] = []
  let cellSeq = 0
  for (let b = 0; b < options.batches; b++) {
    // Grouped by partition, as a lane's commit is.
    const picks = Array.from({ length: options.rows }, () => Math.floor(Math.random() * options.accounts))
    picks.sort((x, y) => (x % options.partitions) - (y % options.partitions))
    for (const pick of picks) {
      const partition = pick % options.partitions
      const from = refs[pick]
      if (from === undefined) continue
      seqs[pick] = (seqs[pick] ?? 0) + 1
      pseqs[partition] = (pseqs[partition] ?? 0) + 1
      cellSeq++
      const row: Row = {
        kind: 'debit',
        leg: 0,
        code: 0,
        amount: 100n,
        from,
        fromSeq: seqs[pick] ?? 1,
        fromBalance: 1_000_000n,
        fromHeld: 0n,
        to: { key: -(partition * 2 ** 40 + 1), id: 'house:settlement:default', asset, normal: 'credit' },
        toSeq: cellSeq,
        toBalance: BigInt(cellSeq) * 100n,
        toHeld: 0n,
        link: undefined,
      }
      writer.row(row, {
        partition,
        pseq: 1e12 + (pseqs[partition] ?? 0),
        idKey: idKeyFromBytes(randomBytes(16)),
        id: `bench-${b}-${cellSeq}`,
        channel: undefined,
        atMs: options.nowMs,
        date: Math.floor(options.nowMs / 86_400_000),
        detailHash: undefined,
      })
    }
    batches.push(writer.take())
  }
  return batches
}

/** Tuples of `ref(id uuid, account bigint, seq bigint, amount bigint, balance bigint, kind smallint, at timestamptz)`. */
export function referenceBatches(options: { batches: number; rows: number; accounts: number; nowMs: number }): Buffer[] {
  const seqs = new Float64Array(options.accounts)
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
      const account = Math.floor(Math.random() * options.accounts)
      seqs[account] = (seqs[account] ?? 0) + 1
      bytes.writeInt16BE(7, o)
      bytes.writeInt32BE(16, o + 2)
      ids.copy(bytes, o + 6, r * 16, r * 16 + 16)
      o += 22
      int8(BigInt(account))
      int8(BigInt(seqs[account] ?? 1))
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

export const referenceTable = `
  CREATE TABLE ref (id uuid, account bigint, seq bigint, amount bigint, balance bigint, kind smallint, at timestamptz);
  CREATE UNIQUE INDEX ON ref (id);
  CREATE INDEX ON ref (account, seq)`
