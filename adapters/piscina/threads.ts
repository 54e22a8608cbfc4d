// Worker threads: one piscina pool of one thread per slot, each running one long host task whose promise is the signal of its end. Commands
// do not go through `pool.run` (its shared queue would reorder the keys); they travel over ports.
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { InHand, inHandBytes } from '../../actors/in-hand.ts'
import type { Thread, Threads } from '../../actors/ports.ts'
import type { ReaderSettings, WorkerSettings, WorkerStart } from './worker.ts'

/** The source under tsx, its emitted copy under node: whichever this file is itself. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url).href

const startMs = 30_000

export interface ConnectsWorkers {
  /** What the worker at the other end must know to read the mailbox. */
  connect(port: MessagePort): ReaderSettings
}

export class PiscinaThreads implements Threads {
  private readonly settings: () => Omit<WorkerSettings, 'mailbox'>
  private readonly mailbox: ConnectsWorkers

  /** `settings` is asked at each start, so that a replacement thread knows the assets of today. */
  constructor(mailbox: ConnectsWorkers, settings: () => Omit<WorkerSettings, 'mailbox'>) {
    this.mailbox = mailbox
    this.settings = settings
  }

  async start(): Promise<Thread> {
    const pool = new Piscina({
      filename: entry,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // 'sync' would freeze the timers and sockets of the thread between tasks.
      atomics: 'disabled',
      // A batch's garbage lives until its commit: in the default 16 MB every second scavenge would copy most of a batch into the old space.
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    })
    // A throw outside the task (a stray timer, say) arrives here as well as at the task; without a listener it would end the process.
    pool.on('error', () => undefined)
    const control = new MessageChannel()
    const frames = new MessageChannel()
    const settings = { ...this.settings(), mailbox: this.mailbox.connect(frames.port1) }
    const inHand = new SharedArrayBuffer(inHandBytes)
    const start: WorkerStart = { control: control.port2, mailbox: frames.port2, settings, inHand }
    const abort = new AbortController()
    const task = pool.run(start, { transferList: [control.port2, frames.port2], signal: abort.signal })
    const ended = task.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    void ended.then(async () => {
      control.port1.close()
      frames.port1.close()
      await pool.destroy()
    })
    const id = await started(control.port1, ended)
    const worker = pool.threads[0]
    let last = worker?.performance.eventLoopUtilization()
    return {
      id,
      ended,
      inHand: () => new InHand(inHand).named(),
      post: (message) => control.port1.postMessage(message),
      onMessage: (listener) =>
        control.port1.on('message', (messages: readonly unknown[]) => {
          for (const message of messages) listener(message as never)
        }),
      terminate: () => abort.abort(),
      utilization: () => {
        const now = worker?.performance.eventLoopUtilization()
        const share = now === undefined ? 0 : (worker?.performance.eventLoopUtilization(now, last).utilization ?? 0)
        last = now
        return share
      },
    }
  }
}

function started(port: MessagePort, ended: Promise<string | undefined>): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`a worker thread did not start in ${startMs} ms`)), startMs)
    port.once('message', (message: { threadId: number }) => {
      clearTimeout(timer)
      resolve(message.threadId)
    })
    void ended.then((reason) => {
      clearTimeout(timer)
      reject(new Error(`a worker thread ended at its start: ${reason ?? 'no reason'}`))
    })
  })
}
