// The wire form of commands on their way to a partition: a frame holds all commands of a partition that arrived in one tick. A MessagePack
// envelope (https://github.com/msgpack/msgpack/blob/master/spec.md) around two parts:
//
//   [version, count, records, '[baseMs, (type, ticket, ms after baseMs, id, ...fields of the type, n, ...n common fields) *]']
//
// `records` are bytes, one record a command in their order. A plain debit, credit or transfer (nothing given but its accounts, its amount and
// perhaps a channel) is all in its record, so that the worker reads it without making an object or a text of it; the record of any other command
// is one zero byte, and its fields follow in the JSON text, flat and positional. There absent fields are null; n is 0 where no common field is
// present, else their count. JSON inside, because reading many short strings is native work for JSON.parse and a loop in JavaScript for
// MessagePack: 0.9 against 1.6 us a command for both ways (docs/decisions/005-frames.md). A plain record takes 0.1 us (docs/decisions/008-short-way.md).
import { Decoder, Encoder } from '@msgpack/msgpack'
import type { CatalogKind } from '../core/catalog.ts'
import type { Command, Credit, Debit, MoveStock, PlaceOrder, Posting, Transfer } from '../core/command.ts'

const frameVersion = 3

/** A command with what intake added to it. */
export interface Stamped {
  readonly command: Command
  /** Whose answer it is: dense per process, made at intake. */
  readonly ticket: number
  /** Epoch milliseconds at intake. */
  readonly stampedAt: number
}

const typeNumbers = {
  debit: 1,
  credit: 2,
  transfer: 3,
  hold: 4,
  capture: 5,
  release: 6,
  refund: 7,
  postings: 8,
  open: 9,
  change: 10,
  expire: 11,
  'points.earn': 20,
  'points.redeem': 21,
  'points.expire': 22,
  catalog: 23,
  stock: 24,
  'coupon.claim': 25,
  'coupon.redeem': 26,
  'coupon.return': 27,
  order: 28,
  disbursement: 29,
  settle: 30,
} as const satisfies Record<Command['type'], number>

type Field = string | number | boolean | null | undefined | readonly (readonly (string | null | undefined)[])[]

const encoder = new Encoder()
const decoder = new Decoder()

/** The frame's bytes; a copy, free to keep. */
export function encodeFrame(commands: readonly Stamped[]): Uint8Array {
  const baseMs = commands[0]?.stampedAt ?? 0
  const flat: Field[] = [baseMs]
  let end = 0
  for (const { command, ticket, stampedAt } of commands) {
    if (scratch.length - end < recordBytesMax) growScratch()
    const plainEnd = isPlain(command) ? writePlain(command, ticket, stampedAt, end) : -1
    if (plainEnd >= 0) end = plainEnd
    else {
      scratch[end++] = 0
      flat.push(typeNumbers[command.type], ticket, stampedAt - baseMs, command.id)
      pushFields(flat, command)
    }
  }
  const text = flat.length === 1 ? '' : JSON.stringify(flat)
  return encoder.encode([frameVersion, commands.length, scratch.subarray(0, end), text])
}

// ---- plain records --------------------------------------------------------------------------------------------------------------

// A record: type, lengths of id, from, to, amount and channel (a byte each), ticket and stamp (doubles), then the texts in that order.
const textsAt = 22
const recordBytesMax = textsAt + 5 * 255
let scratch = new Uint8Array(64 * 1024)
let scratchView = new DataView(scratch.buffer)

function growScratch(): void {
  const grown = new Uint8Array(scratch.length * 2)
  grown.set(scratch)
  scratch = grown
  scratchView = new DataView(grown.buffer)
}

function isPlain(c: Command): c is Debit | Credit | Transfer {
  return (
    (c.type === 'debit' || c.type === 'credit' || c.type === 'transfer') &&
    c.asset === undefined &&
    c.businessDate === undefined &&
    c.reference === undefined &&
    c.metadata === undefined
  )
}

/** The end of the record; -1: the command does not fit into one. */
function writePlain(c: Debit | Credit | Transfer, ticket: number, stampedAt: number, at: number): number {
  const from = c.type === 'debit' ? c.account : c.from
  const to = c.type === 'credit' ? c.account : c.to
  scratch[at] = typeNumbers[c.type]
  scratchView.setFloat64(at + 6, ticket)
  scratchView.setFloat64(at + 14, stampedAt)
  let end = writeText(c.id, at + 1, at + textsAt)
  if (end >= 0) end = writeText(from, at + 2, end)
  if (end >= 0) end = writeText(to, at + 3, end)
  if (end >= 0) end = writeText(c.amount, at + 4, end)
  if (end >= 0) end = writeText(c.channel ?? '', at + 5, end)
  return c.channel === '' ? -1 : end
}

