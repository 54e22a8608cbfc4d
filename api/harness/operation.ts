// What one client asked and what it was told, with the times of both: the raw material of every check.
import type { Answer } from '../../actors/engine.ts'
import type { Command } from '../../core/command.ts'
import type { IdKey } from '../../core/identity.ts'

export interface Operation {
  readonly number: number
  readonly command: Command
  readonly idKey: IdKey
  readonly partition: number
  /** Elapsed virtual milliseconds. */
  readonly invokedAt: number
  /** The wall clock's epoch milliseconds then. */
  readonly invokedTime: number
  /** Every answer that came back, in order: also of tries that were sent again. */
  readonly answers: { readonly at: number; readonly answer: Answer }[]
  tries: number
  /** Undefined: nobody knows what became of it. */
  settledAt: number | undefined
  answer: Answer | undefined
  error: unknown
}

/** The ledger's word on the command: recorded, or certainly not. Anything else may be decided otherwise when it is asked again. */
export const isDecided = ({ http, body }: Answer): boolean =>
  http === 200 ||
  http === 201 ||
  http === 422 ||
  http === 409 ||
  http === 412 ||
  (http === 500 && body.includes('"internal_error"'))
