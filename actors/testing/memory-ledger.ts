// A ledger in memory that keeps the promises of the port, for tests of lanes without a database: what was committed is kept as journal rows
// and what stands beside them, and every activation is put together from those anew.
import type { Account, AccountRef, AccountStatus } from '../../core/account.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import type { Hold } from '../../core/hold.ts'
import { type IdKey, idKeyFromBytes } from '../../core/identity.ts'
import { type Row, type RowKind, rowKinds } from '../../core/row.ts'
import type { Remembered } from '../../core/transaction.ts'
import { givenOf } from '../../schemas/detail.ts'
import { postgresEpochDays, postgresEpochMs } from '../../schemas/journal-row.ts'
import { decodeRows, int2, int4, int8, type StoredTuple, text } from '../../schemas/testing/decode-rows.ts'
import { RetryableFault } from '../faults.ts'
import type { Claim, Found, Head, LaneCommit, Ledger, Needs, PartitionCommit, PastIds } from '../ports.ts'
import { comparePositions, type Position } from '../position.ts'

interface StoredAccount extends AccountRef {
  readonly partition: number
  status: AccountStatus
  overdraft: bigint
  version: number
  balance: bigint
  held: bigint
  seq: number
}

interface StoredRow {
  readonly row: Row
  readonly partition: number
  readonly pseq: number
  readonly idKey: IdKey
  readonly id: string
  readonly channel: string | undefined
  readonly at: number
  readonly date: number
}

const start: Position = { generation: 0, high: 0, low: 0, index: 0 }
const kinds = new Map<number, RowKind>(Object.entries(rowKinds).map(([kind, number]) => [number, kind as RowKind]))

/** The database: what several ledgers, of hosts one after the other, have in common. */
export class MemoryShard {
  readonly assets: ReadonlyMap<string, Asset>
  readonly heads = new Map<number, Head & { host: string }>()
  readonly rows: StoredRow[] = []
  readonly details = new Map<string, string>()
  readonly holds = new Map<IdKey, { accountKey: number; hold: Hold }>()
  private readonly accounts = new Map<number, StoredAccount>()
  private hosts = 0