function writeText(text: string, lengthAt: number, at: number): number {
  const { length } = text
  if (length > 255) return -1
  scratch[lengthAt] = length
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return -1
    scratch[at + i] = code
  }
  return at + length
}

/**
 * Goes through the commands of a frame. After each `next` that said true, either `general` is the command, or it is undefined and the fields
 * say where its texts stand in `bytes`. Nothing is made for a plain one.
 */
export class FrameReader {
  /** Of the plain record: 1 debit, 2 credit, 3 transfer. */
  type = 0
  ticket = 0
  stampedAt = 0
  idAt = 0
  idLength = 0
  fromAt = 0
  fromLength = 0
  toAt = 0
  toLength = 0
  amountAt = 0
  amountLength = 0
  channelAt = 0
  channelLength = 0
  /** Where the record begins: what `plainAt` takes. */
  recordAt = 0
  general: Stamped | undefined
  /** Commands in the frame. */
  readonly count: number
  readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly flat: Reader
  private readonly baseMs: number
  private at = 0

  /** Throws RangeError for bytes that are not a frame of a known version. */
  constructor(frame: Uint8Array) {
    const envelope = decoder.decode(frame)
    const [version, count, records, text] = Array.isArray(envelope) ? (envelope as unknown[]) : [envelope]
    if (
      version !== frameVersion ||
      typeof count !== 'number' ||
      !(records instanceof Uint8Array) ||
      typeof text !== 'string'
    ) {
      throw new RangeError(`not a frame of version ${frameVersion}: ${String(version)}`)
    }
    this.count = count
    this.bytes = records
    this.view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    this.flat = new Reader(text === '' ? [0] : (JSON.parse(text) as unknown[]))
    this.baseMs = this.flat.next() as number
  }

  next(): boolean {
    if (this.at >= this.bytes.length) return false
    if (this.bytes[this.at] === 0) {
      this.at++
      const type = this.flat.next() as number
      const ticket = this.flat.next() as number
      const stampedAt = this.baseMs + (this.flat.next() as number)
      this.general = { command: readCommand(this.flat, type), ticket, stampedAt }
      return true
    }
    this.general = undefined
    if (this.bytes.length - this.at >= textsAt) this.at = this.place(this.at)
    else this.at = Number.POSITIVE_INFINITY
    if (this.at > this.bytes.length) throw new RangeError('a record of a frame is cut short')
    if (this.type > typeNumbers.transfer) {
      throw new RangeError(`a frame holds a plain command of unknown type ${this.type}`)
    }
    return true
  }

  /** Sets the fields to the plain record at `recordAt`. */
  plainAt(recordAt: number): void {
    this.place(recordAt)
  }

  private place(at: number): number {
    const bytes = this.bytes
    const view = this.view
    this.recordAt = at
    this.type = bytes[at] ?? 0
    this.idLength = bytes[at + 1] ?? 0
    this.fromLength = bytes[at + 2] ?? 0
    this.toLength = bytes[at + 3] ?? 0
    this.amountLength = bytes[at + 4] ?? 0
    this.channelLength = bytes[at + 5] ?? 0
    this.ticket = view.getFloat64(at + 6)
    this.stampedAt = view.getFloat64(at + 14)
    this.idAt = at + textsAt
    this.fromAt = this.idAt + this.idLength
    this.toAt = this.fromAt + this.fromLength
    this.amountAt = this.toAt + this.toLength
    this.channelAt = this.amountAt + this.amountLength
    return this.channelAt + this.channelLength
  }

  /** The present plain record as a command. */
  stamped(): Stamped {
    const id = this.text(this.idAt, this.idLength)
    const from = this.text(this.fromAt, this.fromLength)
    const to = this.text(this.toAt, this.toLength)
    const amount = this.text(this.amountAt, this.amountLength)
    const { ticket, stampedAt } = this
    const channel = this.channelLength === 0 ? undefined : this.text(this.channelAt, this.channelLength)
    return { command: plainCommand(this.type, id, from, to, amount, channel), ticket, stampedAt }
  }

  private text(at: number, length: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, length).toString('latin1')
  }
}

function plainCommand(
  type: number,
  id: string,
  from: string,
  to: string,
  amount: string,
  channel: string | undefined,
): Command {
  const given = channel === undefined ? {} : { channel }
  switch (type) {
    case typeNumbers.debit:
      return { type: 'debit', id, account: from, amount, to, ...given }
    case typeNumbers.credit:
      return { type: 'credit', id, account: to, amount, from, ...given }
    default:
      return { type: 'transfer', id, from, to, amount, ...given }
  }
}

