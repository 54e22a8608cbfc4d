// A model of the database of one shard that keeps its promises: what was committed stands as journal rows and what belongs beside them, and
// every activation is put together from those anew. Synchronous; how long a commit takes and what becomes of it is the connection's matter
// (`ledger.ts`).

import { RetryableFault } from '../../actors/faults.ts'
import { IdFilter } from '../../actors/id-filter.ts'
import type { LinkChange, LinkHead } from '../../actors/links.ts'
import type { Claim, Found, Head, LaneCommit, Needs, PartitionCommit, PastIds } from '../../actors/ports.ts'
import { comparePositions, type Position } from '../../actors/position.ts'
import type { Account, AccountRef, AccountStatus } from '../../core/account.ts'
import { stageLegs } from '../../core/across/joint.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import { assetsOfChange, type CatalogChange } from '../../core/catalog.ts'
import type { Hold } from '../../core/hold.ts'
import { type IdKey, ownerOfAccount } from '../../core/identity.ts'
import { lotNameOf } from '../../core/lots.ts'
import type { Row } from '../../core/row.ts'
import type { Decided, Remembered } from '../../core/transaction.ts'
import { givenOf } from '../../schemas/detail.ts'
import { readTuples, type Tuple } from './tuples.ts'

export interface StoredAccount extends AccountRef {
  readonly partition: number
  readonly openedAt: number
  readonly metadata: string | undefined
  status: AccountStatus
  overdraft: bigint
  version: number
  balance: bigint
  held: bigint
  seq: number
}

export interface StoredRow {
  readonly row: Row
  readonly partition: number
  readonly pseq: number
  readonly idKey: IdKey
  readonly id: string
  readonly channel: string | undefined
  readonly at: number
  readonly date: number
  readonly detailHash: Uint8Array | undefined
  readonly bytes: Uint8Array
  readonly segment: number
}

/** One partition's part of a commit, as it came: what checkers look at afterwards. */
export interface CommitRecord extends PartitionCommit {
  /** The connection that wrote it. */
  readonly writer: string
  /** Of the partition when it came. */
  readonly headEpoch: number
  readonly rows: readonly StoredRow[]
}

const start: Position = { generation: 0, high: 0, low: 0, index: 0 }

export class SimulatedShard {
  readonly assets: Map<string, Asset>
  readonly heads = new Map<number, Head & { readonly host: string }>()
  readonly rows: StoredRow[] = []
  readonly commits: CommitRecord[] = []
  readonly details = new Map<string, { readonly salt: Uint8Array; readonly body: string }>()
  readonly holds = new Map<IdKey, { readonly accountKey: number; readonly hold: Readonly<Hold> }>()
  readonly accounts = new Map<number, StoredAccount>()
  private readonly byId = new Map<string, StoredAccount[]>()
  private readonly lotsBy = new Map<string, StoredAccount[]>()
  private readonly byIdKey = new Map<IdKey, StoredRow[]>()
  private readonly byLink = new Map<IdKey, StoredRow[]>()
  private readonly byAccount = new Map<number, StoredRow[]>()
  private readonly heldBy = new Map<number, Set<IdKey>>()
  /** Read back before, by the first row. */
  private readonly decided = new Map<StoredRow, Decided>()
  /** By partition and peer, by partition and key. */
  private readonly links = new Map<string, LinkHead & { readonly partition: number }>()
  private readonly joints = new Map<string, { readonly partition: number; readonly record: string }>()
  private hosts = 0
  private closedUpTo = 0

  constructor(partitions: number | readonly number[], assets: readonly Asset[] = builtInAssets) {
    this.assets = new Map(assets.map((asset) => [asset.code, asset]))
    const list = typeof partitions === 'number' ? Array.from({ length: partitions }, (_, i) => i) : partitions
    for (const partition of list) {
      this.heads.set(partition, {
        partition,
        epoch: 0,
        position: start,
        attempt: undefined,
        pseq: 0,
        accountsOpened: 0,
        time: 0,
        chain: new Uint8Array(32),
        segment: 1,
        catalog: { version: 0, changes: [] },
        links: [],
        joints: [],
        host: '',
      })
    }
  }

