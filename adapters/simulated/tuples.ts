// Reads the tuples of a commit back into rows, as the database would give them to whoever selects them.
import { type IdKey, idKeyFromBytes } from '../../core/identity.ts'
import { kindBits, type RowKind, rowKinds } from '../../core/row.ts'
import { journalColumns, postgresEpochDays, postgresEpochMs } from '../../schemas/journal-row.ts'

/** A row as it stands in the table: accounts by their keys. */
export interface Tuple {
  readonly pseq: number
  /** Epoch milliseconds. */
  readonly at: number
  readonly amount: bigint
  readonly fromKey: number | undefined
  readonly fromSeq: number
  readonly fromBalance: bigint
  readonly fromHeld: bigint
  readonly toKey: number | undefined
  readonly toSeq: number
  readonly toBalance: bigint
  readonly toHeld: bigint
  readonly idKey: IdKey
  readonly link: IdKey | undefined
  /** Days since 1970-01-01. */
  readonly date: number
  readonly partition: number
  readonly leg: number
  readonly kind: RowKind
  /** Bits of `reservedOf`. */
  readonly reserved: number
  readonly far: string | undefined
  readonly code: number
  readonly id: string
  readonly channel: string | undefined
  readonly detailHash: Buffer | undefined
  /** Its own bytes: what the chain covers. */
  readonly bytes: Buffer
}

const kinds = new Map<number, RowKind>(Object.entries(rowKinds).map(([kind, number]) => [number, kind as RowKind]))

/** Tuples one after the other, without header or trailer. Throws RangeError for anything else. */
export function readTuples(bytes: Uint8Array): Tuple[] {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  const tuples: Tuple[] = []
  while (!reader.done) tuples.push(reader.tuple())
  return tuples
}

class Reader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  tuple(): Tuple {
    const start = this.at
    const count = this.bytes.readInt16BE(this.at)
    if (count !== journalColumns.length) throw new RangeError(`a tuple of ${count} columns`)
    this.at += 2
    // In the order of `journalColumns`.
    const pseq = Number(this.int8() ?? 0n)
    const at = Number((this.int8() ?? 0n) / 1000n) + postgresEpochMs
    const amount = this.int8() ?? 0n
    const fromKey = this.key()
    const fromSeq = Number(this.int8() ?? 0n)
    const fromBalance = this.int8() ?? 0n
    const fromHeld = this.int8() ?? 0n
    const toKey = this.key()
    const toSeq = Number(this.int8() ?? 0n)
    const toBalance = this.int8() ?? 0n
    const toHeld = this.int8() ?? 0n
    const idKey = this.idKey()
    if (idKey === undefined) throw new RangeError('a tuple without its id')
    const link = this.idKey()
    const date = (this.int4() ?? 0) + postgresEpochDays
    const partition = this.int2() ?? -1
    const leg = this.int2() ?? 0
    const number = this.int2() ?? 0
    const kind = kinds.get(number & kindBits)
    if (kind === undefined) throw new RangeError(`a row of kind ${number}`)
    const code = this.int2() ?? 0
    const id = this.text() ?? ''
    const channel = this.text()
    const detailHash = this.field()
    const far = this.text()
    return {
      pseq,
      at,
      amount,
      fromKey,
      fromSeq,
      fromBalance,
      fromHeld,
      toKey,
      toSeq,
      toBalance,
      toHeld,
      idKey,
      link,
      date,
      partition,
      leg,
      kind,
      code,
      id,
      channel,
      detailHash,
      far,
      reserved: number >> 6,
      bytes: this.bytes.subarray(start, this.at),
    }
  }

  private length(): number {
    const length = this.bytes.readInt32BE(this.at)
    this.at += 4
    if (length > this.bytes.length - this.at) throw new RangeError('a field is longer than the bytes')
    return length
  }

  private int8(): bigint | undefined {
    if (this.length() < 0) return undefined
    this.at += 8
    return this.bytes.readBigInt64BE(this.at - 8)
  }

  private key(): number | undefined {
    const key = this.int8()
    return key === undefined ? undefined : Number(key)
  }

  private int4(): number | undefined {
    if (this.length() < 0) return undefined
    this.at += 4
    return this.bytes.readInt32BE(this.at - 4)
  }

  private int2(): number | undefined {
    if (this.length() < 0) return undefined
    this.at += 2
    return this.bytes.readInt16BE(this.at - 2)
  }

  private field(): Buffer | undefined {
    const length = this.length()
    if (length < 0) return undefined
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  private idKey(): IdKey | undefined {
    const field = this.field()
    return field === undefined ? undefined : idKeyFromBytes(field)
  }

  private text(): string | undefined {
    return this.field()?.toString('latin1')
  }
}
