// The resident accounts of a partition. Most of them, most of the time, are plain: open, nothing held, small numbers. Those stand as rows of
// typed arrays, one cache line each (an object a piece took 425 bytes and five misses of the cache a look). Whoever asks for one by name gets
// an object, which is the account from then on; `settle` turns it back into a row. An account is never both.
import { type Account, type AccountRef, isCell } from './account.ts'
import type { Asset } from './asset.ts'
import { noHolds } from './hold.ts'
import { isHouse } from './identity.ts'
import { violated } from './invariant.ts'
import { lotNameOf } from './lots.ts'

/** Where `decide` and `apply` find accounts, by `accountName`; a Map is one. */
export interface Accounts {
  readonly size: number
  get(name: string): Account | undefined
  has(name: string): boolean
  set(name: string, account: Account): unknown
  values(): IterableIterator<Account>
  [Symbol.iterator](): IterableIterator<[string, Account]>
}

/** Numbers of a row stay below this in either direction, so that a sum of two of them is exact. */
export const rowMinorMax = 2 ** 52

// A row: five doubles, four words, 8 bytes to spare.
const rowBytes = 64
const doublesPerRow = rowBytes / 8
const wordsPerRow = rowBytes / 4
const keyAt = 0
const balanceAt = 1
const overdraftAt = 2
const seqAt = 3
const versionAt = 4
const hashAt = 10
const idAt = 11
/** Length of the id in 8 bits, then the form in 2, `debit` as normal side, a cell, and the number of the asset in 16. */
const metaAt = 12
const lastUsedAt = 13

const formShift = 8
const formMask = 3 << formShift
const asRow = 1 << formShift
const asObject = 2 << formShift
const debitNormal = 1 << 10
const cell = 1 << 11
const assetShift = 12
const idLengthMask = 255

const firstCapacity = 1024
const fnvOffset = 0x811c9dc5 | 0
const fnvPrime = 0x01000193
const colon = 58

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of ASCII bytes; its low bits are mixed once more, because the index masks them. */
export function hashOfBytes(bytes: Uint8Array, at: number, length: number): number {
  let h = fnvOffset
  for (let i = at; i < at + length; i++) h = Math.imul(h ^ (bytes[i] ?? 0), fnvPrime)
  return h ^ (h >>> 15)
}

function hashOfText(text: string, length: number): number {
  let h = fnvOffset
  for (let i = 0; i < length; i++) h = Math.imul(h ^ text.charCodeAt(i), fnvPrime)
  return h ^ (h >>> 15)
}

/** `house:` at the start, as `isHouse` says of a text. */
export const isHouseBytes = (bytes: Uint8Array, at: number, length: number): boolean =>
  length > 5 &&
  bytes[at + 5] === colon &&
  bytes[at] === 104 &&
  bytes[at + 1] === 111 &&
  bytes[at + 2] === 117 &&
  bytes[at + 3] === 115 &&
  bytes[at + 4] === 101

export class AccountStore implements Accounts {
  private readonly objects = new Map<string, Account>()
  /** Asked for since the last `settle`. */
  private readonly lent = new Set<string>()
  private doubles = new Float64Array(firstCapacity * doublesPerRow)
  private words = new Int32Array(this.doubles.buffer)
  private capacity = firstCapacity
  /** Rows from here on were never used. */
  private end = 0
  private readonly free: number[] = []
  /** Slot + 1, by hash with linear probing; 0: nothing. At most half full. */
  private index = new Int32Array(firstCapacity * 2)
  private ids = new Uint8Array(firstCapacity * 16)
  private idsEnd = 0
  private idsUnused = 0
  private readonly assets: Asset[] = []
  private readonly assetNumbers = new Map<string, number>()
  /** Where the last sweep of `evict` stopped. */
  private hand = 0
  size = 0

  // ---- by name, as objects --------------------------------------------------------------------------------------------------------

