// Any journal row, every column in its whole range, whether or not a decision could give it: for tests of the stored form.
import fc from 'fast-check'
import { idKeyFromBytes } from '../../core/identity.ts'
import { type Row, type RowKind, rowKinds } from '../../core/row.ts'
import type { RowPlace } from '../journal-row.ts'

// The runner prints no causes.
fc.configureGlobal({ includeErrorInReport: true })

const int8 = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)
const number = fc.oneof(
  fc.constantFrom(1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.nat(Number.MAX_SAFE_INTEGER),
)
const positive = number.map((value) => Math.max(1, value))
const key = positive.chain((value) => fc.constantFrom(value, -value))
const idKey = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(idKeyFromBytes)
const text = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'abcXYZ019._:-!'), minLength: 1, maxLength: length })

const asset = { code: 'CNY', scale: 2, autoOpen: false }
const ref = fc.option(
  key.map((value) => ({ key: value, id: 'c:cash', asset, normal: 'credit' as const })),
  { nil: undefined },
)
const seq = fc.oneof(fc.constant(0), positive)

const row: fc.Arbitrary<Row> = fc.record({
  kind: fc.constantFrom(...(Object.keys(rowKinds) as RowKind[])),
  leg: fc.nat(200),
  code: fc.oneof(fc.constant(0), fc.nat(29)),
  amount: int8,
  from: ref,
  fromSeq: seq,
  fromBalance: int8,
  fromHeld: int8,
  to: ref,
  toSeq: seq,
  toBalance: int8,
  toHeld: int8,
  link: fc.option(idKey, { nil: undefined }),
})

const place: fc.Arbitrary<RowPlace> = fc.record({
  partition: fc.nat(1023),
  pseq: positive,
  idKey,
  id: text(137),
  channel: fc.option(text(32), { nil: undefined }),
  atMs: fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) }),
  date: fc.integer({ min: -719_162, max: 2_932_896 }),
  detailHash: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
})

export const anyRow: fc.Arbitrary<{ row: Row; place: RowPlace }> = fc.record({ row, place })
