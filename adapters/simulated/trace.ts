// What happened in a simulation, in order: always as one hash, so that two runs can be compared, and as lines where somebody wants to read.
import type { VirtualTime } from './time.ts'

export class Trace {
  readonly lines: string[] = []
  private readonly time: VirtualTime
  private readonly keep: boolean
  private readonly print: ((line: string) => void) | undefined
  private low = 0x811c9dc5
  private high = 0x1b873593
  private count = 0

  constructor(time: VirtualTime, keep = false, print?: (line: string) => void) {
    this.time = time
    this.keep = keep
    this.print = print
  }

  /** `what` should tell everything that may differ between two schedules. */
  note(who: string, what: string): void {
    this.count++
    this.mix(this.time.elapsed())
    this.mixText(who)
    this.mixText(what)
    if (!this.keep && this.print === undefined) return
    const line = `${(this.time.elapsed() / 1000).toFixed(4).padStart(11)}  ${who.padEnd(10)}  ${what}`
    if (this.keep) this.lines.push(line)
    this.print?.(line)
  }

  /** 64 bits as hex, with the number of notes. */
  get hash(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0')
    return `${hex(this.high)}${hex(this.low)}-${this.count}`
  }

  private mixText(text: string): void {
    let { low, high } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15)
    }
    this.low = low
    this.high = high
  }

  private mix(ms: number): void {
    const micros = Math.round(ms * 1000)
    this.low = Math.imul(this.low ^ (micros | 0), 0x01000193)
    this.high = Math.imul(this.high ^ Math.floor(micros / 4_294_967_296), 0x5bd1e995) ^ (this.high >>> 13)
  }
}
