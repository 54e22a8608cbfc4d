// One item of a batch as text: the body of the single call, spliced in as it came.
import type { Answer } from '../../actors/engine.ts'
import type { Problem } from './problem.ts'

/** Path of the single call: an item's body is what that call would have answered. */
const singlePath = '/v1/transactions'

export const answerOfProblem = (problem: Problem): Answer => ({
  http: problem.http,
  replayed: false,
  body: problem.body(singlePath),
})

export const itemText = (index: number, { http, replayed, body }: Answer): string =>
  `{"index":${index},"http":${http},"replayed":${replayed},"body":${body}}`
