// One line of a statement, from a journal row and the side that belongs to the account.
import { dateText } from '../core/business-date.ts'
import { formatMinor } from '../core/money.ts'
import { type Row, reservedOf } from '../core/row.ts'
import { timeText } from '../schemas/answer.ts'
import type { EntryView } from './reads.ts'

/** What stands beside the row. */
export interface RowFacts {
  readonly id: string
  readonly atMs: number
  /** Business date, days since 1970-01-01. */
  readonly date: number
  /** JSON text. */
  readonly detail: string | null
}

/** One side of a row as the account's statement shows it; signs as the outside sees them. */
export function entryView(row: Row, { id, atMs, date, detail }: RowFacts, side: 'from' | 'to'): EntryView {
  const own = side === 'from' ? row.from : row.to
  const other = side === 'from' ? row.to : row.from
  const scale = own?.asset.scale ?? 0
  const sign = own?.normal === 'debit' ? -1n : 1n
  const moved = heldOnly.has(row.kind) ? 0n : side === 'from' ? -row.amount : row.amount
  return {
    seq: side === 'from' ? row.fromSeq : row.toSeq,
    at: timeText(atMs),
    businessDate: dateText(date),
    transaction: id,
    type: row.kind,
    counterparty: row.far ?? other?.id ?? null,
    amount: formatMinor(sign * moved, scale),
    heldChange: formatMinor(side === 'from' ? heldChangeOf(row) : reservedChangeOf(row, reservedOf.to), scale),
    balance: formatMinor(sign * (side === 'from' ? row.fromBalance : row.toBalance), scale),
    held: formatMinor(side === 'from' ? row.fromHeld : row.toHeld, scale),
    reference: referenceOf(detail),
  }
}

const heldOnly: ReadonlySet<string> = new Set(['hold', 'release', 'expire', 'reserve', 'unreserve'])
const heldLess: ReadonlySet<string> = new Set(['release', 'expire', 'unreserve'])

function heldChangeOf(row: Row): bigint {
  if (row.kind === 'hold' || row.kind === 'reserve') return row.amount
  // A capture that names no hold came out of transit.
  const lessens = heldLess.has(row.kind) || (row.kind === 'capture' && row.link !== undefined)
  return lessens ? -row.amount : reservedChangeOf(row, reservedOf.from)
}

/** What was reserved leaves `held` with the row that posts it. */
const reservedChangeOf = ({ reserved, amount }: Row, side: number): bigint =>
  ((reserved ?? 0) & side) === 0 ? 0n : -amount

function referenceOf(detail: string | null): string | null {
  if (detail === null) return null
  const { given } = JSON.parse(detail) as { given: { reference?: string } }
  return given.reference ?? null
}
