// Recomputes one partition from its journal rows: numbering, balances, held amounts, bounds and open holds, with nothing taken from memory of
// the engine. The independent half of `verify`; it knows rows and arithmetic only.
import { type RowKind, reservedOf } from '../../core/row.ts'
import { kindOf } from './stored-rows.ts'
import { TupleFields } from './tuple-stream.ts'
import type { Transit } from './verify-across.ts'

export interface Replayed {
  balance: bigint
  held: bigint
  seq: number
  overdraft: bigint
  version: number
}

/** The first thing that is not as it should be. */
export interface Finding {
  readonly shard: number
  readonly partition: number
  readonly pseq: number | undefined
  readonly rule: string
  readonly detail: string
}

/** Thrown by the checks, caught at the top of `verify`. */
export class Broken extends Error {
  readonly finding: Omit<Finding, 'shard'>

  constructor(partition: number, pseq: number | undefined, rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.name = 'Broken'
    this.finding = { partition, pseq, rule, detail }
  }
}

interface Side {
  readonly key: bigint | undefined
  readonly seq: bigint | undefined
  readonly balance: bigint | undefined
  readonly held: bigint | undefined
}

export class PartitionReplay {
  readonly partition: number
  readonly accounts = new Map<bigint, Replayed>()
  /** Remaining amount of open holds by id key. */
  readonly holds = new Map<string, { key: bigint; remaining: bigint }>()
  /** What undecided transactions across partitions have reserved, by id key and account. */
  readonly reserved = new Map<string, bigint>()
  pseq = 0
  rows = 0
  transactions = 0
  opened = 0
  /** Changes of the catalog. */
  catalog = 0
  private readonly debitNormal: ReadonlySet<bigint>
  /** Undefined: what crosses partitions is not looked at. */
  private readonly transit: Transit | undefined

  constructor(partition: number, debitNormal: ReadonlySet<bigint>, transit?: Transit) {
    this.partition = partition
    this.debitNormal = debitNormal
    this.transit = transit
    transit?.of(this)
  }

  /** Throws Broken. */
  row(tuple: Buffer): void {
    const f = new TupleFields(tuple)
    const pseq = Number(f.int8())
    f.skip()
    const amount = f.int8() ?? 0n
    const from: Side = { key: f.int8(), seq: f.int8(), balance: f.int8(), held: f.int8() }
    const to: Side = { key: f.int8(), seq: f.int8(), balance: f.int8(), held: f.int8() }
    const idKey = f.latin1() ?? ''
    const link = f.latin1()
    f.skip()
    const partition = f.int2()
    const leg = f.int2()
    const stored = f.int2() ?? 0
    const kind = kindOf(stored)
    const code = f.int2() ?? 0
    if (partition !== this.partition) this.broken(pseq, 'partition', `the row says partition ${partition}`)
    if (pseq !== this.pseq + 1) this.broken(pseq, 'pseq', `row ${this.pseq + 1} is missing or out of order`)
    this.pseq = pseq
    this.rows++
    if (leg === 0) this.transactions++
    if (code !== 0) {
      if (from.key !== undefined || to.key !== undefined || amount !== 0n) {
        this.broken(pseq, 'declined', 'a declined transaction has sides or an amount')
      }
      return
    }
    this.accepted(pseq, kind, stored >> 6, amount, from, to, idKey, link)
  }

