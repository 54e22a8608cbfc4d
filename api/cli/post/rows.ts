// Reads a file of transactions row by row, NDJSON or CSV with a mapping: each row comes out as the JSON text to be sent, checked by the server's
// own intake rules, or as what is wrong with it and where. Memory is bounded by the longest row.
import { pipeline, Readable } from 'node:stream'
import { CsvError, type Options, parse } from 'csv-parse'
import type { TransactionCommand } from '../../../core/command.ts'
import { readTransaction } from '../../http/normalise.ts'
import { Problem } from '../../http/problem.ts'
import { type CsvFormat, listOf, type Mapping } from './mapping.ts'
import { type RowMapper, rowMapperOf } from './row-mapper.ts'

export type ReadRow =
  | {
      readonly kind: 'row'
      /** Of the file, from 1: where the row begins. */
      readonly line: number
      readonly json: string
      readonly command: TransactionCommand
    }
  | {
      readonly kind: 'bad'
      readonly line: number
      /** Undefined: the row as a whole. */
      readonly field: string | undefined
      readonly detail: string
    }

/** The file cannot be read on from here: wrong encoding, broken quotes. */
export class UnreadableFile extends Error {
  readonly line: number
  constructor(line: number, message: string, cause?: unknown) {
    super(`line ${line}: ${message}`, { cause })
    this.name = 'UnreadableFile'
    this.line = line
  }
}

type Bytes = AsyncIterable<Uint8Array | string>

/** The server takes lines up to 64 kB. */
const rowBytesMax = 64 * 1024

/** Throws `UnreadableFile`; `MappingError` where the file's columns are not those of the mapping. */
export const readRows = (bytes: Bytes, mapping: Mapping | undefined): AsyncGenerator<ReadRow, void, undefined> =>
  mapping === undefined ? readNdjson(bytes) : readCsv(bytes, mapping)

async function* readNdjson(bytes: Bytes): AsyncGenerator<ReadRow, void, undefined> {
  let line = 1
  let rest = ''
  for await (const piece of decoded(bytes, 'utf-8')) {
    const text = rest + piece
    let start = 0
    for (let stop = text.indexOf('\n'); stop !== -1; stop = text.indexOf('\n', start)) {
      const json = text.slice(start, stop).trim()
      if (json !== '') yield ndjsonRow(json, line)
      line++
      start = stop + 1
    }
    rest = text.slice(start)
    if (rest.length > 16 * rowBytesMax) throw new UnreadableFile(line, 'a line above 1 MB')
  }
  if (rest.trim() !== '') yield ndjsonRow(rest.trim(), line)
}

function ndjsonRow(json: string, line: number): ReadRow {
  let body: unknown
  try {
    body = JSON.parse(json)
  } catch {
    const hint = line === 1 && !json.startsWith('{') ? ' (a CSV file needs --mapping)' : ''
    return { kind: 'bad', line, field: undefined, detail: `is not JSON: ${shortened(json)}${hint}` }
  }
  return checkedRow(body, json, line)
}

