// Pulls the chunks of a request body one by one, and can be told to stop while it waits. (Async iteration cannot be stopped without
// destroying the socket under the answer; racing it against a promise leaks a reaction a chunk.)
import type { IncomingMessage } from 'node:http'

export class Chunks {
  private readonly request: IncomingMessage
  private over = false
  private wake: (() => void) | undefined

  constructor(request: IncomingMessage) {
    this.request = request
    request.on('readable', this.awake)
    request.on('end', this.stop)
    request.on('close', this.stop)
    // A connection that breaks shows as `close` before `readableEnded`.
    request.on('error', this.stop)
  }

  /** The next chunk; undefined: the body has ended (see `isWhole`), broke off, or `stop` was called. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk: Buffer | null = this.over ? null : this.request.read()
      if (chunk !== null) return chunk
      if (this.over) return undefined
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  /** The body came to its end (one that breaks off closes without). */
  get isWhole(): boolean {
    return this.request.readableEnded
  }

  /** Whoever waits for a chunk gets none. */
  readonly stop = (): void => {
    this.over = true
    this.awake()
  }

  private readonly awake = (): void => {
    const wake = this.wake
    this.wake = undefined
    wake?.()
  }
}
