import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dateReaderOf } from './date-format.ts'
import { parseMapping } from './mapping.ts'
import { amountReaderOf, rowMapperOf } from './row-mapper.ts'
import { Unmade } from './template.ts'

const columns = ['no', 'kind', 'customer', 'amount', 'date', 'text', 'bank', 'way']
const mapping = {
  id: 'b-{no}',
  type: { column: 'kind', values: { C: 'credit', D: 'debit' } },
  account: 'cust-{customer}:cash',
  amount: { column: 'amount', decimal: ',', group: '.' },
  to: { column: 'way', values: { fee: 'house:fees' }, otherwise: null },
  asset: 'CZK',
  businessDate: { column: 'date', format: 'DD.MM.YY' },
  channel: { column: 'way', values: { '': null, fee: 'desk', card: 'card' } },
  reference: '{text} {way}',
  metadata: { bank: '{bank}', fixed: { column: 'bank', values: { '': null }, otherwise: 'x{{{bank}}}' } },
}
const map = rowMapperOf(parseMapping(JSON.stringify(mapping)), columns)
const row = (changes: Partial<Record<(typeof columns)[number], string>>) =>
  columns.map(
    (column) =>
      changes[column] ?? { no: '1', kind: 'C', customer: '7', amount: '1.234,50', date: '31.12.93' }[column] ?? '',
  )

test('a row becomes a body with the members of its type only', () => {
  assert.deepEqual(map(row({ way: 'fee', bank: ' AB ', text: 'hello' })), {
    body: {
      id: 'b-1',
      type: 'credit',
      account: 'cust-7:cash',
      amount: '1234.50',
      asset: 'CZK',
      businessDate: '1993-12-31',
      channel: 'desk',
      reference: 'hello fee',
      metadata: { bank: 'AB', fixed: 'x{AB}' },
    },
  })
  const debit = map(row({ kind: 'D', way: 'fee' }))
  assert.equal('body' in debit && debit.body.to, 'house:fees')
})

test('optional members whose columns are empty are left out', () => {
  assert.deepEqual(map(row({})), {
    body: {
      id: 'b-1',
      type: 'credit',
      account: 'cust-7:cash',
      amount: '1234.50',
      asset: 'CZK',
      businessDate: '1993-12-31',
    },
  })
})

const badRows: readonly (readonly [string, Parameters<typeof row>[0], string, RegExp])[] = [
  ['an empty id column', { no: ' ' }, 'id', /empty/],
  ['a type without an entry', { kind: 'X' }, 'type', /no entry for "X" of column kind/],
  ['an empty account column', { customer: '' }, 'account', /empty/],
  ['a bad number', { amount: '12.34' }, 'amount', /"12\.34" is not a number/],
  ['a zero', { amount: '0,00' }, 'amount', /zero/],
  ['a negative number', { amount: '-1,00' }, 'amount', /negative/],
  ['no date', { date: '' }, 'businessDate', /empty/],
  ['a day that does not exist', { date: '30.02.93' }, 'businessDate', /"30\.02\.93" is not a date DD\.MM\.YY/],
  ['a channel without an entry', { way: 'post' }, 'channel', /no entry/],
]
for (const [name, changes, field, detail] of badRows)
  test(`a row with ${name} does not map`, () => {
    const mapped = map(row(changes))
    assert.ok('bad' in mapped)
    assert.equal(mapped.bad.field, field)
    assert.match(mapped.bad.detail, detail)
  })

const amounts: readonly (readonly [string, string, string, string | undefined])[] = [
  ['.', '', '700.00', '700.00'],
  ['.', '', '+000700.5', '700.5'],
  ['.', '', '0.01', '0.01'],
  ['.', '', '.5', undefined],
  ['.', '', '5.', undefined],
  ['.', '', '1e3', undefined],
  ['.', '', '１２', undefined],
  ['.', ',', '1,234,567.89', '1234567.89'],
  ['.', ',', '1,23.00', undefined],
  ['.', ',', '1234.00', '1234.00'],
  [',', ' ', '1 234,5', '1234.5'],
  [',', '.', '1.234', '1234'],
]
for (const [decimal, group, text, expected] of amounts)
  test(`amount ${JSON.stringify(text)} with decimal "${decimal}" and group "${group}" -> ${expected}`, () => {
    const made = amountReaderOf({ column: 'a', decimal, group })(text)
    assert.equal(made instanceof Unmade ? undefined : made, expected)
  })

const dates: readonly (readonly [string, number, string, string | undefined])[] = [
  ['YYMMDD', 69, '690101', '1969-01-01'],
  ['YYMMDD', 69, '681231', '2068-12-31'],
  ['YYMMDD', 0, '000229', undefined],
  ['YYMMDD', 100, '000229', '2000-02-29'],
  ['YYYY-MM-DD', 69, '2024-02-30', undefined],
  ['YYYYMMDD', 69, '20240229', '2024-02-29'],
  ['DD.MM.YYYY', 69, '29x02x2024', undefined],
  ['MM/DD/YY', 69, '01/02/03', '2003-01-02'],
  ['YYMMDD', 69, '9301011', undefined],
]
for (const [format, pivot, text, expected] of dates)
  test(`date ${text} as ${format}, pivot ${pivot} -> ${expected}`, () =>
    assert.equal(dateReaderOf(format, pivot)(text), expected))
