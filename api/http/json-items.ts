// A batch as one JSON array. The items are first cut apart without building anything, then parsed one by one: a bad item fails alone, and
// 32 MB of `{},{},..` costs no memory before it is refused (parsed as a whole it took 2.4 GB).
import type { Items } from './array-batch.ts'
import { emptyBody, parseJson, singleBytesMax } from './body-parsers.ts'
import { invalid, Problem } from './problem.ts'

/** The items, or why there are none. An item that is bad is a `Problem` in its place. */
export function readJsonItems(bytes: Buffer, itemsMax: number): Items | Problem {
  const first = skipBlank(bytes, 0)
  if (first === bytes.length) return emptyBody
  if (bytes[first] !== openBracket) return notAnArray
  const extents = itemExtents(bytes, first + 1, itemsMax)
  if (extents instanceof Problem) return extents
  return {
    count: extents.length / 2,
    at: (index) => parseItem(bytes.subarray(extents[index * 2] ?? 0, extents[index * 2 + 1] ?? 0)),
  }
}

export const notAnArray = invalid(undefined, 'The batch must be an array of transactions.')
export const itemTooLong = new Problem('payload_too_large', `An item must be at most ${singleBytesMax} bytes.`)
export const tooManyItems = (itemsMax: number): Problem =>
  new Problem('payload_too_large', `A batch in one body has at most ${itemsMax} items; send a longer one as NDJSON.`)

const brokenArray = invalid(undefined, 'The text is not a valid JSON array.')

function parseItem(bytes: Buffer): unknown {
  return bytes.length > singleBytesMax ? itemTooLong : parseJson(bytes)
}

const quote = 0x22
const comma = 0x2c
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Where each item begins and ends, two numbers an item, from behind the array's bracket: commas and the last bracket count outside strings,
 * braces and brackets.
 */
function itemExtents(bytes: Buffer, start: number, itemsMax: number): number[] | Problem {
  const extents: number[] = []
  const { length } = bytes
  let from = skipBlank(bytes, start)
  if (bytes[from] === closeBracket) return skipBlank(bytes, from + 1) === length ? extents : brokenArray
  let depth = 0
  for (let at = from; at < length; at++) {
    const byte = bytes[at]
    if (byte === quote) {
      at = endOfString(bytes, at)
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1
    } else if (depth > 0) {
      if (byte === closeBrace || byte === closeBracket) depth -= 1
    } else if (byte === comma || byte === closeBracket) {
      if (at === from) return brokenArray
      if (extents.length === itemsMax * 2) return tooManyItems(itemsMax)
      extents.push(from, at)
      from = skipBlank(bytes, at + 1)
      if (byte === closeBracket) return from === length ? extents : brokenArray
      at = from - 1
    }
  }
  return brokenArray
}

/** Index of the closing quote of the string that opens at `at`; the length of `bytes` if there is none. */
function endOfString(bytes: Buffer, at: number): number {
  const { length } = bytes
  let index = at + 1
  while (index < length && bytes[index] !== quote) index += bytes[index] === backslash ? 2 : 1
  return index
}

function skipBlank(bytes: Buffer, at: number): number {
  let index = at
  while (isBlank(bytes[index])) index += 1
  return index
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
