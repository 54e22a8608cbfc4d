// `verify`: recomputes a ledger from its journal, in one read-only snapshot a shard, beside a running server or without one. Checks the hash
// chain over the stored bytes, the numbering, every balance, conservation, holds, details and that no id stands twice. Stops at the first
// thing that is wrong.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { journalColumns } from '../../schemas/journal-row.ts'
import { segmentTable } from './commit.ts'
import { connect, faulting } from './connect.ts'
import { addedShards, readPlaces, shardUrls } from './placement.ts'
import { Broken, type Finding, PartitionReplay } from './replay.ts'
import { TupleFields, tuplesOf } from './tuple-stream.ts'
import { Transit } from './verify-across.ts'

export interface VerifyReport {
  readonly ok: boolean
  readonly finding: Finding | undefined
  readonly partitions: number
  readonly commits: number
  readonly rows: number
  readonly transactions: number
  readonly accounts: number
  readonly openHolds: number
  /** The last hash of each partition, hex: compare them with those that were noted elsewhere before. */
  readonly heads: readonly { readonly partition: number; readonly pseq: number; readonly chain: string }[]
}

interface StoredPartition {
  readonly partition: number
  readonly pseq: string
  readonly chain: Buffer
  readonly accounts: string
  readonly catalog: string
}

interface StoredCommit {
  readonly partition: number
  readonly first_pseq: string
  readonly last_pseq: string
  readonly chain: Buffer
}

interface Progress {
  commits: number
  rows: number
  transactions: number
  accounts: number
  openHolds: number
  readonly heads: { partition: number; pseq: number; chain: string }[]
}

const commitsPerFetch = 2000

/**
 * `urls`: the shards as the server's environment names them; those that the catalog knows beside them are found. Partitions may be moved
 * meanwhile: each is looked at where the catalog says that it is.
 */
export async function verifyLedger(given: readonly string[]): Promise<VerifyReport> {
  const progress: Progress = { commits: 0, rows: 0, transactions: 0, accounts: 0, openHolds: 0, heads: [] }
  let finding: Finding | undefined
  const shards = await faulting(() => snapshots(given))
  const transit = new Transit()
  try {
    for (const { shard, rowsFrom, commitsFrom, partitions } of shards) {
      try {
        await faulting(() => verifyShard(rowsFrom, commitsFrom, partitions, progress, transit))
      } catch (error) {
        const broken = brokenOf(error)
        if (broken === undefined) throw error
        finding = { shard, ...broken.finding }
        break
      }
    }
    if (finding === undefined) finding = findingOf(() => transit.check())
  } finally {
    await Promise.allSettled(shards.flatMap(({ rowsFrom, commitsFrom }) => [rowsFrom.end(), commitsFrom.end()]))
  }
  progress.heads.sort((a, b) => a.partition - b.partition)
  return { ok: finding === undefined, finding, partitions: progress.heads.length, ...progress }
}

function findingOf(check: () => void): Finding | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    const broken = brokenOf(error)
    if (broken === undefined) throw error
    return { shard: 0, ...broken.finding }
  }
}

const brokenOf = (error: unknown): Broken | undefined => {
  if (error instanceof Broken) return error
  return error instanceof Error && error.cause instanceof Broken ? error.cause : undefined
}

interface ShardSnapshot {
  readonly shard: number
  /** Those that the catalog places here. */
  readonly partitions: readonly number[]
  readonly rowsFrom: pg.Client
  readonly commitsFrom: pg.Client
}

/** One of each shard, in which every partition is whole on the shard where the catalog places it: none moved while they were taken. */
async function snapshots(given: readonly string[]): Promise<ShardSnapshot[]> {
  const catalog = await connect(given[0] ?? '', { name: 'suanpan verify' })
  try {
    for (;;) {
      const places = await readPlaces(catalog)
      const urls = shardUrls(given, await addedShards(catalog), places)
      const taken: ShardSnapshot[] = []
      try {
        for (const [shard, url] of urls.entries()) {
          const partitions = places.filter((place) => place.shard === shard).map(({ partition }) => partition)
          taken.push({ shard, partitions, ...(await snapshotOf(url)) })
        }
      } catch (error) {
        await endAll(taken)
        throw error
      }
      if (isDeepStrictEqual(await readPlaces(catalog), places)) return taken
      await endAll(taken)
    }
  } finally {
    await catalog.end()
  }
}

const endAll = async (taken: readonly ShardSnapshot[]): Promise<void> => {
  await Promise.allSettled(taken.flatMap(({ rowsFrom, commitsFrom }) => [rowsFrom.end(), commitsFrom.end()]))
}

