// Makes a failing history small: the same seed with fewer steps, as long as the same rule is broken (delta debugging, Zeller and Hildebrandt 2002).
import { type HistoryOptions, type HistoryResult, runHistory } from './history.ts'

export interface Shrunk {
  readonly result: HistoryResult
  /** Numbers of the steps that are left. */
  readonly only: readonly number[]
  readonly runs: number
}

/** `failed`: what the whole history gave. At most `runsMax` more runs. */
export async function shrink(options: HistoryOptions, failed: HistoryResult, runsMax = 300): Promise<Shrunk> {
  const rule = failed.failure?.rule
  let best = failed
  let only = Array.from({ length: options.steps ?? failed.steps.length }, (_, number) => number)
  let runs = 0
  for (let pieces = 2; only.length > 1 && runs < runsMax; ) {
    const size = Math.ceil(only.length / pieces)
    let smaller: readonly number[] | undefined
    for (let from = 0; from < only.length && runs < runsMax; from += size) {
      const without = [...only.slice(0, from), ...only.slice(from + size)]
      runs++
      const result = await runHistory({ ...options, only: new Set(without) })
      if (result.failure?.rule !== rule) continue
      smaller = without
      best = result
      break
    }
    if (smaller !== undefined) {
      only = [...smaller]
      pieces = Math.max(2, pieces - 1)
    } else if (size === 1) break
    else pieces = Math.min(only.length, pieces * 2)
  }
  return { result: best, only, runs }
}
