// The short way of a command through a batch: a plain debit, credit or transfer between two resident accounts that is accepted, from the bytes of
// its record to the bytes of its row and its answer, without an object or a text in between. `find` looks up what it needs, `post` decides.
// Whatever is not surely such a case is left to the long way (`collectNeeds`, `Batch.decideOne`), which must say the same of any command.
import { type AccountStore, hashOfBytes, isHouseBytes } from '../core/account-store.ts'
import { firstLegOf, transitId } from '../core/across/joint.ts'
import { commandTime } from '../core/decide.ts'
import { ownerOfAccount } from '../core/identity.ts'
import { parseWhole } from '../core/money.ts'
import type { PartitionState } from '../core/partition.ts'
import { applyPlain, decidePlain, plainSides } from '../core/plain.ts'
import type { AnswerWriter } from '../schemas/answer-writer.ts'
import type { Hosted } from './hosted.ts'
import { plainKinds } from './plain-kinds.ts'
import type { PlainRows } from './plain-rows.ts'
import type { Absent, NeedsOf } from './residency.ts'
import { type Taken, unknownSlot } from './taken.ts'

export class ShortWay {
  /** Of the house's cell on one side of what was posted last; 0: it has none. */
  cellKey = 0
  /** The same in the other partition of what `postAcross` posted last. */
  cellKeyThere = 0
  private readonly answers: AnswerWriter
  private readonly nowMs: number
  private readonly begin: (hosted: Hosted) => void
  private readonly sides = plainSides()
  private readonly sidesThere = plainSides()
  private readonly place = placed()
  private readonly placeThere = placed()

  /** `begin`: a partition takes part in the batch though none of its commands may be in it. */
  constructor(answers: AnswerWriter, nowMs: number, begin: (hosted: Hosted) => void) {
    this.answers = answers
    this.nowMs = nowMs
    this.begin = begin
  }

  /** Decides, applies, writes row and answer; false: nothing was done, the long way decides. */
  post(hosted: Hosted, taken: Taken, i: number, rows: PlainRows): boolean {
    const { accounts, seen, state, writer } = hosted
    const { words } = taken
    // What the long way has borrowed, a cell above all, would keep everything behind it on the long way too.
    accounts.settle()
    const from = taken.slots[i * 2] ?? unknownSlot
    const to = taken.slots[i * 2 + 1] ?? unknownSlot
    const first = words[i * 4] ?? 0
    const second = words[i * 4 + 1] ?? 0
    // It was surely new when its needs were collected; since then only this batch has added ids.
    if (seen.mayHoldWords(first, second) && isKnownHere(hosted, taken, i, rows)) return false
    const record = taken.readerAt(i)
    const type = plainKinds[record.type]
    if (type === undefined || !accounts.isRow(from)) return false
    const amount = parseWhole(record.bytes, record.amountAt, record.amountLength, accounts.assetOf(from).scale)
    if (!(amount > 0) || !decidePlain(accounts, from, to, amount, this.sides)) return false
    // From here it must succeed.
    const place = this.place
    const sides = this.sides
    const at = this.timed(state, record.stampedAt)
    applyPlain(state, accounts, from, to, amount, sides, at)
    place.kind = record.type
    place.amount = amount
    stand(place, hosted, from, to, 0)
    seen.addWords(first, second)
    rows.add(writer.length, from, to)
    writer.plain(place, sides, words, i * 4, record)
    this.answers.plain(record.ticket, type, record, at, place.date, accounts, from, to, sides)
    this.cellKey = place.toKey < 0 ? place.toKey : Math.min(place.fromKey, 0)
    return true
  }

