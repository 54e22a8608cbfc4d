// Turns what pg and the network throw into the faults that a lane understands.
import { isFault, RetryableFault, TerminalFault } from '../../actors/faults.ts'

/** SQLSTATE raised by `suanpan.advance` when its compare-and-set hits nothing. */
const fencedState = 'SP001'

export function faultOf(error: unknown): RetryableFault | TerminalFault {
  if (isFault(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  const state = codeOf(error)
  if (state === fencedState) return new RetryableFault('fenced', message, error)
  if (/^(22|23)...$/.test(state)) return new RetryableFault('rows_refused', message, error)
  if (/^(3D|28|42)...$/.test(state)) return new TerminalFault('wrong_ledger', message, error)
  return new RetryableFault('unavailable', message, error)
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
