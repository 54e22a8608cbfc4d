// Reads beside the actors: committed state only, straight from the shards. An answer to a client comes after its commit, so whoever was
// answered finds his transaction here.
import pg from 'pg'
import type {
  AccountView,
  EntriesQuery,
  EntryView,
  Page,
  PointsView,
  Reads,
  TransactionView,
} from '../../actors/reads.ts'
import { partitionOf } from '../../actors/route.ts'
import type { AccountStatus, Normal } from '../../core/account.ts'
import { firstLegOf, transitId } from '../../core/across/joint.ts'
import type { Asset } from '../../core/asset.ts'
import { refusalOf } from '../../core/code.ts'
import { isMerchantAccount } from '../../core/house.ts'
import { type IdKey, idKeyOf, isHouse, ownerOfAccount } from '../../core/identity.ts'
import { violated } from '../../core/invariant.ts'
import { formatMinor } from '../../core/money.ts'
import { houseOwner } from '../../core/owner.ts'
import type { Row } from '../../core/row.ts'
import type { Decided } from '../../core/transaction.ts'
import { answerTo, timeText } from '../../schemas/answer.ts'
import { clientOf, sessionSettings, urlOptions } from './connect.ts'
import { uuidText } from './copy.ts'
import { faultOf } from './faults.ts'
import { houseEntries } from './house-entries.ts'
import { pointsView } from './points-view.ts'
import { rememberedFrom, rowFrom, type StoredRow, storedEntry } from './stored-rows.ts'

export interface PostgresReadsOptions {
  /** Both are looked at anew for each read: shards are added and partitions moved while the service runs. */
  readonly urls: readonly string[]
  readonly shardOf: readonly number[]
  readonly assets: () => ReadonlyMap<string, Asset>
  /** Days since 1970-01-01 of a time in the ledger's time zone. */
  readonly dateOf: (atMs: number) => number
}

/** Connections per shard: reads are short, and the commits need the cores. */
const poolMax = 8
const readMs = 10_000

interface StoredAccountView {
  readonly key: string
  readonly id: string
  readonly asset: string
  readonly normal: Normal
  readonly status: AccountStatus
  readonly overdraft: string
  readonly version: string
  readonly metadata: string | null
  readonly seq: string
  readonly balance: string
  readonly held: string
  readonly now_ms: string
}

export class PostgresReads implements Reads {
  private readonly options: PostgresReadsOptions
  private readonly pools: pg.Pool[] = []

  constructor(options: PostgresReadsOptions) {
    this.options = options
  }

  private pool(shard: number): pg.Pool {
    const known = this.pools[shard]
    if (known !== undefined) return known
    const url = this.options.urls[shard] ?? violated('every partition has a shard', { shard })
    const pool = new pg.Pool({
      ...urlOptions(url),
      ...sessionSettings(url, { TimeZone: 'UTC', jit: 'off', enable_seqscan: 'off' }),
      Client: clientOf(url),
      max: poolMax,
      application_name: 'suanpan reads',
      connectionTimeoutMillis: readMs,
      query_timeout: readMs,
    })
    pool.on('error', () => undefined)
    this.pools[shard] = pool
    return pool
  }

  /** Each shard with the partitions that it holds now: a shard that a partition was moved from, or is being moved to, holds rows of it too. */
  private shards(): { readonly shard: number; readonly partitions: number[] }[] {
    return this.options.urls.flatMap((_url, shard) => {
      const partitions = this.options.shardOf.flatMap((of, partition) => (of === shard ? [partition] : []))
      return partitions.length === 0 ? [] : [{ shard, partitions }]
    })
  }

  async account(id: string, asset: string | undefined): Promise<AccountView | undefined> {
    if (isHouse(id)) return await this.houseAccount(id, asset)
    const { rows } = await this.ask<StoredAccountView>(this.shardOfOwner(ownerOfAccount(id)), {
      name: 'account',
      text: `${accountSelect} WHERE a.id = $1`,
      values: [id],
    })
    const [row] = rows
    return row === undefined || (asset !== undefined && row.asset !== asset) ? undefined : this.view(row)
  }