  // ---- writing ------------------------------------------------------------------------------------------------------------------

  takeOver(partitions: readonly number[], claim: Claim): Head[] {
    const host = `host ${++this.hosts}`
    const heads: Head[] = []
    for (const partition of partitions) {
      const head = this.heads.get(partition)
      if (head === undefined) throw new RetryableFault('wrong_ledger', `no partition ${partition}`)
      // Epochs only rise: one below the claimed one stands in a database that lost history.
      const claimed = claim.kind === 'resume' ? (claim.epochs.get(partition) ?? 0) : -1
      if (claim.kind === 'resume' && claimed < head.epoch) continue
      const next = { ...head, epoch: Math.max(head.epoch, claimed) + 1, host }
      this.heads.set(partition, next)
      heads.push({ ...next, ...this.across(partition) })
    }
    return heads
  }

  /** All of it or nothing. */
  commit(commit: LaneCommit, writer = ''): void {
    for (const one of commit.partitions) this.compare(one)
    const tuples = readTuples(commit.rows)
    this.checkUnique(tuples)
    for (const { account, partition, openedAt, metadata } of commit.openings) {
      this.open({
        ...plainRef(account),
        ...standing(account),
        partition,
        openedAt,
        metadata,
        balance: 0n,
        held: 0n,
        seq: 0,
      })
      if (account.key < 0) this.writeCell(account)
    }
    for (const { key, status, overdraft, version } of commit.changes) {
      Object.assign(this.known(key), { status, overdraft, version })
    }
    for (const cell of commit.cells) this.writeCell(cell)
    const rows = tuples.map((tuple) => this.writeRow(tuple, commit.segment))
    for (const { partition, pseq, salt, body } of commit.details)
      this.details.set(`${partition} ${pseq}`, { salt, body })
    for (const { idKey, accountKey, hold } of commit.holds) this.writeHold(idKey, accountKey, hold)
    for (const { partition, change } of commit.catalog) this.changeCatalog(partition, change)
    for (const change of commit.links) this.writeLink(change)
    for (const { partition, idKey, record } of commit.joints) {
      if (record === undefined) this.joints.delete(`${partition} ${idKey}`)
      else this.joints.set(`${partition} ${idKey}`, { partition, record })
    }
    for (const one of commit.partitions) {
      this.advance(one)
      const headEpoch = this.heads.get(one.partition)?.epoch ?? 0
      this.commits.push({
        ...one,
        writer,
        headEpoch,
        rows: rows.filter(({ partition }) => partition === one.partition),
      })
    }
  }

  private writeLink({ partition, packet, ...marks }: LinkChange): void {
    const name = `${partition} ${marks.peer}`
    const kept = (this.links.get(name)?.outbox ?? []).filter(({ last }) => last > marks.acked)
    this.links.set(name, { ...marks, partition, outbox: packet === undefined ? kept : [...kept, packet] })
  }

  /** What a partition has under way with others. */
  across(partition: number): { readonly links: readonly LinkHead[]; readonly joints: readonly string[] } {
    const here = (one: { readonly partition: number }): boolean => one.partition === partition
    return {
      links: [...this.links.values()].filter(here).map(({ partition: _, ...head }) => head),
      joints: [...this.joints.values()].filter(here).map(({ record }) => record),
    }
  }

  /** The compare-and-set: a subclass that leaves something out of it is a broken database. */
  protected compare({ partition, epoch, before, firstPseq }: PartitionCommit): void {
    const head = this.heads.get(partition)
    const isThere = head?.epoch === epoch && comparePositions(head.position, before) === 0
    if (!isThere || head.pseq !== firstPseq - 1) {
      throw new RetryableFault('fenced', `partition ${partition} has moved on`)
    }
  }

