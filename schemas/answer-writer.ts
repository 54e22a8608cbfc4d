// The answers of one batch as they are made: bytes and numbers in arrays, not an object and a text each. The bodies of `plain` are those that
// `answerTo` renders for the same decision, byte for byte.
import type { AccountStore } from '../core/account-store.ts'
import { dateText } from '../core/business-date.ts'
import { formatMinor } from '../core/money.ts'
import type { PlainSides } from '../core/plain.ts'
import { type Answer, timeText } from './answer.ts'
import type { PlainTexts } from './journal-row.ts'

/** Besides id, accounts and numbers; and the two account ids and four numbers of up to 22 characters. */
const plainBodyMax = 512 + 4 * 255
const newline = 10

export class AnswerWriter {
  private tickets: Float64Array
  private https: Uint16Array
  private replayed: Uint8Array
  private bytes: Buffer
  private end = 0
  private ascii = true
  count = 0
  private atMs = Number.NaN
  private date = Number.NaN
  /** `","type":"debit","status":"posted","at":"..","businessDate":"..","accounts":[`, for the last time and date, by kind. */
  private readonly middles = new Map<string, Uint8Array>()

  constructor(commands: number) {
    const room = Math.max(16, commands)
    this.tickets = new Float64Array(room)
    this.https = new Uint16Array(room)
    this.replayed = new Uint8Array(room)
    this.bytes = Buffer.allocUnsafeSlow(Math.max(1024, room * 256))
  }

  add(ticket: number, { http, replayed, body }: Answer): void {
    this.next(ticket, http, replayed ? 1 : 0)
    this.makeRoom(body.length * 3 + 1)
    if (this.count > 1) this.bytes[this.end++] = newline
    const written = this.bytes.write(body, this.end, 'utf8')
    this.end += written
    if (written !== body.length) this.ascii = false
  }

  /** 201 for an accepted plain transfer. `texts` with the ids of both accounts; house cells and accounts of another owner are left out. */
  plain(
    ticket: number,
    type: 'debit' | 'credit' | 'transfer',
    texts: PlainTexts & AccountTexts,
    atMs: number,
    date: number,
    rows: AccountStore,
    from: number,
    to: number,
    sides: PlainSides,
  ): void {
    this.next(ticket, 201, 0)
    this.makeRoom(plainBodyMax)
    if (this.count > 1) this.bytes[this.end++] = newline
    this.put(opening)
    this.copy(texts.bytes, texts.idAt, texts.idLength)
    this.put(this.middle(type, atMs, date))
    const fromShown = !rows.isCell(from) && (rows.isCell(to) || type !== 'credit' || sameOwner(texts))
    if (fromShown) this.side(texts.bytes, texts.fromAt, texts.fromLength, rows, from, sides.fromBalance, sides.fromSeq)
    if (!rows.isCell(to) && (rows.isCell(from) || type === 'credit' || sameOwner(texts))) {
      if (fromShown) this.bytes[this.end++] = 44
      this.side(texts.bytes, texts.toAt, texts.toLength, rows, to, sides.toBalance, sides.toSeq)
    }
    this.put(closing)
  }

  /** Views that are valid as long as nothing more is written; bodies joined by newlines. */
  take(): { tickets: Float64Array; https: Uint16Array; replayed: Uint8Array; bodies: string } {
    const { count } = this
    return {
      tickets: this.tickets.slice(0, count),
      https: this.https.slice(0, count),
      replayed: this.replayed.slice(0, count),
      bodies: this.bytes.toString(this.ascii ? 'latin1' : 'utf8', 0, this.end),
    }
  }

  private next(ticket: number, http: number, replayed: number): void {
    if (this.count === this.tickets.length) this.grow()
    this.tickets[this.count] = ticket
    this.https[this.count] = http
    this.replayed[this.count] = replayed
    this.count++
  }

