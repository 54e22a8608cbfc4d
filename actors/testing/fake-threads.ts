// Threads without threads: a test sees what each was told, speaks for it, and ends it.
import type { Named } from '../in-hand.ts'
import type { Thread, Threads } from '../ports.ts'
import type { FromWorker, ToWorker } from '../worker-protocol.ts'

export class FakeThread implements Thread {
  readonly id: number
  readonly slot: number
  readonly told: ToWorker[] = []
  readonly ended: Promise<string | undefined>
  terminated = false
  /** What it was deciding when it ended. */
  named: Named | undefined
  /** Settles `ended`, as the thread's own end would. */
  end: (reason: string | undefined) => void = () => undefined
  private listener: (message: never) => void = () => undefined

  constructor(id: number, slot: number) {
    this.id = id
    this.slot = slot
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  post(message: unknown): void {
    this.told.push(message as ToWorker)
  }

  onMessage(listener: (message: never) => void): void {
    this.listener = listener
  }

  say(message: FromWorker): void {
    this.listener(message as never)
  }

  terminate(): void {
    this.terminated = true
    this.end('terminated')
  }

  inHand(): Named | undefined {
    return this.named
  }

  utilization(): number {
    return 0
  }

  /** What it was told of one kind. */
  of<K extends ToWorker['kind']>(kind: K): Extract<ToWorker, { kind: K }>[] {
    return this.told.filter((message): message is Extract<ToWorker, { kind: K }> => message.kind === kind)
  }
}

export class FakeThreads implements Threads {
  /** In the order of their starts. */
  readonly started: FakeThread[] = []
  /** Starts wait for this. */
  gate: Promise<void> = Promise.resolve()
  failures = 0

  async start(slot: number): Promise<FakeThread> {
    if (this.failures > 0) {
      this.failures--
      throw new Error('it cannot start')
    }
    await this.gate
    const thread = new FakeThread(this.started.length + 1, slot)
    this.started.push(thread)
    return thread
  }

  /** The present one of a slot. */
  last(slot: number): FakeThread {
    const thread = this.started.findLast((one) => one.slot === slot)
    if (thread === undefined) throw new Error(`slot ${slot} has no thread`)
    return thread
  }
}