/** Two connections that see the same instant. */
async function snapshotOf(url: string): Promise<Pick<ShardSnapshot, 'rowsFrom' | 'commitsFrom'>> {
  // Everything is read whole: a plan by index, one row after the other, would be right for a fresh table's missing statistics only.
  const rowsFrom = await connect(url, {
    name: 'suanpan verify',
    settings: { enable_nestloop: 'off', work_mem: '256MB', jit: 'off' },
  })
  const commitsFrom = await connect(url, { name: 'suanpan verify' })
  await rowsFrom.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  const snapshot = await rowsFrom.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
  await commitsFrom.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  await commitsFrom.query(`SET TRANSACTION SNAPSHOT '${snapshot.rows[0]?.id ?? ''}'`)
  return { rowsFrom, commitsFrom }
}

async function verifyShard(
  rowsFrom: pg.Client,
  commitsFrom: pg.Client,
  partitions: readonly number[],
  progress: Progress,
  transit: Transit,
): Promise<void> {
  await checkIds(rowsFrom, partitions)
  await transit.shard(rowsFrom, partitions)
  const replays = await replayAll(rowsFrom, commitsFrom, partitions, progress, transit)
  await checkEnds(rowsFrom, replays, progress)
  await checkDetails(rowsFrom, partitions)
}

// ---- journal and chain ----------------------------------------------------------------------------------------------------------

interface Chained {
  readonly replay: PartitionReplay
  chain: Uint8Array
}

/** All rows of the shard, segment by segment, each by partition and number: the only order in which nothing must be kept but the sums. */
async function replayAll(
  rowsFrom: pg.Client,
  commitsFrom: pg.Client,
  placed: readonly number[],
  progress: Progress,
  transit: Transit,
): Promise<Map<number, Chained>> {
  const partitions = await rowsFrom.query<{ partition: number; origin: Buffer }>(
    `SELECT p.partition, sha256(convert_to('suanpan ' || l.id || ' ' || p.partition, 'UTF8')) AS origin
       FROM suanpan.partition p, suanpan.ledger l WHERE p.partition = ANY ($1::smallint[]) ORDER BY p.partition`,
    [placed],
  )
  const missing = placed.find((partition) => !partitions.rows.some((row) => row.partition === partition))
  if (missing !== undefined)
    throw new Broken(missing, undefined, 'partition', 'the shard where the catalog places it does not hold it')
  const normals = await rowsFrom.query<{ key: string }>(`SELECT key FROM suanpan.account WHERE normal = 'debit'`)
  const debitNormal = new Set(normals.rows.map(({ key }) => BigInt(key)))
  const chained = new Map<number, Chained>(
    partitions.rows.map(({ partition, origin }) => [
      partition,
      { replay: new PartitionReplay(partition, debitNormal, transit), chain: origin },
    ]),
  )
  const segments = await rowsFrom.query<{ segment: number }>(
    'SELECT segment FROM suanpan.segment WHERE moving IS NULL ORDER BY segment',
  )
  for (const { segment } of segments.rows) await replaySegment(rowsFrom, commitsFrom, segment, chained, progress)
  return chained
}

async function replaySegment(
  rowsFrom: pg.Client,
  commitsFrom: pg.Client,
  segment: number,
  chained: ReadonlyMap<number, Chained>,
  progress: Progress,
): Promise<void> {
  const list = [...chained.keys()].join(',') || '-1'
  const commits = commitsOf(commitsFrom, segment, list)
  const stream = rowsFrom.query(
    copyTo(
      `COPY (SELECT ${journalColumns.join(', ')} FROM ${segmentTable(segment)} WHERE partition IN (${list}) ORDER BY partition, pseq) TO STDOUT (FORMAT binary)`,
    ),
  )
  let commit: StoredCommit | undefined
  let hash = createHash('sha256')
  for await (const tuples of tuplesOf(stream as AsyncIterable<Buffer>)) {
    for (const tuple of tuples) {
      const pseq = Number(new TupleFields(tuple).int8())
      if (commit === undefined) {
        commit = await next(commits)
        const here = commit === undefined ? undefined : chained.get(commit.partition)
        if (commit === undefined || here === undefined) {
          throw new Broken(-1, pseq, 'chain', `row ${pseq} of segment ${segment} belongs to no commit`)
        }
        if (Number(commit.first_pseq) !== pseq) {
          throw new Broken(
            commit.partition,
            pseq,
            'chain',
            `a commit begins at row ${commit.first_pseq}, the journal goes on with ${pseq}`,
          )
        }
        hash = createHash('sha256').update(here.chain)
      }
      const here = chained.get(commit.partition)
      if (here === undefined)
        throw new Broken(commit.partition, pseq, 'partition', 'the shard does not hold this partition')
      here.replay.row(tuple)
      hash.update(tuple)
      progress.rows++
      if (pseq < Number(commit.last_pseq)) continue
      const chain = hash.digest()
      if (!chain.equals(commit.chain)) {
        throw new Broken(
          commit.partition,
          Number(commit.first_pseq),
          'chain',
          `rows ${commit.first_pseq} to ${commit.last_pseq} hash to ${chain.toString('hex')}, the commit says ${commit.chain.toString('hex')}`,
        )
      }
      here.chain = chain
      progress.commits++
      commit = undefined
    }
  }
  const left = commit ?? (await next(commits))
  if (left !== undefined) {
    throw new Broken(
      left.partition,
      Number(left.first_pseq),
      'chain',
      `rows of the commit ${left.first_pseq} to ${left.last_pseq} are missing`,
    )
  }
}

