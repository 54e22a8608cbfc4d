// The answers of a stream in the order of its items, whatever order they come in: a window of slots, and many lines in one write. What
// waits is bounded by the window, since neither the socket nor this holds more while the reader is slow.
import type { ServerResponse } from 'node:http'

/** Characters joined before they are written. */
const writeCharsMax = 64 * 1024

export class OrderedLines {
  private readonly response: ServerResponse
  private readonly slots: (string | undefined)[]
  /** First item whose line has not been written. */
  private head = 0
  /** Items opened so far. */
  private tail = 0
  private clogged = false
  private flushing = false
  private gone = false
  private wake: (() => void) | undefined

  /** `window`: items that may be open at once. */
  constructor(response: ServerResponse, window: number) {
    this.response = response
    this.slots = new Array<string | undefined>(window).fill(undefined)
    response.on('drain', () => {
      this.clogged = false
      this.flush()
    })
    response.on('close', () => {
      this.gone = true
      this.slots.fill(undefined)
      this.awake()
    })
  }

  /** Items opened so far. */
  get count(): number {
    return this.tail
  }

  /** The client has left: nothing that is settled from now on goes anywhere. */
  get isGone(): boolean {
    return this.gone
  }

  /** One more item may be opened, and the reader keeps up. */
  get hasRoom(): boolean {
    return this.tail - this.head < this.slots.length && !this.clogged
  }

  private get isIdle(): boolean {
    return this.head === this.tail && !this.clogged
  }

  /** Number of the next item. Expects `hasRoom`. */
  open(): number {
    const index = this.tail
    this.tail += 1
    return index
  }

  /** The line of an item, without its newline. */
  settle(index: number, line: string): void {
    if (this.gone) return
    this.slots[index % this.slots.length] = line
    if (index !== this.head || this.flushing) return
    // All that is settled in this turn of the loop goes out in one write.
    this.flushing = true
    setImmediate(this.flushLater)
  }

  /** Resolves when `hasRoom`, or when the client has gone. */
  room(): Promise<void> {
    return this.until(() => this.hasRoom)
  }

  /** Resolves when every line is written, or when the client has gone. */
  idle(): Promise<void> {
    return this.until(() => this.isIdle)
  }

  private async until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.gone) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  private readonly flushLater = (): void => {
    this.flushing = false
    this.flush()
  }

  private flush(): void {
    const { slots } = this
    while (!this.gone && !this.clogged) {
      let text = ''
      while (text.length < writeCharsMax) {
        const at = this.head % slots.length
        const line = slots[at]
        if (line === undefined) break
        slots[at] = undefined
        this.head += 1
        text += `${line}\n`
      }
      if (text === '') break
      this.clogged = !this.response.write(text)
    }
    this.awake()
  }

  private awake(): void {
    const wake = this.wake
    this.wake = undefined
    wake?.()
  }
}