  /** The sum of the committed cells over all partitions. Without `asset` the one that it has, or the first by code. */
  private async houseAccount(id: string, asset: string | undefined): Promise<AccountView | undefined> {
    const answers = await Promise.all(
      this.shards().map(({ shard, partitions }) =>
        this.ask<StoredAccountView>(shard, {
          name: 'cells',
          text: `SELECT min(c.key) AS key, c.id, c.asset, 'credit' AS normal, 'open' AS status, 0 AS overdraft, 1 AS version, NULL AS metadata,
                        sum(c.seq)::bigint AS seq, sum(c.balance) AS balance, sum(c.held) AS held, ${nowMs} AS now_ms
                   FROM suanpan.cell c WHERE c.id = $1 AND c.partition = ANY ($2::smallint[]) GROUP BY c.id, c.asset`,
          values: [id, partitions],
        }),
      ),
    )
    const rows = answers.flatMap((answer) => answer.rows)
    const code = asset ?? rows.map((row) => row.asset).sort()[0]
    const cells = rows.filter((row) => row.asset === code)
    const [first] = cells
    if (first === undefined) return undefined
    const sum = (of: (row: StoredAccountView) => string): string =>
      String(cells.reduce((total, row) => total + BigInt(of(row)), 0n))
    return this.view({
      ...first,
      seq: sum((row) => row.seq),
      balance: sum((row) => row.balance),
      held: sum((row) => row.held),
      now_ms: String(Math.min(...cells.map((row) => Number(row.now_ms)))),
    })
  }

  async accountsOf(owner: string, query: { after: string | undefined; limit: number }): Promise<Page<AccountView>> {
    if (owner === houseOwner) return await this.houseAccounts(query)
    const { rows } = await this.ask<StoredAccountView>(this.shardOfOwner(owner), {
      name: 'accounts_of',
      text: `${accountSelect} WHERE a.owner = $1 AND a.id > $2 ORDER BY a.owner, a.id LIMIT $3`,
      values: [owner, query.after ?? '', query.limit + 1],
    })
    return page(
      rows.map((row) => this.view(row)),
      query.limit,
      (view) => view.id,
    )
  }

  async points(owner: string): Promise<PointsView> {
    const shard = this.shardOfOwner(owner)
    const [clock, found] = await Promise.all([
      this.ask<{ now_ms: string }>(shard, { name: 'now', text: `SELECT ${nowMs} AS now_ms`, values: [] }),
      this.ask<StoredAccountView>(shard, {
        name: 'points_of',
        text: `${accountSelect} WHERE a.owner = $1 AND suanpan.lot_day(a.id) IS NOT NULL`,
        values: [owner],
      }),
    ])
    const now = Number(clock.rows[0]?.now_ms)
    const accounts = found.rows.map((row) => this.view(row))
    return pointsView(owner, accounts, this.options.assets(), this.options.dateOf, now)
  }

  async cellsElsewhere(id: string, partition: number): Promise<Readonly<Record<string, string>>> {
    const answers = await Promise.all(
      this.pools.map((_pool, shard) =>
        this.ask<{ asset: string; balance: string }>(shard, {
          name: 'cells_elsewhere',
          text: 'SELECT asset, sum(balance) AS balance FROM suanpan.cell WHERE id = $1 AND partition <> $2 GROUP BY asset',
          values: [id, partition],
        }),
      ),
    )
    const sums: Record<string, string> = {}
    for (const { asset, balance } of answers.flatMap(({ rows }) => rows)) {
      sums[asset] = String(BigInt(sums[asset] ?? 0) + BigInt(balance))
    }
    return sums
  }

  private async houseAccounts(query: { after: string | undefined; limit: number }): Promise<Page<AccountView>> {
    const [afterId = '', afterAsset = ''] = (query.after ?? '').split('|')
    const names = new Map<string, { id: string; asset: string }>()
    for (const { shard, partitions } of this.shards()) {
      const { rows } = await this.ask<{ id: string; asset: string }>(shard, {
        name: 'house_accounts',
        // Byte by byte, whatever the database sorts by, since the pages of several shards are merged here.
        text: `SELECT id, asset
                 FROM (SELECT DISTINCT id COLLATE "C" AS id, asset COLLATE "C" AS asset FROM suanpan.cell
                        WHERE partition = ANY ($4::smallint[])) names
                WHERE (id, asset) > ($1, $2) ORDER BY id, asset LIMIT $3`,
        values: [afterId, afterAsset, query.limit + 1, partitions],
      })
      for (const row of rows) names.set(`${row.id}|${row.asset}`, row)
    }
    const sorted = [...names.values()].sort(byIdAndAsset).slice(0, query.limit + 1)
    const views: AccountView[] = []
    for (const { id, asset } of sorted) {
      const view = await this.houseAccount(id, asset)
      if (view !== undefined) views.push(view)
    }
    return page(views, query.limit, (view) => `${view.id}|${view.asset}`)
  }