async function* commitsOf(
  client: pg.Client,
  segment: number,
  partitions: string,
): AsyncGenerator<StoredCommit, undefined> {
  await client.query(
    `DECLARE commits NO SCROLL CURSOR FOR SELECT partition, first_pseq, last_pseq, chain FROM suanpan.commit
      WHERE segment = ${segment} AND partition IN (${partitions}) ORDER BY partition, first_pseq`,
  )
  for (;;) {
    const { rows } = await client.query<StoredCommit>(`FETCH ${commitsPerFetch} FROM commits`)
    if (rows.length === 0) break
    yield* rows
  }
  await client.query('CLOSE commits')
  return undefined
}

async function next(commits: AsyncGenerator<StoredCommit, undefined>): Promise<StoredCommit | undefined> {
  const { value } = await commits.next()
  return value
}

// ---- what stands beside the journal ---------------------------------------------------------------------------------------------

/** Heads, account rows, cells and holds against what the journal gives; and the sum over all accounts of each asset. */
async function checkEnds(client: pg.Client, chained: ReadonlyMap<number, Chained>, progress: Progress): Promise<void> {
  const heads = await client.query<StoredPartition>(
    `SELECT p.partition, p.pseq, p.chain, p.accounts, coalesce(c.version, 0) AS catalog
       FROM suanpan.partition p LEFT JOIN suanpan.partition_catalog c ON c.partition = p.partition
      WHERE p.partition = ANY ($1::smallint[]) ORDER BY p.partition`,
    [[...chained.keys()]],
  )
  for (const { partition, pseq, chain, accounts, catalog } of heads.rows) {
    const here = chained.get(partition)
    if (here === undefined) throw new Broken(partition, undefined, 'partition', 'it has no replay')
    const { replay } = here
    if (replay.pseq !== Number(pseq))
      replay.broken(replay.pseq, 'head', `the journal ends at row ${replay.pseq}, the partition says ${pseq}`)
    if (!chain.equals(here.chain))
      replay.broken(replay.pseq, 'head', 'the chain ends in another hash than the partition says')
    if (replay.opened !== Number(accounts)) {
      replay.broken(
        undefined,
        'accounts',
        `the journal opens ${replay.opened} accounts, the partition says ${accounts}`,
      )
    }
    if (replay.catalog !== Number(catalog)) {
      replay.broken(undefined, 'catalog', `the journal has ${replay.catalog} changes, the partition says ${catalog}`)
    }
    progress.transactions += replay.transactions
    progress.heads.push({ partition, pseq: Number(pseq), chain: chain.toString('hex') })
  }
  const sums = new Map<string, bigint>()
  progress.accounts += await checkAccounts(client, chained, sums)
  progress.accounts += await checkCells(client, chained, sums)
  for (const [name, sum] of sums) {
    const [partition = '0', asset = ''] = name.split(' ')
    if (sum !== 0n)
      throw new Broken(
        Number(partition),
        undefined,
        'conservation',
        `all accounts of ${asset} sum up to ${sum} instead of 0`,
      )
  }
  progress.openHolds += await checkHolds(client, chained)
}

async function checkAccounts(
  client: pg.Client,
  chained: ReadonlyMap<number, Chained>,
  sums: Map<string, bigint>,
): Promise<number> {
  let count = 0
  let after = '0'
  for (;;) {
    const { rows } = await client.query<{
      key: string
      partition: number
      id: string
      asset: string
      overdraft: string
      version: string
      seq: string
    }>(
      'SELECT key, partition, id, asset, overdraft, version, seq FROM suanpan.account WHERE key > $1 AND partition = ANY ($2::smallint[]) ORDER BY key LIMIT 10000',
      [after, [...chained.keys()]],
    )
    if (rows.length === 0) return count
    for (const row of rows) {
      const replay = chained.get(row.partition)?.replay
      const account = replay?.accounts.get(BigInt(row.key))
      if (replay === undefined || account === undefined) {
        throw new Broken(row.partition, undefined, 'account', `${row.id} stands in the table, but no row opens it`)
      }
      if (account.overdraft !== BigInt(row.overdraft)) {
        replay.broken(
          undefined,
          'overdraft',
          `${row.id} has the limit ${row.overdraft}, the journal says ${account.overdraft}`,
        )
      }
      if (account.version !== Number(row.version)) {
        replay.broken(undefined, 'version', `${row.id} has version ${row.version}, the journal says ${account.version}`)
      }
      if (account.seq < Number(row.seq)) {
        replay.broken(undefined, 'seq', `${row.id} was summed up at entry ${row.seq}, the journal has ${account.seq}`)
      }
      add(sums, row.partition, row.asset, account.balance)
      count++
    }
    after = rows[rows.length - 1]?.key ?? after
  }
}

