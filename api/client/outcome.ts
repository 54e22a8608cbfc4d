// What became of a transaction, from an answer's HTTP status and body: one closed union, the same for single calls and batch items.
import type { Receipt, SuanpanProblem } from './contract.ts'
import { ProtocolError } from './errors.ts'

/** One member of a union for each status, so that a comparison of `status` narrows it. */
export type Each<Status extends string, Rest> = Status extends string ? { readonly status: Status } & Rest : never

interface Decided {
  readonly replayed: boolean
  readonly receipt: Receipt
}
interface Refused {
  readonly problem: SuanpanProblem
}

/** The ledger's word on a transaction. */
export type Outcome =
  /** Durable. `replayed`: it had been decided before, this is the first answer again. */
  | Each<'posted' | 'pending', Decided>
  /** Recorded: the id stays declined for ever, a new try needs a new id. */
  | Each<'declined', Refused & { readonly replayed: boolean }>
  /** Nothing recorded. `conflict`: the id was used with another body, `problem.field` differs; `refused`: malformed or not supported. */
  | Each<'conflict' | 'refused', Refused>

/** In a batch an item that could not be decided now is a value too, so that the others go on. See `problem.effect`. */
export type BatchOutcome = Outcome | Each<'failed', Refused>

/** Reads one answer. Throws `ProtocolError` if the body is not what the contract says. */
export function outcomeOf(http: number, replayed: boolean, body: unknown): BatchOutcome {
  if (http === 200 || http === 201) {
    if (!isReceipt(body)) throw new ProtocolError(`HTTP ${http} without a receipt: ${excerpt(body)}`)
    return { status: body.status, replayed, receipt: body }
  }
  if (!isProblem(body)) throw new ProtocolError(`HTTP ${http} without a problem: ${excerpt(body)}`)
  if (http === 422 || body.code === 'internal_error') return { status: 'declined', replayed, problem: body }
  if (body.retryable) return { status: 'failed', problem: body }
  return { status: http === 409 ? 'conflict' : 'refused', problem: body }
}

/** The outcome of a transaction that took effect, its receipt parsed when it is first read. `body` is the receipt's JSON text. */
export const lazyReceipt = (status: string | undefined, replayed: boolean, body: string): BatchOutcome =>
  new LazyReceipt(status === 'pending' ? 'pending' : 'posted', replayed, body)

class LazyReceipt<Status extends 'posted' | 'pending'> {
  readonly status: Status
  readonly replayed: boolean
  private readonly body: string
  private parsed: Receipt | undefined

  constructor(status: Status, replayed: boolean, body: string) {
    this.status = status
    this.replayed = replayed
    this.body = body
  }

  get receipt(): Receipt {
    if (this.parsed === undefined) {
      const body: unknown = JSON.parse(this.body)
      if (!isReceipt(body)) throw new ProtocolError(`Not a receipt: ${excerpt(this.body)}`)
      this.parsed = body
    }
    return this.parsed
  }
}

const isReceipt = (body: unknown): body is Receipt =>
  isObject(body) && (body.status === 'posted' || body.status === 'pending') && typeof body.id === 'string'

export const isProblem = (body: unknown): body is SuanpanProblem =>
  isObject(body) && typeof body.code === 'string' && typeof body.detail === 'string' && typeof body.effect === 'string'

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export function excerpt(body: unknown): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? 'nothing')
  return text.length > 200 ? `${text.slice(0, 200)}..` : text
}
