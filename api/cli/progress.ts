// Tells how far a long step has come: a bar on a terminal, otherwise a plain line every few seconds. Writes to stderr only.
import type { SingleBar } from 'cli-progress'
import type { Io } from './command.ts'
import { count } from './terminal.ts'

const plainEveryMs = 5_000

export interface Progress {
  update(done: number): void
  /** A sentence between the bars, such as why it waits. */
  note(text: string): void
  stop(): void
}

/** `verb`: `posting`; `noun`: `rows`. */
export async function startProgress(io: Io, verb: string, total: number, noun: string): Promise<Progress> {
  const startedAt = performance.now()
  const rate = (done: number): number => (done / Math.max(1, performance.now() - startedAt)) * 1000
  if (io.stderr.isTTY === true) {
    const { SingleBar } = await import('cli-progress')
    return bar(new SingleBar(barOptions(io, verb, noun)), io, total, rate)
  }
  let last = startedAt
  return {
    update(done) {
      const now = performance.now()
      if (now - last < plainEveryMs) return
      last = now
      const perSecond = rate(done)
      const percent = Math.floor((100 * done) / Math.max(1, total))
      const left = Math.ceil((total - done) / Math.max(1e-9, perSecond))
      io.stderr.write(
        `${verb} ${count(done)} of ${count(total)} ${noun} (${percent}%), ${count(Math.round(perSecond))}/s, ${duration(left)} left\n`,
      )
    },
    note: (text) => io.stderr.write(`${text}\n`),
    stop() {},
  }
}

const barOptions = (io: Io, verb: string, noun: string) => ({
  format: `${verb} [{bar}] {percentage}% | {value}/{total} ${noun} | {rate}/s | {left} left`,
  stream: io.stderr,
  barsize: 30,
  barCompleteChar: '=',
  barIncompleteChar: ' ',
  fps: 5,
  hideCursor: null,
  clearOnComplete: true,
  gracefulExit: false,
})

function bar(single: SingleBar, io: Io, total: number, rate: (done: number) => number): Progress {
  const payload = (done: number) => ({
    rate: count(Math.round(rate(done))),
    left: duration(Math.ceil((total - done) / Math.max(1e-9, rate(done)))),
  })
  single.start(total, 0, { rate: '0', left: '-' })
  let done = 0
  // Drawn by a timer, not by each row.
  const timer = setInterval(() => single.update(done, payload(done)), 200)
  const stop = (): void => {
    for (const signal of endings) process.removeListener(signal, end)
    clearInterval(timer)
    single.update(done, payload(done))
    single.stop()
  }
  // The bar has switched off that long lines wrap: whoever ends the command gets his terminal back as it was.
  const end = (signal: NodeJS.Signals): void => {
    stop()
    process.kill(process.pid, signal)
  }
  for (const signal of endings) process.once(signal, end)
  return {
    update(value) {
      done = value
    },
    // The bar goes on below the sentence, and is cleared there.
    note: (text) => io.stderr.write(`\r\u001b[K${text}\n${saveCursor}`),
    stop,
  }
}

const endings = ['SIGINT', 'SIGTERM'] as const
const saveCursor = '\u001b7'

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds > 359_999) return 'more than 99 h'
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
