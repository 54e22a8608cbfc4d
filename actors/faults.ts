// The second family of errors: the outside failed. Adapters throw these, only a lane's loop (and a composition root) catches them.

export type FaultCode =
  /** The compare-and-set hit nothing: the partition is not where this host left it. */
  | 'fenced'
  /** Connection lost, server starting or stopping, time-out: the same may work later; its outcome is unknown. */
  | 'unavailable'
  /** The server refused the rows (SQLSTATE class 22 or 23): the same rows would be refused again. */
  | 'rows_refused'
  /** The ledger is not what it should be: another P, another hash, a missing shard, a partition that was never created. */
  | 'wrong_ledger'
  /** Someone else hosts. */
  | 'hosted_elsewhere'
  | 'other'

abstract class Fault extends Error {
  readonly code: FaultCode

  constructor(code: FaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
  }
}

export class RetryableFault extends Fault {}
export class TerminalFault extends Fault {}

export const isFault = (error: unknown): error is RetryableFault | TerminalFault => error instanceof Fault