async function checkCells(
  client: pg.Client,
  chained: ReadonlyMap<number, Chained>,
  sums: Map<string, bigint>,
): Promise<number> {
  const { rows } = await client.query<{
    key: string
    partition: number
    id: string
    asset: string
    balance: string
    held: string
    seq: string
  }>('SELECT key, partition, id, asset, balance, held, seq FROM suanpan.cell WHERE partition = ANY ($1::smallint[])', [
    [...chained.keys()],
  ])
  for (const row of rows) {
    const replay = chained.get(row.partition)?.replay
    const cell = replay?.accounts.get(BigInt(row.key))
    if (replay === undefined || cell === undefined) {
      throw new Broken(row.partition, undefined, 'cell', `${row.id} stands in the table, but no row opens it`)
    }
    if (cell.balance !== BigInt(row.balance) || cell.held !== BigInt(row.held) || cell.seq !== Number(row.seq)) {
      replay.broken(
        undefined,
        'cell',
        `${row.id} in ${row.asset} has ${row.balance} at entry ${row.seq}, the journal says ${cell.balance} at ${cell.seq}`,
      )
    }
    add(sums, row.partition, row.asset, cell.balance)
  }
  return rows.length
}

async function checkHolds(client: pg.Client, chained: ReadonlyMap<number, Chained>): Promise<number> {
  const { rows } = await client.query<{
    id_key: string
    partition: number
    id: string
    key: string
    remaining: string
  }>('SELECT id_key, partition, id, key, remaining FROM suanpan.hold WHERE partition = ANY ($1::smallint[])', [
    [...chained.keys()],
  ])
  const stored = new Map<number, number>()
  for (const row of rows) {
    const replay = chained.get(row.partition)?.replay
    const hold = replay?.holds.get(Buffer.from(row.id_key.replaceAll('-', ''), 'hex').toString('latin1'))
    if (hold === undefined || hold.remaining !== BigInt(row.remaining) || hold.key !== BigInt(row.key)) {
      throw new Broken(
        row.partition,
        undefined,
        'hold',
        `hold ${row.id} has ${row.remaining} left, the journal says ${hold?.remaining ?? 'it is over'}`,
      )
    }
    stored.set(row.partition, (stored.get(row.partition) ?? 0) + 1)
  }
  for (const [partition, { replay }] of chained) {
    const missing = replay.holds.size - (stored.get(partition) ?? 0)
    if (missing !== 0) replay.broken(undefined, 'hold', `${missing} open holds of the journal are not in the table`)
  }
  return rows.length
}

/** P2: within a segment the unique index sees to it; across segments nothing but the engine does, so it is counted here. */
async function checkIds(client: pg.Client, partitions: readonly number[]): Promise<void> {
  const { rows } = await client.query<{ partition: number; id: string }>(
    `SELECT min(partition) AS partition, min(id) AS id FROM suanpan.journal
      WHERE leg = 0 AND partition = ANY ($1::smallint[]) GROUP BY id_key HAVING count(*) > 1 LIMIT 1`,
    [partitions],
  )
  const [twice] = rows
  if (twice !== undefined)
    throw new Broken(twice.partition, undefined, 'once', `transaction ${twice.id} stands twice in the journal`)
}

async function checkDetails(client: pg.Client, partitions: readonly number[]): Promise<void> {
  const { rows } = await client.query<{ partition: number; pseq: string }>(
    `SELECT d.partition, d.pseq FROM suanpan.detail d LEFT JOIN suanpan.journal j ON j.partition = d.partition AND j.pseq = d.pseq
      WHERE d.partition = ANY ($1::smallint[])
        AND j.detail_hash IS DISTINCT FROM sha256(d.salt || convert_to(d.body, 'UTF8')) LIMIT 1`,
    [partitions],
  )
  const [wrong] = rows
  if (wrong !== undefined) {
    throw new Broken(wrong.partition, Number(wrong.pseq), 'detail', 'its detail is not the one that the chain covers')
  }
}

const add = (sums: Map<string, bigint>, partition: number, asset: string, amount: bigint): void => {
  const name = `${partition} ${asset}`
  sums.set(name, (sums.get(name) ?? 0n) + amount)
}
