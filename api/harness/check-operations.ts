// What clients were told, against the journal: each partition's history must be one that a single actor could have had, one command after the
// other in the order of the journal. Commands whose outcome nobody heard may stand there or not.
import type { SimulatedShard, StoredRow } from '../../adapters/simulated/shard.ts'
import { newJoints } from '../../core/across/joint.ts'
import { apply } from '../../core/apply.ts'
import { catalogAfter } from '../../core/catalog.ts'
import { refusalNumbers } from '../../core/code.ts'
import type { Command } from '../../core/command.ts'
import { firstDifference } from '../../core/compare.ts'
import { decide, dueExpiries } from '../../core/decide.ts'
import { type IdKey, idKeyOf } from '../../core/identity.ts'
import { Lots } from '../../core/lots.ts'
import { lotsOwnerOf, ownerOfCommand, referredIdOf } from '../../core/owner.ts'
import { accountName, type PartitionState, type Received, type Rules } from '../../core/partition.ts'
import type { Row } from '../../core/row.ts'
import type { Decided } from '../../core/transaction.ts'
import { answerTo } from '../../schemas/answer.ts'
import { isDecided, type Operation } from './operation.ts'
import { broken } from './violation.ts'

export interface OperationsCheck {
  readonly shard: SimulatedShard
  readonly operations: readonly Operation[]
  readonly dateOf: Rules['dateOf']
  readonly assets: Rules['assets']
  readonly houseAutoOpen: boolean
  /** Wall clocks were right all the time. */
  readonly clocksAreRight: boolean
  /** Whether the command may have been given up: it made its host fail, or hosts failed often enough by themselves. */
  readonly mayBeQuarantined: (command: Command) => boolean
}

/** All that was asked under one id. */
interface Asked {
  readonly operations: Operation[]
  invokedAt: number
  invokedTime: number
  answeredAt: number
}

/** Throws Violation. */
export function checkOperations(check: OperationsCheck): void {
  const asked = new Map<IdKey, Asked>()
  for (const operation of check.operations) {
    note(asked, operation)
  }
  for (const partition of check.shard.heads.keys()) new PartitionCheck(check, partition, asked).run()
  checkAnswers(check, asked)
}

function note(asked: Map<IdKey, Asked>, operation: Operation): void {
  const { idKey } = operation
  let one = asked.get(idKey)
  if (one === undefined) {
    one = {
      operations: [],
      invokedAt: operation.invokedAt,
      invokedTime: operation.invokedTime,
      answeredAt: Number.POSITIVE_INFINITY,
    }
    asked.set(idKey, one)
  }
  one.operations.push(operation)
  const first = operation.answers.find(({ answer }) => isDecided(answer) && answer.http !== 409)
  if (first !== undefined) one.answeredAt = Math.min(one.answeredAt, first.at)
}

class PartitionCheck {
  private readonly check: OperationsCheck
  private readonly asked: ReadonlyMap<IdKey, Asked>
  private readonly state: PartitionState
  private lastInvokedAt = 0

  constructor(check: OperationsCheck, partition: number, asked: ReadonlyMap<IdKey, Asked>) {
    this.check = check
    this.asked = asked
    const { dateOf, assets, houseAutoOpen } = check
    this.state = {
      partition,
      time: 0,
      pseq: 0,
      accountsOpened: 0,
      accounts: new Map(),
      lots: new Lots(),
      remembered: new Map(),
      catalog: catalogAfter(assets, [], 0),
      exhausted: new Set(),
      joints: newJoints(),
      // Histories across partitions are checked as a whole: see `actors/across.sim.test.ts`.
      rules: { assets, dateOf, houseAutoOpen, partitionOf: () => partition },
    }
  }

  run(): void {
    const { shard } = this.check
    const { partition } = this.state
    const rows = shard.rows.filter((row) => row.partition === partition)
    for (let at = 0; at < rows.length; ) {
      const first = rows[at]
      if (first === undefined) break
      let end = at + 1
      while (rows[end]?.idKey === first.idKey) end++
      this.transaction(rows.slice(at, end))
      at = end
    }
  }

  private transaction(own: readonly StoredRow[]): void {
    const stored = this.check.shard.decidedOf(own)
    if (stored === undefined) return
    if (stored.rows[0].code === refusalNumbers.internal_error) this.givenUp(stored)
    else if (stored.command.type === 'expire') this.expiry(stored)
    else this.decided(stored)
  }

