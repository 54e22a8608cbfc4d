// What a ledger is: its partitions, their hash, the time zone of its business dates, which shard holds what, and its assets. Fixed at its
// creation, checked at each start: a wrong setting is an error before anything is written.
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { TerminalFault } from '../../actors/faults.ts'
import { ownerHashName } from '../../actors/route.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import type { CatalogChange } from '../../core/catalog.ts'
import { currentChanges } from './catalog-changes.ts'
import { connect, faulting, shownUrl } from './connect.ts'
import { migrate } from './migrate.ts'
import { addedShards, checkPlaces, readPlaces, shardUrls } from './placement.ts'

export interface LedgerPlan {
  /** Undefined: what the ledger has; for a new one the default. */
  readonly partitions: number | undefined
  readonly timeZone: string | undefined
  readonly defaultPartitions: number
}

export interface LedgerInfo {
  readonly id: string
  readonly partitions: number
  readonly timeZone: string
  /** Of the shards in their order: those that were given, and behind them those that the catalog knows. */
  readonly urls: readonly string[]
  /** Shard number of each partition; the index is the partition. */
  readonly shardOf: readonly number[]
  readonly assets: ReadonlyMap<string, Asset>
  /** Those of before the first change of the catalog: what every partition starts from. */
  readonly firstAssets: readonly Asset[]
  /** What stands in the catalog, in the order of versions. */
  readonly catalog: readonly CatalogChange[]
  readonly created: boolean
}

interface StoredLedger {
  readonly id: string
  readonly shard: number
  readonly partitions: number
  readonly hash: string
  readonly time_zone: string
}

/** Settings without which "committed" would not mean durable. */
const durableSettings = ['fsync', 'full_page_writes', 'synchronous_commit'] as const

/**
 * Creates the ledger on empty shards, or checks that these shards, and those that the catalog knows beside them, are one whole ledger in the
 * right order.
 */
export async function openLedger(urls: readonly string[], plan: LedgerPlan, unsafe = false): Promise<LedgerInfo> {
  const clients: pg.Client[] = []
  const add = async (more: readonly string[]): Promise<void> => {
    for (const url of more) await migrate(url)
    for (const url of more) clients.push(await connect(url, { name: 'suanpan catalog' }))
  }
  try {
    await add(urls)
    return await faulting(() => openOn(clients, urls, add, plan, unsafe))
  } finally {
    await Promise.allSettled(clients.map((client) => client.end()))
  }
}

async function openOn(
  clients: pg.Client[],
  given: readonly string[],
  add: (urls: readonly string[]) => Promise<void>,
  plan: LedgerPlan,
  unsafe: boolean,
): Promise<LedgerInfo> {
  const [catalog] = clients
  if (catalog === undefined) throw new TerminalFault('wrong_ledger', 'a ledger needs at least one database')
  const check = async (from: number, urls: readonly string[]): Promise<void> => {
    for (const [i, client] of clients.entries()) {
      if (!unsafe && i >= from) await checkDurable(client, urls[i] ?? '')
    }
  }
  await check(0, given)
  const created = (await readLedger(catalog)) === undefined && (await createIfFree(clients, given, plan))
  checkWhole(await Promise.all(clients.map(readLedger)), given, plan)
  const places = await readPlaces(catalog)
  const urls = shardUrls(given, await addedShards(catalog), places)
  await add(urls.slice(given.length))
  await check(given.length, urls)
  const info = checkWhole(await Promise.all(clients.map(readLedger)), urls, plan)
  await checkPlaces(clients, urls, places)
  const shardOf = places.map(({ shard }) => shard)
  const assets = await catalog.query<{ code: string; scale: number; auto_open: boolean; version: string }>(
    'SELECT code, scale, auto_open, version FROM suanpan.asset ORDER BY code',
  )
  const assetFrom = ({ code, scale, auto_open }: (typeof assets.rows)[number]): Asset => ({
    code,
    scale,
    autoOpen: auto_open,
  })
  return {
    id: info.id,
    partitions: info.partitions,
    timeZone: info.time_zone,
    urls,
    shardOf,
    assets: new Map(assets.rows.map((row) => [row.code, assetFrom(row)])),
    firstAssets: assets.rows.filter(({ version }) => version === '0').map(assetFrom),
    catalog: await currentChanges(catalog),
    created,
  }
}

export async function checkDurable(client: pg.Client, url: string): Promise<void> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_settings WHERE name = ANY ($1)',
    [durableSettings],
  )
  const off = rows.filter(({ setting }) => setting === 'off').map(({ name }) => name)
  if (off.length > 0) {
    throw new TerminalFault(
      'wrong_ledger',
      `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off on ${shownUrl(url)}: a commit would not be durable (start with --unsafe to accept that)`,
    )
  }
}

export async function readLedger(client: pg.Client): Promise<StoredLedger | undefined> {
  const { rows } = await client.query<StoredLedger>('SELECT id, shard, partitions, hash, time_zone FROM suanpan.ledger')
  return rows[0]
}

