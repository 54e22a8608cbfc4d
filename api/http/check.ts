// Checks values against TypeBox schemas: a compiled test for the good, and for the bad the one problem that names the field. Unknown
// fields go first, since a misspelt option is what they protect from.
import type { Static, TSchema } from 'typebox'
// Not of 'typebox/compile': the same compiler, but that entry reads 200 files more at each start.
import { Compile } from 'typebox/schema'
import { invalid, Problem, ProblemError, shown } from './problem.ts'

interface Checker<Schema extends TSchema> {
  /** Hot: no allocation. */
  readonly check: (value: unknown) => value is Static<Schema>
  /** Why `check` said no. Tens of microseconds. */
  readonly explain: (value: unknown) => Problem
}

export function checker<Schema extends TSchema>(schema: Schema): Checker<Schema> {
  const compiled = Compile(schema)
  return {
    check: (value): value is Static<Schema> => compiled.Check(value),
    explain: (value) => problemOf(schema, compiled.Errors(value)[1]),
  }
}

/** For Fastify: validates parameters, queries and bodies with no conversion, no defaults and no removal. */
export function validatorCompiler({ schema }: { schema: TSchema }) {
  const { check, explain } = checker(schema)
  return (value: unknown): { value: unknown } | { error: Error } => {
    // A body that could not be read arrives as its problem (see `body-parsers.ts`).
    if (value instanceof Problem) return { error: new ProblemError(value) }
    return check(value) ? { value } : { error: new ProblemError(explain(value)) }
  }
}

type Errors = ReturnType<ReturnType<typeof Compile>['Errors']>[1]

function problemOf(schema: TSchema, errors: Errors): Problem {
  for (const error of errors) {
    if (error.keyword !== 'additionalProperties') continue
    const field = shown(fieldAt(error.instancePath, error.params.additionalProperties[0]))
    return new Problem('unknown_field', `There is no field ${JSON.stringify(field)} here.`, field)
  }
  const [first] = errors
  if (first === undefined) return invalid(undefined, 'The request is malformed.')
  if (first.keyword === 'required') {
    const field = fieldAt(first.instancePath, first.params.requiredProperties[0])
    return invalid(field, `${field} is missing.`)
  }
  const field = fieldAt(first.instancePath, undefined)
  if (field === '') return invalid(undefined, 'A JSON object is expected.')
  return invalid(shown(field), `${shown(field)} must be ${descriptionAt(schema, first.instancePath)}.`)
}

/** `/transfers/2` and `amount` -> `transfers[2].amount` */
function fieldAt(pointer: string, name: string | undefined): string {
  let field = ''
  const names = pointer.split('/').slice(1).map(unescaped)
  if (name !== undefined) names.push(name)
  for (const part of names) {
    if (field !== '' && /^[0-9]+$/.test(part)) field += `[${part}]`
    else field += field === '' ? part : `.${part}`
  }
  return field
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~')

/** What the schema says of the value at a pointer. */
function descriptionAt(schema: TSchema, pointer: string): string {
  let at: unknown = schema
  for (const part of pointer.split('/').slice(1)) {
    const parent: { properties?: Record<string, unknown>; items?: unknown } = Object(at)
    at = parent.properties?.[unescaped(part)] ?? parent.items
  }
  const { description } = Object(at) as { description?: unknown }
  return typeof description === 'string' ? description : 'as the schema says'
}