  /** The same where the other side lives in `there`: each partition has a row of its own, through transit, and both stand in this commit. */
  postAcross(hosted: Hosted, there: Hosted, taken: Taken, i: number, rows: PlainRows): boolean {
    const { accounts, seen, state, writer } = hosted
    const { words } = taken
    accounts.settle()
    there.accounts.settle()
    const first = words[i * 4] ?? 0
    const second = words[i * 4 + 1] ?? 0
    if (seen.mayHoldWords(first, second) && isKnownHere(hosted, taken, i, rows)) return false
    const record = taken.readerAt(i)
    const type = plainKinds[record.type]
    const { bytes } = record
    const pays = type !== 'credit'
    const own = taken.slots[i * 2 + (pays ? 0 : 1)] ?? unknownSlot
    const other = taken.slots[i * 2 + (pays ? 1 : 0)] ?? unknownSlot
    if (type === undefined || !accounts.isRow(own) || !there.accounts.isRow(other)) return false
    const asset = accounts.assetOf(own)
    if (there.accounts.assetOf(other).code !== asset.code) return false
    const transit = transitOf(accounts, own)
    const transitThere = transitOf(there.accounts, other)
    const amount = parseWhole(bytes, record.amountAt, record.amountLength, asset.scale)
    if (!(amount > 0) || transit < 0 || transitThere < 0) return false
    const [from, to] = pays ? [own, transit] : [transit, own]
    const [fromThere, toThere] = pays ? [transitThere, other] : [other, transitThere]
    const place = this.place
    const sides = this.sides
    const sidesThere = this.sidesThere
    if (!decidePlain(accounts, from, to, amount, sides)) return false
    if (!decidePlain(there.accounts, fromThere, toThere, amount, sidesThere)) return false
    // From here it must succeed.
    this.begin(there)
    const at = this.timed(state, record.stampedAt)
    applyPlain(state, accounts, from, to, amount, sides, at)
    place.kind = record.type
    place.amount = amount
    stand(place, hosted, from, to, 0)
    seen.addWords(first, second)
    rows.add(writer.length, from, to)
    const [ownAt, ownLength, otherAt, otherLength] = pays
      ? [record.fromAt, record.fromLength, record.toAt, record.toLength]
      : [record.toAt, record.toLength, record.fromAt, record.fromLength]
    writer.plain(place, sides, words, i * 4, record, otherAt, otherLength)
    this.answers.plain(record.ticket, type, record, at, place.date, accounts, from, to, sides)
    this.cellKey = accounts.keyOf(transit)
    const atThere = commandTime(there.state, this.nowMs, this.nowMs)
    applyPlain(there.state, there.accounts, fromThere, toThere, amount, sidesThere, atThere)
    const placeThere = this.placeThere
    placeThere.date = place.date
    placeThere.kind = place.kind
    placeThere.amount = amount
    placeThere.atMs = atThere
    stand(placeThere, there, fromThere, toThere, settledLeg)
    there.writer.plain(placeThere, sidesThere, words, i * 4, record, ownAt, ownLength)
    this.cellKeyThere = there.accounts.keyOf(transitThere)
    return true
  }

  /** The time of a command, and its date in `place`. */
  private timed(state: PartitionState, stampedAt: number): number {
    const place = this.place
    const at = commandTime(state, stampedAt, this.nowMs)
    if (at !== place.atMs) {
      place.atMs = at
      place.date = state.rules.dateOf(at)
    }
    return at
  }
}

/** The leg at which the one other party stands. */
const settledLeg = firstLegOf(1, 0)
const transitBytes = Buffer.from(transitId)
const transitHash = hashOfBytes(transitBytes, 0, transitBytes.length)
/** The cell of transit in the asset of an account; negative: there is none yet. */
const transitOf = (accounts: AccountStore, like: number): number =>
  accounts.findCell(transitBytes, 0, transitBytes.length, transitHash, like)

const placed = () => ({
  partition: 0,
  pseq: 0,
  atMs: Number.NaN,
  date: 0,
  kind: 0,
  leg: 0,
  amount: 0,
  fromKey: 0,
  toKey: 0,
})

/** Where its row stands. */
function stand(
  place: ReturnType<typeof placed>,
  { state, accounts }: Hosted,
  from: number,
  to: number,
  leg: number,
): void {
  place.partition = state.partition
  place.pseq = state.pseq
  place.leg = leg
  place.fromKey = accounts.keyOf(from)
  place.toKey = accounts.keyOf(to)
}

/** Decided, or begun across partitions. Exactly: the filter also says so of some that are not. */
function isKnownHere({ state }: Hosted, taken: Taken, i: number, rows: PlainRows): boolean {
  if (rows.has(taken.words, i * 4)) return true
  const { remembered, joints } = state
  if (remembered.size === 0 && joints.coordinations.size === 0) return false
  const key = taken.keyAt(i)
  return remembered.has(key) || joints.coordinations.has(key)
}

/**
 * Looks up the accounts of a plain command and marks them as used. False: it must go the long way, because its id may have been seen or a
 * side is not there. True: both slots are set, or `needs` says what is missing.
 */
