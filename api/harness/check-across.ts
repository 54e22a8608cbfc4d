// Transactions across partitions, by the messages that their parties must have sent each other: each party's rows are what the rules make of the
// question it got, the decision is what they make of the answers, and at the end nothing is left open.
import type { StoredRow } from '../../adapters/simulated/shard.ts'
import type { Begun } from '../../core/across/coordinate.ts'
import { giveUp, hear } from '../../core/across/hear.ts'
import type { Coordination, LegAsset, LinkMessage, Participation } from '../../core/across/joint.ts'
import { refuse } from '../../core/across/participate.ts'
import { applyStep, type Step } from '../../core/across/step.ts'
import { declinedTogether, postedTogether } from '../../core/across/together.ts'
import { refusalNumbers } from '../../core/code.ts'
import type { IdKey } from '../../core/identity.ts'
import type { PartitionState } from '../../core/partition.ts'
import type { Row } from '../../core/row.ts'
import type { Decided } from '../../core/transaction.ts'
import type { OperationsCheck } from './check-operations.ts'
import { broken } from './violation.ts'

interface Said {
  readonly from: number
  readonly message: LinkMessage
}

/** A coordinator asks each other party once and tells it once how it ended; a party answers once. */
type Turn = 'question' | 'answer' | 'end'

/** What all partitions of a world have said to each other. */
export class Messages {
  private readonly said = new Map<string, Said>()

  add(from: number, to: number, message: LinkMessage): void {
    const { kind } = message
    const idKey = 'joint' in message ? message.joint.idKey : message.idKey
    if (kind === 'settle' || kind === 'reserve') this.said.set(nameOf(to, 'question', idKey), { from, message })
    else if (kind === 'post' || kind === 'release') this.said.set(nameOf(to, 'end', idKey), { from, message })
    else this.said.set(nameOf(from, 'answer', idKey), { from, message })
  }

  /** `party`: the one that does not coordinate. */
  find(party: number, turn: Turn, idKey: IdKey): Said | undefined {
    return this.said.get(nameOf(party, turn, idKey))
  }
}

const nameOf = (party: number, turn: Turn, idKey: IdKey): string => `${party} ${turn} ${idKey}`

/** Of one partition. */
export class AcrossCheck {
  private readonly state: PartitionState
  private readonly messages: Messages
  private readonly check: Pick<OperationsCheck, 'mayBeQuarantined'>

  constructor(state: PartitionState, messages: Messages, check: Pick<OperationsCheck, 'mayBeQuarantined'>) {
    this.state = state
    this.messages = messages
    this.check = check
  }

  /** Applies it, and says to the others what it says. */
  take(step: Step): void {
    applyStep(this.state, step)
    for (const { to, message } of step.sends) this.messages.add(this.state.partition, to, message)
  }

  /** Rows of a party that does not coordinate. False: it was not asked yet. */
  party(own: readonly [StoredRow, ...StoredRow[]], stage: number): boolean {
    const [{ idKey, id, at, row }] = own
    const asks = stage % 2 === 0
    const asked = this.messages.find(this.state.partition, asks ? 'question' : 'end', idKey)
    if (asked === undefined) return false
    const { from, message } = asked
    const isGivenUp = asks && row.code === refusalNumbers.internal_error
    if (isGivenUp && 'joint' in message && !this.check.mayBeQuarantined(message.joint.command)) {
      broken('quarantined_for_a_reason', `${id} was given up though nothing was wrong with it`)
    }
    const isRight = (one: Step | undefined): boolean =>
      phaseText(one?.phase?.rows ?? []) === phaseText(own.map((stored) => stored.row))
    let step = this.untilRight(
      () => (isGivenUp ? giveUp(this.state, message, at) : hear(this.state, from, message, at)),
      isRight,
    )
    // Of more than two parties in one commit the last one records that what it found is not what another has found.
    if (message.kind === 'settle' && message.joint.parties.length > 2 && !isRight(step))
      step = refuse(this.state, message.joint, at, 'asset_mismatch')
    this.same(own, step?.phase?.rows ?? [])
    if (step !== undefined) this.take(step)
    return true
  }

