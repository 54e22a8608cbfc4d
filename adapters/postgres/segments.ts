// The life of journal segments on one shard: opens the next one when the present one is long enough, and closes those that nobody writes to
// any more. Closing sums up what would otherwise need a probe per segment: the last row of each account, a filter over the ids, and the
// indexes that only old rows need, all in bulk. Every step may be cut short and is done again by the next run.
import type pg from 'pg'
import { IdFilter } from '../../actors/id-filter.ts'
import { segmentTable } from './commit.ts'
import { connect, faulting } from './connect.ts'
import { readIds, storeFilter } from './past-ids.ts'

/** Accounts updated in one transaction: a lane that changes one of them waits no longer than this takes (some 50 ms). */
const accountsPerUpdate = 5000

export interface SegmentNews {
  /** From now on rows go to this segment. */
  opened(segment: number): void
  /** Its sums and filters stand. Not those of all before it: the past of a partition that was moved here may have come meanwhile. */
  closed(segment: number): void
}

/** Looks once; the caller repeats. */
export async function keepSegments(url: string, rowsMax: number, news: SegmentNews): Promise<void> {
  await faulting(async () => {
    const client = await connect(url, { name: 'suanpan segments' })
    try {
      const newest = await openIfFull(client, rowsMax)
      news.opened(newest)
      for (const segment of await finishedSegments(client)) {
        await closeSegment(client, segment)
        news.closed(segment)
      }
    } finally {
      await client.end()
    }
  })
}

async function openIfFull(client: pg.Client, rowsMax: number): Promise<number> {
  const { rows } = await client.query<{ segment: number; grown: string }>(
    `SELECT s.segment, (SELECT sum(p.pseq) FROM suanpan.partition p) - s.first_row AS grown
       FROM suanpan.segment s WHERE s.moving IS NULL ORDER BY s.segment DESC LIMIT 1`,
  )
  const [newest] = rows
  if (newest === undefined) return 1
  if (Number(newest.grown) < rowsMax) return newest.segment
  const opened = await client.query<{ segment: number }>(
    `SELECT suanpan.open_next_segment(${newest.segment}) AS segment`,
  )
  return opened.rows[0]?.segment ?? newest.segment
}

/** Open by the table, but every partition writes to a later one. */
async function finishedSegments(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query<{ segment: number }>(
    `SELECT segment FROM suanpan.segment
      WHERE closed_at IS NULL AND moving IS NULL AND segment < (SELECT min(p.segment) FROM suanpan.partition p) ORDER BY segment`,
  )
  return rows.map(({ segment }) => segment)
}

async function closeSegment(client: pg.Client, segment: number): Promise<void> {
  await storeFilters(client, segment)
  await sumUpAccounts(client, segment)
  const table = segmentTable(segment)
  for (const column of ['pseq', 'at', 'business_date']) {
    await client.query(
      `CREATE INDEX IF NOT EXISTS ${table.replace('suanpan.', '')}_${column} ON ${table} USING brin (${column})`,
    )
  }
  await client.query(`ANALYZE ${table}`)
  await client.query('UPDATE suanpan.segment SET closed_at = now() WHERE segment = $1', [segment])
}

async function storeFilters(client: pg.Client, segment: number): Promise<void> {
  const { rows } = await client.query<{ partition: number; ids: string }>(
    // A tombstone brings two ids: its own and that of the hold it names.
    `SELECT partition, count(*) FILTER (WHERE leg = 0) + count(*) FILTER (WHERE kind = 10) AS ids
       FROM ${segmentTable(segment)} GROUP BY partition`,
  )
  const filters = new Map(rows.map(({ partition, ids }) => [partition, new IdFilter(Number(ids))]))
  const sizes = new Map(rows.map(({ partition, ids }) => [partition, Number(ids)]))
  if (filters.size === 0) return
  await readIds(client, segment, [...filters.keys()], (partition, idKey) => filters.get(partition)?.add(idKey))
  for (const [partition, filter] of filters)
    await storeFilter(client, segment, partition, sizes.get(partition) ?? 0, filter)
}

async function sumUpAccounts(client: pg.Client, segment: number): Promise<void> {
  const table = segmentTable(segment)
  await client.query('DROP TABLE IF EXISTS pg_temp.last_rows')
  await client.query(`
    CREATE TEMP TABLE last_rows AS
    SELECT DISTINCT ON (key) key, seq, balance, held
      FROM (SELECT from_key AS key, from_seq AS seq, from_balance AS balance, coalesce(from_held, 0) AS held
              FROM ${table} WHERE from_key > 0 AND from_seq IS NOT NULL
            UNION ALL
            SELECT to_key, to_seq, to_balance, coalesce(to_held, 0) FROM ${table} WHERE to_key > 0 AND to_seq IS NOT NULL) sides
     ORDER BY key, seq DESC`)
  await client.query('CREATE UNIQUE INDEX ON pg_temp.last_rows (key)')
  let after = 0
  for (;;) {
    const { rows } = await client.query<{ last: string | null }>(
      `WITH part AS (SELECT * FROM pg_temp.last_rows WHERE key > $1 ORDER BY key LIMIT ${accountsPerUpdate}),
            updated AS (UPDATE suanpan.account a SET last_segment = $2, seq = part.seq, balance = part.balance, held = part.held
                          FROM part WHERE a.key = part.key AND a.seq < part.seq)
       SELECT max(key) AS last FROM part`,
      [after, segment],
    )
    const last = rows[0]?.last
    if (last === null || last === undefined) break
    after = Number(last)
  }
  await client.query('DROP TABLE pg_temp.last_rows')
}
