// The stored form of rows against a real Postgres: what the chain hashed is what COPY gives back, byte for byte.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { idKeyFromBytes } from '../../core/identity.ts'
import { copyHeader, copyTrailer, journalColumns, TupleWriter } from '../../schemas/journal-row.ts'
import { anyRow } from '../../schemas/testing/any-row.ts'
import { type TestPostgres, testPostgres } from '../embedded/testing/test-postgres.ts'
import { connect } from './connect.ts'
import { byteas, type Cell, copyIn, numbers, plainTexts, tuplesOf, uuids } from './copy.ts'
import { migrate } from './migrate.ts'
import { TupleFields, tuplesOf as tuplesIn } from './tuple-stream.ts'

let postgres: TestPostgres
let client: pg.Client
before(async () => {
  postgres = await testPostgres()
  await migrate(postgres.url)
  client = await connect(postgres.url, { name: 'test' })
  await client.query('CREATE TEMP TABLE rows (LIKE suanpan.journal)')
})
after(async () => {
  await client.end()
  await postgres.stop()
})

const columns = journalColumns.join(', ')

async function copyOut(text: string): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of client.query(copyTo(text))) chunks.push(chunk as Buffer)
  return chunks
}

test('the table has the columns in the order of the tuple', async () => {
  const { rows } = await client.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = 'suanpan' AND table_name = 'journal' ORDER BY ordinal_position`,
  )
  assert.deepEqual(
    rows.map(({ column_name }) => column_name),
    [...journalColumns],
  )
})

test('any row comes out of COPY TO with the bytes that went into COPY FROM', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow, { minLength: 1, maxLength: 60 }), async (rows) => {
      const writer = new TupleWriter()
      for (const { row, place } of rows) writer.row(row, place)
      const given = writer.take()
      await client.query('TRUNCATE rows')
      await copyIn(client, `COPY rows (${columns}) FROM STDIN (FORMAT binary)`, given)
      const out = Buffer.concat(await copyOut(`COPY rows (${columns}) TO STDOUT (FORMAT binary)`))
      assert.deepEqual(out, Buffer.concat([copyHeader, given, copyTrailer]))
      await client.query('TRUNCATE rows')
    }),
    { numRuns: 60 },
  )
})

test('tuples are found in a stream whatever the pieces it comes in, and read field by field', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRow, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 700 }),
      async (rows, size) => {
        const writer = new TupleWriter()
        for (const { row, place } of rows) writer.row(row, place)
        const given = writer.take()
        const stream = Buffer.concat([copyHeader, given, copyTrailer])
        async function* pieces(): AsyncGenerator<Buffer> {
          for (let at = 0; at < stream.length; at += size) yield stream.subarray(at, at + size)
        }
        const found: Buffer[] = []
        for await (const tuples of tuplesIn(pieces())) for (const tuple of tuples) found.push(Buffer.from(tuple))
        assert.deepEqual(Buffer.concat(found), given)
        assert.equal(found.length, rows.length)
        for (const [i, { row, place }] of rows.entries()) {
          const fields = new TupleFields(found[i] ?? Buffer.alloc(0))
          assert.equal(fields.int8(), BigInt(place.pseq))
          fields.skip()
          assert.equal(fields.int8(), row.amount)
          for (let n = 0; n < 8; n++) fields.skip()
          assert.equal(fields.latin1(), place.idKey)
          assert.equal(fields.latin1(), row.link)
          fields.skip()
          assert.equal(fields.int2(), place.partition)
          assert.equal(fields.int2(), row.leg)
        }
      },
    ),
    { numRuns: 100 },
  )
})

test('cells of the small tables: every type, its extremes and null', async () => {
  await client.query('CREATE TEMP TABLE cells (n int, a int8, b int4, c int2, d text, e bytea, f uuid, g timestamptz)')
  const key = idKeyFromBytes(Uint8Array.from({ length: 16 }, (_, i) => i * 17))
  const rows: Cell[][] = [
    [
      { int4: 1 },
      { int8: 2n ** 63n - 1n },
      { int4: -1 },
      { int2: 1023 },
      { text: '账户 😀' },
      { bytes: Buffer.from([0, 255]) },
      { uuid: key },
      { timeMs: Date.UTC(2027, 0, 31) },
    ],
    [
      { int4: 2 },
      { int8: -(2n ** 63n) },
      { int4: 2 ** 31 - 1 },
      { int2: -1 },
      { text: '' },
      { bytes: Buffer.alloc(0) },
      { uuid: key },
      { timeMs: Date.UTC(1, 0, 1) - Date.UTC(2000, 0, 1) + Date.UTC(2000, 0, 1) },
    ],
    [{ int4: 3 }, null, null, null, null, null, null, null],
  ]
  await copyIn(client, 'COPY cells FROM STDIN (FORMAT binary)', tuplesOf(rows))
  const { rows: stored } = await client.query(
    'SELECT a, b, c, d, e, f, extract(epoch FROM g)::bigint AS g FROM cells ORDER BY n',
  )
  assert.deepEqual(stored, [
    {
      a: '9223372036854775807',
      b: -1,
      c: 1023,
      d: '账户 😀',
      e: Buffer.from([0, 255]),
      f: '00112233-4455-6677-8899-aabbccddeeff',
      g: String(Date.UTC(2027, 0, 31) / 1000),
    },
    {
      a: '-9223372036854775808',
      b: 2 ** 31 - 1,
      c: -1,
      d: '',
      e: Buffer.alloc(0),
      f: '00112233-4455-6677-8899-aabbccddeeff',
      g: String(Date.UTC(1, 0, 1) / 1000),
    },
    { a: null, b: null, c: null, d: null, e: null, f: null, g: null },
  ])
})

test('literals of arrays mean what was given', async () => {
  const key = idKeyFromBytes(new Uint8Array(16).fill(0xab))
  const { rows } = await client.query(
    `SELECT ${numbers('bigint', [1, -(2n ** 63n)])} AS n, ${uuids([key])} AS u, ${plainTexts(['a b:c', undefined, 'NULL', ''])} AS t,
            ${byteas([Buffer.from([0, 1, 255]), undefined])} AS b`,
  )
  assert.deepEqual(rows, [
    {
      n: ['1', '-9223372036854775808'],
      u: ['abababab-abab-abab-abab-abababababab'],
      t: ['a b:c', null, 'NULL', ''],
      b: [Buffer.from([0, 1, 255]), null],
    },
  ])
  for (const text of [`it's`, 'a"b', 'a\\b', 'a\nb', '{']) assert.throws(() => plainTexts([text]), RangeError)
})

