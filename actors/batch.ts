// One batch of a lane: decides commands in memory, one after the other, and gathers what the commit must write and what the clients are
// told once it stands. Synchronous from the first decision to the last; nothing here leaves the thread before the commit.
import { hash as digest } from 'node:crypto'
import { asking, type Begun } from '../core/across/coordinate.ts'
import { mustFollow, together } from '../core/across/together.ts'
import { apply } from '../core/apply.ts'
import type { CatalogChange } from '../core/catalog.ts'
import { refusalNumbers, refusalOf } from '../core/code.ts'
import { commandTime, type Decision, decide, dueExpiries } from '../core/decide.ts'
import { dueExpiriesOn } from '../core/expire.ts'
import type { IdKey } from '../core/identity.ts'
import { accountName, type Received } from '../core/partition.ts'
import { type Row, type RowKind, sidelessRow } from '../core/row.ts'
import type { Decided } from '../core/transaction.ts'
import { answerTo } from '../schemas/answer.ts'
import { AnswerWriter } from '../schemas/answer-writer.ts'
import { channelOf, detailOf } from '../schemas/detail.ts'
import { Crossing } from './crossing.ts'
import type { Hosted } from './hosted.ts'
import { InHand } from './in-hand.ts'
import { type Neighbours, nobody, partiesOf } from './neighbours.ts'
import { PlainRows } from './plain-rows.ts'
import type { AccountOpening, Detail, HoldChange, LaneCommit, PartitionCommit, Random } from './ports.ts'
import type { Position } from './position.ts'
import { recall } from './residency.ts'
import { ShortWay } from './short-way.ts'
import type { Taken } from './taken.ts'
import type { Waiting } from './waiting.ts'

interface Part {
  readonly before: Position
  readonly firstPseq: number
  attempt: string | undefined
}

/** A command made `decide` or `apply` throw: where. */
export class CommandFailed extends Error {
  /** Its place among those that were to be decided; undefined: one of them, nobody knows which. */
  readonly index: number | undefined

