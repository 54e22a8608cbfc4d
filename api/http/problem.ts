// What is wrong with a request, as data: a code of the one table, the field and a sentence. Rendering is `schemas/problem.ts`; how
// it is sent is `reply.ts`; what an engine declines never comes this way, it arrives as ready text.
import { type ProblemCode, problemBody, problems } from '../../schemas/problem.ts'

export class Problem {
  readonly code: ProblemCode
  readonly detail: string
  readonly field: string | undefined
  /** Path of the resource, where that is more than the path of the request. */
  readonly instance: string | undefined

  constructor(code: ProblemCode, detail: string, field?: string, instance?: string) {
    this.code = code
    this.detail = detail
    this.field = field
    this.instance = instance
  }

  get http(): number {
    return problems[this.code].http
  }

  /** JSON text; `path` is that of the request. */
  body(path: string): string {
    return problemBody(this.code, { detail: this.detail, field: this.field, instance: this.instance ?? path })
  }
}

export const invalid = (field: string | undefined, detail: string): Problem => new Problem('invalid', detail, field)

/** Carries a problem through code that can only throw: handlers that await, Fastify's validator. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

export function refuse(code: ProblemCode, detail: string, field?: string): never {
  throw new ProblemError(new Problem(code, detail, field))
}

const shownMax = 128

/** A client's own name for something, as it may stand in a problem: cut to a sane length. */
export const shown = (name: string): string => (name.length <= shownMax ? name : `${name.slice(0, shownMax)}...`)