export function findPlain(
  hosted: Hosted,
  taken: Taken,
  i: number,
  batch: number,
  absent: Absent,
  needs: NeedsOf,
): boolean {
  const { slots, words } = taken
  if ((slots[i * 2] ?? unknownSlot) !== unknownSlot) return true
  if (hosted.seen.mayHoldWords(words[i * 4] ?? 0, words[i * 4 + 1] ?? 0)) return false
  const record = taken.readerAt(i)
  const { bytes, fromAt, fromLength, toAt, toLength } = record
  const { accounts } = hosted
  const fromHouse = isHouseBytes(bytes, fromAt, fromLength)
  const toHouse = isHouseBytes(bytes, toAt, toLength)
  if (fromHouse && toHouse) return false
  const fromHash = hashOfBytes(bytes, fromAt, fromLength)
  const toHash = hashOfBytes(bytes, toAt, toLength)
  let from = fromHouse ? unknownSlot : accounts.find(bytes, fromAt, fromLength, fromHash)
  let to = toHouse ? unknownSlot : accounts.find(bytes, toAt, toLength, toHash)
  const missing = (!fromHouse && from < 0) || (!toHouse && to < 0)
  if (missing) {
    const { from: fromId, to: toId } = taken.sidesAt(i)
    if ((!fromHouse && absent.accounts.has(fromId)) || (!toHouse && absent.accounts.has(toId))) return false
    const fromPlace = fromHouse ? hosted.partition : placeOf(hosted, fromId)
    const toPlace = toHouse ? hosted.partition : placeOf(hosted, toId)
    if (toPlace !== hosted.partition) {
      if (fromHouse || fromPlace !== hosted.partition) return false
      return findAcross(hosted, taken, i, batch, needs, from, fromId, toPlace, toId, 0)
    }
    if (fromPlace !== hosted.partition) {
      return toHouse ? false : findAcross(hosted, taken, i, batch, needs, to, toId, fromPlace, fromId, 1)
    }
    if (fromHouse) needHouse(hosted, fromId, batch, needs)
    else if (from < 0) needs.accounts.add(fromId)
    if (toHouse) needHouse(hosted, toId, batch, needs)
    else if (to < 0) needs.accounts.add(toId)
    return true
  }
  if (fromHouse) from = cellOf(hosted, taken, i, accounts.findCell(bytes, fromAt, fromLength, fromHash, to), batch)
  if (toHouse) to = cellOf(hosted, taken, i, accounts.findCell(bytes, toAt, toLength, toHash, from), batch)
  if (from < 0 || to < 0) return false
  accounts.touchSlot(from, batch)
  accounts.touchSlot(to, batch)
  slots[i * 2] = from
  slots[i * 2 + 1] = to
  return true
}

const placeOf = ({ state }: Hosted, id: string): number => state.rules.partitionOf(ownerOfAccount(id))

/** As `findPlain`, where one side lives in another partition. `side`: 0, it pays; 1, it gets. */
function findAcross(
  hosted: Hosted,
  taken: Taken,
  i: number,
  batch: number,
  needs: NeedsOf,
  own: number,
  ownId: string,
  place: number,
  otherId: string,
  side: 0 | 1,
): boolean {
  const there = needs.neighbour(place)
  if (there === undefined) return false
  const transit = hosted.houses.get(transitId)
  const transitThere = there.houses.get(transitId)
  if (transit === undefined || transitThere === undefined) return false
  transit.lastUsed = batch
  transitThere.lastUsed = batch
  const { bytes, fromAt, fromLength, toAt, toLength } = taken.readerAt(i)
  const [at, length] = side === 0 ? [toAt, toLength] : [fromAt, fromLength]
  const other = there.accounts.find(bytes, at, length, hashOfBytes(bytes, at, length))
  if (other < 0 && !needs.elsewhere(place, otherId)) return false
  if (own < 0) needs.accounts.add(ownId)
  if (own < 0 || other < 0) return true
  hosted.accounts.touchSlot(own, batch)
  there.accounts.touchSlot(other, batch)
  taken.slots[i * 2 + side] = own
  taken.slots[i * 2 + 1 - side] = other
  taken.there[i] = there
  return true
}

function needHouse(hosted: Hosted, id: string, batch: number, needs: NeedsOf): void {
  const house = hosted.houses.get(id)
  if (house === undefined) needs.cells.add(id)
  else house.lastUsed = batch
}

/** All cells of a house account stay or go together: the first use in a batch marks them all. */
function cellOf(hosted: Hosted, taken: Taken, i: number, slot: number, batch: number): number {
  if (slot < 0 || hosted.accounts.lastUsedOf(slot) === batch) return slot
  const { from, to } = taken.sidesAt(i)
  const house = hosted.houses.get(from) ?? hosted.houses.get(to)
  if (house === undefined) return unknownSlot
  house.lastUsed = batch
  return slot
}