// ---- all others -----------------------------------------------------------------------------------------------------------------

function pushFields(flat: Field[], c: Command): void {
  switch (c.type) {
    case 'debit':
      flat.push(c.account, c.amount, c.to)
      break
    case 'credit':
      flat.push(c.account, c.amount, c.from)
      break
    case 'transfer':
      flat.push(c.from, c.to, c.amount)
      break
    case 'hold':
      flat.push(c.account, c.amount, c.to, c.expiresAt, c.expiresIn)
      break
    case 'capture':
      flat.push(c.account, c.hold, c.amount, c.final)
      break
    case 'release':
      flat.push(c.account, c.hold)
      break
    case 'refund':
      flat.push(c.account, c.of, c.amount)
      break
    case 'postings':
      flat.push(
        c.owner,
        c.transfers.map((t) => [t.from, t.to, t.amount, t.asset]),
      )
      break
    case 'points.earn':
      flat.push(c.owner, c.amount, c.expiresOn)
      break
    case 'points.redeem':
      flat.push(c.owner, c.amount)
      break
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
      flat.push(c.owner, c.campaign, c.order)
      break
    case 'order':
      flat.push(c.owner, c.total, c.cash?.account, c.cash?.amount, c.points?.amount, c.points?.program)
      flat.push(c.coupon?.campaign, c.credit?.creditLine, c.credit?.amount, c.merchant)
      break
    case 'disbursement':
      flat.push(c.owner, c.loan, c.to, c.amount, c.creditLine)
      flat.push(c.funders.map(({ account, share }) => [account, share]))
      break
    case 'settle':
      flat.push(c.merchant, c.to, c.amount, c.others)
      break
    case 'points.expire':
      flat.push(c.owner)
      return
    case 'catalog':
      flat.push(c.partition, c.partitions, c.version, c.kind, c.code, c.body)
      return
    case 'stock':
      flat.push(c.partition, c.campaign, c.action, c.amount)
      return
    case 'open':
      flat.push(c.account, c.asset, c.overdraft, c.normal, c.metadata)
      return
    case 'change':
      flat.push(c.account, c.status, c.overdraft, c.ifVersion)
      return
    case 'expire':
      flat.push(c.account)
      return
  }
  // Not by truth: a reference may be empty.
  if ((c.asset ?? c.businessDate ?? c.channel ?? c.reference ?? c.metadata) !== undefined) {
    flat.push(5, c.asset, c.businessDate, c.channel, c.reference, c.metadata)
  } else flat.push(0)
}

/** The commands of a frame in the order they were encoded, all of them as objects. Throws RangeError as `FrameReader` does. */
export function decodeFrame(bytes: Uint8Array): Stamped[] {
  const reader = new FrameReader(bytes)
  const commands: Stamped[] = []
  while (reader.next()) commands.push(reader.general ?? reader.stamped())
  return commands
}

class Reader {
  private readonly flat: readonly unknown[]
  private at = 0

  constructor(flat: readonly unknown[]) {
    this.flat = flat
  }

  get done(): boolean {
    return this.at >= this.flat.length
  }

  next(): unknown {
    return this.flat[this.at++]
  }

  text(): string {
    return this.flat[this.at++] as string
  }

  maybeText(): string | undefined {
    return (this.flat[this.at++] as string | null) ?? undefined
  }

  number(): number {
    return this.flat[this.at++] as number
  }

  maybeNumber(): number | undefined {
    return (this.flat[this.at++] as number | null) ?? undefined
  }
}

