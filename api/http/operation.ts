// Words of the OpenAPI document that every route uses: its answers, problems and headers.
import { Type } from 'typebox'
import { type ProblemCode, problems } from '../../schemas/problem.ts'

const requestIdHeader = {
  'x-request-id': { type: 'string', description: 'Taken from the request if it was sent.' },
} as const

interface AnswerSchema {
  readonly description: string
  readonly headers: Readonly<Record<string, { readonly type: 'string'; readonly description: string }>>
  readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>
}

/** A JSON answer of the named schema; `headers`: name -> description. */
export function textAnswer(
  description: string,
  schema: string,
  headers: Readonly<Record<string, string>> = {},
): AnswerSchema {
  const described = Object.entries(headers).map(
    ([name, text]) => [name, { type: 'string', description: text }] as const,
  )
  return {
    description,
    headers: { ...requestIdHeader, ...Object.fromEntries(described) },
    content: { 'application/json': { schema: { $ref: `${schema}#` } } },
  }
}

export const replayedAnswer = textAnswer('The first answer again, byte for byte.', 'Transaction', {
  'idempotent-replayed': '`true`: the id had been decided before.',
})

/** The problems of each status, by the one table. */
export function problemAnswers(...statuses: readonly number[]): Record<number, AnswerSchema> {
  return Object.fromEntries(statuses.map((status) => [status, problemAnswer(status)]))
}

function problemAnswer(status: number): AnswerSchema {
  const codes = (Object.keys(problems) as ProblemCode[]).filter((code) => problems[code].http === status)
  const retry = codes.some((code) => problems[code].retryable) && status !== 500
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}`).join('\n\n'),
    headers: {
      ...requestIdHeader,
      ...(retry ? { 'retry-after': { type: 'string', description: 'Seconds to wait.' } } : {}),
      ...(status === 422 ? { 'idempotent-replayed': { type: 'string', description: '`true` on a repeat.' } } : {}),
    },
    content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
  }
}

export const idempotencyKey = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ description: 'Stands in for `id`, plain or quoted; both given must be equal.' }),
  ),
})
