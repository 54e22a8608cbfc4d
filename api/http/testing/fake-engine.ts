// An engine without a ledger: accepts what it gets and answers on a later turn of the loop, all that waits at once, as after a commit.
import type { Answer, Engine, EngineCatalog, EngineLater } from '../../../actors/engine.ts'
import { type Asset, builtInAssets } from '../../../core/asset.ts'
import { assetsOfChange, type CatalogChange } from '../../../core/catalog.ts'
import type { Command } from '../../../core/command.ts'
import { ownerOfCommand } from '../../../core/owner.ts'

export class FakeEngine implements Engine {
  isReady = true
  /** Commands may be sent but stay unanswered until it is true again. */
  answering = true
  /** What the engine says to a command; `replayed` and the like are the test's business. */
  answerTo: (command: Command) => Answer = accepted
  /** Called for each command in the order of submission. */
  onCommand: ((command: Command) => void) | undefined
  /** Commands that were submitted with `waits`. */
  waitedFor = 0
  /** Most commands ever unanswered at the same time. */
  waitingMax = 0
  private readonly knownAssets = new Map<string, Asset>(builtInAssets.map((asset) => [asset.code, asset]))
  private waiting: { readonly command: Command; readonly reply: (answer: Answer) => void }[] = []
  private scheduled = false

  get waitingCount(): number {
    return this.waiting.length
  }

  submit(command: Command, reply: (answer: Answer) => void, waits = false): void {
    if (waits) this.waitedFor++
    this.onCommand?.(command)
    this.waiting.push({ command, reply })
    this.waitingMax = Math.max(this.waitingMax, this.waiting.length)
    this.schedule()
  }

  /** Goes on after `answering` was set to true. */
  schedule(): void {
    if (this.scheduled || !this.answering) return
    this.scheduled = true
    setImmediate(this.commit)
  }

  private readonly commit = (): void => {
    this.scheduled = false
    if (!this.answering) return
    const { waiting } = this
    this.waiting = []
    for (const { command, reply } of waiting) reply(this.answerTo(command))
  }

  postAll(commands: readonly Command[]): Promise<Answer[]> {
    return Promise.all(commands.map((command) => new Promise<Answer>((resolve) => this.submit(command, resolve))))
  }

  assets(): ReadonlyMap<string, Asset> {
    return this.knownAssets
  }

  /** Partitions that do not take changes. */
  pendingPartitions: readonly number[] = []
  private readonly changes: CatalogChange[] = []
  readonly catalog: EngineCatalog = {
    put: async (kind, code, body, check) => {
      const standing = this.catalog.find(kind, code)
      check(standing)
      if (standing?.body === body) return { outcome: 'alike', pending: this.pendingPartitions }
      this.changes.push({ version: this.changes.length + 1, kind, code, body })
      for (const asset of assetsOfChange(kind, code, body)) this.knownAssets.set(asset.code, asset)
      return { outcome: standing === undefined ? 'created' : 'changed', pending: this.pendingPartitions }
    },
    find: (kind, code) => this.changes.findLast((change) => change.kind === kind && change.code === code),
    list: (kind) => [...new Map(this.changes.filter((c) => c.kind === kind).map((c) => [c.code, c])).values()],
  }

  /** Undefined: the mailbox ends with the process. */
  later: EngineLater | undefined
  trouble: string | undefined

  mailboxTrouble(): string | undefined {
    return this.trouble
  }

  ready(): boolean {
    return this.isReady
  }

  async close(): Promise<void> {
    this.isReady = false
  }
}

export const accepted = (command: Command): Answer => ({ http: 201, replayed: false, body: acceptedBody(command) })

export const acceptedBody = (command: Command): string =>
  `{"id":"${command.id}","type":"${command.type}","status":"posted","at":"2026-03-01T12:00:00.000Z","businessDate":"2026-03-01","accounts":[{"id":"${ownerOfCommand(command)}:cash","balance":"87.66","held":"0.00","seq":2}]}`