  get(name: string): Account | undefined {
    const known = this.objects.get(name)
    if (known !== undefined) {
      this.lent.add(name)
      return known
    }
    const slot = this.slotOf(name)
    return slot < 0 ? undefined : this.lend(name, slot)
  }

  has(name: string): boolean {
    return this.slotOf(name) >= 0
  }

  set(name: string, account: Account): this {
    const slot = this.slotOf(name)
    const here = slot < 0 ? this.add(account, asObject) : slot
    this.words[here * wordsPerRow + metaAt] = ((this.words[here * wordsPerRow + metaAt] ?? 0) & ~formMask) | asObject
    this.objects.set(name, account)
    this.lent.add(name)
    return this
  }

  /** Of a loaded account: a row at once where it fits. Expects that it is not here yet. */
  install(name: string, account: Account, batch: number): void {
    if (fits(account)) {
      const slot = this.add(account, asRow)
      this.write(slot, account)
      this.words[slot * wordsPerRow + lastUsedAt] = batch
      return
    }
    const slot = this.add(account, asObject)
    this.words[slot * wordsPerRow + lastUsedAt] = batch
    this.objects.set(name, account)
  }

  /** The object that stands for it now; undefined: it is a row, or not resident. Lends nothing. */
  peek(name: string): Account | undefined {
    return this.objects.get(name)
  }

  /** Marks it as used by a batch; false: it is not resident. */
  touch(name: string, batch: number): boolean {
    const slot = this.slotOf(name)
    if (slot < 0) return false
    this.words[slot * wordsPerRow + lastUsedAt] = batch
    return true
  }

  delete(name: string): boolean {
    const slot = this.slotOf(name)
    if (slot < 0) return false
    this.objects.delete(name)
    this.remove(slot)
    return true
  }

  *values(): IterableIterator<Account> {
    for (const [, account] of this) yield account
  }

  /** Lends every account: for tests and reports, not for the way of a command. */
  *[Symbol.iterator](): IterableIterator<[string, Account]> {
    for (let slot = 0; slot < this.end; slot++) {
      if (this.form(slot) === 0) continue
      const name = this.nameOf(slot)
      const account = this.get(name)
      if (account !== undefined) yield [name, account]
    }
  }

  /** Objects that were lent and fit into rows again become rows; whoever still holds one holds a copy without meaning. */
  settle(): void {
    if (this.lent.size === 0) return
    for (const name of this.lent) {
      const account = this.objects.get(name)
      if (account === undefined || !fits(account)) continue
      const slot = this.slotOf(name)
      if (slot < 0) violated('lent_account_has_its_row', { name })
      this.write(slot, account)
      this.words[slot * wordsPerRow + metaAt] = ((this.words[slot * wordsPerRow + metaAt] ?? 0) & ~formMask) | asRow
      this.objects.delete(name)
    }
    this.lent.clear()
  }

  /** A copy of the account as it stands now. */
  copyOf(name: string): Account | undefined {
    const known = this.objects.get(name)
    if (known !== undefined) return { ...known }
    const slot = this.slotOf(name)
    return slot < 0 ? undefined : this.objectOf(slot)
  }

  private lend(name: string, slot: number): Account {
    const w = slot * wordsPerRow
    const meta = this.words[w + metaAt] ?? 0
    if ((meta & formMask) !== asRow) violated('account_row_or_object', { name })
    const account = this.objectOf(slot)
    this.words[w + metaAt] = (meta & ~formMask) | asObject
    this.objects.set(name, account)
    this.lent.add(name)
    return account
  }

  private objectOf(slot: number): Account {
    const d = slot * doublesPerRow
    const { doubles } = this
    return {
      key: doubles[d + keyAt] ?? 0,
      id: this.idOf(slot),
      asset: this.assetOf(slot),
      normal: this.isDebitNormal(slot) ? 'debit' : 'credit',
      status: 'open',
      overdraft: BigInt(doubles[d + overdraftAt] ?? 0),
      balance: BigInt(doubles[d + balanceAt] ?? 0),
      held: 0n,
      seq: doubles[d + seqAt] ?? 0,
      version: doubles[d + versionAt] ?? 0,
      holds: noHolds,
      pledge: undefined,
    }
  }

