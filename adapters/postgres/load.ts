// Activation: what a batch names and is not in memory, in ONE round trip (three pipelined queries). The accounts asked for are not being
// written by anyone else, because only their host may: the three snapshots agree.
import type pg from 'pg'
import type { Found, Needs } from '../../actors/ports.ts'
import type { Account, AccountStatus, Normal } from '../../core/account.ts'
import type { Asset } from '../../core/asset.ts'
import { type Hold, noHolds, OpenHolds } from '../../core/hold.ts'
import type { IdKey } from '../../core/identity.ts'
import { violated } from '../../core/invariant.ts'
import type { Remembered } from '../../core/transaction.ts'
import { segmentTable } from './commit.ts'
import { uuidText } from './copy.ts'
import { idKeyFromUuid, kindOf, rememberedFrom, type StoredRow } from './stored-rows.ts'

interface StoredAccount {
  readonly partition: number
  readonly key: string
  readonly id: string
  readonly asset: string
  readonly normal: Normal
  readonly status: AccountStatus
  readonly overdraft: string
  readonly version: string
  readonly seq: string
  readonly balance: string
  readonly held: string
}

interface StoredHold {
  readonly id_key: string
  readonly key: string
  readonly id: string
  readonly to_key: string
  readonly to_id: string
  readonly to_asset: string
  readonly to_normal: Normal
  readonly amount: string
  readonly remaining: string
  readonly expires_ms: string | null
}

/** `openSegments`: segments whose rows are not summed up in the account rows yet. */
export async function loadFound(
  client: pg.Client,
  needs: ReadonlyMap<number, Needs>,
  openSegments: readonly number[],
  assets: ReadonlyMap<string, Asset>,
): Promise<ReadonlyMap<number, Found>> {
  const accountIds: string[] = []
  const cellPartitions: number[] = []
  const cellIds: string[] = []
  const keys: IdKey[] = []
  const owners = [...needs.values()].flatMap(({ lotsOf }) => lotsOf)
  if (owners.length > 0) {
    // Their names first: few owners come with a batch, and the queries below stay what every other command needs.
    const { rows } = await client.query<{ id: string }>({ ...lotsQuery, values: [owners] })
    for (const { id } of rows) accountIds.push(id)
  }
  for (const [partition, { accounts, cells, transactions }] of needs) {
    for (const id of accounts) accountIds.push(id)
    for (const id of cells) {
      cellPartitions.push(partition)
      cellIds.push(id)
    }
    for (const key of transactions) keys.push(key)
  }
  const [accounts, holds, rows] = await Promise.all([
    accountIds.length + cellIds.length === 0
      ? []
      : client
          .query<StoredAccount>({ ...accountsQuery(openSegments), values: [accountIds, cellPartitions, cellIds] })
          .then((result) => result.rows),
    accountIds.length + cellIds.length === 0
      ? []
      : client
          .query<StoredHold>({ ...holdsQuery, values: [accountIds, cellPartitions, cellIds] })
          .then((result) => result.rows),
    keys.length + accountIds.length + cellIds.length === 0
      ? []
      : client
          .query<StoredRow>({
            ...transactionsQuery,
            values: [keys.map(uuidText), accountIds, cellPartitions, cellIds],
          })
          .then((result) => result.rows),
  ])
  return assemble(accounts, holds, rows, keys, assets)
}

function assemble(
  accounts: readonly StoredAccount[],
  holds: readonly StoredHold[],
  rows: readonly StoredRow[],
  keys: readonly IdKey[],
  assets: ReadonlyMap<string, Asset>,
): Map<number, Found> {
  const found = new Map<number, { accounts: Account[]; transactions: (readonly [IdKey, Remembered])[] }>()
  const of = (partition: number) => {
    let here = found.get(partition)
    if (here === undefined) {
      here = { accounts: [], transactions: [] }
      found.set(partition, here)
    }
    return here
  }
  const byKey = new Map<number, Account>()
  for (const stored of accounts) {
    const account = accountFrom(stored, assets)
    byKey.set(account.key, account)
    of(stored.partition).accounts.push(account)
  }
  const asked = new Set(keys)
  const fars = holds.length === 0 ? undefined : farsOf(rows)
  for (const stored of holds) {
    const idKey = idKeyFromUuid(stored.id_key)
    asked.add(idKey)
    const account = byKey.get(Number(stored.key))
    if (account === undefined) continue
    if (account.holds === noHolds) account.holds = new OpenHolds()
    const far = fars?.get(stored.id_key)
    const hold = holdFrom(idKey, stored, assets)
    account.holds.set(idKey, far === undefined ? hold : { ...hold, far })
  }
  for (const [partition, transactions] of rememberedFrom(asked, rows, assets))
    of(partition).transactions.push(...transactions)
  return found
}

/** Whom holds are for that are for another owner, by the key of their transaction. */
function farsOf(rows: readonly StoredRow[]): Map<string, string> {
  const fars = new Map<string, string>()
  for (const { kind, id_key, far } of rows) if (far !== null && kindOf(kind) === 'hold') fars.set(id_key, far)
  return fars
}

function accountFrom(stored: StoredAccount, assets: ReadonlyMap<string, Asset>): Account {
  return {
    key: Number(stored.key),
    id: stored.id,
    asset: assetOf(stored.asset, assets),
    normal: stored.normal,
    status: stored.status,
    overdraft: minor(stored.overdraft),
    balance: BigInt(stored.balance),
    held: minor(stored.held),
    seq: Number(stored.seq),
    version: Number(stored.version),
    holds: noHolds,
    pledge: undefined,
  }
}

