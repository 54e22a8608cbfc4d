import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { type Mapping, MappingError, parseMapping } from './mapping.ts'
import { type ReadRow, readRows, UnreadableFile } from './rows.ts'

const mappingWith = (csv: object): Mapping =>
  parseMapping(
    JSON.stringify({
      csv,
      id: 'b-{no}',
      type: 'credit',
      account: 'cust-{customer}:cash',
      amount: { column: 'amount' },
      reference: '{text}',
    }),
  )

/** In pieces of a few bytes, so that every boundary falls somewhere. */
async function read(content: string | Buffer, mapping?: Mapping, pieceBytes = 3): Promise<ReadRow[]> {
  const bytes = Buffer.from(content)
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, n) =>
    bytes.subarray(n * pieceBytes, (n + 1) * pieceBytes),
  )
  const rows: ReadRow[] = []
  for await (const row of readRows(Readable.from(pieces), mapping)) rows.push(row)
  return rows
}
const brief = (rows: readonly ReadRow[]) =>
  rows.map((row) => (row.kind === 'row' ? `${row.line} ${row.command.id}` : `${row.line} ${row.field}: ${row.detail}`))

const json = (id: string, more = {}) =>
  JSON.stringify({ id, type: 'credit', account: 'cust-1:cash', amount: '1.00', ...more })

test('NDJSON: rows keep their text and line, empty lines count, the last line needs no end', async () => {
  const rows = await read(`${json('a', { reference: 'čaj 茶' })}\r\n\n${json('b')}`)
  assert.deepEqual(brief(rows), ['1 a', '3 b'])
  assert.equal(rows[0]?.kind === 'row' && rows[0].json, json('a', { reference: 'čaj 茶' }))
})

test('NDJSON: what the server would refuse is found with line and field', async () => {
  const rows = await read([json('a', { amount: 1 }), json('b', { amuont: '1' }), '{', json('c')].join('\n'))
  assert.deepEqual(
    rows.map((row) => (row.kind === 'row' ? row.command.id : `${row.line} ${row.field}`)),
    ['1 amount', '2 amuont', '3 undefined', 'c'],
  )
  assert.match(brief(rows)[0] ?? '', /1: amount must be a decimal string/)
})

test('NDJSON: a CSV file is told to need a mapping', async () => {
  assert.match(brief(await read('a;b;c\n'))[0] ?? '', /--mapping/)
})

test('CSV: quoted line breaks, empty lines and CRLF keep the line numbers right', async () => {
  const content = 'no;customer;amount;text\r\n1;7;1.00;"two\r\nlines; one ""quote"""\r\n\r\n2;7;2.00;x\n3;7;x;\r\n'
  const rows = await read(content, mappingWith({ delimiter: ';' }))
  assert.deepEqual(brief(rows), ['2 b-1', '5 b-2', '6 amount: "x" is not a number with "." before the decimals'])
  assert.equal(
    rows[0]?.kind === 'row' && rows[0].command.type === 'credit' && rows[0].command.reference,
    'two\r\nlines; one "quote"',
  )
})

test('CSV: a row with a column too few or too many is bad, not shifted', async () => {
  const rows = await read('no,customer,amount,text\n1,7,1.00\n2,7,1.00,x,y\n3,7,1.00,\n', mappingWith({}))
  assert.deepEqual(brief(rows), [
    '2 undefined: has 3 columns instead of 4',
    '3 undefined: has 5 columns instead of 4',
    '4 b-3',
  ])
})

test('CSV: what the mapping makes is held against the contract', async () => {
  const rows = await read('no,customer,amount,text\n1 2,7,1.00,\n3,é,1.00,\n', mappingWith({}))
  assert.match(brief(rows)[0] ?? '', /^2 id: "b-1 2": id must be/)
  assert.match(brief(rows)[1] ?? '', /^3 account: /)
})

