// The changes of the catalog on a shard: what its partitions have journaled of them, and on the first shard all of them, where a change becomes
// durable before it is sent anywhere.
import type pg from 'pg'
import type { Head } from '../../actors/ports.ts'
import { assetsOfChange, type CatalogChange, type CatalogKind } from '../../core/catalog.ts'
import { connect, faulting } from './connect.ts'

interface StoredChange {
  readonly version: string
  readonly kind: CatalogKind
  readonly code: string
  readonly body: string
}

const changeFrom = ({ version, kind, code, body }: StoredChange): CatalogChange => ({
  version: Number(version),
  kind,
  code,
  body,
})

/** At which version each partition stands, and all that stands at any of these versions: one look, however many changes there were. */
export async function readCatalogs(
  client: pg.Client,
  partitions: readonly number[],
): Promise<{ of(partition: number): Head['catalog'] }> {
  const { rows } = await client.query<StoredChange & { partition: number | null }>(
    `WITH at AS (
       SELECT w.partition, coalesce(c.version, 0) AS version
         FROM unnest($1::smallint[]) AS w(partition) LEFT JOIN suanpan.partition_catalog c ON c.partition = w.partition)
     SELECT partition, version, NULL AS kind, NULL AS code, NULL AS body FROM at
     UNION ALL
     SELECT NULL, c.version, c.kind, c.code, c.body FROM suanpan.catalog_change c
      WHERE c.version <= (SELECT max(version) FROM at)
        AND (c.version > (SELECT min(version) FROM at)
             OR NOT EXISTS (SELECT FROM suanpan.catalog_change n WHERE n.kind = c.kind AND n.code = c.code AND n.version > c.version
                               AND n.version <= (SELECT min(version) FROM at)))
      ORDER BY partition, version`,
    [partitions],
  )
  const versions = new Map<number, number>()
  const changes: CatalogChange[] = []
  for (const row of rows) {
    if (row.partition === null) changes.push(changeFrom(row))
    else versions.set(row.partition, Number(row.version))
  }
  return {
    of: (partition) => {
      const version = versions.get(partition) ?? 0
      return { version, changes: changes.filter((change) => change.version <= version) }
    },
  }
}

/** All that stands now, in the order of its versions; the last one is the newest change. */
export async function currentChanges(client: pg.Client): Promise<CatalogChange[]> {
  const { rows } = await client.query<StoredChange>(
    `SELECT version, kind, code, body FROM (
       SELECT DISTINCT ON (kind, code) version, kind, code, body FROM suanpan.catalog_change ORDER BY kind, code, version DESC) c
      ORDER BY version`,
  )
  return rows.map(changeFrom)
}

/** Changes with the versions behind `after`, in order. */
export async function changesAfter(catalogUrl: string, after: number, limit: number): Promise<CatalogChange[]> {
  return await faulting(async () => {
    const client = await connect(catalogUrl, { name: 'suanpan catalog' })
    try {
      const { rows } = await client.query<StoredChange>(
        'SELECT version, kind, code, body FROM suanpan.catalog_change WHERE version > $1 ORDER BY version LIMIT $2',
        [after, limit],
      )
      return rows.map(changeFrom)
    } finally {
      await client.end()
    }
  })
}

/** Makes a change durable, with the assets that come of it. Fails if its version is taken. */
export async function storeChange(catalogUrl: string, { version, kind, code, body }: CatalogChange): Promise<void> {
  await faulting(async () => {
    const client = await connect(catalogUrl, { name: 'suanpan catalog', settings: { synchronous_commit: 'on' } })
    try {
      await client.query('BEGIN')
      await client.query('INSERT INTO suanpan.catalog_change (version, kind, code, body) VALUES ($1, $2, $3, $4)', [
        version,
        kind,
        code,
        body,
      ])
      for (const asset of assetsOfChange(kind, code, body)) {
        await client.query(
          `INSERT INTO suanpan.asset (code, scale, auto_open, version) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING`,
          [asset.code, asset.scale, asset.autoOpen, version],
        )
      }
      await client.query('COMMIT')
    } finally {
      await client.end()
    }
  })
}
