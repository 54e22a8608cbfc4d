// Applies a mapping to the records of one file: a record in, a transaction's body out, or the field that stands in the way. That the body is
// one that the server takes is checked by the caller.
import {
  type AmountFormat,
  checkColumns,
  type MappedType,
  type Mapping,
  type TextField,
  typeFields,
} from './mapping.ts'
import { type Maker, makerOf, Unmade } from './template.ts'

export interface BadField {
  readonly field: string
  readonly detail: string
}

/** Members in the order of the contract's table. */
export type MappedBody = { readonly id: string; readonly type: MappedType } & { readonly [member: string]: unknown }

export type RowMapper = (record: readonly string[]) => { readonly body: MappedBody } | { readonly bad: BadField }

/** Throws `MappingError` where the mapping names a column that the file does not have. */
export function rowMapperOf(mapping: Mapping, columns: readonly string[]): RowMapper {
  checkColumns(mapping, columns)
  const at = new Map(columns.map((column, index) => [column, index]))
  const id = makerOf(mapping.id, at)
  const type = makerOf(mapping.type, at)
  const makers = new Map([...mapping.texts].map(([field, source]) => [field, makerOf(source, at)]))
  const ownSteps = new Map(
    Object.keys(typeFields).map((name) => [name as MappedType, stepsOf(name as MappedType, makers, mapping, at)]),
  )
  const commonSteps = [
    ...(['asset'] as const).flatMap((field) => textStep(field, makers, false)),
    ...businessDateStep(mapping, at),
    ...(['channel', 'reference'] as const).flatMap((field) => textStep(field, makers, false)),
    ...metadataStep(mapping, at),
  ]

  return (record) => {
    const madeId = id(record)
    if (typeof madeId !== 'string') return { bad: badOf('id', madeId) }
    const madeType = type(record)
    if (typeof madeType !== 'string') return { bad: badOf('type', madeType) }
    // Checked by `parseMapping`: a type is always one of the table.
    const body: Record<string, unknown> & { id: string; type: MappedType } = {
      id: madeId,
      type: madeType as MappedType,
    }
    for (const step of ownSteps.get(body.type) ?? []) {
      const bad = step(record, body)
      if (bad !== undefined) return { bad }
    }
    for (const step of commonSteps) {
      const bad = step(record, body)
      if (bad !== undefined) return { bad }
    }
    return { body }
  }
}

/** Puts one member into the body, or says why it cannot. */
type Step = (record: readonly string[], body: Record<string, unknown>) => BadField | undefined

function stepsOf(
  type: MappedType,
  makers: ReadonlyMap<TextField, Maker>,
  mapping: Mapping,
  at: ReadonlyMap<string, number>,
): readonly Step[] {
  const { needs, may }: { needs: readonly (TextField | 'amount')[]; may: readonly (TextField | 'amount')[] } =
    typeFields[type]
  return [...needs, ...may].flatMap((field) =>
    field === 'amount'
      ? amountStep(mapping, at, needs.includes('amount'))
      : textStep(field, makers, needs.includes(field)),
  )
}

function textStep(field: TextField, makers: ReadonlyMap<TextField, Maker>, needed: boolean): readonly Step[] {
  const maker = makers.get(field)
  if (maker === undefined) return []
  return [
    (record, body) => {
      const made = maker(record)
      if (typeof made === 'string') body[field] = made
      else if (needed || made !== null) return badOf(field, made)
      return undefined
    },
  ]
}

const badOf = (field: string, made: Unmade | null): BadField => ({
  field,
  detail: made === null ? 'its columns are empty' : made.detail,
})

function amountStep(mapping: Mapping, at: ReadonlyMap<string, number>, needed: boolean): readonly Step[] {
  const { amount } = mapping
  if (amount === undefined) return []
  const index = at.get(amount.column) ?? -1
  const read = amountReaderOf(amount)
  return [
    (record, body) => {
      const text = (record[index] ?? '').trim()
      if (text === '' && !needed) return undefined
      const made = read(text)
      if (made instanceof Unmade) return { field: 'amount', detail: made.detail }
      body.amount = made
      return undefined
    },
  ]
}

/** A file's number as the contract's decimal; digits after the point stay as they are. */
export function amountReaderOf({ column, decimal, group }: AmountFormat): (text: string) => string | Unmade {
  const escaped = (char: string) => char.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  const whole = group === '' ? '[0-9]+' : `(?:[0-9]{1,3}(?:${escaped(group)}[0-9]{3})+|[0-9]+)`
  const syntax = new RegExp(`^\\+?(${whole})(?:${escaped(decimal)}([0-9]+))?$`)
  return (text) => {
    const found = syntax.exec(text)
    if (found === null) {
      if (text === '') return new Unmade(`column ${column} is empty`)
      if (/^-/.test(text)) return new Unmade(`${JSON.stringify(text)} is negative; the type says the direction`)
      return new Unmade(`${JSON.stringify(text)} is not a number with "${decimal}" before the decimals`)
    }
    const digits = group === '' ? (found[1] ?? '') : (found[1] ?? '').replaceAll(group, '')
    const made = digits.replace(/^0+(?=[0-9])/, '') + (found[2] === undefined ? '' : `.${found[2]}`)
    return /[1-9]/.test(made) ? made : new Unmade(`${JSON.stringify(text)} is zero`)
  }
}

function businessDateStep(mapping: Mapping, at: ReadonlyMap<string, number>): readonly Step[] {
  const { businessDate } = mapping
  if (businessDate === undefined) return []
  const { column, read, format } = businessDate
  const index = at.get(column) ?? -1
  // Files are mostly in the order of their dates.
  let lastText = ''
  let lastDate = ''
  return [
    (record, body) => {
      const text = (record[index] ?? '').trim()
      if (text !== lastText) {
        const date = read(text)
        if (date === undefined)
          return {
            field: 'businessDate',
            detail: text === '' ? `column ${column} is empty` : `${JSON.stringify(text)} is not a date ${format}`,
          }
        lastText = text
        lastDate = date
      } else if (text === '') return { field: 'businessDate', detail: `column ${column} is empty` }
      body.businessDate = lastDate
      return undefined
    },
  ]
}

function metadataStep(mapping: Mapping, at: ReadonlyMap<string, number>): readonly Step[] {
  if (mapping.metadata.size === 0) return []
  const makers = [...mapping.metadata].map(([name, source]) => [name, makerOf(source, at)] as const)
  return [
    (record, body) => {
      let metadata: Record<string, string> | undefined
      for (const [name, maker] of makers) {
        const made = maker(record)
        if (made === null) continue
        if (made instanceof Unmade) return badOf(`metadata.${name}`, made)
        metadata ??= {}
        metadata[name] = made
      }
      if (metadata !== undefined) body.metadata = metadata
      return undefined
    },
  ]
}
