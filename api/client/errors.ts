// Trouble on the way, thrown. What the ledger decided (declined, conflict, malformed) is never thrown by a call that posts: it is a value.
import type { Effect, SuanpanProblem } from './contract.ts'

export type ClientErrorCode = 'connection_failed' | 'timed_out' | 'unavailable' | 'refused' | 'protocol_broken'

/** `effect` says what is known of the last request: `unknown` means that it may have been carried out; the same id may be sent again. */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  readonly effect: Effect

  constructor(code: ClientErrorCode, effect: Effect, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.effect = effect
  }
}

/** The server could not be reached (`effect: none`), or the connection was lost before the answer (`unknown`). */
export class ConnectionError extends ClientError {
  /** It had been kept alive from an earlier call: the server may just have closed it for being idle. */
  readonly keptAlive: boolean

  constructor(effect: Effect, message: string, cause?: unknown, keptAlive = false) {
    super('connection_failed', effect, message, cause)
    this.keptAlive = keptAlive
  }
}

/** No answer within the time limit. */
export class TimeoutError extends ClientError {
  constructor(message: string) {
    super('timed_out', 'unknown', message)
  }
}

/** The server went on answering that it cannot do it now (429, 502-504, a retryable 500) until the retries were used up. */
export class UnavailableError extends ClientError {
  readonly http: number
  /** Undefined where something before the server answered (a proxy). */
  readonly problem: SuanpanProblem | undefined

  constructor(http: number, problem: SuanpanProblem | undefined) {
    const said = problem === undefined ? '' : ` ${problem.code}: ${problem.detail}`
    super('unavailable', problem?.effect ?? 'unknown', `The server answers ${http}${said}`)
    this.http = http
    this.problem = problem
  }
}

/** A problem answered to a call that has no union for it: a wrong cursor, a name that cannot be one. */
export class RefusedError extends ClientError {
  readonly problem: SuanpanProblem

  constructor(problem: SuanpanProblem) {
    super('refused', problem.effect, `${problem.code}: ${problem.detail}`)
    this.problem = problem
  }
}

/** What came back does not follow the contract: another service, another version, a broken proxy. */
export class ProtocolError extends ClientError {
  constructor(message: string, cause?: unknown) {
    super('protocol_broken', 'unknown', message, cause)
  }
}
