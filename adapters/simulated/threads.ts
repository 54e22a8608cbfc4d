// Worker threads of a simulated process: each runs the production host over simulated ports, and can be ended or frozen between any two of its
// steps.
import { InHand, type Named } from '../../actors/in-hand.ts'
import type { Thread, Threads } from '../../actors/ports.ts'
import type { Party } from './party.ts'
import type { Simulation } from './simulation.ts'
import { type WireEnd, wire } from './wire.ts'

/** What a thread finds when it starts. */
export interface ThreadStart {
  readonly slot: number
  readonly party: Party
  readonly control: WireEnd
  readonly inHand: InHand
}

/** The entry of a thread; its promise is its orderly end. */
export type ThreadEntry = (start: ThreadStart) => Promise<void>

export interface RunningThread {
  readonly slot: number
  readonly party: Party
  /** Ends it in the middle of whatever it does. */
  kill(reason: string): void
}

const startMs = 20

export class SimulatedThreads implements Threads {
  readonly running = new Set<RunningThread>()
  private readonly simulation: Simulation
  private readonly main: Party
  private readonly entry: ThreadEntry
  private started = 0

  constructor(simulation: Simulation, main: Party, entry: ThreadEntry) {
    this.simulation = simulation
    this.main = main
    this.entry = entry
  }

  async start(slot: number): Promise<Thread> {
    const simulation = this.simulation
    const main = this.main
    const id = ++this.started
    await main.wait(simulation.random.fraction() * startMs)
    const party = simulation.party(`${main.name}.${id}`, main)
    const [near, far] = wire(simulation, main, party)
    let end: (reason: string | undefined) => void = () => undefined
    const ended = new Promise<string | undefined>((resolve) => {
      end = resolve
    })
    const inHand = new InHand()
    let named: Named | undefined
    let over = false
    const finish = (reason: string | undefined): void => {
      if (over) return
      over = true
      // What is thrown to leave the code of a dead thread runs on through it and would clear this.
      named = inHand.named()
      this.running.delete(thread)
      simulation.trace.note(party.name, `ends: ${reason ?? 'stopped'}`)
      // The main thread hears of it a little later.
      main.later(simulation.delayMs('message'), () => {
        near.close()
        end(reason)
      })
    }
    const thread: RunningThread = {
      slot,
      party,
      kill: (reason) => {
        finish(reason)
        party.kill()
      },
    }
    party.onDeath(() => finish('it was killed'))
    this.running.add(thread)
    simulation.trace.note(party.name, `starts in slot ${slot}`)
    party.onError = (error) => thread.kill(`it threw: ${error instanceof Error ? error.message : String(error)}`)
    party.timers.soon(() => {
      this.entry({ slot, party, control: far, inHand }).then(
        () => thread.kill(''),
        (error: unknown) => thread.kill(error instanceof Error ? error.message : String(error)),
      )
    })
    return {
      id,
      ended: ended.then((reason) => (reason === '' ? undefined : reason)),
      inHand: () => named,
      post: (message) => near.postMessage(message),
      onMessage: (listener) => near.on('message', listener),
      terminate: () => thread.kill('terminated'),
      utilization: () => 0,
    }
  }
}
