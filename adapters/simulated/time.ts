// Time that passes only when somebody lets it: a clock and timers over one queue of events. By hand in a unit test (`turn`, `advance`,
// `jump`), event by event in a simulation (`next`).
import type { Clock, Timers } from '../../actors/ports.ts'

export interface Event {
  readonly at: number
  /** Among events of one moment: 0 to 1, in the order of their making where equal. */
  readonly order: number
  readonly number: number
  run: (() => void) | undefined
}

/** Between the events that chance may put before or behind. */
const inOrder = 0.5

export class VirtualTime implements Clock, Timers {
  /** Epoch milliseconds at the start. */
  readonly startMs: number
  private passed = 0
  private made = 0
  /** A binary heap, the earliest first. */
  private readonly heap: Event[] = []

  constructor(startMs = Date.UTC(2027, 0, 31, 12)) {
    this.startMs = startMs
  }

  now(): number {
    return this.startMs + Math.floor(this.passed)
  }

  elapsed(): number {
    return this.passed
  }

  after(ms: number, callback: () => void): () => void {
    const event = this.at(this.passed + Math.max(0, ms), inOrder, callback)
    return () => {
      event.run = undefined
    }
  }

  soon(callback: () => void): void {
    this.at(this.passed, inOrder, callback)
  }

  at(at: number, order: number, run: () => void): Event {
    const event: Event = { at, order, number: ++this.made, run }
    this.push(event)
    return event
  }

  /** Runs the next event, if it is due by `untilMs` of elapsed time; time stands at it then. */
  next(untilMs = Number.POSITIVE_INFINITY): boolean {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.at > untilMs) return false
      this.pop()
      const { run } = first
      if (run === undefined) continue
      this.passed = Math.max(this.passed, first.at)
      run()
      return true
    }
  }

  /** Runs what is due now, and what that makes due in turn. */
  turn(): void {
    while (this.next(this.passed));
  }

  /** Lets time pass: every event in its order, at its time. */
  advance(ms: number): void {
    const until = this.passed + ms
    while (this.next(until));
    this.passed = until
  }

  /** Time that passes while nothing runs: what fell due meanwhile runs behind it. */
  jump(ms: number): void {
    this.passed += ms
    this.turn()
  }

  /** Stands still until `at`, with nothing due before it. */
  moveTo(at: number): void {
    this.passed = Math.max(this.passed, at)
  }

  get pendingTimers(): number {
    return this.heap.reduce((count, { run }) => count + (run === undefined ? 0 : 1), 0)
  }

  private push(event: Event): void {
    const { heap } = this
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const up = (i - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !before(event, parent)) break
      heap[i] = parent
      i = up
    }
    heap[i] = event
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      let next = heap[child]
      if (next === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && before(right, next)) {
        child++
        next = right
      }
      if (!before(next, last)) break
      heap[i] = next
      i = child
    }
    heap[i] = last
  }
}

const before = (a: Event, b: Event): boolean => (a.at - b.at || a.order - b.order || a.number - b.number) < 0
