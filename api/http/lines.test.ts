import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { singleBytesMax } from './body-parsers.ts'
import { LineCutter } from './lines.ts'
import { Problem } from './problem.ts'

/** Values of a text cut at the given places; problems as `code`. */
function values(bytes: Buffer, cuts: readonly number[] = []): unknown[] {
  const cutter = new LineCutter()
  const told: unknown[] = []
  let from = 0
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    told.push(...cutter.cut(bytes.subarray(from, to)))
    from = to
  }
  told.push(...cutter.end())
  return told.map((value) => (value instanceof Problem ? value.code : value))
}

const text = (lines: string): Buffer => Buffer.from(lines)

test('lines are values, blank ones are skipped, the last needs no newline', () => {
  assert.deepEqual(values(text('{"a":1}\n\n[2]\r\n\r\n   \n"x"\n')), [{ a: 1 }, [2], 'x'])
  assert.deepEqual(values(text('1\n2')), [1, 2])
  assert.deepEqual(values(text('1\n{"a":')), [1, 'invalid'])
  assert.deepEqual(values(text('')), [])
  assert.deepEqual(values(text('\n\n')), [])
})

test('a bad line is a problem in its place', () => {
  const bad = Buffer.concat([text('1\n'), Buffer.from([0x22, 0xff, 0x22, 0x0a]), text('{]\n2\n')])
  assert.deepEqual(values(bad), [1, 'invalid', 'invalid', 2])
})

test('a line of 64 kB is taken, a longer one is skipped and counted, however it comes', () => {
  const long = (bytes: number): string => JSON.stringify('x'.repeat(bytes - 2))
  const right = text(`1\n${long(singleBytesMax)}\n2\n`)
  const wrong = text(`1\n${long(singleBytesMax + 1)}\n2\n`)
  const carriage = [singleBytesMax, singleBytesMax + 1].map((bytes) => text(`1\n${long(bytes)}\r\n2\r\n`))
  const huge = text(`1\n${long(5 * singleBytesMax)}\n2`)
  const every = (bytes: Buffer, step: number): number[] =>
    Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => i * step)
  for (const step of [1_000, 16_384, 65_536, 1_000_000]) {
    assert.deepEqual(values(right, every(right, step)), [1, 'x'.repeat(singleBytesMax - 2), 2])
    assert.deepEqual(values(wrong, every(wrong, step)), [1, 'payload_too_large', 2])
    const [fits = huge, tooMuch = huge] = carriage
    assert.deepEqual(values(fits, every(fits, step)), [1, 'x'.repeat(singleBytesMax - 2), 2])
    assert.deepEqual(values(tooMuch, every(tooMuch, step)), [1, 'payload_too_large', 2])
    assert.deepEqual(values(huge, every(huge, step)), [1, 'payload_too_large', 2])
  }
})

test('a line without end is not kept', () => {
  const cutter = new LineCutter()
  const before = process.memoryUsage().arrayBuffers
  for (let count = 0; count < 2_000; count++) cutter.cut(Buffer.alloc(64 * 1024, 0x20))
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024)
  assert.deepEqual(
    cutter.cut(Buffer.from('\n1\n')).map((value) => (value instanceof Problem ? value.code : value)),
    ['payload_too_large', 1],
  )
})

test('property: where the bytes are cut makes no difference', () => {
  const line = fc.oneof(
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    fc.constantFrom('', '\r', ' ', '{"a":', 'nul', '"字😀"').map((line) => Buffer.from(line)),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a))),
  )
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.boolean(),
      fc.array(fc.nat(400), { maxLength: 8 }),
      (lines, closed, cuts) => {
        const newline = Buffer.from('\n')
        const parts = lines.flatMap((bytes, index) => (index < lines.length - 1 || closed ? [bytes, newline] : [bytes]))
        const bytes = Buffer.concat(parts)
        const inside = cuts.filter((cut) => cut <= bytes.length)
        assert.deepEqual(values(bytes, inside), values(bytes))
        const alone = lines.flatMap((each) => values(each))
        assert.deepEqual(values(bytes), alone)
      },
    ),
    { numRuns: 500 },
  )
})
