// A clock and timers that a test moves by hand, and chance from a seed.
import type { Clock, Random, Timers } from '../ports.ts'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

export class FakeTime implements Clock, Timers {
  /** Epoch milliseconds at the start. */
  readonly startMs: number
  private passed = 0
  private timers: Timer[] = []
  private turns: (() => void)[] = []

  constructor(startMs = Date.UTC(2027, 0, 31, 12)) {
    this.startMs = startMs
  }

  now(): number {
    return this.startMs + this.passed
  }

  elapsed(): number {
    return this.passed
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.passed + ms, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  soon(callback: () => void): void {
    this.turns.push(callback)
  }

  /** Runs what was to run `soon`, and what that asks for in turn. */
  turn(): void {
    for (let turn = this.turns.shift(); turn !== undefined; turn = this.turns.shift()) turn()
  }

  /** Lets time pass: timers run in their order, each at its time, and between them what was to run `soon`. */
  advance(ms: number): void {
    const until = this.passed + ms
    this.turn()
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((timer) => timer !== due)
      this.passed = Math.max(this.passed, due.at)
      due.callback()
      this.turn()
    }
    this.passed = until
  }

  /** Time that passes while the process does not run: what fell due meanwhile runs once, behind it. */
  jump(ms: number): void {
    this.passed += ms
    const due = this.timers.filter(({ at }) => at <= this.passed)
    this.timers = this.timers.filter((timer) => !due.includes(timer))
    for (const { callback } of due.sort((a, b) => a.at - b.at)) callback()
    this.turn()
  }

  get pendingTimers(): number {
    return this.timers.length
  }
}

/** Mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c): the same numbers for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return { fraction, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(fraction() * 256)) }
}
