// The mapping file: how a row of a CSV file becomes a transaction. Reads and checks the file itself, refusing unknown members and naming
// the path of what is wrong; `row-mapper.ts` applies it.
import { nearest } from '../command.ts'
import { type DateReader, dateReaderOf } from './date-format.ts'
import { columnsOf, parseTemplate, type Template, TemplateSyntaxError, type TextSource } from './template.ts'

export interface CsvFormat {
  /** One character or more. */
  readonly delimiter: string
  /** Null: quotes have no meaning. */
  readonly quote: string | null
  /** The first line names the columns. */
  readonly header: boolean
  /** Without a header the names of the columns; with one what it must say. */
  readonly columns: readonly string[] | undefined
  /** A label of the WHATWG Encoding Standard: utf-8, windows-1250, gb18030.. */
  readonly encoding: string
}

/** Fields of a transaction that a mapping can fill, besides `id` and `type`. */
export const textFields = ['account', 'from', 'to', 'hold', 'of', 'asset', 'channel', 'reference'] as const
export type TextField = (typeof textFields)[number]

export interface Mapping {
  readonly csv: CsvFormat
  readonly id: Template
  readonly type: TextSource
  readonly texts: ReadonlyMap<TextField, TextSource>
  readonly amount: AmountFormat | undefined
  readonly businessDate: { readonly column: string; readonly read: DateReader; readonly format: string } | undefined
  readonly metadata: ReadonlyMap<string, TextSource>
  /** Accounts that are missing are opened like this before anything is sent. */
  readonly open: OpenLike | undefined
}

export interface AmountFormat {
  readonly column: string
  readonly decimal: string
  /** Between groups of three digits; empty: none. */
  readonly group: string
}

export interface OpenLike {
  readonly asset: string
  readonly overdraft: string
  readonly normal: 'credit' | 'debit'
}

/** What each type needs and may have of the fields that differ between types. */
export const typeFields = {
  debit: { needs: ['account', 'amount'], may: ['to'] },
  credit: { needs: ['account', 'amount'], may: ['from'] },
  transfer: { needs: ['from', 'to', 'amount'], may: [] },
  hold: { needs: ['account', 'amount'], may: ['to'] },
  capture: { needs: ['account', 'hold'], may: ['amount'] },
  release: { needs: ['account', 'hold'], may: [] },
  refund: { needs: ['account', 'of'], may: ['amount'] },
} as const satisfies Record<string, { needs: readonly OwnField[]; may: readonly OwnField[] }>

type OwnField = TextField | 'amount'
export type MappedType = keyof typeof typeFields

/** POSIX strptime's %y. */
const pivotDefault = 69

/** Something in the mapping file is wrong; the message begins with the path of the member. */
export class MappingError extends Error {
  constructor(path: string, message: string) {
    super(path === '' ? message : `${path}: ${message}`)
    this.name = 'MappingError'
  }
}

/** Throws `MappingError`. */
export function parseMapping(text: string): Mapping {
  let json: unknown
  try {
    // Editors on Windows begin a file with a byte order mark.
    json = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new MappingError('', `is not JSON: ${(error as Error).message}`)
  }
  const members = objectAt(json, '', ['csv', 'id', 'type', 'amount', 'businessDate', 'metadata', 'open', ...textFields])
  const texts = new Map<TextField, TextSource>()
  for (const field of textFields) if (members[field] !== undefined) texts.set(field, sourceAt(members[field], field))
  const mapping: Mapping = {
    csv: csvAt(members.csv ?? {}),
    id: templateAt(required(members.id, 'id'), 'id'),
    type: typeAt(required(members.type, 'type')),
    texts,
    amount: members.amount === undefined ? undefined : amountAt(members.amount),
    businessDate: members.businessDate === undefined ? undefined : businessDateAt(members.businessDate),
    metadata: members.metadata === undefined ? new Map() : metadataAt(members.metadata),
    open: members.open === undefined ? undefined : openAt(members.open),
  }
  checkId(mapping.id)
  checkTypes(mapping)
  if (mapping.csv.columns !== undefined) checkColumns(mapping, mapping.csv.columns)
  return mapping
}