  constructor(partitions: number, assets: readonly Asset[] = builtInAssets) {
    this.assets = new Map(assets.map((asset) => [asset.code, asset]))
    for (let partition = 0; partition < partitions; partition++) {
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
        host: '',
      })
    }
  }

  takeOver(partitions: readonly number[], claim: Claim): Head[] {
    const host = `host ${++this.hosts}`
    const heads: Head[] = []
    for (const partition of partitions) {
      const head = this.heads.get(partition)
      if (head === undefined) throw new RetryableFault('wrong_ledger', `no partition ${partition}`)
      if (claim.kind === 'resume' && claim.epochs.get(partition) !== head.epoch) continue
      const next = { ...head, epoch: head.epoch + 1, host }
      this.heads.set(partition, next)
      heads.push(next)
    }
    return heads
  }

  /** All of it or nothing. */
  commit(commit: LaneCommit): void {
    for (const one of commit.partitions) this.compare(one)
    const rows = decodeRows(commit.rows)
    this.checkUnique(rows)
    for (const { account, partition } of commit.openings) {
      this.accounts.set(account.key, { ...account, partition, balance: 0n, held: 0n, seq: 0 })
      if (account.key < 0) this.writeCell(account)
    }
    for (const { key, status, overdraft, version } of commit.changes) {
      Object.assign(this.known(key), { status, overdraft, version })
    }
    for (const cell of commit.cells) this.writeCell(cell)
    for (const tuple of rows) this.writeRow(tuple)
    for (const { partition, pseq, body } of commit.details) this.details.set(`${partition} ${pseq}`, body)
    for (const { idKey, accountKey, hold } of commit.holds) {
      if (hold === undefined) this.holds.delete(idKey)
      else this.holds.set(idKey, { accountKey, hold: { ...hold } })
    }
    for (const one of commit.partitions) this.advance(one)
  }

  private compare({ partition, epoch, before }: PartitionCommit): void {
    const head = this.heads.get(partition)
    if (head === undefined || head.epoch !== epoch || comparePositions(head.position, before) !== 0) {
      throw new RetryableFault('fenced', `partition ${partition} has moved on`)
    }
  }

  private checkUnique(tuples: readonly StoredTuple[]): void {
    const seen = new Set(this.rows.map(({ idKey, row }) => `${idKey} ${row.leg}`))
    for (const { id_key, leg } of tuples) {
      const name = `${id_key?.toString('latin1')} ${int2(leg)}`
      if (seen.has(name)) throw new RetryableFault('rows_refused', 'duplicate key value violates unique constraint')
      seen.add(name)
    }
  }

  private writeCell({ key, balance, held, seq }: Readonly<Account>): void {
    Object.assign(this.known(key), { balance, held, seq })
  }

  private writeRow(tuple: StoredTuple): void {
    const row: Row = {
      kind: kinds.get(int2(tuple.kind) ?? 0) ?? 'debit',
      leg: int2(tuple.leg) ?? 0,
      code: int2(tuple.code) ?? 0,
      amount: int8(tuple.amount) ?? 0n,
      from: this.ref(int8(tuple.from_key)),
      fromSeq: Number(int8(tuple.from_seq) ?? 0n),
      fromBalance: int8(tuple.from_balance) ?? 0n,
      fromHeld: int8(tuple.from_held) ?? 0n,
      to: this.ref(int8(tuple.to_key)),
      toSeq: Number(int8(tuple.to_seq) ?? 0n),
      toBalance: int8(tuple.to_balance) ?? 0n,
      toHeld: int8(tuple.to_held) ?? 0n,
      link: tuple.link === null ? undefined : idKeyFromBytes(tuple.link),
    }
    this.rows.push({
      row,
      partition: int2(tuple.partition) ?? -1,
      pseq: Number(int8(tuple.pseq)),
      idKey: idKeyFromBytes(tuple.id_key ?? Buffer.alloc(0)),
      id: text(tuple.id) ?? '',
      channel: text(tuple.channel),
      at: Number(int8(tuple.at) ?? 0n) / 1000 + postgresEpochMs,
      date: (int4(tuple.business_date) ?? 0) + postgresEpochDays,
    })
    // A house cell stands in its own row; any other account is what its last journal row says.
    if (row.from !== undefined && row.fromSeq > 0 && row.from.key > 0) {
      Object.assign(this.known(row.from.key), { balance: row.fromBalance, held: row.fromHeld, seq: row.fromSeq })
    }
    if (row.to !== undefined && row.toSeq > 0 && row.to.key > 0) {
      Object.assign(this.known(row.to.key), { balance: row.toBalance, held: row.toHeld, seq: row.toSeq })
    }
  }

  private ref(key: bigint | undefined): AccountRef | undefined {
    if (key === undefined) return undefined
    const { id, asset, normal } = this.known(Number(key))
    return { key: Number(key), id, asset, normal }
  }

  private known(key: number): StoredAccount {
    const account = this.accounts.get(key)
    if (account === undefined) throw new RetryableFault('rows_refused', `no account ${key}`)
    return account
  }

  private advance(one: PartitionCommit): void {
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

  // ---- reading ------------------------------------------------------------------------------------------------------------------

  load(needs: ReadonlyMap<number, Needs>): Map<number, Found> {
    const found = new Map<number, Found>()
    for (const [partition, asked] of needs) {
      const accounts = [...this.accounts.values()]
        .filter((one) => one.partition === partition)
        .filter(({ id, key }) => (key < 0 ? asked.cells : asked.accounts).includes(id))
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

  private account({ partition: _partition, ...stored }: StoredAccount): Account {
    const holds = new Map<IdKey, Hold>()
    for (const [idKey, { accountKey, hold }] of this.holds) if (accountKey === stored.key) holds.set(idKey, { ...hold })
    return { ...stored, holds, lastUsed: 0 }
  }

  private remembered(partition: number, key: IdKey): Remembered | undefined {
    const own = this.rows.filter((one) => one.partition === partition && one.idKey === key)
    const links = this.rows.filter(({ row, partition: p }) => p === partition && row.code === 0 && row.link === key)
    const [first, ...rest] = own
    if (first === undefined) {
      return links.length === 0 ? undefined : { decided: undefined, links: links.map(({ row }) => row) }
    }
    const rows = [first.row, ...rest.map(({ row }) => row)] as const
    const detail = this.details.get(`${partition} ${first.pseq}`)
    const { command, facts } = givenOf(first.id, [...rows], first.channel, detail)
    const decided = { idKey: key, command, at: first.at, date: first.date, rows: [...rows] as const, facts }
    return { decided: { ...decided, rows }, links: links.map(({ row }) => row) }
  }

  pastIds(partitions: readonly number[], into: PastIds): void {
    for (const { partition, idKey, row } of this.rows) {
      if (!partitions.includes(partition)) continue
      if (row.leg === 0) into.id(partition, idKey)
      if (row.kind === 'tombstone' && row.link !== undefined) into.id(partition, row.link)
    }
  }
}

/** What becomes of one commit: `lost` stands, but its answer never comes; a fault leaves nothing behind. */
export type Fate = 'kept' | 'lost' | RetryableFault

/** The connection of one lane to the shard. */
export class MemoryLedger implements Ledger {
  readonly shard: MemoryShard
  /** Asked for each commit that arrives; the commit waits for it. Default: kept, at the next turn. */
  fate: (commit: LaneCommit) => Promise<Fate> = async () => 'kept'
  /** Asked before each activation and take-over. */
  trouble: (what: 'load' | 'takeOver', needs?: ReadonlyMap<number, Needs>) => RetryableFault | Error | undefined = () =>
    undefined
  commits = 0
  loads = 0
  takeOvers = 0
  closed = false

  constructor(shard: MemoryShard) {
    this.shard = shard
  }

  async takeOver(partitions: readonly number[], claim: Claim): Promise<readonly Head[]> {
    await turn()
    const trouble = this.trouble('takeOver')
    if (trouble !== undefined) throw trouble
    this.takeOvers++
    return this.shard.takeOver(partitions, claim)
  }

  async load(needs: ReadonlyMap<number, Needs>): Promise<ReadonlyMap<number, Found>> {
    await turn()
    const trouble = this.trouble('load', needs)
    if (trouble !== undefined) throw trouble
    this.loads++
    return this.shard.load(needs)
  }

  async commit(commit: LaneCommit): Promise<void> {
    await turn()
    const fate = await this.fate(commit)
    if (typeof fate !== 'string') throw fate
    this.shard.commit(commit)
    this.commits++
    if (fate === 'lost') throw new RetryableFault('unavailable', 'the connection ended before the answer came')
  }

  async pastIds(partitions: readonly number[], into: PastIds): Promise<void> {
    await turn()
    this.shard.pastIds(partitions, into)
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