function readCommand(r: Reader, type: number): Command {
  const id = r.text()
  switch (type) {
    case typeNumbers.debit:
      return withCommon(r, { type: 'debit', id, account: r.text(), amount: r.text(), to: r.text() })
    case typeNumbers.credit:
      return withCommon(r, { type: 'credit', id, account: r.text(), amount: r.text(), from: r.text() })
    case typeNumbers.transfer:
      return withCommon(r, { type: 'transfer', id, from: r.text(), to: r.text(), amount: r.text() })
    case typeNumbers.hold:
      return withCommon(r, {
        type: 'hold',
        id,
        account: r.text(),
        amount: r.text(),
        to: r.text(),
        expiresAt: r.maybeText(),
        expiresIn: r.maybeNumber(),
      })
    case typeNumbers.capture:
      return withCommon(r, {
        type: 'capture',
        id,
        account: r.text(),
        hold: r.text(),
        amount: r.maybeText(),
        final: r.next() as boolean,
      })
    case typeNumbers.release:
      return withCommon(r, { type: 'release', id, account: r.text(), hold: r.text() })
    case typeNumbers.refund:
      return withCommon(r, { type: 'refund', id, account: r.text(), of: r.text(), amount: r.maybeText() })
    case typeNumbers.postings:
      return withCommon(r, { type: 'postings', id, owner: r.maybeText(), transfers: postingsOf(r.next()) })
    case typeNumbers['points.earn']:
      return withCommon(r, { type: 'points.earn', id, owner: r.text(), amount: r.text(), expiresOn: r.text() })
    case typeNumbers['points.redeem']:
      return withCommon(r, { type: 'points.redeem', id, owner: r.text(), amount: r.text() })
    case typeNumbers['coupon.claim']:
      return withCommon(r, { type: 'coupon.claim', id, owner: r.text(), campaign: r.text(), order: r.maybeText() })
    case typeNumbers['coupon.redeem']:
      return withCommon(r, { type: 'coupon.redeem', id, owner: r.text(), campaign: r.text(), order: r.maybeText() })
    case typeNumbers['coupon.return']:
      return withCommon(r, { type: 'coupon.return', id, owner: r.text(), campaign: r.text(), order: r.maybeText() })
    case typeNumbers.order:
      return withCommon(r, orderFrom(r, id))
    case typeNumbers.disbursement:
      return withCommon(r, {
        type: 'disbursement',
        id,
        owner: r.text(),
        loan: r.text(),
        to: r.text(),
        amount: r.text(),
        creditLine: r.maybeText(),
        funders: (r.next() as string[][]).map(([account = '', share = '']) => ({ account, share })),
      })
    case typeNumbers.settle:
      return withCommon(r, {
        type: 'settle',
        id,
        merchant: r.text(),
        to: r.text(),
        amount: r.maybeText(),
        others: r.text(),
      })
    case typeNumbers['points.expire']:
      return { type: 'points.expire', id, owner: r.text() }
    case typeNumbers.catalog:
      return {
        type: 'catalog',
        id,
        partition: r.number(),
        partitions: r.number(),
        version: r.number(),
        kind: r.text() as CatalogKind,
        code: r.text(),
        body: r.text(),
      }
    case typeNumbers.stock:
      return {
        type: 'stock',
        id,
        partition: r.number(),
        campaign: r.text(),
        action: r.text() as MoveStock['action'],
        amount: r.maybeNumber(),
      }
    case typeNumbers.open:
      return {
        type: 'open',
        id,
        account: r.text(),
        asset: r.text(),
        overdraft: r.text(),
        normal: r.text() as 'credit' | 'debit',
        metadata: r.maybeText(),
      }
    case typeNumbers.change:
      return {
        type: 'change',
        id,
        account: r.text(),
        status: r.maybeText() as 'open' | 'frozen' | 'closed' | undefined,
        overdraft: r.maybeText(),
        ifVersion: r.maybeNumber(),
      }
    case typeNumbers.expire:
      return { type: 'expire', id, account: r.text() }
    default:
      throw new RangeError(`a frame holds a command of unknown type ${type}`)
  }
}

function orderFrom(r: Reader, id: string): PlaceOrder {
  const owner = r.text()
  const total = r.text()
  const [account, cash] = [r.maybeText(), r.maybeText()]
  const [points, program] = [r.maybeText(), r.maybeText()]
  const campaign = r.maybeText()
  const [creditLine, credit] = [r.maybeText(), r.maybeText()]
  return {
    type: 'order',
    id,
    owner,
    total,
    cash: account === undefined || cash === undefined ? undefined : { account, amount: cash },
    points: points === undefined ? undefined : { amount: points, program },
    coupon: campaign === undefined ? undefined : { campaign },
    credit: creditLine === undefined || credit === undefined ? undefined : { creditLine, amount: credit },
    merchant: r.text(),
  }
}

function withCommon(r: Reader, command: Command): Command {
  if (r.next() === 0) return command
  return Object.assign(command, {
    asset: r.maybeText(),
    businessDate: r.maybeText(),
    channel: r.maybeText(),
    reference: r.maybeText(),
    metadata: r.maybeText(),
  })
}

const postingsOf = (value: unknown): Posting[] =>
  (value as (string | null)[][]).map(([from, to, amount, asset]) => ({
    from: from ?? '',
    to: to ?? '',
    amount: amount ?? '',
    asset: asset ?? undefined,
  }))
