import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Row } from '../core/row.ts'
import { rowKinds } from '../core/row.ts'
import { postgresEpochDays, postgresEpochMs, type RowPlace, TupleWriter } from './journal-row.ts'
import { anyRow } from './testing/any-row.ts'
import { decodeRows, int2, int4, int8, type StoredTuple, text } from './testing/decode-rows.ts'

function assertStored(tuple: StoredTuple | undefined, row: Row, place: RowPlace): void {
  assert.ok(tuple !== undefined)
  const side = (key: number | undefined, seq: number, balance: bigint, held: bigint) => [
    key === undefined ? undefined : BigInt(key),
    seq === 0 ? undefined : BigInt(seq),
    seq === 0 ? undefined : balance,
    seq === 0 || held === 0n ? undefined : held,
  ]
  const { from_key, from_seq, from_balance, from_held, to_key, to_seq, to_balance, to_held } = tuple
  assert.deepEqual(
    [from_key, from_seq, from_balance, from_held].map(int8),
    side(row.from?.key, row.fromSeq, row.fromBalance, row.fromHeld),
  )
  assert.deepEqual(
    [to_key, to_seq, to_balance, to_held].map(int8),
    side(row.to?.key, row.toSeq, row.toBalance, row.toHeld),
  )
  assert.equal(int8(tuple.pseq), BigInt(place.pseq))
  assert.equal(int8(tuple.at), BigInt(place.atMs - postgresEpochMs) * 1000n)
  assert.equal(int8(tuple.amount), row.amount)
  assert.equal(tuple.id_key?.toString('latin1'), place.idKey)
  assert.equal(tuple.link?.toString('latin1'), row.link)
  assert.equal(int4(tuple.business_date), place.date - postgresEpochDays)
  assert.equal(int2(tuple.partition), place.partition)
  assert.equal(int2(tuple.leg), row.leg)
  assert.equal(int2(tuple.kind), rowKinds[row.kind])
  assert.equal(int2(tuple.code), row.code === 0 ? undefined : row.code)
  assert.equal(text(tuple.id), place.id)
  assert.equal(text(tuple.channel), place.channel)
  const hash = row.leg === 0 ? place.detailHash : undefined
  assert.deepEqual(tuple.detail_hash, hash === undefined ? null : Buffer.from(hash))
}

test('every column of any row reads back as it was given; a buffer that is too small grows', () => {
  fc.assert(
    fc.property(fc.array(anyRow, { minLength: 1, maxLength: 20 }), (rows) => {
      const writer = new TupleWriter(640)
      for (const { row, place } of rows) writer.row(row, place)
      const tuples = decodeRows(writer.take())
      assert.equal(tuples.length, rows.length)
      for (const [i, { row, place }] of rows.entries()) assertStored(tuples[i], row, place)
    }),
    { numRuns: 300 },
  )
})

test('the bytes of part of the rows, as the chain wants them, are those of the whole; what is taken is a copy', () => {
  fc.assert(
    fc.property(anyRow, anyRow, (first, second) => {
      const writer = new TupleWriter()
      writer.row(first.row, first.place)
      const start = writer.length
      writer.row(second.row, second.place)
      const part = Buffer.from(writer.since(start))
      const whole = writer.take()
      const before = Buffer.from(whole)
      assert.deepEqual(whole.subarray(start), part)
      assert.equal(writer.length, 0)
      writer.row(second.row, second.place)
      assert.deepEqual(whole, before)
      assert.deepEqual(Buffer.from(writer.since(0)), part)
      writer.clear()
      assert.equal(writer.length, 0)
    }),
    { numRuns: 50 },
  )
})
