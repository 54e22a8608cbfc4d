// How long, as people write it in a test.

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof unitMs

/** `'24h'`, `'90m'`, `'31d'`, `'1.5s'`, or milliseconds. */
export type Duration = number | `${number}${Unit}`

/** Throws TypeError for anything else, and for less than nothing. */
export function millisecondsOf(duration: Duration): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  const ms = typeof duration === 'number' ? duration : Number(number) * unitMs[unit as Unit]
  if (!(ms >= 0 && Number.isFinite(ms))) throw new TypeError(`not a duration: ${duration} (as 24h, 90m, 500ms)`)
  return ms
}
