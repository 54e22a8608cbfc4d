// Somebody whom events happen to: a process, or a thread in one. Whatever is due for the dead never happens; for the frozen it waits until
// they wake up. Hands out the clock, the timers and the replies of the outside world as this party sees them.
import type { Clock, Timers } from '../../actors/ports.ts'
import type { SeededRandom } from './random.ts'
import type { VirtualTime } from './time.ts'

export class Party {
  readonly name: string
  readonly clock: Clock
  readonly timers: Timers
  /** The wall clock may be wrong; the monotonic one is not. */
  skewMs = 0
  /** What becomes of an error that something of this party throws; without it, whoever lets time pass gets it. */
  onError: ((error: unknown) => void) | undefined
  private readonly time: VirtualTime
  private readonly random: SeededRandom
  private readonly parent: Party | undefined
  private dead = false
  private frozen = false
  private held: (() => void)[] = []
  private readonly children = new Set<Party>()
  private readonly deaths = new Set<() => void>()

  constructor(name: string, time: VirtualTime, random: SeededRandom, parent?: Party) {
    this.name = name
    this.time = time
    this.random = random
    this.parent = parent
    parent?.children.add(this)
    this.clock = { now: () => time.now() + this.skewNow(), elapsed: () => time.elapsed() }
    this.timers = {
      after: (ms, callback) => {
        let wanted = true
        const cancel = time.after(ms, () => this.happen(() => wanted && callback()))
        return () => {
          wanted = false
          cancel()
        }
      },
      soon: (callback) => time.soon(() => this.happen(callback)),
    }
  }

  private skewNow(): number {
    return this.skewMs + (this.parent?.skewNow() ?? 0)
  }

  get alive(): boolean {
    return !this.dead && (this.parent?.alive ?? true)
  }

  get running(): boolean {
    return !this.frozen && (this.parent?.running ?? true)
  }

  /** Something that reaches this party in `ms`; among what reaches others in the same moment chance decides. */
  later(ms: number, callback: () => void): void {
    this.time.at(this.time.elapsed() + ms, this.random.fraction(), () => this.happen(callback))
  }

  /** A pause that ends for the living only. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.later(ms, resolve))
  }

  private happen(callback: () => void): void {
    if (!this.alive) return
    if (!this.running) {
      this.held.push(callback)
      return
    }
    try {
      callback()
    } catch (error) {
      if (this.onError === undefined) throw error
      this.onError(error)
    }
  }

  /** What is given back takes it off again. */
  onDeath(callback: () => void): () => void {
    this.deaths.add(callback)
    return () => this.deaths.delete(callback)
  }

  kill(): void {
    if (this.dead) return
    for (const child of [...this.children]) child.kill()
    this.dead = true
    this.held = []
    this.parent?.children.delete(this)
    const deaths = [...this.deaths]
    this.deaths.clear()
    for (const callback of deaths) callback()
  }

  freeze(): void {
    this.frozen = true
  }

  /** Everything that came meanwhile happens at once, in the order in which it came. */
  thaw(): void {
    this.frozen = false
    this.wake()
  }

  private wake(): void {
    for (const callback of this.held.splice(0)) this.time.soon(() => this.happen(callback))
    for (const child of this.children) if (!child.frozen) child.wake()
  }
}
