// One partition's history as a single actor could have had it: each row that stands must be what the rules make of the commands and messages before it.
import type { SimulatedShard, StoredRow } from '../../adapters/simulated/shard.ts'
import { asking, type Begun } from '../../core/across/coordinate.ts'
import { type Coordination, stageLegs } from '../../core/across/joint.ts'
import { apply } from '../../core/apply.ts'
import { refusalNumbers } from '../../core/code.ts'
import type { Command } from '../../core/command.ts'
import { firstDifference } from '../../core/compare.ts'
import { type Decision, decide, dueExpiries } from '../../core/decide.ts'
import { emptyPartition } from '../../core/empty-partition.ts'
import { type IdKey, idKeyOf } from '../../core/identity.ts'
import { lotsOwnerOf, ownerOfCommand, referredIdOf } from '../../core/owner.ts'
import { accountName, type PartitionState, type Received } from '../../core/partition.ts'
import type { Row } from '../../core/row.ts'
import type { Decided } from '../../core/transaction.ts'
import { AcrossCheck, type Messages, phaseText, rowText } from './check-across.ts'
import type { Asked, OperationsCheck } from './check-operations.ts'
import { broken } from './violation.ts'

export class PartitionCheck {
  private readonly state: PartitionState
  private readonly check: OperationsCheck
  private readonly asked: ReadonlyMap<IdKey, Asked>
  private readonly shard: SimulatedShard
  private readonly across: AcrossCheck
  private readonly groups: readonly (readonly [StoredRow, ...StoredRow[]])[]
  private at = 0
  private lastInvokedAt = 0
  /** No other partition comes to anything more. */
  private atEnd = false

  constructor(
    check: OperationsCheck,
    shard: SimulatedShard,
    partition: number,
    asked: ReadonlyMap<IdKey, Asked>,
    messages: Messages,
  ) {
    this.check = check
    this.asked = asked
    this.shard = shard
    const { dateOf, assets, houseAutoOpen, partitionOf } = check
    this.state = emptyPartition(partition, { assets, dateOf, houseAutoOpen, partitionOf })
    this.groups = groupsOf(shard, partition)
    this.across = new AcrossCheck(this.state, messages, check)
  }

  /** Goes on as far as it can. False: there was nothing that could be decided yet, or is. */
  run(): boolean {
    const from = this.at
    for (;;) {
      const group = this.groups[this.at]
      if (group === undefined || !this.decidable(group)) return this.at > from
      this.at++
    }
  }

  /** Throws Violation where something stands that no question or answer accounts for. */
  end(): void {
    this.atEnd = true
    this.run()
    const left = this.groups[this.at]
    if (left !== undefined) {
      const [{ id, row }] = left
      broken('whole_or_absent', `leg ${row.leg} of ${id} in partition ${this.state.partition} answers nobody`)
    }
    this.across.end()
  }

  /** False: it rests on what another partition has not come to yet. */
  private decidable(own: readonly [StoredRow, ...StoredRow[]]): boolean {
    const [first] = own
    const stage = Math.floor(first.row.leg / stageLegs)
    if (stage > 1) return this.across.party(own, stage)
    if (stage === 1) {
      this.started(own)
      return true
    }
    const stored = this.shard.decidedOf(own)
    if (stored === undefined) return true
    const open = this.state.joints.coordinations.get(stored.idKey)
    if (open !== undefined) return this.acrossDecided(stored, open)
    if (stored.rows[0].code === refusalNumbers.internal_error) this.givenUp(stored)
    else if (stored.command.type === 'expire') this.expiry(stored)
    else return this.decided(stored)
    return true
  }

  /** A transaction across partitions begins: what the rules hold for it must stand. */
  private started(own: readonly [StoredRow, ...StoredRow[]]): void {
    const [{ idKey, id, at }] = own
    const stored = this.shard.remembered(this.state.partition, idKey)?.decided
    if (stored === undefined) broken('every_question_is_decided', `${id} was begun and is not decided`)
    const command = this.commandOf(stored)
    const received = receivedOf(command, stored)
    this.nothingIsDue(received, at, id)
    const step = this.across.untilRight(
      () => {
        const decision = decide(this.state, received, at)
        return decision.kind === 'started' ? asking(this.state, received, decision.begun) : decision
      },
      (one) => 'sends' in one && phaseText(one.phase?.rows ?? []) === phaseText(own.map(({ row }) => row)),
    )
    if ('kind' in step) {
      broken('rules_decide_so', `${id} was begun with other partitions, the rules come to ${step.kind}`)
    }
    this.across.same(own, step.phase?.rows ?? [])
    this.across.take(step)
  }

  private acrossDecided(stored: Decided, open: Coordination): boolean {
    const step = this.across.decision(open, stored)
    if (step === undefined) return false
    const asked = this.asked.get(stored.idKey)
    if (asked !== undefined) {
      this.order(asked, stored.command.id)
      this.time(asked, stored)
    }
    const expected = step.decided === undefined ? 'nothing' : textOf(step.decided)
    const found = textOf(stored)
    if (expected !== found)
      broken('rules_decide_so', `${stored.command.id} stands as ${found}, the rules say ${expected}`)
    this.across.take(step)
    return true
  }