/** One zero for all: most accounts hold nothing and have no limit. */
const minor = (text: string): bigint => (text === '0' ? 0n : BigInt(text))

const holdFrom = (idKey: IdKey, stored: StoredHold, assets: ReadonlyMap<string, Asset>): Hold => ({
  idKey,
  id: stored.id,
  to: {
    key: Number(stored.to_key),
    id: stored.to_id,
    asset: assetOf(stored.to_asset, assets),
    normal: stored.to_normal,
  },
  amount: BigInt(stored.amount),
  remaining: BigInt(stored.remaining),
  expiresAt: stored.expires_ms === null ? undefined : Number(stored.expires_ms),
})

const assetOf = (code: string, assets: ReadonlyMap<string, Asset>): Asset =>
  assets.get(code) ?? violated('every stored asset is known to the worker', { code })

/**
 * The last row of an account in the open segments, else what its own row says as of the last closed one. The probes name the open segments,
 * because a probe of every segment of a long journal would cost two index reads a segment.
 */
function accountsQuery(openSegments: readonly number[]): { name: string; text: string } {
  const probes = openSegments.flatMap((segment) => [
    `(SELECT from_seq AS seq, from_balance AS balance, coalesce(from_held, 0) AS held FROM ${segmentTable(segment)}
       WHERE from_key = a.key AND from_key > 0 AND from_seq IS NOT NULL ORDER BY from_seq DESC LIMIT 1)`,
    `(SELECT to_seq, to_balance, coalesce(to_held, 0) FROM ${segmentTable(segment)}
       WHERE to_key = a.key AND to_key > 0 AND to_seq IS NOT NULL ORDER BY to_seq DESC LIMIT 1)`,
  ])
  return {
    name: `accounts_${openSegments.join('_')}`,
    text: `
      SELECT a.partition, a.key, a.id, a.asset, a.normal, a.status, a.overdraft, a.version,
             coalesce(l.seq, a.seq) AS seq, coalesce(l.balance, a.balance) AS balance, coalesce(l.held, a.held) AS held
        FROM suanpan.account a
        LEFT JOIN LATERAL (SELECT * FROM (${probes.join(' UNION ALL ')}) p ORDER BY seq DESC LIMIT 1) l ON true
       WHERE a.id = ANY ($1::text[])
      UNION ALL
      SELECT c.partition, c.key, c.id, c.asset, 'credit', 'open', 0, 1, c.seq, c.balance, c.held
        FROM unnest($2::smallint[], $3::text[]) AS w(partition, id)
        JOIN suanpan.cell c ON c.id = w.id AND c.partition = w.partition`,
  }
}

/** The lots of owners: accounts named `owner:points:..` and `owner:coupon:..`. Another name that looks alike does no harm. */
const lotsQuery = {
  name: 'lots',
  text: `
    SELECT a.id FROM unnest($1::text[]) AS w(owner)
      JOIN suanpan.account a ON a.owner = w.owner
     WHERE starts_with(a.id, w.owner || ':points:') OR starts_with(a.id, w.owner || ':coupon:')`,
}

/** Keys of the accounts and cells that a batch asks for, as `asked_accounts`. */
const askedAccounts = (first: number): string => `
    asked_accounts AS MATERIALIZED (
      SELECT a.key FROM suanpan.account a WHERE a.id = ANY ($${first}::text[])
      UNION ALL
      SELECT c.key FROM unnest($${first + 1}::smallint[], $${first + 2}::text[]) AS w(partition, id)
        JOIN suanpan.cell c ON c.id = w.id AND c.partition = w.partition)`

const holdsQuery = {
  name: 'holds',
  text: `
    WITH ${askedAccounts(1)}
    SELECT h.id_key, h.key, h.id, h.to_key, coalesce(ta.id, tc.id) AS to_id, coalesce(ta.asset, tc.asset) AS to_asset,
           coalesce(ta.normal, 'credit') AS to_normal, h.amount, h.remaining,
           (extract(epoch FROM h.expires_at) * 1000)::bigint AS expires_ms
      FROM asked_accounts a
      JOIN suanpan.hold h ON h.key = a.key
      LEFT JOIN suanpan.account ta ON ta.key = h.to_key
      LEFT JOIN suanpan.cell tc ON tc.key = h.to_key
     ORDER BY h.key, h.id_key`,
}

/**
 * The asked transactions and those of the open holds of the asked accounts, each with the rows that link to it. Key by key: the journal is a parent
 * without rows, of which Postgres keeps no statistics, and as a join of some hundred keys with it the planner read all of a journal of 50 million rows.
 */
const transactionsQuery = {
  name: 'transactions',
  text: `
    WITH ${askedAccounts(2)},
    asked AS MATERIALIZED (
      SELECT unnest($1::uuid[]) AS key
      UNION
      SELECT h.id_key FROM asked_accounts a JOIN suanpan.hold h ON h.key = a.key
    )
    SELECT j.* FROM asked CROSS JOIN LATERAL
      (SELECT * FROM suanpan.named_journal n WHERE n.id_key = asked.key OFFSET 0) j
    UNION ALL
    SELECT j.* FROM asked CROSS JOIN LATERAL
      (SELECT * FROM suanpan.named_journal n WHERE n.link = asked.key AND n.link IS NOT NULL OFFSET 0) j
     WHERE NOT EXISTS (SELECT FROM asked o WHERE o.key = j.id_key)
    ORDER BY partition, pseq`,
}