  // ---- by slot, as rows -----------------------------------------------------------------------------------------------------------

  /** Slot of the account with this id that is no cell; -1: not resident. `hash` as `hashOfBytes` gives it. */
  find(bytes: Uint8Array, at: number, length: number, hash: number): number {
    return this.probe(bytes, at, length, hash, 0, -1)
  }

  /** Slot of the house's cell in an asset, given by the slot of an account that has it. */
  findCell(bytes: Uint8Array, at: number, length: number, hash: number, like: number): number {
    const asset = this.assetNumberOf(like)
    return this.probe(bytes, at, length, hashOfCell(hash, asset), cell, asset)
  }

  private probe(bytes: Uint8Array, at: number, length: number, hash: number, cellBit: number, asset: number): number {
    const { index, words, ids } = this
    const mask = index.length - 1
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = (index[i] ?? 0) - 1
      if (slot < 0) return -1
      const w = slot * wordsPerRow
      if (words[w + hashAt] !== hash) continue
      const meta = words[w + metaAt] ?? 0
      if ((meta & idLengthMask) !== length || (meta & cell) !== cellBit) continue
      if (cellBit !== 0 && meta >>> assetShift !== asset) continue
      const start = words[w + idAt] ?? 0
      let same = 0
      while (same < length && ids[start + same] === bytes[at + same]) same++
      if (same === length) return slot
    }
  }

  /** Not lent to anybody: its numbers are the row's. */
  isRow(slot: number): boolean {
    return ((this.words[slot * wordsPerRow + metaAt] ?? 0) & formMask) === asRow
  }

  isCell(slot: number): boolean {
    return ((this.words[slot * wordsPerRow + metaAt] ?? 0) & cell) !== 0
  }

  isDebitNormal(slot: number): boolean {
    return ((this.words[slot * wordsPerRow + metaAt] ?? 0) & debitNormal) !== 0
  }

  /** Equal exactly for accounts of the same asset. */
  assetNumberOf(slot: number): number {
    return (this.words[slot * wordsPerRow + metaAt] ?? 0) >>> assetShift
  }

  assetOf(slot: number): Asset {
    return this.assets[this.assetNumberOf(slot)] ?? violated('asset_of_row', { slot })
  }

  keyOf(slot: number): number {
    return this.doubles[slot * doublesPerRow + keyAt] ?? 0
  }

  balanceOf(slot: number): number {
    return this.doubles[slot * doublesPerRow + balanceAt] ?? 0
  }

  overdraftOf(slot: number): number {
    return this.doubles[slot * doublesPerRow + overdraftAt] ?? 0
  }

  seqOf(slot: number): number {
    return this.doubles[slot * doublesPerRow + seqAt] ?? 0
  }

  idOf(slot: number): string {
    const start = this.words[slot * wordsPerRow + idAt] ?? 0
    const length = (this.words[slot * wordsPerRow + metaAt] ?? 0) & idLengthMask
    return Buffer.from(this.ids.buffer, start, length).toString('latin1')
  }

  refOf(slot: number): AccountRef {
    return {
      key: this.keyOf(slot),
      id: this.idOf(slot),
      asset: this.assetOf(slot),
      normal: this.isDebitNormal(slot) ? 'debit' : 'credit',
    }
  }

  /** Only `applyPlain` calls this. */
  move(slot: number, seq: number, balance: number): void {
    this.doubles[slot * doublesPerRow + seqAt] = seq
    this.doubles[slot * doublesPerRow + balanceAt] = balance
  }

  touchSlot(slot: number, batch: number): void {
    this.words[slot * wordsPerRow + lastUsedAt] = batch
  }

  lastUsedOf(slot: number): number {
    return this.words[slot * wordsPerRow + lastUsedAt] ?? 0
  }

  /**
   * Looks at up to `look` accounts in turn, from where the last call stopped, and forgets at most `excess` of those whose last use says that they
   * may go and of which `goes` does not say no. `goes` may forget others by `delete`.
   */
  evict(
    excess: number,
    look: number,
    mayGo: (lastUsed: number) => boolean,
    goes: (slot: number, name: string) => boolean,
  ): number {
    let gone = 0
    for (let looked = Math.min(look, this.end); looked > 0 && gone < excess; looked--) {
      if (this.hand >= this.end) this.hand = 0
      const slot = this.hand++
      if (this.form(slot) === 0 || !mayGo(this.lastUsedOf(slot))) continue
      const name = this.nameOf(slot)
      if (!goes(slot, name)) continue
      gone++
      this.delete(name)
    }
    return gone
  }

  /** Bytes of rows, index and ids. */
  get bytes(): number {
    return this.doubles.byteLength + this.index.byteLength + this.ids.byteLength
  }

  // ---- rows and index -------------------------------------------------------------------------------------------------------------

  private form(slot: number): number {
    return (this.words[slot * wordsPerRow + metaAt] ?? 0) & formMask
  }

  private nameOf(slot: number): string {
    const id = this.idOf(slot)
    return this.isCell(slot) ? `${id}|${this.assetOf(slot).code}` : id
  }

  private slotOf(name: string): number {
    const bar = isHouse(name) ? name.indexOf('|') : -1
    const length = bar === -1 ? name.length : bar
    const asset = bar === -1 ? -1 : this.assetNumbers.get(name.slice(bar + 1))
    if (asset === undefined) return -1
    const plain = hashOfText(name, length)
    const hash = bar === -1 ? plain : hashOfCell(plain, asset)
    const { index, words, ids } = this
    const mask = index.length - 1
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = (index[i] ?? 0) - 1
      if (slot < 0) return -1
      const w = slot * wordsPerRow
      if (words[w + hashAt] !== hash) continue
      const meta = words[w + metaAt] ?? 0
      if ((meta & idLengthMask) !== length || (meta & cell) !== (bar === -1 ? 0 : cell)) continue
      if (bar !== -1 && meta >>> assetShift !== asset) continue
      const start = words[w + idAt] ?? 0
      let same = 0
      while (same < length && ids[start + same] === name.charCodeAt(same)) same++
      if (same === length) return slot
    }
  }

  private add(account: Account, form: number): number {
    if (this.size * 2 >= this.index.length) this.growIndex()
    const slot = this.free.pop() ?? this.newSlot()
    const { id } = account
    const asset = this.numberOf(account.asset)
    const plain = hashOfText(id, id.length)
    const hash = isCell(account) ? hashOfCell(plain, asset) : plain
    const w = slot * wordsPerRow
    this.doubles[slot * doublesPerRow + keyAt] = account.key
    this.words[w + hashAt] = hash
    this.words[w + idAt] = this.keepId(id)
    this.words[w + metaAt] =
      id.length |
      form |
      (account.normal === 'debit' ? debitNormal : 0) |
      (isCell(account) ? cell : 0) |
      (asset << assetShift)
    this.words[w + lastUsedAt] = 0
    this.enter(slot, hash)
    this.size++
    return slot
  }

  private write(slot: number, account: Account): void {
    const d = slot * doublesPerRow
    this.doubles[d + balanceAt] = Number(account.balance)
    this.doubles[d + overdraftAt] = Number(account.overdraft)
    this.doubles[d + seqAt] = account.seq
    this.doubles[d + versionAt] = account.version
  }

  private newSlot(): number {
    if (this.end === this.capacity) {
      this.capacity *= 2
      const grown = new Float64Array(this.capacity * doublesPerRow)
      grown.set(this.doubles)
      this.doubles = grown
      this.words = new Int32Array(grown.buffer)
    }
    return this.end++
  }

  private numberOf(asset: Asset): number {
    let number = this.assetNumbers.get(asset.code)
    if (number === undefined) {
      number = this.assets.length
      if (number >= 65_536) violated('assets_fit_16_bits')
      this.assets.push(asset)
      this.assetNumbers.set(asset.code, number)
    }
    return number
  }

  private keepId(id: string): number {
    if (id.length > idLengthMask) violated('account_id_length', { id })
    if (this.idsEnd + id.length > this.ids.length) this.makeRoomForIds(id.length)
    const start = this.idsEnd
    for (let i = 0; i < id.length; i++) this.ids[start + i] = id.charCodeAt(i)
    this.idsEnd = start + id.length
    return start
  }

  /** Copies the ids that are still used close together, into twice the room where that is little gain. */
  private makeRoomForIds(length: number): void {
    const used = this.idsEnd - this.idsUnused + length
    const packed = new Uint8Array(used * 2 > this.ids.length ? this.ids.length * 2 : this.ids.length)
    let end = 0
    for (let slot = 0; slot < this.end; slot++) {
      if (this.form(slot) === 0) continue
      const w = slot * wordsPerRow
      const start = this.words[w + idAt] ?? 0
      const idLength = (this.words[w + metaAt] ?? 0) & idLengthMask
      packed.set(this.ids.subarray(start, start + idLength), end)
      this.words[w + idAt] = end
      end += idLength
    }
    this.ids = packed
    this.idsEnd = end
    this.idsUnused = 0
  }

  private enter(slot: number, hash: number): void {
    const mask = this.index.length - 1
    let i = hash & mask
    while ((this.index[i] ?? 0) !== 0) i = (i + 1) & mask
    this.index[i] = slot + 1
  }

  private growIndex(): void {
    this.index = new Int32Array(this.index.length * 2)
    for (let slot = 0; slot < this.end; slot++) {
      if (this.form(slot) !== 0) this.enter(slot, this.words[slot * wordsPerRow + hashAt] ?? 0)
    }
  }

  /** Linear probing without tombstones: what follows in the same run moves up (Knuth, TAOCP 3, 6.4 R). */
  private remove(slot: number): void {
    const { index, words } = this
    const mask = index.length - 1
    let hole = (words[slot * wordsPerRow + hashAt] ?? 0) & mask
    while (index[hole] !== slot + 1) hole = (hole + 1) & mask
    for (let i = (hole + 1) & mask; (index[i] ?? 0) !== 0; i = (i + 1) & mask) {
      const home = (words[((index[i] ?? 0) - 1) * wordsPerRow + hashAt] ?? 0) & mask
      if (((i - home) & mask) < ((i - hole) & mask)) continue
      index[hole] = index[i] ?? 0
      hole = i
    }
    index[hole] = 0
    this.idsUnused += (words[slot * wordsPerRow + metaAt] ?? 0) & idLengthMask
    words[slot * wordsPerRow + metaAt] = 0
    this.free.push(slot)
    this.size--
  }
}

const hashOfCell = (hash: number, asset: number): number => Math.imul(hash ^ (asset + 1), fnvPrime)

/** What a row can say of an account: open, nothing held, nothing pledged, numbers that a double adds exactly. Lots are kept as objects, by `Lots` too. */
const fits = ({ id, status, held, holds, balance, overdraft, pledge }: Readonly<Account>): boolean =>
  status === 'open' &&
  pledge === undefined &&
  held === 0n &&
  holds.size === 0 &&
  balance < rowMinorMaxBig &&
  balance > -rowMinorMaxBig &&
  overdraft < rowMinorMaxBig &&
  lotNameOf(id) === undefined

const rowMinorMaxBig = BigInt(rowMinorMax)
