// Says which requests took too long, but not more often than once a second: when all are slow, one line says so.
import type { Log } from './errors.ts'
import type { OnOver } from './metrics.ts'

/** Well above the user's bar of 50 ms, well below the deadline. */
const slowMs = 1_000
const quietMs = 1_000

/** A stream takes as long as it is: `route`s that end so are left out. */
const streamed = '/batch'

export function slowLog(log: Log): OnOver {
  let quietUntil = 0
  let unsaid = 0
  return (route, requestId, status, tookMs) => {
    if (tookMs < slowMs || route.endsWith(streamed)) return
    const now = performance.now()
    if (now < quietUntil) {
      unsaid += 1
      return
    }
    log.warn({ requestId, route, status, tookMs: Math.round(tookMs), unsaid }, 'slow request')
    quietUntil = now + quietMs
    unsaid = 0
  }
}
