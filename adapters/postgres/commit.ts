// One commit of a lane as SQL: COPY of the journal rows, the few set-based statements beside them, and last the compare-and-set.
// A commit without openings, holds and details is ONE round trip: `BEGIN; COPY ..; CALL suanpan.advance(..); COMMIT`. Behind another that is not
// answered yet it is two: `BEGIN; COPY ..` at once, the rest when that one stands.
import type pg from 'pg'
import type { LinkChange } from '../../actors/links.ts'
import type { AccountOpening, Detail, HoldChange, LaneCommit, PartitionCommit } from '../../actors/ports.ts'
import type { Account } from '../../core/account.ts'
import { ownerOfAccount } from '../../core/identity.ts'
import { journalColumns, rowFormat, rulesVersion } from '../../schemas/journal-row.ts'
import { byteas, type Cell, copyIn, numbers, plainTexts, tuplesOf, uuids } from './copy.ts'

export const segmentTable = (segment: number): string => `suanpan.journal_${String(segment).padStart(4, '0')}`

/** Runs the commit. Any error leaves nothing behind but an open transaction: the caller drops the connection. */
export async function runCommit(client: pg.Client, host: string, commit: LaneCommit): Promise<void> {
  await copyAll(client, copiesOf(commit), endOf(host, commit))
}

/**
 * Its first half: what stands beside whatever is committed before it, in a transaction that stays open. Only rows that are new: an update would wait
 * for the rows that the commit before has locked, or see them as they were.
 */
export async function stageCommit(client: pg.Client, commit: LaneCommit): Promise<void> {
  await copyAll(client, copiesOf(commit), undefined)
}

/** Its second half: the updates, the compare-and-set and the end of the transaction. */
export async function finishCommit(client: pg.Client, host: string, commit: LaneCommit): Promise<void> {
  await client.query(endOf(host, commit))
}

const endOf = (host: string, commit: LaneCommit): string =>
  `${[...updatesOf(commit), ...linksCall(commit), advanceCall(host, commit)].join(';')};COMMIT`

async function copyAll(client: pg.Client, copies: readonly Copy[], end: string | undefined): Promise<void> {
  const last = copies.length - 1
  if (last < 0) {
    await client.query(end === undefined ? 'BEGIN' : `BEGIN;${end}`)
    return
  }
  for (const [i, { target, tuples }] of copies.entries()) {
    const ends = i === last && end !== undefined ? `;${end}` : ''
    await copyIn(client, `${i === 0 ? 'BEGIN;' : ''}COPY ${target} FROM STDIN (FORMAT binary)${ends}`, tuples)
  }
}

interface Copy {
  readonly target: string
  readonly tuples: Uint8Array
}

function copiesOf(commit: LaneCommit): Copy[] {
  const copies: Copy[] = []
  const accounts = commit.openings.filter(({ account }) => account.key > 0)
  const cells = commit.openings.filter(({ account }) => account.key < 0)
  const placed = commit.holds.filter(({ isNew, hold }) => isNew && hold !== undefined)
  if (commit.details.length > 0) {
    copies.push({
      target: 'suanpan.detail (partition, pseq, salt, body)',
      tuples: tuplesOf(commit.details.map(detailRow)),
    })
  }
  if (accounts.length > 0) {
    copies.push({
      target:
        'suanpan.account (key, partition, id, owner, asset, normal, status, overdraft, version, metadata, opened_at)',
      tuples: tuplesOf(accounts.map(accountRow)),
    })
  }
  if (cells.length > 0) {
    copies.push({
      target: 'suanpan.cell (key, partition, id, asset, balance, held, seq, opened_at)',
      tuples: tuplesOf(cells.map(cellRow)),
    })
  }
  if (placed.length > 0) {
    copies.push({
      target: 'suanpan.hold (id_key, key, partition, id, to_key, amount, remaining, expires_at)',
      tuples: tuplesOf(placed.flatMap(holdRow)),
    })
  }
  if (commit.rows.length > 0) {
    copies.push({ target: `${segmentTable(commit.segment)} (${journalColumns.join(', ')})`, tuples: commit.rows })
  }
  return copies
}

const detailRow = ({ partition, pseq, salt, body }: Detail): Cell[] => [
  { int2: partition },
  { int8: pseq },
  { bytes: salt },
  { text: body },
]

const accountRow = ({ account, partition, openedAt, metadata }: AccountOpening): Cell[] => [
  { int8: account.key },
  { int2: partition },
  { text: account.id },
  { text: ownerOfAccount(account.id) },
  { text: account.asset.code },
  { text: account.normal },
  { text: account.status },
  { int8: account.overdraft },
  { int8: account.version },
  metadata === undefined ? null : { text: metadata },
  { timeMs: openedAt },
]

const cellRow = ({ account, partition, openedAt }: AccountOpening): Cell[] => [
  { int8: account.key },
  { int2: partition },
  { text: account.id },
  { text: account.asset.code },
  { int8: account.balance },
  { int8: account.held },
  { int8: account.seq },
  { timeMs: openedAt },
]

function holdRow({ idKey, accountKey, partition, hold }: HoldChange): Cell[][] {
  if (hold === undefined) return []
  return [
    [
      { uuid: idKey },
      { int8: accountKey },
      { int2: partition },
      { text: hold.id },
      { int8: hold.to.key },
      { int8: hold.amount },
      { int8: hold.remaining },
      hold.expiresAt === undefined ? null : { timeMs: hold.expiresAt },
    ],
  ]
}