  protected checkUnique(tuples: readonly Tuple[]): void {
    const here = new Set<string>()
    for (const { idKey, leg, partition } of tuples) {
      const name = `${idKey} ${leg} ${partition}`
      const stands = this.byIdKey.get(idKey)?.some((one) => one.partition === partition && one.row.leg === leg)
      if (stands === true || here.has(name)) {
        throw new RetryableFault('rows_refused', 'duplicate key value violates unique constraint')
      }
      here.add(name)
    }
  }

  private open(account: StoredAccount): void {
    this.accounts.set(account.key, account)
    append(this.byId, `${account.partition} ${account.id}`, account)
    if (lotNameOf(account.id) !== undefined) append(this.lotsBy, ownerOfAccount(account.id), account)
  }

  private writeCell({ key, balance, held, seq }: Readonly<Account>): void {
    const cell = this.known(key)
    cell.balance = balance
    cell.held = held
    cell.seq = seq
  }

  private writeHold(idKey: IdKey, accountKey: number, hold: Readonly<Hold> | undefined): void {
    if (hold === undefined) {
      this.holds.delete(idKey)
      this.heldBy.get(accountKey)?.delete(idKey)
      return
    }
    this.holds.set(idKey, { accountKey, hold: { ...hold } })
    let keys = this.heldBy.get(accountKey)
    if (keys === undefined) {
      keys = new Set()
      this.heldBy.set(accountKey, keys)
    }
    keys.add(idKey)
  }

  private writeRow(tuple: Tuple, segment: number): StoredRow {
    const { kind, leg, code, amount, fromSeq, fromBalance, fromHeld, toSeq, toBalance, toHeld, link } = tuple
    const from = this.ref(tuple.fromKey)
    const to = this.ref(tuple.toKey)
    const row: Row = {
      kind,
      leg,
      code,
      amount,
      from,
      fromSeq,
      fromBalance,
      fromHeld,
      to,
      toSeq,
      toBalance,
      toHeld,
      link,
      ...(tuple.far === undefined ? {} : { far: tuple.far }),
      ...(tuple.reserved === 0 ? {} : { reserved: tuple.reserved }),
    }
    const { partition, pseq, idKey, id, channel, at, date, detailHash, bytes } = tuple
    const stored: StoredRow = { row, partition, pseq, idKey, id, channel, at, date, detailHash, bytes, segment }
    this.rows.push(stored)
    append(this.byIdKey, idKey, stored)
    if (link !== undefined) append(this.byLink, link, stored)
    // A house cell stands in its own row; any other account is what its last journal row says.
    if (from !== undefined && fromSeq > 0) this.touch(from.key, stored, fromBalance, fromHeld, fromSeq)
    if (to !== undefined && toSeq > 0) this.touch(to.key, stored, toBalance, toHeld, toSeq)
    return stored
  }

  private touch(key: number, stored: StoredRow, balance: bigint, held: bigint, seq: number): void {
    append(this.byAccount, key, stored)
    if (key < 0) return
    const account = this.known(key)
    account.balance = balance
    account.held = held
    account.seq = seq
  }

  private ref(key: number | undefined): AccountRef | undefined {
    return key === undefined ? undefined : plainRef(this.known(key))
  }

  private known(key: number): StoredAccount {
    const account = this.accounts.get(key)
    if (account === undefined) throw new RetryableFault('rows_refused', `no account ${key}`)
    return account
  }

  protected advance(one: PartitionCommit): void {
    const head = this.heads.get(one.partition)
    if (head === undefined) return
    this.heads.set(one.partition, {
      ...head,
      position: one.after,
      attempt: one.attempt,
      pseq: one.lastPseq,
      accountsOpened: one.accountsOpened,
      time: one.time,
      chain: one.chain ?? head.chain,
      segment: one.nextSegment,
    })
  }