test('CSV: names from the mapping where there is no header', async () => {
  const rows = await read('1,7,1.00,\n', mappingWith({ header: false, columns: ['no', 'customer', 'amount', 'text'] }))
  assert.deepEqual(brief(rows), ['1 b-1'])
})

test('CSV: another encoding and a byte order mark', async () => {
  const latin2 = Buffer.concat([
    Buffer.from('no,customer,amount,text\n1,7,1.00,'),
    Buffer.from([0xe8]),
    Buffer.from('aj\n'),
  ])
  const [first] = await read(latin2, mappingWith({ encoding: 'windows-1250' }))
  assert.equal(first?.kind === 'row' && first.command.type === 'credit' && first.command.reference, 'čaj')
  assert.deepEqual(brief(await read('\ufeffno,customer,amount,text\n1,7,1.00,\n', mappingWith({}))), ['2 b-1'])
})

const lines = (count: number) => Array.from({ length: count }, (_, n) => `${n},7,1.00,čaj`)
const badInLine = (line: number) => {
  const rows = ['no,customer,amount,text', ...lines(200)].map((row) => Buffer.from(`${row}\n`))
  rows[line - 1] = Buffer.from([0x31, 0x2c, 0x37, 0x2c, 0x31, 0x2c, 0xe8, 0x0a])
  return Buffer.concat(rows)
}

for (const pieceBytes of [3, 700, 1e6])
  test(`bytes of another encoding are found in their line, pieces of ${pieceBytes} bytes`, async () => {
    const cause = { line: 150, message: 'line 150: has bytes that are not utf-8' }
    await assert.rejects(read(badInLine(150), mappingWith({}), pieceBytes), cause)
    await assert.rejects(read(badInLine(150), undefined, pieceBytes), cause)
    const cut = Buffer.concat([badInLine(201).subarray(0, -8), Buffer.from([0xe8])])
    await assert.rejects(read(cut, mappingWith({}), pieceBytes), { line: 201 })
  })

test('a quote that swallows the rest of the file is found in the row where it begins', async () => {
  const content = (count: number) => ['no,customer,amount,text', '1,7,1,', '2,7,"1,', ...lines(count)].join('\n')
  await assert.rejects(read(content(2_000), mappingWith({}), 64_000), { line: 3, message: /line 3: a quote/ })
  await assert.rejects(read(content(200_000), mappingWith({}), 64_000), {
    line: 3,
    message: /line 3: a row above 1 MB/,
  })
})

test('a header that is the whole file, for want of the right delimiter, is not repeated whole', async () => {
  const content = `no|customer${'|x'.repeat(5_000)}\n`
  await assert.rejects(read(content, mappingWith({})), (error) => (error as Error).message.length < 700)
})

const broken: readonly (readonly [string, string | Buffer, object, RegExp])[] = [
  ['bytes that are no UTF-8', Buffer.from([0x6e, 0x6f, 0x2c, 0xff, 0xfe, 0x0a]), {}, /not utf-8/],
  ['a quote that is not closed', 'no,customer,amount,text\n1,7,"1.00,\n', {}, /line 2: .*[Qq]uote/],
  ['a quote in the middle', 'no,customer,amount,text\n1,7,1"00,\n', {}, /line 2: /],
  ['a header that names a column twice', 'no,no,amount,text\n', {}, /"no" twice/],
  [
    'a header other than expected',
    'no,customer,amount,txt\n',
    { columns: ['no', 'customer', 'amount', 'text'] },
    /the header is no, customer, amount, txt/,
  ],
]
for (const [name, content, csv, message] of broken)
  test(`CSV: ${name} ends the file with the line`, async () => {
    await assert.rejects(
      read(content, mappingWith(csv)),
      (error) => error instanceof UnreadableFile && message.test(error.message),
    )
  })

test('CSV: a column that the file does not have is a mistake of the mapping', async () => {
  await assert.rejects(
    read('no,custommer,amount,text\n', mappingWith({})),
    (error) => error instanceof MappingError && /customer/.test(error.message),
  )
})
