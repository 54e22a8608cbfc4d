// Commands accepted for later: the caller is told as soon as the mailbox holds them, and asks what became of them. Only for a mailbox that
// outlives the process: what is accepted here is lost only if both it and the process are.
import type { Command } from '../core/command.ts'
import { ownerOfCommand } from '../core/owner.ts'
import type { Answer } from '../schemas/answer.ts'
import type { EngineLater } from './engine.ts'
import type { Intake } from './intake.ts'
import type { Timers } from './ports.ts'

interface Queued {
  readonly type: string
  /** Not decided yet: the same id may be accepted more than once. */
  count: number
  waiting: (() => void)[]
}

export class Later implements EngineLater {
  private readonly intake: Pick<Intake, 'submit'>
  private readonly timers: Timers
  /** By owner and id. Bounded by the mailbox: each of them is in it. */
  private readonly queued = new Map<string, Queued>()

  constructor(intake: Pick<Intake, 'submit'>, timers: Timers) {
    this.intake = intake
    this.timers = timers
  }

  /** See `EngineLater`. */
  submit(command: Command, reply: (answer: Answer) => void): void {
    const key = keyOf(ownerOfCommand(command), command.id)
    let isAccepted = false
    let isTold = false
    const tell = (answer: Answer): void => {
      if (!isTold) reply(answer)
      isTold = true
    }
    this.intake.submit(
      command,
      (answer) => {
        if (isAccepted) this.forget(key)
        tell(answer)
      },
      false,
      () => {
        isAccepted = true
        this.remember(key, command.type)
        tell({ http: 202, replayed: false, body: queuedBody(command.id, command.type) })
      },
    )
  }

  /** What is told of it until it is decided; undefined: it is not waiting here. */
  find(owner: string, id: string): Answer | undefined {
    const one = this.queued.get(keyOf(owner, id))
    return one === undefined ? undefined : { http: 202, replayed: false, body: queuedBody(id, one.type) }
  }

  /** Resolves when it is decided, at once if it does not wait here, and after `ms` whatever happens. */
  decided(owner: string, id: string, ms: number): Promise<void> {
    const one = this.queued.get(keyOf(owner, id))
    if (one === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.timers.after(ms, resolve)
      one.waiting.push(() => {
        cancel()
        resolve()
      })
    })
  }

  private remember(key: string, type: string): void {
    const one = this.queued.get(key)
    if (one === undefined) this.queued.set(key, { type, count: 1, waiting: [] })
    else one.count++
  }

  private forget(key: string): void {
    const one = this.queued.get(key)
    if (one === undefined) return
    one.count--
    if (one.count > 0) return
    this.queued.delete(key)
    for (const resolve of one.waiting) resolve()
  }
}

const keyOf = (owner: string, id: string): string => `${owner} ${id}`

/** Ids and types are plain ASCII without quotes. */
const queuedBody = (id: string, type: string): string => `{"id":"${id}","type":"${type}","status":"queued"}`
