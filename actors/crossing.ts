// What of a batch concerns other partitions: messages that are heard, steps that are taken, who waits for what is not decided yet, and what the
// commit must write and let out for it. The batch brings the pen: rows and answers are its own.
import { dueBefore, giveUp, hear } from '../core/across/hear.ts'
import { stageLegs } from '../core/across/joint.ts'
import { applyStep, type Step } from '../core/across/step.ts'
import { commandTime, type Decision } from '../core/decide.ts'
import type { IdKey } from '../core/identity.ts'
import type { Decided } from '../core/transaction.ts'
import { detailOf, partyDetailOf } from '../schemas/detail.ts'
import { jointRecord } from '../schemas/joint-record.ts'
import type { Hosted } from './hosted.ts'
import type { Leaving, LinkChange } from './links.ts'
import type { JointChange } from './ports.ts'
import type { Arrived, Waiting } from './waiting.ts'

/** What the batch does for it. */
export interface Pen {
  /** Applies, remembers and writes a decision. */
  record(hosted: Hosted, decided: Decided): void
  /** Remembers what was applied. */
  remember(hosted: Hosted, idKey: IdKey): void
  /** Writes rows that were applied, the first of them with this number. */
  write(hosted: Hosted, decided: Decided, firstPseq: number, detail: string | undefined): void
  answer(to: Pick<Waiting, 'command' | 'ticket'>, decision: Decision): void
}

/** Repeats of one undecided transaction that are answered when it is decided. */
const waitersMax = 256

export class Crossing {
  /** What the commit moves of each partition's links. */
  readonly linkChanges = new Map<Hosted, readonly LinkChange[]>()
  /** Packets that leave when the commit stands. */
  readonly leaving: Leaving[] = []
  private readonly joints = new Map<Hosted, Set<IdKey>>()
  private readonly pen: Pen
  private readonly nowMs: number
  private readonly elapsedMs: number

  constructor(pen: Pen, nowMs: number, elapsedMs: number) {
    this.pen = pen
    this.nowMs = nowMs
    this.elapsedMs = elapsedMs
  }

  /** Applies a message if it is the next of its link; the marks of a packet count behind its messages. */
  hear(hosted: Hosted, { from, number, message, marks }: Arrived): void {
    const { links, state } = hosted
    if (message !== undefined) {
      const turn = links.turnOf(from, number)
      if (turn === 'next') {
        const at = commandTime(state, this.nowMs, this.nowMs)
        for (const expiry of dueBefore(state, message, at)) this.pen.record(hosted, expiry)
        const step = hear(state, from, message, at)
        if (step !== undefined) this.take(hosted, step)
        links.take(from, number, message, this.elapsedMs)
      } else links.dropped(from, turn)
    }
    if (marks !== undefined) links.hear(marks, this.elapsedMs)
  }

  /** It failed twice. A question is refused; a decision or an answer is never skipped: the link stops until the partition is hosted again. */
  giveUp(hosted: Hosted, { from, number, message }: Arrived): void {
    const { links, state } = hosted
    if (message === undefined || links.turnOf(from, number) !== 'next') return
    const step = giveUp(state, message, commandTime(state, this.nowMs, this.nowMs))
    if (step === undefined) {
      links.stop(from)
      return
    }
    this.take(hosted, step)
    links.take(from, number, message, this.elapsedMs)
  }

  take(hosted: Hosted, step: Step): void {
    const { state, links } = hosted
    const { phase, decided, begins, waits, ends, sends } = step
    const long = ends !== undefined && isLong(state, ends)
    let pseq = state.pseq + 1
    applyStep(state, step)
    if (phase !== undefined) {
      const { joint, at, rows } = phase
      const { idKey, command, date } = joint
      const detail = rows[0].leg < stageLegs * 2 ? undefined : partyDetailOf(command)
      this.pen.write(hosted, { idKey, command, at, date, rows, facts: undefined }, pseq, detail)
      pseq += rows.length
    }
    if (decided !== undefined) {
      this.pen.remember(hosted, decided.idKey)
      this.pen.write(hosted, decided, pseq, detailOf(decided))
      this.answerWaiting(hosted, decided)
    }
    // Until it is decided: another body under its id must not be taken for a new transaction.
    if (begins?.role === 'coordination') hosted.seen.add(begins.of.joint.idKey)
    if (begins?.role === 'participation' || begins?.of.form === 'reserve') this.touch(hosted, begins.of.joint.idKey)
    if (waits !== undefined) this.touch(hosted, waits.joint.idKey)
    if (long) this.touch(hosted, ends.idKey)
    for (const { to, message } of sends) links.add(to, message)
  }

  private touch(hosted: Hosted, idKey: IdKey): void {
    const keys = this.joints.get(hosted)
    if (keys === undefined) this.joints.set(hosted, new Set([idKey]))
    else keys.add(idKey)
  }

  /** Whoever has waited longest may long have been told `outcome_unknown`. */
  wait({ waiters }: Hosted, idKey: IdKey, ticket: number): void {
    const tickets = waiters.get(idKey)
    if (tickets === undefined) waiters.set(idKey, [ticket])
    else {
      tickets.push(ticket)
      if (tickets.length > waitersMax) tickets.shift()
    }
  }

  private answerWaiting({ waiters }: Hosted, decided: Decided): void {
    const tickets = waiters.get(decided.idKey) ?? []
    waiters.delete(decided.idKey)
    for (const [i, ticket] of tickets.entries()) {
      this.pen.answer({ command: decided.command, ticket }, { kind: i === 0 ? 'decided' : 'repeated', decided })
    }
  }

  /** Nothing more is decided of this partition in the batch. */
  end(hosted: Hosted): void {
    const { changes, leaving } = hosted.links.changes(this.elapsedMs)
    if (changes.length > 0) this.linkChanges.set(hosted, changes)
    for (const packet of leaving) this.leaving.push(packet)
  }

  get links(): LinkChange[] {
    return [...this.linkChanges.values()].flat()
  }

  /** Transactions of the long form, as they stand after the batch. */
  get jointChanges(): JointChange[] {
    return [...this.joints].flatMap(([hosted, keys]) => [...keys].map((idKey) => jointChange(hosted, idKey)))
  }
}

function jointChange({ partition, state: { joints } }: Hosted, idKey: IdKey): JointChange {
  const coordination = joints.coordinations.get(idKey)
  if (coordination !== undefined) {
    return { partition, idKey, record: jointRecord({ role: 'coordination', of: coordination }) }
  }
  const participation = joints.participations.get(idKey)
  const record = participation === undefined ? undefined : jointRecord({ role: 'participation', of: participation })
  return { partition, idKey, record }
}

/** Of the short form nothing is kept but what lies in the outbox. */
const isLong = ({ joints }: Hosted['state'], { role, idKey }: NonNullable<Step['ends']>): boolean =>
  role === 'participation' || joints.coordinations.get(idKey)?.form === 'reserve'