  /** All its parties in one commit. Undefined: those that its decision rests on have not come to it yet. */
  together(begun: Begun, { idKey, rows: [row] }: Decided): Decided | undefined {
    const { joint, tried } = begun
    const [, ...others] = joint.parties
    const found: LegAsset[] = []
    for (const party of others)
      this.messages.add(this.state.partition, party, { kind: 'settle', joint, part: tried.part })
    const answers = others.map((party) => this.messages.find(party, 'answer', idKey)?.message)
    for (const answer of answers) {
      if (answer?.kind === 'refused' && refusalNumbers[answer.code] === row.code)
        return declinedTogether(begun, answer.code)
      if (answer?.kind === 'settled') found.push(...answer.assets)
    }
    return answers.every((answer) => answer?.kind === 'settled') ? postedTogether(this.state, begun, found) : undefined
  }

  /** What the coordinator makes of the answers. Undefined: those that its decision rests on are not there yet. */
  decision(open: Coordination, { idKey, at, rows: [row] }: Decided): Step | undefined {
    const answers = open.awaiting.map((party) => this.messages.find(party, 'answer', idKey))
    const refusal = answers.find(
      (one) => one?.message.kind === 'refused' && refusalNumbers[one.message.code] === row.code,
    )
    if (refusal !== undefined) return hear(this.state, refusal.from, refusal.message, at)
    let step: Step | undefined
    const heard = answers.filter((one) => one !== undefined && one.message.kind !== 'refused')
    if (heard.length < answers.length) return undefined
    for (const one of heard) {
      if (one === undefined) continue
      step = hear(this.state, one.from, one.message, at)
      if (step?.waits !== undefined) applyStep(this.state, step)
    }
    return step
  }

  /** The rows that stand are those that the rules make. */
  same(own: readonly [StoredRow, ...StoredRow[]], rows: readonly Row[]): void {
    const [expected, found] = [phaseText(rows), phaseText(own.map(({ row }) => row))]
    if (expected !== found) {
      const [{ id, row, partition }] = own
      broken(
        'rules_decide_so',
        `leg ${row.leg} of ${id} in partition ${partition} stands as ${found}, the rules say ${expected}`,
      )
    }
  }

  /**
   * A party that holds nothing and is told to give it back writes no row: it has heard of that at some moment that nobody can see. So whatever comes
   * out otherwise than it stands is decided again after each such end.
   */
  untilRight<T>(make: () => T, isRight: (one: T) => boolean): T {
    let made = make()
    for (const open of this.unseenEnds()) {
      if (isRight(made)) break
      this.forget(open)
      made = make()
    }
    return made
  }

  /** Whether something is open here that may have ended without a row, by a decision that another partition has not come to yet. */
  get mayHaveEnded(): boolean {
    return [...this.state.joints.participations.values()].some(
      ({ part, joint }) =>
        part.holds.length === 0 && this.messages.find(this.state.partition, 'end', joint.idKey) === undefined,
    )
  }

  private unseenEnds(): readonly Participation[] {
    return [...this.state.joints.participations.values()].filter(
      ({ part, joint }) =>
        part.holds.length === 0 &&
        this.messages.find(this.state.partition, 'end', joint.idKey)?.message.kind === 'release',
    )
  }

  private forget({ joint }: Participation): void {
    applyStep(this.state, { ends: { role: 'participation', idKey: joint.idKey }, sends: [] })
  }

  /** Nothing is left open. */
  end(): void {
    for (const open of this.unseenEnds()) this.forget(open)
    const { coordinations, participations } = this.state.joints
    const [left] = [...coordinations.values(), ...participations.values()]
    if (left !== undefined) {
      const { id } = left.joint.command
      broken('every_question_is_decided', `${id} is still open in partition ${this.state.partition}`)
    }
  }
}

/** All that rows say, comparable. */
export const phaseText = (rows: readonly Row[]): string =>
  JSON.stringify(rows.map(rowText), (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

/** Balance and held of a side that is only named are not stored. */
export const rowText = (row: Row): unknown => [
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
