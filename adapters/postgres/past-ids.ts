// The ids of the past, for the filters that make "surely not seen" free: read in bulk, never one by one.
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { type IdFilter, pageBytes } from '../../actors/id-filter.ts'
import type { PastIds } from '../../actors/ports.ts'
import { type IdKey, idKeyFromBytes } from '../../core/identity.ts'
import { rowKinds } from '../../core/row.ts'
import { copyHeader } from '../../schemas/journal-row.ts'
import { segmentTable } from './commit.ts'

/** int16 count, then int2 and uuid with their lengths. */
const tupleBytes = 2 + 4 + 2 + 4 + 16

/** Pages stored by one statement. */
const pagesPerInsert = 1024

/**
 * The open segments are listed before the filters are: one that closes in between is then read twice, never left out. One that opens
 * in between holds only ids that the asking host decided itself.
 */
export async function readPastIds(client: pg.Client, partitions: readonly number[], into: PastIds): Promise<void> {
  const open = await client.query<{ segment: number }>(
    'SELECT segment FROM suanpan.segment WHERE closed_at IS NULL AND moving IS NULL ORDER BY segment',
  )
  for (const { segment } of open.rows)
    await readIds(client, segment, partitions, (partition, idKey) => into.id(partition, segment, idKey))
  const closed = await client.query<{ segment: number; bytes: string }>(
    `SELECT segment, sum(octet_length(bits)) AS bytes FROM suanpan.id_filter WHERE partition = ANY ($1::smallint[])
      GROUP BY segment ORDER BY segment DESC`,
    [partitions],
  )
  for (const { segment, bytes } of closed.rows) {
    if (!into.keeps(segment, Number(bytes))) continue
    const { rows } = await client.query<{ partition: number; ids: string; bits: Buffer }>(
      'SELECT partition, ids, bits FROM suanpan.id_filter WHERE segment = $1 AND partition = ANY ($2::smallint[])',
      [segment, partitions],
    )
    for (const row of rows) into.filter(row.partition, segment, Number(row.ids), row.bits)
  }
}

/** For `readPastIds`, and cut into pages for `old-ids.ts`. In one transaction: a filter without its pages would take ids of the past for new ones. */
export async function storeFilter(
  client: pg.Client,
  segment: number,
  partition: number,
  ids: number,
  filter: IdFilter,
): Promise<void> {
  const bits = Buffer.from(filter.toBytes())
  const pages = bits.length / pageBytes
  await client.query('BEGIN')
  await client.query(
    `INSERT INTO suanpan.id_filter (segment, partition, ids, bits) VALUES ($1, $2, $3, $4)
     ON CONFLICT (segment, partition) DO UPDATE SET ids = excluded.ids, bits = excluded.bits`,
    [segment, partition, ids, bits],
  )
  for (let first = 0; first < pages; first += pagesPerInsert) {
    const last = Math.min(pages, first + pagesPerInsert)
    await client.query(
      `INSERT INTO suanpan.id_page (partition, pages, page, segment, bits)
       SELECT $1, $2, $3 + n - 1, $4, substr($5::bytea, (n - 1) * ${pageBytes} + 1, ${pageBytes}) FROM generate_series(1, $6::integer) AS n
       ON CONFLICT (partition, pages, page, segment) DO UPDATE SET bits = excluded.bits`,
      [partition, pages, first, segment, bits.subarray(first * pageBytes, last * pageBytes), last - first],
    )
  }
  await client.query('COMMIT')
}

/** Each id of the segment in these partitions, and each hold that a tombstone names: both must be found by whoever uses them again. */
export async function readIds(
  client: pg.Client,
  segment: number,
  partitions: readonly number[],
  each: (partition: number, idKey: IdKey) => void,
): Promise<void> {
  const table = segmentTable(segment)
  const list = partitions.map(Number).join(',')
  const stream = client.query(
    copyTo(
      `COPY (SELECT partition, id_key FROM ${table} WHERE leg = 0 AND partition IN (${list})
             UNION ALL
             SELECT partition, link FROM ${table} WHERE kind = ${rowKinds.tombstone} AND link IS NOT NULL AND partition IN (${list})
            ) TO STDOUT (FORMAT binary)`,
    ),
  )
  let rest: Buffer = Buffer.alloc(0)
  let headerSeen = false
  for await (const chunk of stream) {
    let bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    if (!headerSeen) {
      if (bytes.length < copyHeader.length) {
        rest = bytes
        continue
      }
      bytes = bytes.subarray(copyHeader.length)
      headerSeen = true
    }
    let at = 0
    while (bytes.length - at >= tupleBytes) {
      each(bytes.readInt16BE(at + 6), idKeyFromBytes(bytes.subarray(at + 12, at + tupleBytes)))
      at += tupleBytes
    }
    rest = bytes.subarray(at)
  }
}
