// How often and how long to wait before the same is sent again. Safe because every id is idempotent (promise P2).
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientError } from './errors.ts'

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
export function pauseMs(
  policy: RetryPolicy,
  n: number,
  retryAfterMs: number | undefined,
  fraction: () => number = Math.random,
): number {
  const full = Math.min(policy.delayMs * 2 ** Math.min(n, 30), policy.delayMsMax)
  const ours = full / 2 + fraction() * (full / 2)
  return Math.max(ours, Math.min(retryAfterMs ?? 0, retryAfterMsMax))
}

/** A try that came to nothing. */
export interface Failed {
  readonly error: ClientError
  /** What the server asked for. */
  readonly retryAfterMs?: number | undefined
  /** A kept connection that had ended meanwhile: the first retry needs no pause. */
  readonly atOnce?: boolean
}

export interface Retrying {
  /** Whether the same may be sent again after that. */
  readonly mayRepeat: (error: ClientError) => boolean
  readonly pause: (ms: number) => Promise<void>
  readonly fraction?: () => number
}

/** Tries until a try gives a value; throws the last error when the retries are used up or the same must not be sent again. */
export async function retried<T>(
  policy: RetryPolicy,
  once: () => Promise<{ readonly value: T } | Failed>,
  { mayRepeat, pause, fraction }: Retrying,
): Promise<T> {
  for (let retries = 0; ; retries++) {
    const tried = await once()
    if ('value' in tried) return tried.value
    if (retries >= policy.retriesMax || !mayRepeat(tried.error)) throw tried.error
    if (retries === 0 && tried.atOnce === true) continue
    await pause(pauseMs(policy, retries, tried.retryAfterMs, fraction))
  }
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