function updatesOf(commit: LaneCommit): string[] {
  const updates: string[] = []
  if (commit.changes.length > 0) {
    updates.push(
      `UPDATE suanpan.account a SET status = u.status, overdraft = u.overdraft, version = u.version FROM unnest(${[
        numbers(
          'bigint',
          commit.changes.map(({ key }) => key),
        ),
        plainTexts(commit.changes.map(({ status }) => status)),
        numbers(
          'bigint',
          commit.changes.map(({ overdraft }) => overdraft),
        ),
        numbers(
          'bigint',
          commit.changes.map(({ version }) => version),
        ),
      ].join(',')}) AS u(key, status, overdraft, version) WHERE a.key = u.key`,
    )
  }
  const captured = commit.holds.filter(({ isNew, hold }) => !isNew && hold !== undefined)
  if (captured.length > 0) {
    updates.push(
      `UPDATE suanpan.hold h SET remaining = u.remaining FROM unnest(${uuids(captured.map(({ idKey }) => idKey))},${numbers(
        'bigint',
        captured.map(({ hold }) => hold?.remaining ?? 0n),
      )}) AS u(id_key, remaining) WHERE h.id_key = u.id_key`,
    )
  }
  const ended = commit.holds.filter(({ hold }) => hold === undefined)
  if (ended.length > 0) {
    updates.push(`DELETE FROM suanpan.hold WHERE id_key = ANY (${uuids(ended.map(({ idKey }) => idKey))})`)
  }
  if (commit.catalog.length > 0) updates.push(...catalogUpdates(commit.catalog))
  return updates
}

/** Every partition of the shard brings the same change: the first one stores it. */
const catalogUpdates = (catalog: LaneCommit['catalog']): string[] => [
  `INSERT INTO suanpan.catalog_change (version, kind, code, body)
   SELECT DISTINCT u.version, u.kind, u.code, convert_from(u.body, 'UTF8') FROM unnest(${[
     numbers(
       'bigint',
       catalog.map(({ change }) => change.version),
     ),
     plainTexts(catalog.map(({ change }) => change.kind)),
     plainTexts(catalog.map(({ change }) => change.code)),
     byteas(catalog.map(({ change }) => Buffer.from(change.body))),
   ].join(',')}) AS u(version, kind, code, body) ORDER BY 1 ON CONFLICT DO NOTHING`,
  `INSERT INTO suanpan.partition_catalog (partition, version)
   SELECT u.partition, max(u.version) FROM unnest(${numbers(
     'smallint',
     catalog.map(({ partition }) => partition),
   )},${numbers(
     'bigint',
     catalog.map(({ change }) => change.version),
   )}) AS u(partition, version) GROUP BY 1 ON CONFLICT (partition) DO UPDATE SET version = excluded.version`,
]

/** Of the cells that were touched, as they stand after the commit. */
const cellArrays = (cells: readonly Readonly<Account>[]): string[] => [
  numbers(
    'bigint',
    cells.map(({ key }) => key),
  ),
  numbers(
    'bigint',
    cells.map(({ balance }) => balance),
  ),
  numbers(
    'bigint',
    cells.map(({ held }) => held),
  ),
  numbers(
    'bigint',
    cells.map(({ seq }) => seq),
  ),
]

function linksCall({ links, joints }: LaneCommit): string[] {
  if (links.length === 0 && joints.length === 0) return []
  const small = (of: (change: LinkChange) => number): string => numbers('smallint', links.map(of))
  const big = (of: (change: LinkChange) => number): string => numbers('bigint', links.map(of))
  return [
    `CALL suanpan.advance_links(${[
      small((l) => l.partition),
      small((l) => l.peer),
      big((l) => l.sent),
      big((l) => l.acked),
      big((l) => l.received),
      big((l) => l.answered),
      big((l) => l.packet?.first ?? 0),
      byteas(links.map((l) => (l.packet === undefined ? undefined : Buffer.from(l.packet.text)))),
      numbers(
        'smallint',
        joints.map((j) => j.partition),
      ),
      uuids(joints.map((j) => j.idKey)),
      byteas(joints.map((j) => (j.record === undefined ? undefined : Buffer.from(j.record)))),
    ].join(',')})`,
  ]
}

function advanceCall(host: string, { partitions, segment, cells }: LaneCommit): string {
  const big = (of: (p: PartitionCommit) => number): string => numbers('bigint', partitions.map(of))
  const int = (of: (p: PartitionCommit) => number): string => numbers('integer', partitions.map(of))
  return `CALL suanpan.advance('${host}',${rulesVersion}::smallint,${rowFormat}::smallint,${[
    numbers(
      'smallint',
      partitions.map((p) => p.partition),
    ),
    big((p) => p.epoch),
    big((p) => p.before.generation),
    big((p) => p.before.high),
    big((p) => p.before.low),
    int((p) => p.before.index),
    big((p) => p.after.generation),
    big((p) => p.after.high),
    big((p) => p.after.low),
    int((p) => p.after.index),
    plainTexts(partitions.map((p) => p.attempt)),
    big((p) => p.firstPseq),
    big((p) => p.lastPseq),
    big((p) => p.accountsOpened),
    big((p) => p.time),
    byteas(partitions.map((p) => p.chain)),
    int(() => segment),
    int((p) => p.nextSegment),
    ...cellArrays(cells),
  ].join(',')})`
}
