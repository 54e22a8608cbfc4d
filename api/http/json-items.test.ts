import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { singleBytesMax } from './body-parsers.ts'
import { readJsonItems } from './json-items.ts'
import { Problem } from './problem.ts'

const items = (text: string | Buffer, max = 10_000): unknown => {
  const read = readJsonItems(Buffer.from(text), max)
  if (read instanceof Problem) return read.code
  const values = Array.from({ length: read.count }, (_, index) => read.at(index))
  return values.map((item) => (item instanceof Problem ? item.code : item))
}

test('an array is cut into its items', () => {
  assert.deepEqual(items('[]'), [])
  assert.deepEqual(items(' [ ] \n'), [])
  assert.deepEqual(items('[1]'), [1])
  assert.deepEqual(items('[{"a":"],[\\"}"},[1,[2]],"x\\\\",null , -1.5e3]'), [
    { a: '],["}' },
    [1, [2]],
    'x\\',
    null,
    -1500,
  ])
})

test('a bad item fails alone', () => {
  assert.deepEqual(items('[1,nul,{"a":]},{a:1},2]'), [1, 'invalid', 'invalid', 'invalid', 2])
  assert.deepEqual(items(Buffer.concat([Buffer.from('[1,"'), Buffer.from([0xff]), Buffer.from('",2]')])), [
    1,
    'invalid',
    2,
  ])
  assert.deepEqual(items(`[1,"${'x'.repeat(singleBytesMax)}",2]`), [1, 'payload_too_large', 2])
})

test('what is no array is refused whole', () => {
  for (const text of [
    '',
    ' ',
    '{}',
    '1',
    '"[]"',
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1,,2]',
    '[1]]',
    '[1]x',
    '[]x',
    '["a',
    '["a\\"]',
    '[{]',
    'x[]',
  ]) {
    assert.equal(items(text), 'invalid', text)
  }
})

test('too many items are refused before they are parsed', () => {
  assert.equal(items('[1,2,3]', 2), 'payload_too_large')
  assert.deepEqual(items('[1,2,3]', 3), [1, 2, 3])
  const before = process.memoryUsage().heapUsed
  assert.equal(items(`[${'{},'.repeat(4_000_000)}{}]`), 'payload_too_large')
  assert.equal(items(`[${'['.repeat(8_000_000)}`), 'invalid')
  assert.ok(process.memoryUsage().heapUsed - before < 50 * 1024 * 1024)
})

test('property: the same as parsing the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), fc.constantFrom(undefined, 1, '\t'), (values, indent) => {
      const text = JSON.stringify(values, null, indent)
      assert.deepEqual(items(text), JSON.parse(text))
    }),
  )
})