  async transaction(owner: string, id: string): Promise<TransactionView | undefined> {
    const partition = partitionOf(owner === houseOwner ? id : owner, this.options.shardOf.length)
    const key: IdKey = idKeyOf(owner, id)
    const { rows } = await this.ask<StoredRow>(this.shardOfPartition(partition), {
      name: 'transaction',
      text: `SELECT j.* FROM suanpan.named_journal j WHERE j.id_key = $1
              UNION ALL
             SELECT j.* FROM suanpan.named_journal j WHERE j.link = $1 AND j.link IS NOT NULL AND j.id_key <> $1
              ORDER BY partition, pseq`,
      values: [uuidText(key)],
    })
    const remembered = rememberedFrom(new Set([key]), rows, this.options.assets()).get(partition)?.[0]?.[1]
    const decided = remembered?.decided
    if (remembered === undefined || decided === undefined) return undecidedOf(id, rows)
    const first = answerTo({ kind: 'decided', decided }, decided.command, decided.at)
    return {
      http: first.http,
      body: first.body,
      transfers: transfersOf(decided),
      now: becameOf(decided.rows, remembered.links),
    }
  }

  async entries(id: string, asset: string | undefined, query: EntriesQuery): Promise<Page<EntryView> | undefined> {
    if (isHouse(id)) {
      const shards = this.shards().map(({ shard, partitions }) => ({ pool: this.pool(shard), partitions }))
      return await houseEntries(id, asset, query, shards, this.options.assets())
    }
    const after = cursorNumber(query.after, query.order === 'asc' ? 0 : Number.MAX_SAFE_INTEGER)
    const shard = this.shardOfOwner(ownerOfAccount(id))
    const account = await this.ask<{ key: string; asset: string; normal: Normal }>(shard, {
      name: 'account_key',
      text: 'SELECT key, asset, normal FROM suanpan.account WHERE id = $1',
      values: [id],
    })
    const [found] = account.rows
    if (found === undefined || (asset !== undefined && found.asset !== asset)) return undefined
    const { rows } = await this.ask<StoredRow & { side_seq: string; side: 'from' | 'to' }>(shard, {
      name: `entries_${query.order}`,
      text: entriesText(query.order),
      values: [found.key, after, query.limit + 1],
    })
    const views = rows.map((row) => this.entry(row, row.side))
    return page(views, query.limit, (view) => String(view.seq))
  }

  private entry(stored: StoredRow, side: 'from' | 'to'): EntryView {
    return storedEntry(rowFrom(stored, this.options.assets()), stored, side)
  }

  async heads(): Promise<readonly { partition: number; pseq: number; chain: string; at: string }[]> {
    const answers = await Promise.all(
      this.shards().map(({ shard, partitions }) =>
        this.ask<{ partition: number; pseq: string; chain: Buffer; at_ms: string }>(shard, {
          name: 'heads',
          text: `SELECT partition, pseq, chain, (extract(epoch FROM at) * 1000)::bigint AS at_ms FROM suanpan.partition
                  WHERE partition = ANY ($1::smallint[])`,
          values: [partitions],
        }),
      ),
    )
    return answers
      .flatMap(({ rows }) => rows)
      .sort((a, b) => a.partition - b.partition)
      .map(({ partition, pseq, chain, at_ms }) => ({
        partition,
        pseq: Number(pseq),
        chain: chain.toString('hex'),
        at: timeText(Number(at_ms)),
      }))
  }

