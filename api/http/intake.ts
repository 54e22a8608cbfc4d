// What stands between a parsed body and the engine, for single calls and items of batches alike.
import type { Engine } from '../../actors/engine.ts'
import type { TransactionCommand } from '../../core/command.ts'
import { instanceOf } from '../../schemas/answer.ts'
import { readTransaction } from './normalise.ts'
import { Problem } from './problem.ts'

export interface Intake {
  /** May take commands: the engine is ready and the server is not closing. */
  isOpen(): boolean
  /** Calls back once when the server takes no more; the result takes that back. */
  onClosing(stop: () => void): () => void
  /** The command that may go to the engine, or why not. Nothing is recorded of what is refused here: its id stays free. */
  take(body: unknown, key: string | undefined): TransactionCommand | Problem
}

export class EngineIntake implements Intake {
  private readonly engine: Engine
  private readonly stops = new Set<() => void>()
  private closing = false

  constructor(engine: Engine) {
    this.engine = engine
  }

  isOpen(): boolean {
    return !this.closing && this.engine.ready()
  }

  /** From now on nothing is taken. */
  close(): void {
    this.closing = true
    for (const stop of this.stops) stop()
    this.stops.clear()
  }

  onClosing(stop: () => void): () => void {
    if (this.closing) stop()
    else this.stops.add(stop)
    return () => this.stops.delete(stop)
  }

  take(body: unknown, key: string | undefined): TransactionCommand | Problem {
    if (body instanceof Problem) return body
    const command = readTransaction(body, key)
    if (command instanceof Problem) return command
    if (!this.isOpen()) return new Problem('not_ready', notReady.detail, undefined, instanceOf(command))
    return command
  }
}

export const notReady = new Problem('not_ready', 'The server is starting or stopping; nothing was accepted.')