  private changeCatalog(partition: number, change: CatalogChange): void {
    const head = this.heads.get(partition)
    if (head === undefined) return
    this.heads.set(partition, {
      ...head,
      catalog: { version: change.version, changes: [...head.catalog.changes, change] },
    })
    for (const asset of assetsOfChange(change.kind, change.code, change.body)) this.assets.set(asset.code, asset)
  }

  // ---- reading ------------------------------------------------------------------------------------------------------------------

  load(needs: ReadonlyMap<number, Needs>): Map<number, Found> {
    const found = new Map<number, Found>()
    for (const [partition, asked] of needs) {
      const accounts = [...new Set([...asked.accounts, ...asked.cells, ...this.lotIds(partition, asked.lotsOf)])]
        .flatMap((id) => this.byId.get(`${partition} ${id}`) ?? [])
        .map((one) => this.account(one))
      const keys = new Set([...asked.transactions, ...accounts.flatMap(({ holds }) => [...holds.keys()])])
      const transactions = [...keys].flatMap((key) => {
        const remembered = this.remembered(partition, key)
        return remembered === undefined ? [] : [[key, remembered] as const]
      })
      found.set(partition, { accounts, transactions })
    }
    return found
  }

  private lotIds(partition: number, owners: readonly string[]): string[] {
    return owners.flatMap((owner) =>
      (this.lotsBy.get(owner) ?? []).filter((lot) => lot.partition === partition).map(({ id }) => id),
    )
  }

  private account(stored: StoredAccount): Account {
    const { key } = stored
    const holds = new Map<IdKey, Hold>()
    for (const idKey of this.heldBy.get(key) ?? []) {
      const held = this.holds.get(idKey)
      if (held !== undefined) holds.set(idKey, { ...held.hold })
    }
    const { balance, held, seq } = stored
    return { ...plainRef(stored), ...standing(stored), balance, held, seq, holds, pledge: undefined }
  }

  /** All that the journal holds about one id in one partition. */
  remembered(partition: number, key: IdKey): Remembered | undefined {
    const here = (one: StoredRow): boolean => one.partition === partition && one.row.leg < stageLegs
    const own = this.byIdKey.get(key)?.filter(here) ?? []
    const links = (this.byLink.get(key) ?? []).filter((one) => here(one) && one.row.code === 0).map(({ row }) => row)
    if (own.length === 0) return links.length === 0 ? undefined : { decided: undefined, links }
    return { decided: this.decidedOf(own), links }
  }

  /** Rows of one transaction, in the order of their legs. */
  decidedOf(own: readonly StoredRow[]): Decided | undefined {
    const [first, ...rest] = own
    if (first === undefined) return undefined
    const known = this.decided.get(first)
    if (known !== undefined && known.rows.length === own.length) return known
    const rows: readonly [Row, ...Row[]] = [first.row, ...rest.map(({ row }) => row)]
    const detail = this.details.get(`${first.partition} ${first.pseq}`)?.body
    const { command, facts } = givenOf(first.id, [...rows], first.channel, detail)
    const decided: Decided = { idKey: first.idKey, command, at: first.at, date: first.date, rows, facts }
    this.decided.set(first, decided)
    return decided
  }

  /** Whether the id was decided in that partition, accepted or declined. */
  has(partition: number, idKey: IdKey): boolean {
    return this.byIdKey.get(idKey)?.some((one) => one.partition === partition && one.row.leg < stageLegs) === true
  }

  rowsOf(idKey: IdKey): readonly StoredRow[] {
    return this.byIdKey.get(idKey) ?? []
  }

  /** Rows that touched the account, in the order of its entries. */
  entriesOf(key: number): readonly StoredRow[] {
    return this.byAccount.get(key) ?? []
  }

  /** By id; of a house account every cell in this shard. */
  accountsNamed(id: string): StoredAccount[] {
    return [...this.heads.keys()].flatMap((partition) => this.byId.get(`${partition} ${id}`) ?? [])
  }

