// Rows of `suanpan.named_journal` as pg hands them over, and the domain objects they stand for. One place, so that an activation, a read
// and `verify` can never disagree on what a stored row means.

import { entryView } from '../../actors/entry-view.ts'
import type { EntryView } from '../../actors/reads.ts'
import type { AccountRef, Normal } from '../../core/account.ts'
import { stageLegs } from '../../core/across/joint.ts'
import type { Asset } from '../../core/asset.ts'
import { type IdKey, idKeyFromBytes } from '../../core/identity.ts'
import { violated } from '../../core/invariant.ts'
import { kindBits, type Row, type RowKind, rowKinds } from '../../core/row.ts'
import type { Decided, Remembered } from '../../core/transaction.ts'
import { givenOf } from '../../schemas/detail.ts'

export interface StoredRow {
  readonly partition: number
  readonly pseq: string
  readonly leg: number
  readonly kind: number
  readonly code: number
  readonly id_key: string
  readonly id: string
  readonly link: string | null
  readonly amount: string
  readonly at_ms: string
  readonly date: number
  readonly channel: string | null
  readonly from_key: string | null
  readonly from_id: string | null
  readonly from_asset: string | null
  readonly from_normal: Normal
  readonly from_seq: string | null
  readonly from_balance: string | null
  readonly from_held: string | null
  readonly to_key: string | null
  readonly to_id: string | null
  readonly to_asset: string | null
  readonly to_normal: Normal
  readonly to_seq: string | null
  readonly to_balance: string | null
  readonly to_held: string | null
  readonly detail: string | null
  readonly far: string | null
}

const kindByNumber = new Map<number, RowKind>(Object.entries(rowKinds).map(([kind, n]) => [n, kind as RowKind]))

/** Of a stored kind, bits of `storedKind` and all. */
export const kindOf = (stored: number): RowKind =>
  kindByNumber.get(stored & kindBits) ??
  violated('the journal holds only kinds that this version knows', { kind: stored })

/** `123e4567-e89b-..` as an id key. */
export const idKeyFromUuid = (uuid: string): IdKey => idKeyFromBytes(Buffer.from(uuid.replaceAll('-', ''), 'hex'))

export function rowFrom(stored: StoredRow, assets: ReadonlyMap<string, Asset>): Row {
  return {
    kind: kindOf(stored.kind),
    leg: stored.leg,
    code: stored.code,
    amount: BigInt(stored.amount),
    from: refFrom(stored.from_key, stored.from_id, stored.from_asset, stored.from_normal, assets),
    fromSeq: Number(stored.from_seq ?? 0),
    fromBalance: BigInt(stored.from_balance ?? 0),
    fromHeld: BigInt(stored.from_held ?? 0),
    to: refFrom(stored.to_key, stored.to_id, stored.to_asset, stored.to_normal, assets),
    toSeq: Number(stored.to_seq ?? 0),
    toBalance: BigInt(stored.to_balance ?? 0),
    toHeld: BigInt(stored.to_held ?? 0),
    link: stored.link === null ? undefined : idKeyFromUuid(stored.link),
    ...(stored.far === null ? {} : { far: stored.far }),
    ...(stored.kind <= kindBits ? {} : { reserved: stored.kind >> 6 }),
  }
}

function refFrom(
  key: string | null,
  id: string | null,
  assetCode: string | null,
  normal: Normal,
  assets: ReadonlyMap<string, Asset>,
): AccountRef | undefined {
  if (key === null) return undefined
  const asset = assetCode === null ? undefined : assets.get(assetCode)
  if (id === null || asset === undefined)
    return violated('a journal row names an account that exists', { key, assetCode })
  return { key: Number(key), id, asset, normal }
}

/** One side of a stored row as the account's statement shows it. */
export const storedEntry = (row: Row, { id, at_ms, date, detail }: StoredRow, side: 'from' | 'to'): EntryView =>
  entryView(row, { id, atMs: Number(at_ms), date, detail }, side)

/** All rows of one transaction, in leg order, as the decision they were. */
export function decidedFrom(stored: readonly [StoredRow, ...StoredRow[]], assets: ReadonlyMap<string, Asset>): Decided {
  const [first, ...rest] = stored
  const rows = [rowFrom(first, assets), ...rest.map((one) => rowFrom(one, assets))] as const
  const { command, facts } = givenOf(first.id, [...rows], first.channel ?? undefined, first.detail ?? undefined)
  return {
    idKey: idKeyFromUuid(first.id_key),
    command,
    at: Number(first.at_ms),
    date: first.date,
    rows: [...rows],
    facts,
  }
}

/** What is remembered of each asked key, from its own rows and from accepted rows that link to it; rows in journal order, per partition. */
export function rememberedFrom(
  asked: ReadonlySet<IdKey>,
  stored: readonly StoredRow[],
  assets: ReadonlyMap<string, Asset>,
): Map<number, (readonly [IdKey, Remembered])[]> {
  const own = new Map<IdKey, [StoredRow, ...StoredRow[]]>()
  const found = new Map<IdKey, { partition: number; remembered: Remembered }>()
  const remember = (key: IdKey, partition: number): Remembered => {
    let known = found.get(key)
    if (known === undefined) {
      known = { partition, remembered: { decided: undefined, links: [] } }
      found.set(key, known)
    }
    return known.remembered
  }
  for (const row of stored) {
    // Of a transaction across partitions: what its parties did before and after the decision.
    if (row.leg >= stageLegs) continue
    const key = idKeyFromUuid(row.id_key)
    if (asked.has(key)) {
      const rows = own.get(key)
      if (rows === undefined) own.set(key, [row])
      else if (!rows.some(({ pseq }) => pseq === row.pseq)) rows.push(row)
      remember(key, row.partition)
    }
    const link = row.link === null ? undefined : idKeyFromUuid(row.link)
    if (link !== undefined && row.code === 0 && asked.has(link))
      remember(link, row.partition).links.push(rowFrom(row, assets))
  }
  for (const [key, rows] of own) remember(key, rows[0].partition).decided = decidedFrom(rows, assets)
  const byPartition = new Map<number, (readonly [IdKey, Remembered])[]>()
  for (const [key, { partition, remembered }] of found) {
    const list = byPartition.get(partition) ?? []
    list.push([key, remembered])
    byPartition.set(partition, list)
  }
  return byPartition
}