/** Each column that the mapping names must be in the file. Throws `MappingError` with the nearest one. */
export function checkColumns(mapping: Mapping, columns: readonly string[]): void {
  const check = (path: string, named: readonly string[]): void => {
    for (const column of named) {
      if (columns.includes(column)) continue
      const near = nearest(column, columns)
      const hint = near === undefined ? `; there are ${listOf(columns)}` : `; did you mean ${near}?`
      throw new MappingError(path, `there is no column ${JSON.stringify(column)}${hint}`)
    }
  }
  check('id', columnsOf(mapping.id))
  check('type', columnsOf(mapping.type))
  for (const [field, source] of mapping.texts) check(field, columnsOf(source))
  if (mapping.amount !== undefined) check('amount.column', [mapping.amount.column])
  if (mapping.businessDate !== undefined) check('businessDate.column', [mapping.businessDate.column])
  for (const [name, source] of mapping.metadata) check(`metadata.${name}`, columnsOf(source))
}

/** Shortened: with a wrong delimiter or encoding a "name" may be a megabyte. */
export function listOf(columns: readonly string[]): string {
  const text = columns.slice(0, 50).join(', ')
  return text.length > 500 || columns.length > 50 ? `${text.slice(0, 500)}..` : text
}

function csvAt(value: unknown): CsvFormat {
  const csv = objectAt(value, 'csv', ['delimiter', 'quote', 'header', 'columns', 'encoding'])
  const { delimiter = ',', quote = '"', header = true, encoding = 'utf-8', columns } = csv
  if (quote !== null && (typeof quote !== 'string' || quote.length !== 1))
    throw new MappingError('csv.quote', 'must be one character, or null for none')
  if (typeof header !== 'boolean') throw new MappingError('csv.header', 'must be true or false')
  if (columns !== undefined && !(Array.isArray(columns) && columns.length > 0 && columns.every(isText)))
    throw new MappingError('csv.columns', 'must be a list of column names')
  if (columns !== undefined && new Set(columns).size < columns.length)
    throw new MappingError('csv.columns', 'names a column twice')
  if (columns === undefined && !header)
    throw new MappingError('csv.columns', 'is missing: a file without a header needs names for its columns')
  return {
    delimiter: textAt(delimiter, 'csv.delimiter'),
    quote,
    header,
    columns,
    encoding: encodingAt(encoding),
  }
}

function encodingAt(value: unknown): string {
  const label = textAt(value, 'csv.encoding')
  try {
    return new TextDecoder(label).encoding
  } catch {
    throw new MappingError('csv.encoding', `${JSON.stringify(label)} is not known here`)
  }
}

function typeAt(value: unknown): TextSource {
  const source = sourceAt(value, 'type')
  for (const [name, target] of targetsOf(source)) {
    const path = name === undefined ? 'type' : `type.${name}`
    const type = target === null ? undefined : plainText(target)
    if (type !== undefined && Object.hasOwn(typeFields, type)) continue
    throw new MappingError(path, `must be one of ${Object.keys(typeFields).join(', ')}`)
  }
  return source
}

/** Every type that rows can get. */
function typesOf(source: TextSource): readonly MappedType[] {
  const names = targetsOf(source).map(([, target]) => (target === null ? '' : plainText(target)))
  return [...new Set(names)] as MappedType[]
}

/** The templates of a source, with their names below its path. */
const targetsOf = (source: TextSource): readonly (readonly [string | undefined, Template | null])[] =>
  source.kind === 'template'
    ? [[undefined, source]]
    : [
        ...[...source.values].map(([value, target]) => [`values.${value}`, target] as const),
        ...(source.otherwise === undefined ? [] : [['otherwise', source.otherwise] as const]),
      ]

/** The text of a template without columns. */
function plainText(template: Template): string | undefined {
  if (columnsOf(template).length > 0) return undefined
  return template.parts.map((part) => ('text' in part ? part.text : '')).join('')
}

/** One id for every row would post the first and replay or refuse the rest. */
function checkId(id: Template): void {
  if (columnsOf(id).length === 0)
    throw new MappingError('id', 'must name a column, such as "bank-{number}": each row needs an id of its own')
}

function checkTypes(mapping: Mapping): void {
  const given = new Set<OwnField>(mapping.texts.keys())
  if (mapping.amount !== undefined) given.add('amount')
  const used = new Set<OwnField>(['asset', 'channel', 'reference'])
  for (const type of typesOf(mapping.type)) {
    const { needs, may }: { needs: readonly OwnField[]; may: readonly OwnField[] } = typeFields[type]
    for (const field of needs) if (!given.has(field)) throw new MappingError(field, `is missing: a ${type} needs it`)
    for (const field of [...needs, ...may]) used.add(field)
  }
  for (const field of given)
    if (!used.has(field)) throw new MappingError(field, `no type of this mapping has such a field`)
  const asset = mapping.texts.get('asset')
  const constant = asset?.kind === 'template' ? plainText(asset) : undefined
  if (mapping.open !== undefined && constant !== undefined && constant !== mapping.open.asset)
    throw new MappingError('open.asset', `is ${mapping.open.asset}, but the rows have the asset ${constant}`)
}