/** One process creates at a time; whoever waited finds a ledger. The locks end with the transactions. */
async function createIfFree(
  clients: readonly pg.Client[],
  urls: readonly string[],
  plan: LedgerPlan,
): Promise<boolean> {
  for (const client of clients) await client.query('BEGIN')
  for (const [i, client] of clients.entries()) {
    const lock = i === 0 ? 'pg_advisory_xact_lock' : 'pg_try_advisory_xact_lock'
    const { rows } = await client.query<{ got: boolean | string }>(`SELECT ${lock}(${creationKey}) AS got`)
    if (rows[0]?.got === false) {
      throw new TerminalFault(
        'wrong_ledger',
        `${shownUrl(urls[i] ?? '')} is given twice, or another process creates a ledger on it`,
      )
    }
  }
  const isNew = await allFree(clients)
  if (isNew) await create(clients, plan)
  // The catalog comes last: only with its row the ledger exists, so that a creation cut short is begun again by the next start.
  for (const client of [...clients].reverse()) await client.query('COMMIT')
  return isNew
}

async function allFree(clients: readonly pg.Client[]): Promise<boolean> {
  for (const [shard, client] of clients.entries()) if (!(await isFree(client, shard))) return false
  return true
}

const creationKey = `hashtextextended('suanpan.create', 0)`

/** Empty, or a shard of this place that a creation cut short left behind: it was never hosted. */
async function isFree(client: pg.Client, shard: number): Promise<boolean> {
  const ledger = await readLedger(client)
  if (ledger === undefined) return true
  if (shard === 0 || ledger.shard !== shard) return false
  const { rows } = await client.query('SELECT FROM suanpan.partition WHERE epoch > 0 LIMIT 1')
  return rows.length === 0
}

async function create(clients: readonly pg.Client[], plan: LedgerPlan): Promise<void> {
  const id = randomUUID()
  const partitions = plan.partitions ?? plan.defaultPartitions
  const timeZone = plan.timeZone ?? 'UTC'
  for (const [shard, client] of clients.entries()) {
    await client.query('DELETE FROM suanpan.partition')
    await client.query(
      `INSERT INTO suanpan.partition (partition, chain)
       SELECT p, sha256(convert_to('suanpan ' || $1 || ' ' || p, 'UTF8')) FROM generate_series(0, $2 - 1) p WHERE p % $3 = $4`,
      [id, partitions, clients.length, shard],
    )
    await client.query('CALL suanpan.open_segment(1)')
    if (shard === 0) {
      await client.query('DELETE FROM suanpan.partition_shard')
      await client.query(
        'INSERT INTO suanpan.partition_shard (partition, shard) SELECT p, p % $2 FROM generate_series(0, $1 - 1) p',
        [partitions, clients.length],
      )
      for (const { code, scale, autoOpen } of builtInAssets) {
        await client.query('INSERT INTO suanpan.asset (code, scale, auto_open) VALUES ($1, $2, $3)', [
          code,
          scale,
          autoOpen,
        ])
      }
    }
    await client.query(
      `INSERT INTO suanpan.ledger (id, shard, partitions, hash, time_zone) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (one) DO UPDATE SET id = excluded.id, shard = excluded.shard, partitions = excluded.partitions,
         hash = excluded.hash, time_zone = excluded.time_zone`,
      [id, shard, partitions, ownerHashName, timeZone],
    )
  }
}

function checkWhole(
  stored: readonly (StoredLedger | undefined)[],
  urls: readonly string[],
  plan: LedgerPlan,
): StoredLedger {
  const [catalog] = stored
  if (catalog === undefined) {
    throw new TerminalFault(
      'wrong_ledger',
      `${shownUrl(urls[0] ?? '')} is empty, but another shard holds a ledger: wrong order?`,
    )
  }
  for (const [i, one] of stored.entries()) {
    const url = shownUrl(urls[i] ?? '')
    if (one === undefined)
      throw new TerminalFault('wrong_ledger', `${url} is empty: it is not shard ${i} of ledger ${catalog.id}`)
    if (one.id !== catalog.id)
      throw new TerminalFault('wrong_ledger', `${url} belongs to ledger ${one.id}, not to ${catalog.id}`)
    if (one.shard !== i)
      throw new TerminalFault('wrong_ledger', `${url} is shard ${one.shard}, but stands at place ${i}`)
  }
  if (catalog.hash !== ownerHashName) {
    throw new TerminalFault(
      'wrong_ledger',
      `the ledger places owners by ${catalog.hash}, this version by ${ownerHashName}`,
    )
  }
  if (plan.partitions !== undefined && plan.partitions !== catalog.partitions) {
    throw new TerminalFault(
      'wrong_ledger',
      `PARTITIONS is ${plan.partitions}, but the ledger was created with ${catalog.partitions}`,
    )
  }
  if (plan.timeZone !== undefined && plan.timeZone !== catalog.time_zone) {
    throw new TerminalFault(
      'wrong_ledger',
      `BUSINESS_TIMEZONE is ${plan.timeZone}, but the ledger was created with ${catalog.time_zone}`,
    )
  }
  return catalog
}

/** Highest mailbox generation that any partition has consumed from. */
export async function highestGeneration(urls: readonly string[]): Promise<number> {
  let highest = 0
  for (const url of urls) {
    const client = await connect(url, { name: 'suanpan catalog' })
    try {
      const { rows } = await client.query<{ generation: string | null }>(
        'SELECT max(generation) AS generation FROM suanpan.partition',
      )
      highest = Math.max(highest, Number(rows[0]?.generation ?? 0))
    } finally {
      await client.end()
    }
  }
  return highest
}