  /** Accounts, not cells, with a hold that ran out before `nowMs`. */
  accountsWithDueHolds(nowMs: number, limit: number): string[] {
    const ids = new Set<string>()
    for (const { accountKey, hold } of this.holds.values()) {
      if (ids.size >= limit) break
      if (accountKey > 0 && hold.expiresAt !== undefined && hold.expiresAt <= nowMs) ids.add(this.known(accountKey).id)
    }
    return [...ids]
  }

  /** Owners with points left whose last day was before `today` (days since 1970-01-01). */
  ownersWithDueLots(today: number, limit: number): string[] {
    const due: string[] = []
    for (const [owner, lots] of this.lotsBy) {
      if (due.length >= limit) break
      if (lots.some(({ id, balance }) => balance !== 0n && (lotNameOf(id)?.lastDay ?? today) < today)) due.push(owner)
    }
    return due
  }

  /** The first day, not before `today`, after which a lot with something left is worth nothing. */
  nextLotDay(today: number): number | undefined {
    let first: number | undefined
    for (const lots of this.lotsBy.values()) {
      for (const { id, balance } of lots) {
        const day = balance === 0n ? undefined : lotNameOf(id)?.lastDay
        if (day !== undefined && Number.isFinite(day) && day >= today && (first === undefined || day < first))
          first = day
      }
    }
    return first
  }

  /** Segments that no partition writes to any more have their ids in filters from now on. Returns those that had not before. */
  closeSegments(): number[] {
    const before = this.closedUpTo
    if (this.heads.size === 0) return []
    this.closedUpTo = Math.min(...[...this.heads.values()].map(({ segment }) => segment)) - 1
    return Array.from({ length: this.closedUpTo - before }, (_, i) => before + 1 + i)
  }

  pastIds(partitions: readonly number[], into: PastIds): void {
    const asked = new Set(partitions)
    const closed = new Map<string, { partition: number; segment: number; keys: IdKey[] }>()
    for (const { partition, idKey, row, segment } of this.rows) {
      if (!asked.has(partition)) continue
      const keys: IdKey[] = row.leg === 0 ? [idKey] : []
      if (row.kind === 'tombstone' && row.link !== undefined) keys.push(row.link)
      if (segment > this.closedUpTo) {
        for (const key of keys) into.id(partition, segment, key)
        continue
      }
      const name = `${partition} ${segment}`
      const known = closed.get(name)
      if (known === undefined) closed.set(name, { partition, segment, keys })
      else known.keys.push(...keys)
    }
    const filters = [...closed.values()]
      .sort((a, b) => b.segment - a.segment)
      .map(({ keys, ...of }) => {
        const filter = new IdFilter(keys.length)
        for (const key of keys) filter.add(key)
        return { ...of, filter }
      })
    for (const segment of new Set(filters.map((one) => one.segment))) {
      const own = filters.filter((one) => one.segment === segment)
      const bytes = own.reduce((sum, { filter }) => sum + filter.bytes, 0)
      if (!into.keeps(segment, bytes)) continue
      for (const { partition, filter } of own) into.filter(partition, segment, filter.count, filter.toBytes())
    }
  }

  /** Without a word too much, so that one that is left out shows. */
  oldIds(before: number, ids: ReadonlyMap<number, readonly IdKey[]>): Map<number, IdKey[]> {
    const isOld = ({ segment }: StoredRow): boolean => segment < before && segment <= this.closedUpTo
    return new Map(
      [...ids].map(([partition, keys]) => [
        partition,
        keys.filter(
          (key) =>
            this.byIdKey.get(key)?.some((one) => one.partition === partition && one.row.leg === 0 && isOld(one)) ===
              true ||
            this.byLink
              .get(key)
              ?.some((one) => one.partition === partition && one.row.kind === 'tombstone' && isOld(one)) === true,
        ),
      ]),
    )
  }
}

const plainRef = ({ key, id, asset, normal }: AccountRef): AccountRef => ({ key, id, asset, normal })
const standing = ({ status, overdraft, version }: Pick<Account, 'status' | 'overdraft' | 'version'>) => ({
  status,
  overdraft,
  version,
})

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