  async ping(): Promise<void> {
    await Promise.any(this.shards().map(({ shard }) => this.ask(shard, { name: 'ping', text: 'SELECT 1', values: [] })))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.pools.map((pool) => pool.end()))
  }

  private view(row: StoredAccountView): AccountView {
    const asset = this.options.assets().get(row.asset) ?? violated('every stored asset is known', { code: row.asset })
    const balance = row.normal === 'credit' ? BigInt(row.balance) : -BigInt(row.balance)
    const held = BigInt(row.held)
    const overdraft = BigInt(row.overdraft)
    return {
      id: row.id,
      asset: row.asset,
      balance: formatMinor(balance, asset.scale),
      held: formatMinor(held, asset.scale),
      available: formatMinor(balance - held + overdraft, asset.scale),
      overdraft: formatMinor(overdraft, asset.scale),
      status: row.status,
      normal: row.normal,
      seq: Number(row.seq),
      version: Number(row.version),
      asOf: timeText(Number(row.now_ms)),
      metadata: row.metadata ?? undefined,
    }
  }

  private shardOfOwner(owner: string): number {
    return this.shardOfPartition(partitionOf(owner, this.options.shardOf.length))
  }

  private shardOfPartition(partition: number): number {
    return this.options.shardOf[partition] ?? 0
  }

  private async ask<T extends pg.QueryResultRow>(shard: number, query: pg.QueryConfig): Promise<pg.QueryResult<T>> {
    try {
      return await this.pool(shard).query<T>(query)
    } catch (error) {
      throw faultOf(error)
    }
  }
}

const nowMs = '(extract(epoch FROM statement_timestamp()) * 1000)::bigint'

const accountSelect = `
  SELECT a.key, a.id, a.asset, a.normal, a.status, a.overdraft, a.version, a.metadata,
         coalesce(l.seq, a.seq) AS seq, coalesce(l.balance, a.balance) AS balance, coalesce(l.held, a.held) AS held, ${nowMs} AS now_ms
    FROM suanpan.account a
    LEFT JOIN LATERAL (
      SELECT * FROM (
        (SELECT from_seq AS seq, from_balance AS balance, coalesce(from_held, 0) AS held FROM suanpan.journal
          WHERE from_key = a.key AND from_key > 0 AND from_seq IS NOT NULL ORDER BY from_seq DESC LIMIT 1)
        UNION ALL
        (SELECT to_seq, to_balance, coalesce(to_held, 0) FROM suanpan.journal
          WHERE to_key = a.key AND to_key > 0 AND to_seq IS NOT NULL ORDER BY to_seq DESC LIMIT 1)) sides
       ORDER BY seq DESC LIMIT 1) l ON true`

function entriesText(order: 'asc' | 'desc'): string {
  const compare = order === 'asc' ? '>' : '<'
  const named = (name: 'from' | 'to'): string => `
    (SELECT j.*, j.${name}_seq AS side_seq, '${name}' AS side FROM suanpan.named_journal j
      WHERE j.${name}_key = $1 AND j.${name}_key > 0 AND j.${name}_seq IS NOT NULL AND j.${name}_seq ${compare} $2
      ORDER BY j.${name}_seq ${order} LIMIT $3)`
  return `SELECT * FROM (${named('from')} UNION ALL ${named('to')}) sides ORDER BY side_seq ${order} LIMIT $3`
}

/** As the shards sort: by the joined text `house:fee|CNY` would stand behind `house:fee-2|CNY`, and a page end in the midst of the next. */
const byIdAndAsset = (a: { id: string; asset: string }, b: { id: string; asset: string }): number =>
  a.id === b.id ? (a.asset < b.asset ? -1 : 1) : a.id < b.id ? -1 : 1

/** A plain entry number is a cursor. Throws RangeError for anything else. */
function cursorNumber(cursor: string | undefined, without: number): number {
  if (cursor === undefined) return without
  if (!/^(0|[1-9][0-9]{0,15})$/.test(cursor)) throw new RangeError(`"${cursor}" is not a cursor of this list`)
  return Number(cursor)
}

/** Reserved and asked for across partitions, with no answer yet: then there is nothing more to show than that. */
function undecidedOf(id: string, rows: readonly StoredRow[]): TransactionView | undefined {
  const reserved = rows.find(({ leg }) => leg >= firstLegOf(0, 1) && leg < firstLegOf(1, 0))
  if (reserved === undefined) return undefined
  return { http: 202, body: `{"id":"${id}","status":"undecided"}`, transfers: [], now: { state: 'undecided' } }
}

