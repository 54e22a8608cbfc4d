// Several partitions for tests of what crosses them: commands go to their owner's, messages are heard one by one in the order in which they were sent.
import assert from 'node:assert/strict'
import { asking, type Begun } from '../across/coordinate.ts'
import { accountsOfPart, dueBefore, hear } from '../across/hear.ts'
import { type LinkMessage, transitId } from '../across/joint.ts'
import { applyStep, type Step } from '../across/step.ts'
import { together } from '../across/together.ts'
import { apply } from '../apply.ts'
import { refusalOf } from '../code.ts'
import type { Command } from '../command.ts'
import { dueExpiriesOn } from '../expire.ts'
import { ownerOfCommand } from '../owner.ts'
import { type AccountGiven, figuresOf, outcomeOf, TestLedger } from './ledger.ts'

/** Every owner has a partition of his own. */
export const apart = (owner: string): number => owner.charCodeAt(0) - 96

/** What to make of a transaction of several partitions: messages, or one commit where all can be in it. */
type Way = 'messages' | 'one commit'

/** Partitions 1, 2, .. of the owners a, b, c, d, and what is on its way between them. */
export class Town {
  readonly ledgers = new Map<number, TestLedger>()
  readonly outcomes = new Map<string, string>()
  readonly onTheWay: { readonly from: number; readonly to: number; readonly message: LinkMessage }[] = []
  private readonly partitionOf: (owner: string) => number
  private readonly way: Way

  constructor(partitionOf: (owner: string) => number, way: Way = 'messages') {
    this.partitionOf = partitionOf
    this.way = way
    for (const owner of ['a', 'b', 'c', 'd']) this.of(owner)
  }

  of(owner: string): TestLedger {
    const partition = this.partitionOf(owner)
    let ledger = this.ledgers.get(partition)
    if (ledger === undefined) {
      ledger = new TestLedger({ partition, partitionOf: this.partitionOf })
      this.ledgers.set(partition, ledger)
    }
    return ledger
  }

  account(id: string, given?: AccountGiven): this {
    this.of(id.slice(0, 1)).account(id, given)
    return this
  }

  /** Its outcome if it is decided at once; `started` if it waits for another partition. */
  send(command: Command): string {
    const owner = ownerOfCommand(command)
    const ledger = this.of(owner)
    const decision = ledger.post(command)
    if (decision.kind === 'started' && this.way === 'one commit') return this.together(ledger, decision.begun)
    const step = decision.kind === 'started' ? asking(ledger.state, ledger.receive(command), decision.begun) : undefined
    if (step !== undefined && 'sends' in step) this.take(ledger, step)
    const outcome = outcomeOf(step === undefined || 'sends' in step ? decision : step)
    this.outcomes.set(command.id, outcome)
    return outcome
  }

  private together({ state }: TestLedger, begun: Begun): string {
    const others = begun.joint.parties.slice(1).flatMap((partition) => {
      const other = this.ledgers.get(partition)
      if (other === undefined) return []
      const ids = accountsOfPart(begun.joint, other.state)
      for (const expiry of dueExpiriesOn(other.state, ids, other.now)) apply(other.state, expiry)
      return [{ state: other.state, at: other.now }]
    })
    const { decided, phases } = together(state, begun, others)
    apply(state, decided)
    for (const [partition, phase] of phases) {
      const other = this.ledgers.get(partition)
      if (other !== undefined) applyStep(other.state, { phase, sends: [] })
    }
    const outcome = refusalOf(decided.rows[0].code) ?? 'accepted'
    this.outcomes.set(decided.command.id, outcome)
    return outcome
  }

  /** Hears the oldest message on its way. */
  hear(): void {
    const next = this.onTheWay.shift()
    const ledger = next === undefined ? undefined : this.ledgers.get(next.to)
    if (next === undefined || ledger === undefined) return
    for (const expiry of dueBefore(ledger.state, next.message, ledger.now)) apply(ledger.state, expiry)
    const step = hear(ledger.state, next.from, next.message, ledger.now)
    if (step !== undefined) this.take(ledger, step)
  }

  private take({ state }: TestLedger, step: Step): void {
    const { decided, sends } = step
    applyStep(state, step)
    if (decided !== undefined) this.outcomes.set(decided.command.id, refusalOf(decided.rows[0].code) ?? 'accepted')
    for (const { to, message } of sends) this.onTheWay.push({ from: state.partition, to, message })
  }

  /** The outcome once all that it needs was heard. */
  post(command: Command): string {
    this.send(command)
    while (this.onTheWay.length > 0) this.hear()
    return this.outcomes.get(command.id) ?? 'none'
  }

  wait(ms: number): void {
    for (const ledger of this.ledgers.values()) ledger.wait(ms)
  }

  figures(id: string): string {
    return figuresOf(this.of(id.slice(0, 1)).find(id))
  }

  /** P4, of every partition by itself, and of transit over all of them once nothing is on its way. */
  checkSums(): void {
    const transit = new Map<string, bigint>()
    for (const [partition, { state }] of this.ledgers) {
      const sums = new Map<string, bigint>()
      for (const { id, asset, balance } of state.accounts.values()) {
        sums.set(asset.code, (sums.get(asset.code) ?? 0n) + balance)
        if (id === transitId) transit.set(asset.code, (transit.get(asset.code) ?? 0n) + balance)
      }
      for (const [code, sum] of sums) assert.equal(sum, 0n, `${code} of partition ${partition}`)
    }
    if (this.onTheWay.length > 0) return
    for (const [code, sum] of transit) assert.equal(sum, 0n, `transit of ${code}`)
  }
}