  private middle(type: string, atMs: number, date: number): Uint8Array {
    if (atMs !== this.atMs || date !== this.date) {
      this.atMs = atMs
      this.date = date
      this.middles.clear()
    }
    let known = this.middles.get(type)
    if (known === undefined) {
      known = Buffer.from(
        `","type":"${type}","status":"posted","at":"${timeText(atMs)}","businessDate":"${dateText(date)}","accounts":[`,
      )
      this.middles.set(type, known)
    }
    return known
  }

  private side(
    ids: Uint8Array,
    idAt: number,
    idLength: number,
    rows: AccountStore,
    slot: number,
    balance: number,
    seq: number,
  ): void {
    const { scale } = rows.assetOf(slot)
    this.put(opening)
    this.copy(ids, idAt, idLength)
    this.put(beforeBalance)
    // -0 has a sign, too.
    this.minor(rows.isDebitNormal(slot) ? 0 - balance : balance, scale)
    this.put(heldByScale[scale] ?? none)
    this.digits(seq, 1)
    this.bytes[this.end++] = 125
  }

  private minor(minor: number, scale: number): void {
    if (minor < 0) this.bytes[this.end++] = 45
    this.digits(Math.abs(minor), scale + 1)
    if (scale === 0) return
    const { bytes, end } = this
    for (let i = end; i > end - scale; i--) bytes[i] = bytes[i - 1] ?? 0
    bytes[end - scale] = 46
    this.end = end + 1
  }

  /** A whole number below 2^53, with zeros before it up to `atLeast` digits. */
  private digits(value: number, atLeast: number): void {
    let count = 1
    for (let power = 10; power <= value; power *= 10) count++
    if (count < atLeast) count = atLeast
    const { bytes, end } = this
    let rest = value
    let i = end + count - 1
    // Doubles as long as they must be, then 32-bit integers, which divide three times as fast.
    for (; rest > 2_147_483_647; i--) {
      const tenth = Math.floor(rest / 10)
      bytes[i] = 48 + (rest - tenth * 10)
      rest = tenth
    }
    for (let small = rest | 0; i >= end; i--) {
      const tenth = (small / 10) | 0
      bytes[i] = 48 + (small - tenth * 10)
      small = tenth
    }
    this.end = end + count
  }

  private put(text: Uint8Array): void {
    this.copy(text, 0, text.length)
  }

  private copy(from: Uint8Array, at: number, length: number): void {
    const { bytes, end } = this
    for (let i = 0; i < length; i++) bytes[end + i] = from[at + i] ?? 0
    this.end = end + length
  }

  private makeRoom(length: number): void {
    if (this.bytes.length - this.end > length) return
    const grown = Buffer.allocUnsafeSlow(this.bytes.length * 2 + length)
    this.bytes.copy(grown, 0, 0, this.end)
    this.bytes = grown
  }

  private grow(): void {
    const room = this.tickets.length * 2
    const tickets = new Float64Array(room)
    tickets.set(this.tickets)
    this.tickets = tickets
    const https = new Uint16Array(room)
    https.set(this.https)
    this.https = https
    const replayed = new Uint8Array(room)
    replayed.set(this.replayed)
    this.replayed = replayed
  }
}

export interface AccountTexts {
  readonly fromAt: number
  readonly fromLength: number
  readonly toAt: number
  readonly toLength: number
}

const colon = 58
/** Of both accounts: what somebody else has is not for the client of this one. */
function sameOwner({ bytes, fromAt, fromLength, toAt, toLength }: PlainTexts & AccountTexts): boolean {
  for (let i = 0; ; i++) {
    const one = i < fromLength ? bytes[fromAt + i] : colon
    const other = i < toLength ? bytes[toAt + i] : colon
    if (one !== other) return false
    if (one === colon) return true
  }
}

const none = new Uint8Array(0)
const opening = Buffer.from('{"id":"')
const beforeBalance = Buffer.from('","balance":"')
const closing = Buffer.from(']}')
const scales = 9
const heldByScale = Array.from({ length: scales }, (_, scale) =>
  Buffer.from(`","held":"${formatMinor(0n, scale)}","seq":`),
)
