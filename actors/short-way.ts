// The short way of a command through a batch: a plain debit, credit or transfer between two resident accounts that is accepted, from the bytes of
// its record to the bytes of its row and its answer, without an object or a text in between. `find` looks up what it needs, `post` decides.
// Whatever is not surely such a case is left to the long way (`collectNeeds`, `Batch.decideOne`), which must say the same of any command.
import { hashOfBytes, isHouseBytes } from '../core/account-store.ts'
import { commandTime } from '../core/decide.ts'
import { ownerOfAccount } from '../core/identity.ts'
import { parseWhole } from '../core/money.ts'
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
  private readonly answers: AnswerWriter
  private readonly nowMs: number
  private readonly sides = plainSides()
  private readonly place = {
    partition: 0,
    pseq: 0,
    atMs: Number.NaN,
    date: 0,
    kind: 0,
    amount: 0,
    fromKey: 0,
    toKey: 0,
  }

  constructor(answers: AnswerWriter, nowMs: number) {
    this.answers = answers
    this.nowMs = nowMs
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
    const at = commandTime(state, record.stampedAt, this.nowMs)
    applyPlain(state, accounts, from, to, amount, sides, at)
    if (at !== place.atMs) {
      place.atMs = at
      place.date = state.rules.dateOf(at)
    }
    place.partition = state.partition
    place.pseq = state.pseq
    place.kind = record.type
    place.amount = amount
    place.fromKey = accounts.keyOf(from)
    place.toKey = accounts.keyOf(to)
    seen.addWords(first, second)
    rows.add(writer.length, from, to)
    writer.plain(place, sides, words, i * 4, record)
    this.answers.plain(record.ticket, type, record, at, place.date, accounts, from, to, sides)
    this.cellKey = place.toKey < 0 ? place.toKey : Math.min(place.fromKey, 0)
    return true
  }
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
    if ((!fromHouse && livesElsewhere(hosted, fromId)) || (!toHouse && livesElsewhere(hosted, toId))) return false
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

const livesElsewhere = ({ partition, state }: Hosted, id: string): boolean =>
  state.rules.partitionOf(ownerOfAccount(id)) !== partition

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