function amountAt(value: unknown): AmountFormat {
  const amount = objectAt(value, 'amount', ['column', 'decimal', 'group'])
  const { decimal = '.', group = '' } = amount
  if (decimal !== '.' && decimal !== ',') throw new MappingError('amount.decimal', 'must be "." or ","')
  if (typeof group !== 'string' || group.length > 1 || /[0-9]/.test(group))
    throw new MappingError('amount.group', 'must be one character that is not a digit, or empty')
  if (group === decimal) throw new MappingError('amount.group', 'must differ from amount.decimal')
  return { column: textAt(required(amount.column, 'amount.column'), 'amount.column'), decimal, group }
}

function businessDateAt(value: unknown): Mapping['businessDate'] {
  const date = objectAt(value, 'businessDate', ['column', 'format', 'pivot'])
  const format = textAt(date.format ?? 'YYYY-MM-DD', 'businessDate.format')
  const pivot = date.pivot ?? pivotDefault
  if (typeof pivot !== 'number' || !Number.isInteger(pivot) || pivot < 0 || pivot > 100)
    throw new MappingError('businessDate.pivot', 'must be a whole number from 0 to 100')
  if (date.pivot !== undefined && format.includes('YYYY'))
    throw new MappingError('businessDate.pivot', 'has no meaning for years of four digits')
  try {
    const read = dateReaderOf(format, pivot)
    return { column: textAt(required(date.column, 'businessDate.column'), 'businessDate.column'), read, format }
  } catch (error) {
    if (error instanceof RangeError) throw new MappingError('businessDate.format', error.message)
    throw error
  }
}

function metadataAt(value: unknown): ReadonlyMap<string, TextSource> {
  const members = objectAt(value, 'metadata', undefined)
  return new Map(Object.entries(members).map(([name, member]) => [name, sourceAt(member, `metadata.${name}`)]))
}

function openAt(value: unknown): OpenLike {
  const open = objectAt(value, 'open', ['asset', 'overdraft', 'normal'])
  const { overdraft = '0', normal = 'credit' } = open
  if (typeof overdraft !== 'string' || !/^(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?$/.test(overdraft))
    throw new MappingError('open.overdraft', 'must be a decimal string of zero or more, such as "500.00"')
  if (normal !== 'credit' && normal !== 'debit') throw new MappingError('open.normal', 'must be "credit" or "debit"')
  return { asset: textAt(required(open.asset, 'open.asset'), 'open.asset'), overdraft, normal }
}

function sourceAt(value: unknown, path: string): TextSource {
  if (typeof value === 'string') return templateAt(value, path)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MappingError(path, 'must be a template such as "acct-{number}", or a lookup {"column", "values"}')
  const lookup = objectAt(value, path, ['column', 'values', 'otherwise'])
  const values = objectAt(required(lookup.values, `${path}.values`), `${path}.values`, undefined)
  const targetAt = (target: unknown, at: string) => (target === null ? null : templateAt(target, at))
  return {
    kind: 'lookup',
    column: textAt(required(lookup.column, `${path}.column`), `${path}.column`),
    values: new Map(Object.entries(values).map(([name, target]) => [name, targetAt(target, `${path}.values.${name}`)])),
    otherwise: lookup.otherwise === undefined ? undefined : targetAt(lookup.otherwise, `${path}.otherwise`),
  }
}

function templateAt(value: unknown, path: string): Template {
  const text = textAt(value, path)
  try {
    return parseTemplate(text)
  } catch (error) {
    if (error instanceof TemplateSyntaxError) throw new MappingError(path, error.message)
    throw error
  }
}

type Members = { readonly [name: string]: unknown }

/** `known` undefined: any names. */
function objectAt(value: unknown, path: string, known: readonly string[] | undefined): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MappingError(path, 'must be a JSON object')
  for (const name of known === undefined ? [] : Object.keys(value)) {
    if (known?.includes(name)) continue
    const near = nearest(name, known ?? [])
    const hint = near === undefined ? `; known are ${known?.join(', ')}` : `; did you mean ${near}?`
    throw new MappingError(path === '' ? name : `${path}.${name}`, `is not a member of a mapping${hint}`)
  }
  return value as Members
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function textAt(value: unknown, path: string): string {
  if (!isText(value)) throw new MappingError(path, 'must be a text that is not empty')
  return value
}

function required(value: unknown, path: string): unknown {
  if (value === undefined) throw new MappingError(path, 'is missing')
  return value
}