/** Between the accounts that the client named, also where the rows go through transit. */
function transfersOf({ rows, facts, command }: Decided): TransactionView['transfers'] {
  if (facts?.legs !== undefined) {
    return facts.legs.map(([from, to, amount, asset]) => ({ from, to, amount, asset, kind: command.type }))
  }
  return rows.filter(isTransfer).map(({ from, to, amount, far, kind }) => ({
    from: (from?.id === transitId ? far : from?.id) ?? '',
    to: (to?.id === transitId ? far : to?.id) ?? '',
    amount: formatMinor(amount, from?.asset.scale ?? 0),
    asset: from?.asset.code ?? '',
    kind,
  }))
}

const isTransfer = (row: Row): boolean => row.from !== undefined && row.to !== undefined && row.code === 0

/** What later transactions made of it. */
function becameOf(rows: readonly [Row, ...Row[]], links: readonly Row[]): TransactionView['now'] {
  const refusal = refusalOf(rows[0].code)
  if (refusal !== undefined) return { state: 'declined' }
  const main = rows.find((row) => row.from !== undefined && row.to !== undefined && row.kind !== 'open') ?? rows[0]
  const scale = main.from?.asset.scale ?? 0
  const sum = (kind: string): bigint =>
    links.filter((row) => row.kind === kind).reduce((total, row) => total + row.amount, 0n)
  if (main.kind === 'hold') {
    const captured = sum('capture')
    const remaining = main.amount - captured - sum('release') - sum('expire')
    const last = links[links.length - 1]?.kind
    const state =
      remaining > 0n
        ? 'open'
        : last === 'expire'
          ? 'expired'
          : last === 'release' && captured === 0n
            ? 'released'
            : 'captured'
    return { state, captured: formatMinor(captured, scale), remaining: formatMinor(remaining, scale) }
  }
  if (main.kind === 'order') return orderNow(rows, links)
  if (main.kind === 'disbursement') return disbursementNow(rows, links)
  const refunded = sum('refund')
  const refundable =
    main.kind === 'debit' ||
    main.kind === 'transfer' ||
    main.kind === 'capture' ||
    main.kind === 'postings' ||
    main.kind === 'points.redeem'
  if (!refundable) return { state: 'posted' }
  const whole = rows.filter((row) => row.kind === main.kind).reduce((total, row) => total + row.amount, 0n)
  const left = whole - refunded
  return {
    state: refunded === 0n ? 'posted' : left > 0n ? 'partly_refunded' : 'refunded',
    refunded: formatMinor(refunded, scale),
    remaining: formatMinor(left, scale),
  }
}

/** In the order's money: of its total, and of what refunds took out of the merchant's takings. */
function orderNow(rows: readonly Row[], links: readonly Row[]): TransactionView['now'] {
  const takings = rows.filter(({ kind, to }) => kind === 'order' && to !== undefined && isMerchantAccount(to.id))
  const scale = takings[0]?.to?.asset.scale ?? 0
  const whole = takings.reduce((total, { amount }) => total + amount, 0n)
  let refunded = 0n
  for (const { kind, from, amount } of links) {
    if (kind === 'refund' && from !== undefined && isMerchantAccount(from.id)) refunded += amount
  }
  return {
    state: refunded === 0n ? 'posted' : refunded < whole ? 'partly_refunded' : 'refunded',
    refunded: formatMinor(refunded, scale),
    remaining: formatMinor(whole - refunded, scale),
  }
}

/** Whole or not at all; the last row is the payout. */
function disbursementNow(rows: readonly Row[], links: readonly Row[]): TransactionView['now'] {
  const payout = rows.at(-1)
  const scale = payout?.from?.asset.scale ?? 0
  const whole = payout?.amount ?? 0n
  const reversed = links.some(({ kind }) => kind === 'refund')
  return {
    state: reversed ? 'refunded' : 'posted',
    refunded: formatMinor(reversed ? whole : 0n, scale),
    remaining: formatMinor(reversed ? 0n : whole, scale),
  }
}

function page<T>(items: readonly T[], limit: number, cursorOf: (item: T) => string): Page<T> {
  const shown = items.slice(0, limit)
  const last = shown[shown.length - 1]
  return { items: shown, next: items.length > limit && last !== undefined ? cursorOf(last) : null }
}
