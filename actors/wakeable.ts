// A bell that one loop waits for and anyone may ring. A ring while nobody waits is kept: the next wait returns at once.

export interface Wakeable {
  /** Bound: may be handed out as a callback. */
  readonly now: () => void
  next(): Promise<void>
}

export function wakeable(): Wakeable {
  let rung = false
  let waiting: (() => void) | undefined
  return {
    now: () => {
      const wake = waiting
      waiting = undefined
      if (wake === undefined) rung = true
      else wake()
    },
    next: () => {
      if (rung) {
        rung = false
        return Promise.resolve()
      }
      return new Promise<void>((resolve) => {
        waiting = resolve
      })
    },
  }
}
