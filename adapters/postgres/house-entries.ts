// The merged statement of a house account: the entries of its cells over all partitions and shards by time, with a running balance computed
// on reading. Cells are not indexed in the journal, so a page reads windows of time (BRIN on closed segments) until it is full.
import type pg from 'pg'
import type { EntriesQuery, EntryView, Page } from '../../actors/reads.ts'
import type { Asset } from '../../core/asset.ts'
import { formatMinor } from '../../core/money.ts'
import { rowFrom, type StoredRow, storedEntry } from './stored-rows.ts'

interface Cells {
  readonly pool: pg.Pool
  readonly keys: string[]
}

interface Line {
  readonly stored: StoredRow
  readonly side: 'from' | 'to'
  readonly change: bigint
}

/** Where a page ended: time, partition, row and the balance there, so that the next page goes on counting. */
interface Cursor {
  readonly atMs: number
  readonly partition: number
  readonly pseq: number
  readonly balance: bigint
}

const firstWindowMs = 60_000
const widestWindowMs = 400 * 24 * 3600 * 1000

/** Undefined: no such account. Throws RangeError for a cursor that is not one. */
export async function houseEntries(
  id: string,
  asset: string | undefined,
  query: EntriesQuery,
  shards: readonly { readonly pool: pg.Pool; readonly partitions: readonly number[] }[],
  assets: ReadonlyMap<string, Asset>,
): Promise<Page<EntryView> | undefined> {
  const cursor = query.after === undefined || query.after === '0' ? undefined : cursorFrom(query.after)
  const cells: Cells[] = []
  let code = asset
  let total = 0n
  for (const { pool, partitions } of shards) {
    const { rows } = await pool.query<{ key: string; asset: string; balance: string }>(
      'SELECT key, asset, balance FROM suanpan.cell WHERE id = $1 AND partition = ANY ($2::smallint[]) ORDER BY asset',
      [id, partitions],
    )
    code ??= rows[0]?.asset
    const mine = rows.filter((row) => row.asset === code)
    for (const { balance } of mine) total += BigInt(balance)
    if (mine.length > 0) cells.push({ pool, keys: mine.map(({ key }) => key) })
  }
  if (cells.length === 0) return undefined
  const ascending = query.order === 'asc'
  const lines = await pageOfLines(cells, cursor, query.limit + 1, ascending, assets)
  let balance = cursor?.balance ?? (ascending ? 0n : total)
  const items: EntryView[] = []
  let last: Cursor | undefined
  for (const { stored, side, change } of lines.slice(0, query.limit)) {
    if (ascending) balance += change
    const row = rowFrom(stored, assets)
    const scale = (side === 'from' ? row.from : row.to)?.asset.scale ?? 0
    items.push({ ...storedEntry(row, stored, side), balance: formatMinor(balance, scale) })
    if (!ascending) balance -= change
    last = { atMs: Number(stored.at_ms), partition: stored.partition, pseq: Number(stored.pseq), balance }
  }
  return { items, next: lines.length > query.limit && last !== undefined ? cursorText(last) : null }
}

async function pageOfLines(
  cells: readonly Cells[],
  cursor: Cursor | undefined,
  count: number,
  ascending: boolean,
  assets: ReadonlyMap<string, Asset>,
): Promise<Line[]> {
  const bounds = await timeBounds(cells)
  if (bounds === undefined) return []
  const lines: Line[] = []
  let edge = cursor?.atMs ?? (ascending ? bounds.first : bounds.last)
  let width = firstWindowMs
  while (lines.length < count && edge >= bounds.first && edge <= bounds.last) {
    const [low, high] = ascending
      ? [edge, Math.min(edge + width, bounds.last)]
      : [Math.max(edge - width, bounds.first), edge]
    const window = (await Promise.all(cells.map((one) => linesBetween(one, low, high, assets)))).flat()
    window.sort((a, b) => (ascending ? compareLines(a, b) : compareLines(b, a)))
    const fresh = window.filter(
      (line) => cursor === undefined || (ascending ? isAfter(line, cursor) : isBefore(line, cursor)),
    )
    lines.push(...fresh)
    edge = ascending ? high + 1 : low - 1
    width = Math.min(widestWindowMs, width * 4)
  }
  return lines.slice(0, count)
}

async function timeBounds(cells: readonly Cells[]): Promise<{ first: number; last: number } | undefined> {
  const found = await Promise.all(
    cells.map(async ({ pool }) => {
      const { rows } = await pool.query<{ first: string | null; last: string | null }>(
        `SELECT (SELECT (extract(epoch FROM min(opened_at)) * 1000)::bigint FROM suanpan.cell) AS first,
                (SELECT (extract(epoch FROM max(at)) * 1000)::bigint FROM suanpan.partition) AS last`,
      )
      return rows[0]
    }),
  )
  const firsts = found.flatMap((row) => (row?.first == null ? [] : [Number(row.first)]))
  const lasts = found.flatMap((row) => (row?.last == null ? [] : [Number(row.last)]))
  return firsts.length === 0 || lasts.length === 0
    ? undefined
    : { first: Math.min(...firsts), last: Math.max(...lasts) }
}

async function linesBetween(
  { pool, keys }: Cells,
  lowMs: number,
  highMs: number,
  assets: ReadonlyMap<string, Asset>,
): Promise<Line[]> {
  const { rows } = await pool.query<StoredRow & { side: 'from' | 'to' }>(
    `SELECT j.*, CASE WHEN j.from_key = ANY ($1::bigint[]) AND j.from_seq IS NOT NULL THEN 'from' ELSE 'to' END AS side
       FROM suanpan.named_journal j
      WHERE (j.from_key = ANY ($1::bigint[]) AND j.from_seq IS NOT NULL OR j.to_key = ANY ($1::bigint[]) AND j.to_seq IS NOT NULL)
        AND j.at BETWEEN to_timestamp($2 / 1000.0) AND to_timestamp($3 / 1000.0)`,
    [keys, lowMs, highMs],
  )
  return rows.map((stored) => {
    const { amount } = rowFrom(stored, assets)
    return { stored, side: stored.side, change: stored.side === 'from' ? -amount : amount }
  })
}

const compareLines = (a: Line, b: Line): number =>
  Number(a.stored.at_ms) - Number(b.stored.at_ms) ||
  a.stored.partition - b.stored.partition ||
  Number(a.stored.pseq) - Number(b.stored.pseq)

const compareToCursor = (line: Line, cursor: Cursor): number =>
  Number(line.stored.at_ms) - cursor.atMs ||
  line.stored.partition - cursor.partition ||
  Number(line.stored.pseq) - cursor.pseq

const isAfter = (line: Line, cursor: Cursor): boolean => compareToCursor(line, cursor) > 0
const isBefore = (line: Line, cursor: Cursor): boolean => compareToCursor(line, cursor) < 0

const cursorText = ({ atMs, partition, pseq, balance }: Cursor): string => `h${atMs}.${partition}.${pseq}.${balance}`

function cursorFrom(text: string): Cursor {
  const match = /^h(\d{1,15})\.(\d{1,4})\.(\d{1,16})\.(-?\d{1,30})$/.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not a cursor of this list`)
  const [, atMs = '', partition = '', pseq = '', balance = ''] = match
  return { atMs: Number(atMs), partition: Number(partition), pseq: Number(pseq), balance: BigInt(balance) }
}
