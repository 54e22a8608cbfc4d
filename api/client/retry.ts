// How often and how long to wait before the same is sent again. Safe because every id is idempotent (promise P2).
import { setTimeout as sleep } from 'node:timers/promises'

export interface RetryPolicy {
  /** Tries after the first one; in a batch, tries in a row without a single new answer. */
  readonly retriesMax: number
  /** First pause; doubled each time. */
  readonly delayMs: number
  /** Bound of a pause that we chose; a server's Retry-After is obeyed up to `retryAfterMsMax`. */
  readonly delayMsMax: number
}

export const defaultRetry: RetryPolicy = { retriesMax: 6, delayMs: 100, delayMsMax: 5_000 }

const retryAfterMsMax = 60_000

/** The pause before retry `n` (from 0): half of it fixed, half random, so that many clients do not come back at once. */
export function pauseMs(policy: RetryPolicy, n: number, retryAfterMs: number | undefined): number {
  const full = Math.min(policy.delayMs * 2 ** Math.min(n, 30), policy.delayMsMax)
  const ours = full / 2 + Math.random() * (full / 2)
  return Math.max(ours, Math.min(retryAfterMs ?? 0, retryAfterMsMax))
}

/** Retry-After (RFC 9110 10.2.3): seconds or an HTTP date. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

export const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? {} : { signal })
