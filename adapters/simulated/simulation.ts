// One simulated world: its time, its chance, its trace, and the loop that lets one event happen after the other. Between two events every
// promise that can go on does; nothing else in it depends on the real machine, so one seed is one schedule.
import { Faults, type FaultWeights } from './faults.ts'
import { Party } from './party.ts'
import { SeededRandom } from './random.ts'
import { VirtualTime } from './time.ts'
import { Trace } from './trace.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly faults?: FaultWeights
  readonly startMs?: number
  readonly trace?: 'hash' | 'keep' | ((line: string) => void)
}

/** Virtual milliseconds. */
interface Delay {
  readonly leastMs: number
  readonly mostMs: number
}

/** How long the ways are when nothing is wrong. */
const delays = {
  message: { leastMs: 0, mostMs: 0.05 },
  request: { leastMs: 0, mostMs: 1 },
  query: { leastMs: 0.1, mostMs: 1 },
  commit: { leastMs: 0.2, mostMs: 4 },
} as const satisfies Record<string, Delay>

/** So many events without a turn of the real event loop: it must hear signals, and print. */
const eventsPerTurn = 5000

export class Simulation {
  readonly time: VirtualTime
  readonly random: SeededRandom
  readonly faults: Faults
  readonly trace: Trace
  private readonly schedule: SeededRandom
  private events = 0
  private broken: { readonly error: unknown } | undefined

  constructor({ seed, faults = {}, startMs, trace = 'hash' }: SimulationOptions) {
    this.random = new SeededRandom(seed)
    this.time = startMs === undefined ? new VirtualTime() : new VirtualTime(startMs)
    this.schedule = this.random.fork('schedule')
    this.faults = new Faults(faults, this.random.fork('faults'), () => this.time.elapsed())
    this.trace = new Trace(this.time, trace === 'keep', typeof trace === 'function' ? trace : undefined)
  }

  party(name: string, parent?: Party): Party {
    return new Party(name, this.time, this.schedule, parent)
  }

  delayMs(way: keyof typeof delays): number {
    const { leastMs, mostMs } = delays[way]
    return leastMs + this.schedule.fraction() * (mostMs - leastMs)
  }

  /** The simulation itself found something: whoever runs it gets the error. */
  fail(error: unknown): void {
    this.broken ??= { error }
  }

  /** Lets events happen until `done`, or until `untilMs` of elapsed time: then false, and time stands there. */
  async run(done: () => boolean, untilMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    await promisesSettle()
    for (;;) {
      if (this.broken !== undefined) throw this.broken.error
      if (done()) return true
      if (!this.time.next(untilMs)) {
        if (Number.isFinite(untilMs)) this.time.moveTo(untilMs)
        return false
      }
      await promisesSettle()
      if (++this.events % eventsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Events so far. */
  get steps(): number {
    return this.events
  }
}

/** Node runs a tick's callback only when no promise can go on any more: 0.2 us, where a turn of the event loop takes 2. */
const promisesSettle = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