  /** As somebody asked for it. */
  private commandOf(stored: Decided): Command {
    const { id } = stored.command
    const operation = this.asked
      .get(stored.idKey)
      ?.operations.find(({ command }) => firstDifference(command, stored.command) === undefined)
    // The engine's own timers and its catalog ask too.
    if (operation === undefined && !id.startsWith('!')) broken('nothing_unasked', `nobody asked for ${id} as it stands`)
    const command = operation?.command ?? stored.command
    // What the other cells held is looked up for whoever settles: it is not part of what was asked.
    return command.type === 'settle' && stored.command.type === 'settle'
      ? { ...command, others: stored.command.others }
      : command
  }

  private nothingIsDue(received: Received, at: number, id: string): void {
    for (const { command } of dueExpiries(this.state, received, at)) {
      broken('rules_decide_so', `${command.id} was due when ${id} was decided`)
    }
  }

  /** Refused before anybody was asked, because what is reserved would not fit; else all its parties are in one commit. */
  private begun(received: Received, begun: Begun, stored: Decided): Decided | undefined {
    const asked = asking(this.state, received, begun)
    if ('kind' in asked && asked.kind === 'decided' && textOf(asked.decided) === textOf(stored)) return asked.decided
    return this.across.together(begun, stored)
  }

  /** False: it rests on what another partition has not come to yet. */
  private decided(stored: Decided): boolean {
    const { id } = stored.command
    const command = this.commandOf(stored)
    const received = receivedOf(command, stored)
    const lotsOwner = lotsOwnerOf(command)
    // Nothing is ever out of this memory.
    if (lotsOwner !== undefined) this.state.lots.completed(lotsOwner)
    this.nothingIsDue(received, stored.at, id)
    const found = textOf(stored)
    const decision = this.across.untilRight(
      () => decide(this.state, received, stored.at),
      (one) => one.kind === 'started' || (one.kind === 'decided' && textOf(one.decided) === found),
    )
    const decided = decision.kind === 'started' ? this.begun(received, decision.begun, stored) : decisionOf(decision)
    if (decided === undefined) {
      if (decision.kind === 'started') return false
      broken('rules_decide_so', `${id} stands, but comes to ${decision.kind}`)
    }
    const expected = textOf(decided)
    // What another partition comes to may still make it right.
    if (expected !== found && !this.atEnd && this.across.mayHaveEnded) return false
    if (expected !== found) broken('rules_decide_so', `${id} stands as ${found}, the rules say ${expected}`)
    const asked = this.asked.get(stored.idKey)
    if (asked !== undefined) {
      this.order(asked, id)
      this.time(asked, stored)
    }
    apply(this.state, decided)
    return true
  }

  private givenUp(stored: Decided): void {
    if (!this.check.mayBeQuarantined(stored.command)) {
      broken('quarantined_for_a_reason', `${stored.command.id} was given up though nothing was wrong with it`)
    }
    apply(this.state, stored)
  }

  private expiry(stored: Decided): void {
    const [row] = stored.rows
    const account = row.from === undefined ? undefined : this.state.accounts.get(accountNameOf(row))
    const hold = row.link === undefined ? undefined : account?.holds.get(row.link)
    if (hold?.remaining !== row.amount || hold.expiresAt === undefined || hold.expiresAt > stored.at) {
      broken('holds_end_in_time', `${stored.command.id} at ${stored.at} is not what the rules say`)
    }
    apply(this.state, stored)
  }

  /** Whoever was answered before another asked stands before him. */
  private order(asked: Asked, id: string): void {
    if (asked.answeredAt < this.lastInvokedAt) {
      broken(
        'real_time_order',
        `${id} was answered at ${asked.answeredAt} ms and stands behind one asked at ${this.lastInvokedAt} ms`,
      )
    }
    this.lastInvokedAt = Math.max(this.lastInvokedAt, asked.invokedAt)
  }

  private time(asked: Asked, { at, command }: Decided): void {
    if (!this.check.clocksAreRight) return
    if (at < asked.invokedTime) {
      broken('time_is_the_commands', `${command.id} has the time ${at} and was asked at ${asked.invokedTime}`)
    }
  }
}

/** Rows of one transaction at one stage; they stand together. */
function groupsOf(shard: SimulatedShard, partition: number): readonly (readonly [StoredRow, ...StoredRow[]])[] {
  const groups: [StoredRow, ...StoredRow[]][] = []
  for (const one of shard.rows) {
    if (one.partition !== partition) continue
    const group = groups.at(-1)
    const isSame =
      group?.[0].idKey === one.idKey && Math.floor(group[0].row.leg / stageLegs) === Math.floor(one.row.leg / stageLegs)
    if (isSame) group.push(one)
    else groups.push([one])
  }
  return groups
}

function receivedOf(command: Command, { idKey }: Decided): Received {
  const ref = referredIdOf(command)
  const refKey = ref === undefined ? undefined : idKeyOf(ownerOfCommand(command), ref)
  return { command, idKey, refKey, stampedAt: 0 }
}

const decisionOf = (decision: Decision): Decided | undefined =>
  decision.kind === 'decided' ? decision.decided : undefined

const accountNameOf = ({ from }: Row): string => (from === undefined ? '' : accountName(from.id, from.asset.code))

/** All that a decision says, comparable: accounts by their keys. */
const textOf = ({ at, date, rows, facts }: Decided): string =>
  JSON.stringify({ at, date, rows: rows.map(rowText), facts: facts ?? null }, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
