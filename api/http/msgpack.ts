// A batch in MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md): an array of maps in, an array of maps out. The items
// are first cut apart without building anything, then the library decodes each: a bad item fails alone, and the head of an array that
// claims a million values cannot make the decoder reserve room for them.
import { isUtf8 } from 'node:buffer'
import { DecodeError, Decoder, Encoder } from '@msgpack/msgpack'
import type { Answer } from '../../actors/engine.ts'
import type { Items } from './array-batch.ts'
import { brokenUtf8, singleBytesMax } from './body-parsers.ts'
import { itemTooLong, notAnArray, tooManyItems } from './json-items.ts'
import { invalid, Problem } from './problem.ts'

/** Deeper than any metadata that fits; bounds the stack of the cutter. */
const depthMax = 2_048

/** The items, or why there are none. An item that is bad is a `Problem` in its place. */
export function readPackedItems(bytes: Buffer, itemsMax: number): Items | Problem {
  const count = arraySize(bytes)
  if (count === undefined) return notAnArray
  if (count.size > itemsMax) return tooManyItems(itemsMax)
  /** Where each item begins, and last where the array ends. */
  const starts = [count.at]
  /** Items with a string that is not UTF-8. */
  const broken = new Set<number>()
  let { at } = count
  for (let index = 0; index < count.size; index++) {
    const extent = extentOf(bytes, at)
    if (extent instanceof Problem) return extent
    if (!extent.text) broken.add(index)
    at = extent.end
    starts.push(at)
  }
  if (at !== bytes.length) return trailing
  return {
    count: count.size,
    at: (index) =>
      broken.has(index) ? brokenUtf8 : decodeItem(bytes.subarray(starts[index] ?? 0, starts[index + 1] ?? 0)),
  }
}

const truncated = invalid(undefined, 'The MessagePack ends in the middle, or has a byte that says nothing.')
const trailing = invalid(undefined, 'There are bytes behind the array.')
const tooDeep = invalid(undefined, `An item must not nest deeper than ${depthMax} levels.`)
const protoKey = new Problem('unknown_field', 'There is no field "__proto__" here.', '__proto__')
const brokenItem = invalid(undefined, 'The item is not valid MessagePack with string keys.')

const decoder = new Decoder()

function decodeItem(bytes: Uint8Array): unknown {
  if (bytes.length > singleBytesMax) return itemTooLong
  try {
    return decoder.decode(bytes)
  } catch (error) {
    return error instanceof DecodeError && error.message.includes('__proto__') ? protoKey : brokenItem
  }
}

const encoder = new Encoder()

/** `{"index","http","replayed","body"}` with the body as a map. */
export const packAnswer = (index: number, { http, replayed, body }: Answer): Uint8Array =>
  encoder.encode({ index, http, replayed, body: JSON.parse(body) as unknown })

/** An array of packed values. */
export function packArray(values: readonly Uint8Array[]): Buffer {
  const head = Buffer.allocUnsafe(5)
  head.writeUInt8(0xdd, 0)
  head.writeUInt32BE(values.length, 1)
  return Buffer.concat([head, ...values])
}

function arraySize(bytes: Buffer): { size: number; at: number } | undefined {
  const head = bytes[0] ?? 0
  if (head >= 0x90 && head <= 0x9f) return { size: head & 0x0f, at: 1 }
  if (head === 0xdc && bytes.length >= 3) return { size: bytes.readUInt16BE(1), at: 3 }
  if (head === 0xdd && bytes.length >= 5) return { size: bytes.readUInt32BE(1), at: 5 }
  return undefined
}

/** Where the value at `at` ends and whether all its strings are UTF-8, or why that cannot be said. Builds nothing. */
function extentOf(bytes: Buffer, start: number): { end: number; text: boolean } | Problem {
  let text = true
  let at = start
  /** Values still to come on each open level. */
  const open = [1]
  for (;;) {
    const left = open.pop()
    if (left === undefined) return { end: at, text }
    if (left > 1) open.push(left - 1)
    const head = headAt(bytes, at)
    if (head === undefined) return truncated
    at = head.at + head.bytes
    if (at > bytes.length) return truncated
    if (head.text && !isUtf8(bytes.subarray(head.at, at))) text = false
    if (head.values === 0) continue
    if (open.length === depthMax) return tooDeep
    open.push(head.values)
  }
}

interface Head {
  /** First byte behind the head. */
  readonly at: number
  /** Bytes of payload. */
  readonly bytes: number
  readonly text: boolean
  /** Values that follow: of an array its size, of a map twice that. */
  readonly values: number
}

/** Payload bytes of the formats 0xc4 to 0xd8 whose length is fixed. */
const fixedBytes: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
  // fixext: a type byte and the data
  212: 2,
  213: 3,
  214: 5,
  215: 9,
  216: 17,
}

function headAt(bytes: Buffer, at: number): Head | undefined {
  if (at >= bytes.length) return undefined
  const byte = bytes[at] ?? 0
  const next = at + 1
  if (byte <= 0x7f || byte >= 0xe0 || byte === 0xc0 || byte === 0xc2 || byte === 0xc3) return plain(next, 0)
  if (byte <= 0x8f) return { at: next, bytes: 0, text: false, values: 2 * (byte & 0x0f) }
  if (byte <= 0x9f) return { at: next, bytes: 0, text: false, values: byte & 0x0f }
  if (byte <= 0xbf) return { at: next, bytes: byte & 0x1f, text: true, values: 0 }
  const fixed = fixedBytes[byte]
  if (fixed !== undefined) return plain(next, fixed)
  const size = sizeAt(bytes, byte, next)
  if (size === undefined) return undefined
  if (byte >= 0xde) return { at: size.at, bytes: 0, text: false, values: 2 * size.value }
  if (byte >= 0xdc) return { at: size.at, bytes: 0, text: false, values: size.value }
  if (byte >= 0xd9) return { at: size.at, bytes: size.value, text: true, values: 0 }
  // bin, and ext with its type byte
  return plain(size.at, size.value + (byte >= 0xc7 ? 1 : 0))
}

const plain = (at: number, bytes: number): Head => ({ at, bytes, text: false, values: 0 })

/** Bytes of the length field of the formats that have one. */
const lengthBytes: Readonly<Record<number, 1 | 2 | 4>> = {
  196: 1,
  197: 2,
  198: 4,
  199: 1,
  200: 2,
  201: 4,
  217: 1,
  218: 2,
  219: 4,
  220: 2,
  221: 4,
  222: 2,
  223: 4,
}

/** The length field behind a head byte; undefined for 0xc1, which says nothing, and where the bytes end. */
function sizeAt(bytes: Buffer, byte: number, at: number): { value: number; at: number } | undefined {
  const width = lengthBytes[byte]
  if (width === undefined || at + width > bytes.length) return undefined
  return { value: bytes.readUIntBE(at, width), at: at + width }
}
