// Metadata as it is compared and stored: JSON text with recursively sorted keys. What JSON or Postgres cannot hold as it was sent is
// refused here, not changed in silence.
import { metadataBytesMax } from '../../schemas/http/fields.ts'
import { invalid, Problem, shown } from './problem.ts'

/** U+0000, or a half of a surrogate pair alone. */
const unstorable = /[\0\p{Surrogate}]/u

/** Nesting costs at least two bytes a level: deeper cannot fit, and the recursion is bounded. */
const depthMax = metadataBytesMax / 2

/** The sorted text, at most `metadataBytesMax` bytes of UTF-8; else the problem, its field below `metadata`. */
export function metadataText(metadata: Readonly<Record<string, unknown>>): string | Problem {
  try {
    const text = objectText(metadata, 'metadata', 1)
    if (Buffer.byteLength(text) <= metadataBytesMax) return text
  } catch (error) {
    if (error instanceof Unfit) return error.problem
    throw error
  }
  return tooLarge
}

const tooLarge = invalid('metadata', `metadata must be at most ${metadataBytesMax} bytes as JSON text.`)

/** Leaves the recursion; never leaves this file. Without a stack, since nobody reads it. */
class Unfit {
  readonly problem: Problem
  constructor(problem: Problem) {
    this.problem = problem
  }
}

const unfit = (path: string, detail: string): never => {
  throw new Unfit(invalid(shown(path), detail))
}

function valueText(value: unknown, path: string, depth: number): string {
  switch (typeof value) {
    case 'string':
      return stringText(value, path)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)))
        return JSON.stringify(value)
      return unfit(path, `${shown(path)} must be a number that a double holds exactly (send larger ones as strings).`)
    case 'object':
      if (value === null) return 'null'
      if (depth > depthMax) throw new Unfit(tooLarge)
      if (Array.isArray(value))
        return `[${value.map((item, index) => valueText(item, `${path}[${index}]`, depth + 1)).join(',')}]`
      if (Object.getPrototypeOf(value) === Object.prototype)
        return objectText(value as Record<string, unknown>, path, depth)
  }
  return unfit(path, `${shown(path)} must be a JSON value.`)
}

function objectText(object: Readonly<Record<string, unknown>>, path: string, depth: number): string {
  const members: string[] = []
  for (const key of Object.keys(object).sort()) {
    const keyPath = `${path}.${shown(key)}`
    if (key === '__proto__') {
      throw new Unfit(new Problem('unknown_field', 'A key must not be __proto__.', shown(keyPath)))
    }
    members.push(`${stringText(key, keyPath)}:${valueText(object[key], keyPath, depth + 1)}`)
  }
  return `{${members.join(',')}}`
}

function stringText(text: string, path: string): string {
  if (unstorable.test(text)) return unfit(path, `${shown(path)} must not contain U+0000 or a lone surrogate.`)
  return JSON.stringify(text)
}
