// Plain transactions of one partition in one batch that is not committed: where their rows stand in the batch's bytes. Nothing else is kept of
// them. Only if one is named again before its commit (a repeat, a refund) it is read back as the decision that it was.
import type { AccountStore } from '../core/account-store.ts'
import { idKeyOfWords } from '../core/id-words.ts'
import type { Row } from '../core/row.ts'
import type { Decided } from '../core/transaction.ts'
import { givenOf } from '../schemas/detail.ts'
import { plainKeyAt, readPlain, type TupleWriter } from '../schemas/journal-row.ts'
import { plainKinds } from './plain-kinds.ts'

const firstRoom = 256
/** A row's offset and the slots of its sides. */
const stride = 3

export class PlainRows {
  /** Of the batch. */
  readonly batch: number
  private readonly accounts: AccountStore
  private readonly writer: TupleWriter
  /** Once they were taken out of the writer. */
  private bytes: Buffer | undefined
  private places = new Int32Array(firstRoom * stride)
  private count = 0
  /** Number of a row + 1 by the first word of its key, with linear probing. Made when somebody asks: few do. */
  private index = new Int32Array(0)
  private indexed = 0

  constructor(batch: number, accounts: AccountStore, writer: TupleWriter) {
    this.batch = batch
    this.accounts = accounts
    this.writer = writer
  }

  add(rowAt: number, from: number, to: number): void {
    const at = this.count * stride
    if (at === this.places.length) {
      const grown = new Int32Array(at * 2)
      grown.set(this.places)
      this.places = grown
    }
    this.places[at] = rowAt
    this.places[at + 1] = from
    this.places[at + 2] = to
    this.count++
  }

  get length(): number {
    return this.count
  }

  /** All rows of the batch, as its commit carries them. */
  taken(bytes: Buffer): void {
    this.bytes = bytes
  }

  has(words: Int32Array, at: number): boolean {
    return this.find(words, at) >= 0
  }

  /** The transaction of this key as the decision it was; undefined: it is not in here. */
  decided(words: Int32Array, at: number): Decided | undefined {
    const i = this.find(words, at)
    if (i < 0) return undefined
    const place = i * stride
    const plain = readPlain(this.rows(), this.places[place] ?? 0)
    const row: Row = {
      kind: plainKinds[plain.kind] ?? 'debit',
      leg: 0,
      code: 0,
      amount: plain.amount,
      from: this.accounts.refOf(this.places[place + 1] ?? 0),
      fromSeq: plain.fromSeq,
      fromBalance: plain.fromBalance,
      fromHeld: 0n,
      to: this.accounts.refOf(this.places[place + 2] ?? 0),
      toSeq: plain.toSeq,
      toBalance: plain.toBalance,
      toHeld: 0n,
      link: undefined,
      ...(plain.far === undefined ? {} : { far: plain.far }),
    }
    const { command } = givenOf(plain.id, [row], plain.channel, undefined)
    return { idKey: idKeyOfWords(words, at), command, at: plain.atMs, date: plain.date, rows: [row], facts: undefined }
  }

  private rows(): Buffer {
    return this.bytes ?? this.writer.since(0)
  }

  private find(words: Int32Array, at: number): number {
    if (this.count === 0) return -1
    const bytes = this.rows()
    this.makeIndex(bytes)
    const mask = this.index.length - 1
    for (let i = (words[at] ?? 0) & mask; ; i = (i + 1) & mask) {
      const number = (this.index[i] ?? 0) - 1
      if (number < 0) return -1
      const key = (this.places[number * stride] ?? 0) + plainKeyAt
      if (
        bytes.readInt32BE(key) === words[at] &&
        bytes.readInt32BE(key + 4) === words[at + 1] &&
        bytes.readInt32BE(key + 8) === words[at + 2] &&
        bytes.readInt32BE(key + 12) === words[at + 3]
      )
        return number
    }
  }

  private makeIndex(bytes: Buffer): void {
    if (this.index.length < this.count * 2) {
      this.index = new Int32Array(2 ** Math.ceil(Math.log2(this.count * 4)))
      this.indexed = 0
    }
    const mask = this.index.length - 1
    for (; this.indexed < this.count; this.indexed++) {
      const key = (this.places[this.indexed * stride] ?? 0) + plainKeyAt
      let i = bytes.readInt32BE(key) & mask
      while ((this.index[i] ?? 0) !== 0) i = (i + 1) & mask
      this.index[i] = this.indexed + 1
    }
  }
}