  constructor(partition: number | string, cause: unknown, index?: number) {
    super(`a command of partition ${partition} failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
    this.name = 'CommandFailed'
    this.index = index
  }
}

export class Batch {
  readonly number: number
  readonly answers: AnswerWriter
  /** Transactions that may be forgotten once this batch has committed, unless they were used again. */
  readonly touched = new Map<Hosted, IdKey[]>()
  private lastTouched: { readonly hosted: Hosted; readonly keys: IdKey[] } | undefined
  /** Answers by code. */
  readonly outcomes: Record<string, number> = {}
  commands = 0
  rowCount = 0
  private readonly random: Random
  private readonly nowMs: number
  private readonly beforeDecide: ((received: Received) => void) | undefined
  private readonly inHand: InHand
  private readonly parts = new Map<Hosted, Part>()
  private readonly details: Detail[] = []
  private readonly catalog: { partition: number; change: CatalogChange }[] = []
  private readonly openings = new Map<number, Omit<AccountOpening, 'account'> & { hosted: Hosted; name: string }>()
  private readonly changed = new Map<number, { hosted: Hosted; name: string }>()
  private readonly holds = new Map<IdKey, { hosted: Hosted; accountName: string; accountKey: number; isNew: boolean }>()
  private readonly cells = new Map<number, Hosted>()
  private salts: Uint8Array = new Uint8Array(0)
  private saltsUsed = 0
  private lastCell = 0
  private readonly short: ShortWay | undefined
  private readonly plainRows = new Map<Hosted, PlainRows[]>()
  /** What of it concerns other partitions. */
  readonly crossing: Crossing
  private readonly neighbours: Neighbours

  constructor(options: {
    number: number
    random: Random
    nowMs: number
    elapsedMs: number
    beforeDecide?: ((received: Received) => void) | undefined
    inHand?: InHand | undefined
    /** About so many are to be decided. */
    commands?: number
    /** Partitions whose rows may stand in the same commit though they have no command in it. */
    neighbours?: Neighbours
    /** False: plain commands go the long way as well. What must not make a difference, for the test that it makes none. */
    shortWay?: boolean
  }) {
    this.number = options.number
    this.random = options.random
    this.nowMs = options.nowMs
    this.beforeDecide = options.beforeDecide
    this.inHand = options.inHand ?? new InHand()
    this.answers = new AnswerWriter(options.commands ?? 0)
    this.short =
      options.shortWay === false ? undefined : new ShortWay(this.answers, options.nowMs, (hosted) => this.begin(hosted))
    this.crossing = new Crossing(this, options.nowMs, options.elapsedMs)
    this.neighbours = options.neighbours ?? nobody
  }

  /**
   * Decides the commands of one partition in order; afterwards its position is `after`. Those that are plain go the short way where they can.
   * Whoever outlives this thread can read which command it was at. Throws CommandFailed.
   */
  decideTaken(hosted: Hosted, taken: Taken, after: Position): void {
    const { inHand } = this
    const { partition } = hosted
    this.begin(hosted)
    const rows = this.plainRowsOf(hosted)
    let index = 0
    try {
      for (const [run, { first, behind }] of taken.runs.entries()) {
        const end = taken.runs[run + 1]?.first ?? taken.count
        const offset = (behind?.index ?? 0) + 1 - first
        if (behind === undefined) inHand.clear()
        else inHand.frame(partition, behind)
        for (; index < end; index++) {
          if (behind !== undefined) inHand.command(index + offset)
          const waiting = taken.waiting[index]
          this.beforeDecide?.(waiting ?? taken.plainWaiting(index))
          if (waiting !== undefined) this.decideOne(hosted, waiting)
          else if (!this.decidePlain(hosted, taken, index, rows)) this.decideOne(hosted, taken.plainWaiting(index))
        }
      }
    } catch (error) {
      throw new CommandFailed(partition, error, index)
    } finally {
      inHand.clear()
    }
    this.commands += taken.count
    hosted.position = after
  }

  private plainRowsOf(hosted: Hosted): PlainRows {
    const rows = new PlainRows(this.number, hosted.accounts, hosted.writer)
    hosted.plainRows.push(rows)
    const before = this.plainRows.get(hosted)
    if (before === undefined) this.plainRows.set(hosted, [rows])
    else before.push(rows)
    return rows
  }

  private decidePlain(hosted: Hosted, taken: Taken, index: number, rows: PlainRows): boolean {
    const short = this.short
    if (short === undefined) return false
    const there = taken.there[index]
    if (there !== undefined) return this.decidePlainAcross(short, hosted, there, taken, index, rows)
    if (!short.post(hosted, taken, index, rows)) return false
    if (short.cellKey !== 0) this.touchCell(hosted, short.cellKey)
    this.rowCount++
    this.outcomes.posted = (this.outcomes.posted ?? 0) + 1
    return true
  }

  private decidePlainAcross(
    short: ShortWay,
    hosted: Hosted,
    there: Hosted,
    taken: Taken,
    index: number,
    rows: PlainRows,
  ): boolean {
    if (!short.postAcross(hosted, there, taken, index, rows)) return false
    this.touchCell(there, short.cellKeyThere)
    this.touchCell(hosted, short.cellKey)
    this.rowCount += 2
    this.outcomes.posted = (this.outcomes.posted ?? 0) + 1
    return true
  }

  /** Moves a partition without deciding: to note an attempt (`attemptText`), or to switch its segment. */
  advance(hosted: Hosted, after: Position, attempt: string | undefined, nextSegment = hosted.segment): void {
    this.begin(hosted).attempt = attempt
    hosted.position = after
    hosted.segment = nextSegment
    hosted.seen.switchTo(nextSegment)
  }

  /** Records that a command was given up after it failed twice; its id is answered `internal_error` for ever. */
  quarantine(hosted: Hosted, received: Waiting, after: Position): void {
    this.begin(hosted)
    if (received.arrived !== undefined) this.crossing.giveUp(hosted, received.arrived)
    else if (hosted.state.joints.coordinations.has(received.idKey)) {
      // It is a repeat of what is under way and will be answered.
      this.crossing.wait(hosted, received.idKey, received.ticket)
    } else this.giveUp(hosted, received)
    this.commands++
    hosted.position = after
  }

  private giveUp(hosted: Hosted, received: Waiting): void {
    const { state } = hosted
    const at = commandTime(state, received.stampedAt, this.nowMs)
    const decided: Decided = {
      idKey: received.idKey,
      command: received.command,
      at,
      date: state.rules.dateOf(at),
      rows: [sidelessRow(received.command.type, refusalNumbers.internal_error, undefined)],
      facts: undefined,
    }
    const remembered = state.remembered.get(received.idKey)?.decided
    if (remembered === undefined) this.record(hosted, decided)
    this.answer(
      received,
      remembered === undefined ? { kind: 'decided', decided } : { kind: 'repeated', decided: remembered },
    )
  }

  private decideOne(hosted: Hosted, received: Waiting): void {
    const { state } = hosted
    if (received.arrived !== undefined) {
      this.crossing.hear(hosted, received.arrived)
      return
    }
    // What this very batch decided the short way was not to be seen when the needs were collected.
    recall(hosted, received.idKey)
    if (received.refKey !== undefined) recall(hosted, received.refKey)
    const at = commandTime(state, received.stampedAt, this.nowMs)
    for (const expiry of dueExpiries(state, received, at)) this.record(hosted, expiry)
    const decision = decide(state, received, at)
    if (decision.kind === 'started') this.across(hosted, received, decision.begun)
    else if (decision.kind === 'undecided') this.crossing.wait(hosted, received.idKey, received.ticket)
    else this.settle(hosted, received, decision)
  }

  private settle(hosted: Hosted, received: Waiting, decision: Decision): void {
    if (decision.kind === 'decided') this.record(hosted, decision.decided)
    this.answer(received, decision)
  }

  /** In this commit where all its parties can be in it; else by messages. */
  private across(hosted: Hosted, received: Waiting, begun: Begun): void {
    const decided = this.together(hosted, begun)
    if (decided !== undefined) {
      this.settle(hosted, received, { kind: 'decided', decided })
      return
    }
    const step = asking(hosted.state, received, begun)
    if ('kind' in step) this.settle(hosted, received, step)
    else {
      this.crossing.take(hosted, step)
      this.crossing.wait(hosted, received.idKey, received.ticket)
    }
  }

  /** Undefined: a party of it lives in no neighbour, what is there of its accounts is not surely known, or another has to be decided first. */
  private together({ state }: Hosted, begun: Begun): Decided | undefined {
    if (mustFollow(state, begun.joint)) return undefined
    const parties = partiesOf(begun.joint, this.neighbours, this.number)
    if (parties === undefined) return undefined
    const others = parties.map(({ hosted, accounts }) => {
      this.begin(hosted)
      const at = commandTime(hosted.state, this.nowMs, this.nowMs)
      for (const expiry of dueExpiriesOn(hosted.state, accounts, at)) this.record(hosted, expiry)
      return { state: hosted.state, at }
    })
    const { decided, phases } = together(state, begun, others)
    for (const [partition, phase] of phases) {
      const hosted = parties.find((one) => one.hosted.partition === partition)?.hosted
      if (hosted !== undefined) this.crossing.take(hosted, { phase, sends: [] })
    }
    return decided
  }

  /** See `Pen`. */
  answer({ ticket, command }: Pick<Waiting, 'command' | 'ticket'>, decision: Decision): void {
    this.answers.add(ticket, answerTo(decision, command, this.nowMs))
    const code = outcomeOf(decision)
    this.outcomes[code] = (this.outcomes[code] ?? 0) + 1
  }

  record(hosted: Hosted, decided: Decided): void {
    const { state } = hosted
    const firstPseq = state.pseq + 1
    apply(state, decided)
    this.remember(hosted, decided.idKey)
    this.write(hosted, decided, firstPseq, detailOf(decided))
  }

  remember(hosted: Hosted, idKey: IdKey): void {
    const { state, seen } = hosted
    seen.add(idKey)
    const remembered = state.remembered.get(idKey)
    if (remembered !== undefined) remembered.lastUsed = this.number
    this.touchedOf(hosted).push(idKey)
  }

  write(hosted: Hosted, decided: Decided, firstPseq: number, body: string | undefined): void {
    const { state } = hosted
    const detailHash = body === undefined ? undefined : this.keepDetail(state.partition, firstPseq, body)
    const { rows } = decided
    const place = {
      partition: state.partition,
      pseq: firstPseq,
      idKey: decided.idKey,
      id: decided.command.id,
      channel: channelOf(decided.command),
      atMs: decided.at,
      date: decided.date,
      detailHash,
    }
    for (const row of rows) {
      hosted.writer.row(row, place)
      place.pseq++
      if (row.code === 0) this.gather(hosted, decided, row)
    }
    this.rowCount += rows.length
  }

  private gather(hosted: Hosted, decided: Decided, row: Row): void {
    const { from, to } = row
    if (from !== undefined && from.key < 0 && row.fromSeq > 0) this.touchCell(hosted, from.key)
    if (to !== undefined && to.key < 0 && row.toSeq > 0) this.touchCell(hosted, to.key)
    if (simpleKinds.has(row.kind)) return
    if (row.link !== undefined) {
      // The link's target is resident: whoever decided this row saw it. It goes when this batch has committed.
      const target = hosted.state.remembered.get(row.link)
      if (target !== undefined) target.lastUsed = this.number
      this.touchedOf(hosted).push(row.link)
      // The late hold must find it when this memory is gone.
      if (row.kind === 'tombstone') hosted.seen.add(row.link)
    }
    if (from === undefined) {
      if (row.kind === 'catalog' && decided.command.type === 'catalog') {
        const { version, kind, code, body } = decided.command
        this.catalog.push({ partition: hosted.partition, change: { version, kind, code, body } })
      }
      return
    }
    const name = accountName(from.id, from.asset.code)
    if (row.kind === 'open') {
      hosted.accounts.touch(name, this.number)
      if (from.key < 0) {
        hosted.cells.set(from.key, name)
        const house = hosted.houses.get(from.id)
        if (house === undefined) hosted.houses.set(from.id, { lastUsed: this.number })
      }
      const metadata = decided.command.type === 'open' ? decided.command.metadata : undefined
      this.openings.set(from.key, { hosted, name, partition: hosted.partition, openedAt: decided.at, metadata })
    } else if (row.kind === 'change') this.changed.set(from.key, { hosted, name })
    else if (row.kind === 'hold') {
      this.holds.set(decided.idKey, { hosted, accountName: name, accountKey: from.key, isNew: true })
    } else if (row.link !== undefined && holdEndings.has(row.kind) && !this.holds.has(row.link)) {
      this.holds.set(row.link, { hosted, accountName: name, accountKey: from.key, isNew: false })
    }
  }

  private touchCell(hosted: Hosted, key: number): void {
    if (key === this.lastCell) return
    this.lastCell = key
    this.cells.set(key, hosted)
  }

  private keepDetail(partition: number, pseq: number, body: string): Uint8Array {
    if (this.saltsUsed + saltBytes > this.salts.length) {
      this.salts = this.random.bytes(saltBytes * 256)
      this.saltsUsed = 0
    }
    const salt = this.salts.subarray(this.saltsUsed, this.saltsUsed + saltBytes)
    this.saltsUsed += saltBytes
    this.details.push({ partition, pseq, salt, body })
    return detailHash(salt, body)
  }

  /** Also forgotten after the commit: transactions that were loaded for this batch. */
  touch(hosted: Hosted, keys: readonly IdKey[]): void {
    const known = this.touchedOf(hosted)
    for (const key of keys) known.push(key)
  }

  private touchedOf(hosted: Hosted): IdKey[] {
    if (hosted === this.lastTouched?.hosted) return this.lastTouched.keys
    let keys = this.touched.get(hosted)
    if (keys === undefined) {
      keys = []
      this.touched.set(hosted, keys)
    }
    this.lastTouched = { hosted, keys }
    return keys
  }

  private begin(hosted: Hosted): Part {
    const begun = this.parts.get(hosted)
    if (begun !== undefined) return begun
    hosted.writer.clear()
    const part = { before: hosted.position, firstPseq: hosted.state.pseq + 1, attempt: undefined }
    this.parts.set(hosted, part)
    // What is kept of it until its commit goes with that, whether anything was touched or not.
    this.touchedOf(hosted)
    return part
  }

  /** Nothing more is decided of the partition. */
  private end(hosted: Hosted, { before, firstPseq, attempt }: Part): PartitionCommit {
    this.crossing.end(hosted)
    this.touch(hosted, hosted.recalled)
    hosted.recalled.length = 0
    const { state, partition, epoch, position: after, segment: nextSegment } = hosted
    const bytes = hosted.writer.since(0)
    const chain = bytes.length === 0 ? undefined : chainOf(hosted.chain, bytes)
    if (chain !== undefined) hosted.chain = chain
    const { pseq: lastPseq, accountsOpened, time } = state
    return { partition, epoch, before, after, attempt, firstPseq, lastPseq, accountsOpened, time, chain, nextSegment }
  }

  /** The rows of all partitions, one behind the other in the order of `parts`. */
  private takeRows(): Buffer {
    let length = 0
    for (const { writer } of this.parts.keys()) length += writer.length
    const all = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const hosted of this.parts.keys()) {
      const end = hosted.writer.moveTo(all, at)
      for (const rows of this.plainRows.get(hosted) ?? []) rows.taken(all.subarray(at, end))
      at = end
    }
    return all
  }

  /** What the ledger must write. After this the batch decides no more. */
  commitOf(segment: number): LaneCommit {
    const partitions = [...this.parts].map(([hosted, part]) => this.end(hosted, part))
    const openings: AccountOpening[] = []
    for (const [, { hosted, name, ...opening }] of this.openings) {
      const account = hosted.state.accounts.get(name)
      if (account !== undefined) openings.push({ ...opening, account })
    }
    const holds: HoldChange[] = []
    for (const [idKey, { hosted, accountName: name, accountKey, isNew }] of this.holds) {
      const hold = hosted.state.accounts.get(name)?.holds.get(idKey)
      if (isNew && hold === undefined) continue
      holds.push({
        idKey,
        accountKey,
        partition: hosted.partition,
        hold: hold === undefined ? undefined : { ...hold },
        isNew,
      })
    }
    const commit = {
      segment,
      partitions,
      rows: this.takeRows(),
      details: this.details,
      openings: openings.map((opening) => ({ ...opening, account: { ...opening.account } })),
      changes: [...this.changed].flatMap(([key, { hosted, name }]) => {
        const account = hosted.state.accounts.get(name)
        return account === undefined
          ? []
          : [{ key, status: account.status, overdraft: account.overdraft, version: account.version }]
      }),
      holds,
      cells: [...this.cells].flatMap(([key, hosted]) => {
        const name = this.openings.has(key) ? undefined : hosted.cells.get(key)
        const cell = name === undefined ? undefined : hosted.accounts.copyOf(name)
        return cell === undefined ? [] : [cell]
      }),
      catalog: this.catalog,
      links: this.crossing.links,
      joints: this.crossing.jointChanges,
    }
    for (const { accounts } of this.parts.keys()) accounts.settle()
    return commit
  }
}

function outcomeOf(decision: Decision): string {
  switch (decision.kind) {
    case 'decided':
      return (
        refusalOf(decision.decided.rows[0].code) ?? (decision.decided.command.type === 'hold' ? 'pending' : 'posted')
      )
    case 'repeated':
      return 'replayed'
    case 'conflict':
      return 'id_conflict'
    case 'exists':
      return decision.alike ? 'replayed' : 'account_exists'
    default:
      return decision.kind
  }
}

const simpleKinds: ReadonlySet<RowKind> = new Set<RowKind>([
  'debit',
  'credit',
  'transfer',
  'postings',
  'points.earn',
  'points.redeem',
  'coupon.issue',
  'coupon.claim',
  'stock',
])
const holdEndings: ReadonlySet<RowKind> = new Set<RowKind>(['capture', 'release', 'expire'])
const saltBytes = 16

/** SHA-256(previous chain, tuples): P8. */
export function chainOf(previous: Uint8Array, tuples: Uint8Array): Uint8Array {
  return digest('sha256', Buffer.concat([previous, tuples]), 'buffer')
}

/** What the journal keeps of a detail, so that the detail itself may be erased: SHA-256(salt, body). */
export function detailHash(salt: Uint8Array, body: string): Uint8Array {
  return digest('sha256', Buffer.concat([salt, Buffer.from(body)]), 'buffer')
}