test('a statement behind the COPY that fails is the error of the whole, and leaves nothing behind', async () => {
  const own = await connect(postgres.url, { name: 'test' })
  const tuples = tuplesOf([[{ int4: 7 }]])
  await own.query('CREATE TEMP TABLE one (n int)')
  await assert.rejects(
    copyIn(own, 'BEGIN;COPY one FROM STDIN (FORMAT binary);DO $$ BEGIN PERFORM 1/0; END $$;COMMIT', tuples),
    /division by zero/,
  )
  await own.query('ROLLBACK')
  assert.equal((await own.query('SELECT FROM one')).rowCount, 0)
  await copyIn(own, 'BEGIN;COPY one FROM STDIN (FORMAT binary);COMMIT', tuples)
  assert.equal((await own.query('SELECT FROM one')).rowCount, 1)
  await own.end()
})

test('a script that is refused drops the rows that left with it, and the connection goes on', async () => {
  const own = await connect(postgres.url, { name: 'test' })
  const many = tuplesOf(Array.from({ length: 100_000 }, (_, i) => [{ int4: i }]))
  await own.query('CREATE TEMP TABLE one (n int PRIMARY KEY)')
  await assert.rejects(copyIn(own, 'COPY nowhere FROM STDIN (FORMAT binary)', many), /nowhere/)
  await assert.rejects(copyIn(own, 'BEGIN;COPY one (m) FROM STDIN (FORMAT binary);COMMIT', many), /column "m"/)
  await own.query('ROLLBACK')
  // Refused in the middle of the rows.
  await assert.rejects(
    copyIn(
      own,
      'BEGIN;COPY one FROM STDIN (FORMAT binary);COMMIT',
      Buffer.concat([many, tuplesOf([[{ int4: 7 }]]), many]),
    ),
    /duplicate key/,
  )
  await own.query('ROLLBACK')
  await copyIn(own, 'BEGIN;COPY one FROM STDIN (FORMAT binary);COMMIT', many)
  const { rows } = await own.query<{ count: string }>('SELECT count(*) FROM one')
  assert.equal(rows[0]?.count, '100000')
  await own.end()
})

for (const [name, count] of [
  ['behind its rows', 1],
  ['while rows still wait for the socket', 150_000],
] as const)
  test(`a connection that ends in the middle of a COPY, ${name}, is an error at once`, async () => {
    const own = await connect(postgres.url, { name: 'test' })
    await own.query('CREATE TEMP TABLE one (n int)')
    const { rows } = await own.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const text = 'COPY one FROM STDIN (FORMAT binary);DO $$ BEGIN PERFORM pg_sleep(60); END $$'
    const copied = assert.rejects(copyIn(own, text, tuplesOf(Array.from({ length: count }, (_, i) => [{ int4: i }]))))
    await client.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid])
    await copied
  })