/** `json` is the text of `body`. */
function checkedRow(body: unknown, json: string, line: number): ReadRow {
  const command = readTransaction(body, undefined)
  if (command instanceof Problem) {
    const given = command.field === undefined ? undefined : (body as Record<string, unknown>)[command.field]
    const value = given === undefined ? '' : `${shortened(JSON.stringify(given))}: `
    return { kind: 'bad', line, field: command.field, detail: value + command.detail }
  }
  if (json.length * 3 > rowBytesMax && Buffer.byteLength(json) > rowBytesMax)
    return { kind: 'bad', line, field: undefined, detail: `is above ${rowBytesMax} bytes as JSON` }
  return { kind: 'row', line, json, command }
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}..` : text)

async function* readCsv(bytes: Bytes, mapping: Mapping): AsyncGenerator<ReadRow, void, undefined> {
  const { csv } = mapping
  /** Where the record begins that the parser reads; it is ahead of the loop below. */
  let next = 1
  const options: Options<CsvRecord, readonly string[]> & { readonly readableHighWaterMark: number } = {
    delimiter: csv.delimiter,
    quote: csv.quote ?? false,
    record_delimiter: ['\r\n', '\n'],
    // Counted below, so that one short row is named with its line and does not end the file.
    relax_column_count: true,
    max_record_size: 16 * rowBytesMax,
    on_record: (record: readonly string[]): CsvRecord => {
      const line = next
      next += linesOf(record)
      return { line, record }
    },
    // 3 us a row, where the 16 records of the default cost 5-8.
    readableHighWaterMark: 1024,
  }
  // Its type does not know that `on_record` may give anything.
  const parser = parse(options as unknown as Options)
  // An error of the source comes out of the parser below.
  pipeline(Readable.from(decoded(bytes, csv.encoding)), parser, () => {})

  let columns = csv.columns
  let mapRow: RowMapper | undefined = csv.header || columns === undefined ? undefined : rowMapperOf(mapping, columns)
  try {
    for await (const { line, record } of parser as AsyncIterable<CsvRecord>) {
      if (record.length === 1 && record[0]?.trim() === '') continue
      if (mapRow === undefined) {
        columns = headerOf(record, csv, line)
        mapRow = rowMapperOf(mapping, columns)
        continue
      }
      yield csvRow(record, columns?.length ?? 0, mapRow, line)
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // Of a quote that swallows what follows the parser knows the end of the file, not the beginning of the row.
    const swallowing = swallowed[error.code]
    if (swallowing !== undefined) throw new UnreadableFile(next, swallowing, error)
    throw new UnreadableFile(Number(error.lines ?? next), error.message, error)
  } finally {
    parser.destroy()
  }
}

interface CsvRecord {
  readonly line: number
  readonly record: readonly string[]
}

const swallowed: { readonly [code: string]: string } = {
  CSV_QUOTE_NOT_CLOSED: 'a quote begins in this row and is not closed',
  CSV_MAX_RECORD_SIZE: 'a row above 1 MB begins here; is a quote not closed?',
}

function csvRow(record: readonly string[], columnCount: number, mapRow: RowMapper, line: number): ReadRow {
  if (record.length !== columnCount)
    return { kind: 'bad', line, field: undefined, detail: `has ${record.length} columns instead of ${columnCount}` }
  const mapped = mapRow(record)
  if ('bad' in mapped) return { kind: 'bad', line, ...mapped.bad }
  return checkedRow(mapped.body, JSON.stringify(mapped.body), line)
}

function headerOf(record: readonly string[], csv: CsvFormat, line: number): readonly string[] {
  const names = record.map((name) => name.trim())
  if (csv.columns !== undefined && csv.columns.join('\0') !== names.join('\0'))
    throw new UnreadableFile(line, `the header is ${listOf(names)}; the mapping expects ${listOf(csv.columns)}`)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UnreadableFile(line, `the header names ${shortened(JSON.stringify(twice))} twice`)
  return names
}

/** Lines that a record takes: quoted values may hold line breaks. */
function linesOf(record: readonly string[]): number {
  let lines = 1
  for (const value of record) for (let at = value.indexOf('\n'); at !== -1; at = value.indexOf('\n', at + 1)) lines++
  return lines
}

/** Text of the bytes. A byte order mark is dropped; bytes that the encoding does not have end it. */
async function* decoded(bytes: Bytes, encoding: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder(encoding, { fatal: true })
  let line = 1
  /** Of the line in which the next piece goes on. */
  let begun: Buffer = Buffer.alloc(0)
  for await (const piece of bytes) {
    const chunk =
      typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    let text: string
    try {
      text = decoder.decode(chunk, { stream: true })
    } catch (error) {
      throw new UnreadableFile(...undecodable(Buffer.concat([begun, chunk]), encoding, line), error)
    }
    yield text
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) line++
    begun = chunk.subarray(chunk.lastIndexOf(newline) + 1)
  }
  try {
    yield decoder.decode()
  } catch (error) {
    throw new UnreadableFile(...undecodable(begun, encoding, line), error)
  }
}

const newline = 10

/** The first line that cannot be decoded, and the sentence about it. In every encoding but UTF-16 the byte 10 is a line break and nothing else. */
function undecodable(bytes: Buffer, encoding: string, firstLine: number): [line: number, message: string] {
  if (encoding.startsWith('utf-16')) return [firstLine, `here or soon after it, bytes that are not ${encoding}`]
  let line = firstLine
  for (let start = 0; ; line++) {
    const stop = bytes.indexOf(newline, start)
    try {
      new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(start, stop === -1 ? undefined : stop))
    } catch {
      break
    }
    if (stop === -1) break
    start = stop + 1
  }
  return [line, `has bytes that are not ${encoding}`]
}
