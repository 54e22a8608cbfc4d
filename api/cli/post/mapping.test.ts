import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MappingError, parseMapping } from './mapping.ts'

const good = {
  id: 'bank-{no}',
  type: { column: 'kind', values: { C: 'credit', D: 'debit' } },
  account: 'cust-{customer}:cash',
  amount: { column: 'amount' },
  asset: 'CZK',
}

const parse = (json: unknown) => parseMapping(JSON.stringify(json))

test('the smallest mapping is a comma-separated UTF-8 file with a header', () => {
  const { csv } = parse(good)
  assert.deepEqual(csv, { delimiter: ',', quote: '"', header: true, encoding: 'utf-8', columns: undefined })
})

const table: readonly (readonly [string, unknown, RegExp])[] = [
  ['no object', [], /^must be a JSON object/],
  ['a misspelt member', { ...good, acount: 'x' }, /^acount: is not a member.*did you mean account\?/],
  ['a misspelt member below', { ...good, csv: { delimeter: ';' } }, /^csv\.delimeter: .*did you mean delimiter\?/],
  ['no id', { ...good, id: undefined }, /^id: is missing/],
  ['the same id for all', { ...good, id: 'bank' }, /^id: must name a column/],
  ['a brace that is not closed', { ...good, id: 'bank-{no' }, /^id: "\{" at character 6/],
  [
    'an unknown type',
    { ...good, type: { column: 'kind', values: { C: 'kredit' } } },
    /^type\.values\.C: must be one of/,
  ],
  ['a type from a column', { ...good, type: '{kind}' }, /^type: must be one of debit, credit/],
  ['a type left out', { ...good, type: { column: 'kind', values: { C: null } } }, /^type\.values\.C: must be one of/],
  ['a lookup without values', { ...good, channel: { column: 'kind' } }, /^channel\.values: is missing/],
  ['a number for a template', { ...good, channel: 7 }, /^channel: must be a template/],
  ['a field that its types lack', { ...good, hold: '{no}' }, /^hold: no type of this mapping/],
  ['a type without what it needs', { ...good, type: 'transfer' }, /^from: is missing: a transfer needs it/],
  ['no amount', { ...good, amount: undefined }, /^amount: is missing: a credit needs it/],
  [
    'a strange decimal sign',
    { ...good, amount: { column: 'a', decimal: "'" } },
    /^amount\.decimal: must be "\." or ","/,
  ],
  ['equal signs', { ...good, amount: { column: 'a', decimal: ',', group: ',' } }, /^amount\.group: must differ/],
  [
    'a date format without a day',
    { ...good, businessDate: { column: 'd', format: 'YYMM' } },
    /^businessDate\.format: needs/,
  ],
  [
    'a pivot for four digits',
    { ...good, businessDate: { column: 'd', format: 'YYYYMMDD', pivot: 50 } },
    /^businessDate\.pivot: has no meaning/,
  ],
  [
    'a pivot out of range',
    { ...good, businessDate: { column: 'd', format: 'YYMMDD', pivot: 1950 } },
    /^businessDate\.pivot: must be/,
  ],
  ['an unknown encoding', { ...good, csv: { encoding: 'klingon' } }, /^csv\.encoding: "klingon" is not known/],
  ['two quote characters', { ...good, csv: { quote: '""' } }, /^csv\.quote: must be one character/],
  ['no header and no columns', { ...good, csv: { header: false } }, /^csv\.columns: is missing/],
  [
    'a column that is not there',
    { ...good, csv: { header: false, columns: ['no', 'kind', 'custommer', 'amount'] } },
    /^account: there is no column "customer"; did you mean custommer\?/,
  ],
  [
    'an overdraft as a number',
    { ...good, open: { asset: 'CZK', overdraft: 1 } },
    /^open\.overdraft: must be a decimal string/,
  ],
  [
    'opening in another asset',
    { ...good, open: { asset: 'EUR' } },
    /^open\.asset: is EUR, but the rows have the asset CZK/,
  ],
]
for (const [name, json, message] of table)
  test(`a mapping with ${name} is refused with the path of the member`, () =>
    assert.throws(
      () => parse(json),
      (error) => error instanceof MappingError && message.test(error.message),
    ))

test('a mapping that is no JSON says so', () => {
  assert.throws(() => parseMapping('{'), /is not JSON/)
})

test('a byte order mark before it, as editors on Windows write one, is dropped', () => {
  assert.deepEqual(parseMapping(`\ufeff${JSON.stringify(good)}`), parse(good))
})
