// The commands of one partition in one batch, in order. Those that a frame holds as plain records stay there: what is known of them stands in
// columns, and an object is made only of one that cannot go the short way.

import { isHouseBytes } from '../core/account-store.ts'
import { idKeyOfWords, idWords } from '../core/id-words.ts'
import type { IdKey } from '../core/identity.ts'
import type { FrameReader } from '../schemas/frame.ts'
import type { Hosted } from './hosted.ts'
import type { Position } from './position.ts'
import { type Waiting, waitingOf } from './waiting.ts'

const firstRoom = 1024
const colon = 58
/** Of a side that is not looked up yet. */
export const unknownSlot = -1

/** Commands of one frame, one after the other. */
interface Run {
  /** The first of them in `Taken`. */
  readonly first: number
  /** Before the first of them; undefined: they have no place in a mailbox. */
  readonly behind: Position | undefined
}

export class Taken {
  count = 0
  readonly runs: Run[] = []
  /** Undefined: plain, and still to be decided as such. */
  readonly waiting: (Waiting | undefined)[] = []
  /** Four words of the id's key a command. */
  words = new Int32Array(firstRoom * 4)
  /** `from` and `to` of a plain command, each in the partition where it lives. */
  slots = new Int32Array(firstRoom * 2)
  /** Where the other side of a plain command lives that is not of this partition alone. */
  readonly there: (Hosted | undefined)[] = []
  private frames = new Int32Array(firstRoom)
  private records = new Int32Array(firstRoom)
  private readonly readers: FrameReader[] = []

  clear(): void {
    this.count = 0
    this.waiting.length = 0
    this.there.length = 0
    this.readers.length = 0
    this.runs.length = 0
  }

  /** What is added next stands behind this place, in its frame; or was never in a mailbox. */
  begin(behind: Position | undefined): void {
    this.runs.push({ first: this.count, behind })
  }

  /** Adds the commands of a frame that stand behind this place. */
  add(reader: FrameReader, behind: Position): void {
    this.begin(behind)
    const frame = this.readers.length
    this.readers.push(reader)
    for (let skip = 0; skip < behind.index; skip++) reader.next()
    while (reader.next()) {
      if (this.count === this.frames.length) this.grow()
      const i = this.count++
      if (reader.general !== undefined) {
        this.waiting[i] = waitingOf(reader.general)
        continue
      }
      this.waiting[i] = undefined
      this.frames[i] = frame
      this.records[i] = reader.recordAt
      this.slots[i * 2] = unknownSlot
      this.slots[i * 2 + 1] = unknownSlot
      idWordsOf(reader, this.words, i * 4)
    }
  }

  /** The reader, standing at the record of a plain command. */
  readerAt(i: number): FrameReader {
    const reader = this.readers[this.frames[i] ?? 0]
    if (reader === undefined) throw new RangeError(`no plain command ${i}`)
    reader.plainAt(this.records[i] ?? 0)
    return reader
  }

  keyAt(i: number): IdKey {
    return idKeyOfWords(this.words, i * 4)
  }

  /** Of every command that a client gave an id; messages of other partitions have none of their own. */
  *keys(): Generator<IdKey> {
    for (let i = 0; i < this.count; i++) {
      const waiting = this.waiting[i]
      if (waiting === undefined) yield this.keyAt(i)
      else if (waiting.arrived === undefined) yield waiting.idKey
    }
  }

  /** The accounts of a plain command. */
  sidesAt(i: number): { from: string; to: string } {
    const { bytes, fromAt, fromLength, toAt, toLength } = this.readerAt(i)
    const text = (at: number, length: number): string =>
      Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1')
    return { from: text(fromAt, fromLength), to: text(toAt, toLength) }
  }

  /** A plain command as an object: for whoever needs one. */
  plainWaiting(i: number): Waiting {
    const { command, ticket, stampedAt } = this.readerAt(i).stamped()
    return { command, idKey: this.keyAt(i), refKey: undefined, stampedAt, ticket }
  }

  /** From now on it goes the long way. */
  makeWaiting(i: number): Waiting {
    const waiting = this.plainWaiting(i)
    this.waiting[i] = waiting
    return waiting
  }

  /** Every command as an object. */
  allWaiting(): Waiting[] {
    return Array.from({ length: this.count }, (_, i) => this.waiting[i] ?? this.plainWaiting(i))
  }

  /** Where a command stands, if anywhere. */
  placeAt(i: number): Position | undefined {
    const run = this.runs.findLast(({ first }) => first <= i)
    if (run === undefined) throw new RangeError(`no command ${i}`)
    const { behind, first } = run
    return behind === undefined ? undefined : { ...behind, index: behind.index + 1 + i - first }
  }

  /** Where each stands that has a place. Only after trouble. */
  places(): Position[] {
    return this.runs.flatMap(({ first, behind }, run) => {
      if (behind === undefined) return []
      const count = (this.runs[run + 1]?.first ?? this.count) - first
      return Array.from({ length: count }, (_, i) => ({ ...behind, index: behind.index + 1 + i }))
    })
  }

  /** A command that is no record of a frame; after `begin`. */
  push(waiting: Waiting): void {
    if (this.count === this.frames.length) this.grow()
    this.waiting[this.count++] = waiting
  }

  private grow(): void {
    this.words = grown(this.words)
    this.slots = grown(this.slots)
    this.frames = grown(this.frames)
    this.records = grown(this.records)
  }
}

/** Commands that are objects already, none of which goes the short way. */
export function takenOf(waiting: readonly Waiting[], places: readonly Position[]): Taken {
  const taken = new Taken()
  for (const [i, one] of waiting.entries()) {
    const place = places[i]
    if (place === undefined) throw new RangeError(`command ${i} has no place`)
    taken.begin({ ...place, index: place.index - 1 })
    taken.push(one)
  }
  return taken
}

function grown(column: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2)
  larger.set(column)
  return larger
}

/** As `ownerOfCommand` says: whose account stands first, the other side's where that is the house's. */
function idWordsOf(r: FrameReader, words: Int32Array, at: number): void {
  const { bytes } = r
  const creditType = 2
  const credit = r.type === creditType
  let ownerAt = credit ? r.toAt : r.fromAt
  let accountLength = credit ? r.toLength : r.fromLength
  if (isHouseBytes(bytes, ownerAt, accountLength)) {
    ownerAt = credit ? r.fromAt : r.toAt
    accountLength = credit ? r.fromLength : r.toLength
  }
  let ownerLength = 0
  while (ownerLength < accountLength && bytes[ownerAt + ownerLength] !== colon) ownerLength++
  idWords(bytes, ownerAt, ownerLength, r.idAt, r.idLength, words, at)
}
