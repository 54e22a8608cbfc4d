import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { singleBytesMax } from './body-parsers.ts'
import { readPackedItems } from './msgpack.ts'
import { Problem } from './problem.ts'

const items = (bytes: Uint8Array | readonly number[], max = 10_000): unknown => {
  const read = readPackedItems(Buffer.from(bytes), max)
  if (read instanceof Problem) return read.code
  const values = Array.from({ length: read.count }, (_, index) => read.at(index))
  return values.map((item) => (item instanceof Problem ? [item.code, item.field] : item))
}

test('an array of maps is read', () => {
  const given = [{ id: 'a', amount: '1', metadata: { n: 1.5, s: 'ü'.repeat(300), l: [null, true, -5, 70_000] } }, {}]
  assert.deepEqual(items(encode(given)), given)
  assert.deepEqual(items(encode([])), [])
  const many = Array.from({ length: 20 }, (_, id) => ({ id: String(id) }))
  assert.deepEqual(items(encode(many)), many)
})

test('a bad item fails alone', () => {
  const one = [0x81, 0xa1, 0x61, 0x01]
  // A string that is not UTF-8, an overlong one, and as a key.
  assert.deepEqual(items([0x92, 0x81, 0xa1, 0x61, 0xa1, 0xff, ...one]), [['invalid', undefined], { a: 1 }])
  assert.deepEqual(items([0x92, 0x81, 0xa1, 0x61, 0xa2, 0xc1, 0x81, ...one]), [['invalid', undefined], { a: 1 }])
  assert.deepEqual(items([0x92, 0x81, 0xa1, 0xff, 0x01, ...one]), [['invalid', undefined], { a: 1 }])
  const proto = [0xa9, ...Buffer.from('__proto__')]
  assert.deepEqual(items([0x92, 0x81, ...proto, 0x01, ...one]), [['unknown_field', '__proto__'], { a: 1 }])
  // A map with a map as its key.
  assert.deepEqual(items([0x92, 0x81, 0x80, 0x01, ...one]), [['invalid', undefined], { a: 1 }])
  assert.deepEqual(items(encode([{ a: 'x'.repeat(singleBytesMax) }, { a: 1 }])), [
    ['payload_too_large', undefined],
    { a: 1 },
  ])
})

test('what is no array is refused whole, and so is what is cut off or has more behind it', () => {
  for (const bytes of [
    [],
    [0x80],
    [0xc0],
    [0x01],
    [0x91],
    [0x92, 0x01],
    [0x91, 0xc1],
    [0xdc],
    [0xdc, 0x00],
    [0x90, 0x90],
    [0x91, 0x81, 0xa1],
  ]) {
    assert.equal(items(bytes), 'invalid', JSON.stringify(bytes))
  }
  const whole = encode([{ id: 'abc', n: 1.5, b: new Uint8Array(3), l: [1, [2]] }])
  for (let length = 0; length < whole.length; length++) assert.equal(items(whole.subarray(0, length)), 'invalid')
})

test('heads that claim more than is there cost nothing', () => {
  const before = process.memoryUsage().rss
  assert.equal(items([0x91, 0xdd, 0xff, 0xff, 0xff, 0xff]), 'invalid')
  assert.equal(
    items(Buffer.concat([Buffer.from([0x91]), Buffer.alloc(3_000_000, Buffer.from([0xdc, 0x27, 0x10]))])),
    'invalid',
  )
  assert.equal(items(Buffer.concat([Buffer.from([0x91]), Buffer.alloc(8_000_000, 0x91)])), 'invalid')
  assert.equal(items([0xdd, 0xff, 0xff, 0xff, 0xff]), 'payload_too_large')
  assert.equal(items([0xdc, 0x27, 0x11]), 'payload_too_large')
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024)
})

test('property: what the library writes is read back', () => {
  const value = fc.jsonValue({ maxDepth: 3 }).filter((item) => !JSON.stringify(item).includes('__proto__'))
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), (given) => {
      // Through JSON: no -0.
      const values = JSON.parse(JSON.stringify(given)) as unknown[]
      assert.deepEqual(items(encode(values)), values)
    }),
  )
})

test('property: no bytes at all make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void items([0x93, ...bytes])),
    { numRuns: 3_000 },
  )
})
