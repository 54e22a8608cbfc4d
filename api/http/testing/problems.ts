// What every problem must look like, wherever it comes from.
import assert from 'node:assert/strict'
import { type ProblemCode, problems } from '../../../schemas/problem.ts'

interface Answered {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** Right shape, status, headers; then the code and field that were expected. */
export function assertProblem(answered: Answered, code: ProblemCode, field?: string, note = ''): void {
  const problem = JSON.parse(answered.body) as Record<string, unknown>
  const shown = `${note} ${answered.body}`
  assert.equal(problem.code, code, shown)
  assert.equal(problem.field, field, shown)
  const { http, title, retryable, effect } = problems[code]
  assert.equal(answered.statusCode, http, shown)
  assert.equal(answered.headers['content-type'], 'application/problem+json', shown)
  assert.equal(typeof answered.headers['x-request-id'], 'string', shown)
  assert.equal(Number(answered.headers['content-length']), Buffer.byteLength(answered.body))
  const { type, status, detail, instance } = problem
  assert.deepEqual(
    { type, title: problem.title, status, retryable: problem.retryable, effect: problem.effect },
    { type: `urn:suanpan:problem:${code}`, title, status: http, retryable, effect },
  )
  assert.ok(typeof detail === 'string' && detail.length > 0 && !detail.includes('undefined'), shown)
  assert.ok(typeof instance === 'string' && instance.startsWith('/') && !instance.includes('?owner=&'), shown)
}