  private decided(stored: Decided): void {
    const { id } = stored.command
    const asked = this.asked.get(stored.idKey)
    const operation = asked?.operations.find(({ command }) => firstDifference(command, stored.command) === undefined)
    // The engine's own timers and its catalog ask too.
    if (operation === undefined && !id.startsWith('!')) broken('nothing_unasked', `nobody asked for ${id} as it stands`)
    if (asked !== undefined) {
      this.order(asked, id)
      this.time(asked, stored)
    }
    const command = operation?.command ?? stored.command
    const received = receivedOf(command, stored)
    const lotsOwner = lotsOwnerOf(command)
    // Nothing is ever out of this memory.
    if (lotsOwner !== undefined) this.state.lots.completed(lotsOwner)
    for (const { command } of dueExpiries(this.state, received, stored.at)) {
      broken('rules_decide_so', `${command.id} was due when ${id} was decided`)
    }
    const decision = decide(this.state, received, stored.at)
    if (decision.kind !== 'decided') broken('rules_decide_so', `${id} stands, but comes to ${decision.kind}`)
    const expected = textOf(decision.decided)
    const found = textOf(stored)
    if (expected !== found) broken('rules_decide_so', `${id} stands as ${found}, the rules say ${expected}`)
    apply(this.state, decision.decided)
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

/** What each client heard is what stands, byte for byte, however often and whenever it asked. */
function checkAnswers({ shard, operations }: OperationsCheck, asked: ReadonlyMap<IdKey, Asked>): void {
  for (const { command, answers, number, partition, idKey } of operations) {
    if (!shard.heads.has(partition)) continue
    const decided = shard.remembered(partition, idKey)?.decided
    const first =
      decided === undefined ? undefined : answerTo({ kind: 'decided', decided }, decided.command, decided.at)
    for (const { answer } of answers) {
      if (!isDecided(answer)) continue
      const what = `operation ${number}, ${command.type} ${command.id}`
      if (answer.http === 409) {
        if (command.type === 'open') continue
        if (decided === undefined || firstDifference(decided.command, command) === undefined) {
          broken('answer_is_the_journals', `${what} was told of a conflict that is none`)
        }
      } else if (decided === undefined) {
        // An account that was there before, a version that was another, an expiry: nothing is recorded of these.
        if (isTransaction(command)) {
          broken('answer_is_the_journals', `${what} was answered ${answer.http}, but does not stand`)
        }
      } else if (isTransaction(command) && answer.body !== first?.body) {
        broken('answers_agree', `${what} was answered ${answer.body}, first it was ${first?.body}`)
      }
    }
  }
  for (const { operations: own } of asked.values()) {
    const decided = own.flatMap(({ answers, command }) =>
      isTransaction(command) ? answers.filter(({ answer }) => isDecided(answer) && answer.http !== 409) : [],
    )
    if (new Set(decided.map(({ answer }) => answer.body)).size > 1) {
      broken('answers_agree', `${own[0]?.command.id} was answered in two ways`)
    }
  }
}

/** Of the others some outcomes are not recorded, or the answer shows the account as it stands now. */
const isTransaction = ({ type }: Command): boolean => type !== 'open' && type !== 'change' && type !== 'expire'

function receivedOf(command: Command, { idKey }: Decided): Received {
  const ref = referredIdOf(command)
  const refKey = ref === undefined ? undefined : idKeyOf(ownerOfCommand(command), ref)
  return { command, idKey, refKey, stampedAt: 0 }
}

const accountNameOf = ({ from }: Row): string => (from === undefined ? '' : accountName(from.id, from.asset.code))

/** All that a decision says, comparable: accounts by their keys. */
const textOf = ({ at, date, rows, facts }: Decided): string =>
  JSON.stringify({ at, date, rows: rows.map(rowText), facts: facts ?? null }, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )

/** Balance and held of a side that is only named are not stored. */
const rowText = (row: Row): unknown => [
  row.kind,
  row.leg,
  row.code,
  row.amount,
  row.from?.key,
  row.fromSeq,
  row.fromSeq > 0 ? row.fromBalance : 0n,
  row.fromSeq > 0 ? row.fromHeld : 0n,
  row.to?.key,
  row.toSeq,
  row.toSeq > 0 ? row.toBalance : 0n,
  row.toSeq > 0 ? row.toHeld : 0n,
  row.link === undefined ? null : Buffer.from(row.link, 'latin1').toString('hex'),
]
