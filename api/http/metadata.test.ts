import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { metadataBytesMax } from '../../schemas/http/fields.ts'
import { metadataText } from './metadata.ts'
import { Problem } from './problem.ts'

const parsed = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

function refused(metadata: Record<string, unknown>, field: string, code = 'invalid'): void {
  const problem = metadataText(metadata)
  assert.ok(problem instanceof Problem, `accepted: ${JSON.stringify(problem)}`)
  assert.deepEqual({ code: problem.code, field: problem.field }, { code, field })
}

test('keys are sorted at every depth, order of arrays is kept', () => {
  assert.equal(
    metadataText({ b: 1, a: { d: [2, { z: 1, y: null }], c: true } }),
    '{"a":{"c":true,"d":[2,{"y":null,"z":1}]},"b":1}',
  )
  assert.equal(metadataText({}), '{}')
})

test('up to 2,048 bytes of UTF-8, and one more is refused', () => {
  const of = (bytes: number, char: string): Record<string, unknown> => ({
    a: char.repeat((bytes - 8) / Buffer.byteLength(char)),
  })
  assert.equal(typeof metadataText(of(metadataBytesMax, 'x')), 'string')
  assert.equal(typeof metadataText(of(metadataBytesMax, '字')), 'string')
  refused(of(metadataBytesMax + 1, 'x'), 'metadata')
  refused(of(metadataBytesMax + 3, '字'), 'metadata')
})

test('nesting that cannot fit is refused before the stack runs out', () => {
  refused(parsed(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`), 'metadata')
  assert.equal(typeof metadataText(parsed(`{"a":${'['.repeat(900)}${']'.repeat(900)}}`)), 'string')
})

test('what JSON or Postgres cannot hold as it was sent is refused with its path', () => {
  refused({ a: 'x\u0000' }, 'metadata.a')
  refused({ a: [1, { b: '\ud800' }] }, 'metadata.a[1].b')
  refused({ 'k\u0000': 1 }, 'metadata.k\u0000')
  refused({ '\udfff': 1 }, 'metadata.\udfff')
  refused(parsed('{"a":1e400}'), 'metadata.a')
  refused(parsed('{"a":9007199254740993}'), 'metadata.a')
  refused({ a: new Date(0) }, 'metadata.a')
  refused({ a: new Uint8Array(1) }, 'metadata.a')
  refused({ a: 1n }, 'metadata.a')
  refused(parsed('{"a":{"__proto__":1}}'), 'metadata.a.__proto__', 'unknown_field')
})

test('property: the text says the same, whatever the order of the keys', () => {
  const shuffled = (value: unknown): unknown =>
    typeof value !== 'object' || value === null
      ? value
      : Array.isArray(value)
        ? value.map(shuffled)
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, item]) => [key, shuffled(item)]),
          )
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.jsonValue({ maxDepth: 3 }),
      ),
      (given) => {
        // Through JSON: no -0, no null prototypes.
        const metadata = parsed(JSON.stringify(given))
        const text = metadataText(metadata)
        if (text instanceof Problem) return
        assert.deepEqual(JSON.parse(text), metadata)
        assert.equal(metadataText(shuffled(metadata) as Record<string, unknown>), text)
      },
    ),
  )
})
