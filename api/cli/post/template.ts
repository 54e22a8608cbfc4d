// The two ways in which a mapping makes a text from a row: a template (`acct-{account_id}:cash`) and a lookup of a column's value. Column
// values are trimmed. Knows nothing of transactions.

export type Part = { readonly text: string } | { readonly column: string }
export interface Template {
  readonly kind: 'template'
  readonly parts: readonly Part[]
}
export interface Lookup {
  readonly kind: 'lookup'
  readonly column: string
  /** By the column's value; null: leave the member out. */
  readonly values: ReadonlyMap<string, Template | null>
  /** For any other value; undefined: such a row does not map. */
  readonly otherwise: Template | null | undefined
}
export type TextSource = Template | Lookup

export class TemplateSyntaxError extends Error {}

/** `{name}` stands for a column; `{{` and `}}` for the braces themselves. */
export function parseTemplate(text: string): Template {
  const parts: Part[] = []
  let literal = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if ((char === '{' || char === '}') && text[at + 1] === char) {
      literal += char
      at++
    } else if (char === '{') {
      const stop = text.indexOf('}', at)
      const column = stop === -1 ? '' : text.slice(at + 1, stop)
      if (column === '' || column.includes('{'))
        throw new TemplateSyntaxError(`"{" at character ${at + 1} begins no {column} (write {{ for a brace)`)
      if (literal !== '') parts.push({ text: literal })
      literal = ''
      parts.push({ column })
      at = stop
    } else if (char === '}') {
      throw new TemplateSyntaxError(`"}" at character ${at + 1} ends no {column} (write }} for a brace)`)
    } else literal += char
  }
  if (literal !== '') parts.push({ text: literal })
  return { kind: 'template', parts }
}

/** Columns that a source names. */
export function columnsOf(source: TextSource): readonly string[] {
  if (source.kind === 'template') return source.parts.flatMap((part) => ('column' in part ? [part.column] : []))
  const targets = [...source.values.values(), source.otherwise].filter(
    (target) => target !== null && target !== undefined,
  )
  return [source.column, ...targets.flatMap(columnsOf)]
}

/** What a row makes of a source: the text; null: nothing, leave it out; or why it cannot. */
export type Made = string | null | Unmade
export class Unmade {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

export type Maker = (record: readonly string[]) => Made

/** Expects every column of `source` in `columns`. A template whose columns are all empty makes null. */
export function makerOf(source: TextSource, columns: ReadonlyMap<string, number>): Maker {
  return source.kind === 'template' ? templateMaker(source, columns) : lookupMaker(source, columns)
}

function templateMaker(template: Template, columns: ReadonlyMap<string, number>): Maker {
  const parts = template.parts.map((part) => ('column' in part ? (columns.get(part.column) ?? -1) : part.text))
  if (!parts.some((part) => typeof part === 'number')) {
    const text = parts.join('')
    return () => text
  }
  return (record) => {
    let text = ''
    let empty = true
    for (const part of parts) {
      if (typeof part === 'string') text += part
      else {
        const value = (record[part] ?? '').trim()
        if (value !== '') empty = false
        text += value
      }
    }
    return empty ? null : text.trim()
  }
}

function lookupMaker(lookup: Lookup, columns: ReadonlyMap<string, number>): Maker {
  const at = columns.get(lookup.column) ?? -1
  const makerOrNull = (target: Template | null): Maker =>
    target === null ? () => null : templateMaker(target, columns)
  const makers = new Map([...lookup.values].map(([value, target]) => [value, makerOrNull(target)]))
  const otherwise = lookup.otherwise === undefined ? undefined : makerOrNull(lookup.otherwise)
  return (record) => {
    const value = (record[at] ?? '').trim()
    const maker = makers.get(value) ?? otherwise
    return maker === undefined
      ? new Unmade(`no entry for ${JSON.stringify(value)} of column ${lookup.column}`)
      : maker(record)
  }
}