  private accepted(
    pseq: number,
    kind: RowKind,
    reserved: number,
    amount: bigint,
    from: Side,
    to: Side,
    idKey: string,
    link: string | undefined,
  ): void {
    switch (kind) {
      case 'open':
        if (this.account(from.key) !== undefined) this.broken(pseq, 'opening', `account ${from.key} was opened before`)
        this.accounts.set(from.key ?? 0n, { balance: 0n, held: 0n, seq: 0, overdraft: amount, version: 1 })
        this.opened++
        return
      case 'change': {
        const account = this.known(pseq, from.key)
        account.overdraft = amount
        account.version++
        return
      }
      case 'tombstone':
      case 'stock.close':
        return
      case 'catalog':
        this.catalog++
        return
      case 'hold':
        this.side(pseq, from, 0n, amount)
        this.holds.set(idKey, { key: from.key ?? 0n, remaining: amount })
        return
      case 'release':
      case 'expire':
        this.side(pseq, from, 0n, -amount)
        this.lessen(pseq, link, amount)
        return
      case 'capture':
        // Without a hold: it was taken from one in another partition, and arrives here.
        this.side(pseq, from, -amount, link === undefined ? 0n : -amount)
        this.side(pseq, to, amount, 0n)
        if (link !== undefined) this.lessen(pseq, link, amount)
        this.through(from.key, to.key, amount, idKey)
        return
      case 'reserve':
      case 'unreserve':
        if (from.key === undefined) return
        this.side(pseq, from, 0n, kind === 'reserve' ? amount : -amount)
        this.reserve(pseq, idKey, from.key, kind === 'reserve' ? amount : -amount)
        return
      default:
        this.side(pseq, from, -amount, (reserved & reservedOf.from) === 0 ? 0n : -amount)
        this.side(pseq, to, amount, (reserved & reservedOf.to) === 0 ? 0n : -amount)
        this.through(from.key, to.key, amount, idKey)
        if ((reserved & reservedOf.from) !== 0) this.reserve(pseq, idKey, from.key, -amount)
        if ((reserved & reservedOf.to) !== 0) this.reserve(pseq, idKey, to.key, -amount)
    }
  }

  private through(from: bigint | undefined, to: bigint | undefined, amount: bigint, idKey: string): void {
    this.transit?.moved(from, -amount, idKey)
    this.transit?.moved(to, amount, idKey)
  }

  private side(pseq: number, side: Side, change: bigint, heldChange: bigint): void {
    const account = this.known(pseq, side.key)
    const before = this.available(side.key, account)
    account.balance += change
    account.held += heldChange
    account.seq++
    const { key, seq, balance, held } = side
    if (Number(seq) !== account.seq)
      this.broken(pseq, 'seq', `account ${key} stands at entry ${account.seq}, the row says ${seq}`)
    if (balance !== account.balance) {
      this.broken(pseq, 'balance', `account ${key} has ${account.balance}, the row says ${balance}`)
    }
    if ((held ?? 0n) !== account.held)
      this.broken(pseq, 'held', `account ${key} holds ${account.held}, the row says ${held ?? 0n}`)
    if (account.held < 0n) this.broken(pseq, 'held', `account ${key} holds less than nothing`)
    const after = this.available(key, account)
    if (after !== undefined && before !== undefined && after < 0n && after < before) {
      this.broken(pseq, 'overdraw', `account ${key} is left with ${after} available`)
    }
  }

  /** What may still be taken; undefined for a house cell, which is unlimited. */
  private available(key: bigint | undefined, account: Replayed): bigint | undefined {
    if (key === undefined || key < 0n) return undefined
    const outside = this.debitNormal.has(key) ? -account.balance : account.balance
    return outside - account.held + account.overdraft
  }

  /** What a transaction has reserved of an account is taken whole, by it alone. */
  private reserve(pseq: number, idKey: string, key: bigint | undefined, change: bigint): void {
    const name = `${idKey} ${key}`
    const left = (this.reserved.get(name) ?? 0n) + change
    if (left < 0n) this.broken(pseq, 'reserved', `account ${key} gives more than was reserved of it`)
    if (left === 0n) this.reserved.delete(name)
    else this.reserved.set(name, left)
  }

  private lessen(pseq: number, link: string | undefined, amount: bigint): void {
    const hold = link === undefined ? undefined : this.holds.get(link)
    if (link === undefined || hold === undefined) this.broken(pseq, 'hold', 'it ends a hold that is not open')
    hold.remaining -= amount
    if (hold.remaining < 0n) this.broken(pseq, 'hold', 'more than the hold was captured or released')
    if (hold.remaining === 0n) this.holds.delete(link)
  }

  private account(key: bigint | undefined): Replayed | undefined {
    return key === undefined ? undefined : this.accounts.get(key)
  }

  private known(pseq: number, key: bigint | undefined): Replayed {
    return this.account(key) ?? this.broken(pseq, 'account', `account ${key} was never opened`)
  }

  broken(pseq: number | undefined, rule: string, detail: string): never {
    throw new Broken(this.partition, pseq, rule, detail)
  }
}
