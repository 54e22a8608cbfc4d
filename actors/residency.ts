// Activation: what of a batch is not in memory yet, and putting there what the ledger found. An account or id that was asked for and not
// found does not exist.
import { needsOf } from '../core/across/hear.ts'
import { type LinkMessage, transitId } from '../core/across/joint.ts'
import { funderAccount, pointsAccounts } from '../core/house.ts'
import { wordOfIdKey } from '../core/id-words.ts'
import { type IdKey, isHouse, ownerOfAccount } from '../core/identity.ts'
import { accountIdsOf, isForAnother, lotsOwnerOf } from '../core/owner.ts'
import { accountName } from '../core/partition.ts'
import type { Row } from '../core/row.ts'
import type { Remembered } from '../core/transaction.ts'
import type { Hosted } from './hosted.ts'
import type { Found, Needs } from './ports.ts'
import { findPlain } from './short-way.ts'
import type { Taken } from './taken.ts'
import type { Waiting } from './waiting.ts'

/** Collects the needs of one partition's commands; sets, so that a hot account is asked for once. */
export class NeedsOf {
  readonly accounts = new Set<string>()
  readonly cells = new Set<string>()
  readonly lotsOf = new Set<string>()
  readonly transactions = new Set<IdKey>()
  /** Partitions that may decide with this one. */
  neighbour: (partition: number) => Hosted | undefined = () => undefined
  /** Called with accounts of other partitions, and of the house beside them, that the commands name. True: it is asked for. */
  elsewhere: (partition: number, account: string) => boolean = () => false

  get empty(): boolean {
    return this.accounts.size === 0 && this.cells.size === 0 && this.transactions.size === 0 && this.lotsOf.size === 0
  }

  list(): Needs {
    return {
      accounts: [...this.accounts],
      cells: [...this.cells],
      lotsOf: [...this.lotsOf],
      transactions: [...this.transactions],
    }
  }
}

/** What was asked for in this batch and does not exist: not asked for again in the second look. */
export class Absent {
  readonly accounts = new Set<string>()
  readonly transactions = new Set<IdKey>()
}

/** What the commands of a partition need, as they were taken. */
export function collectTaken(hosted: Hosted, taken: Taken, batch: number, absent: Absent, needs: NeedsOf): void {
  for (let i = 0; i < taken.count; i++) {
    const waiting = taken.waiting[i]
    if (waiting !== undefined) collectNeeds(hosted, waiting, batch, absent, needs)
    else if (!findPlain(hosted, taken, i, batch, absent, needs)) {
      collectNeeds(hosted, taken.makeWaiting(i), batch, absent, needs)
    }
  }
}

/** Adds what `received` needs and is not resident; marks what is, so that it stays until the batch has committed. */
export function collectNeeds(hosted: Hosted, received: Waiting, batch: number, absent: Absent, needs: NeedsOf): void {
  const { command, arrived } = received
  if (arrived !== undefined) {
    if (arrived.message !== undefined) needMessage(hosted, arrived.message, batch, absent, needs)
    return
  }
  needTransaction(hosted, received.idKey, batch, absent, needs, false)
  switch (command.type) {
    case 'debit':
      needAccount(hosted, command.account, batch, absent, needs)
      needAccount(hosted, command.to, batch, absent, needs)
      return
    case 'credit':
      needAccount(hosted, command.account, batch, absent, needs)
      needAccount(hosted, command.from, batch, absent, needs)
      return
    case 'transfer':
      needAccount(hosted, command.from, batch, absent, needs)
      needAccount(hosted, command.to, batch, absent, needs)
      return
    case 'hold':
      needAccount(hosted, command.account, batch, absent, needs)
      // A capture in the same batch pays to it, and knows only the hold's id.
      needAccount(hosted, command.to, batch, absent, needs)
      if (isForAnother(command)) needAccount(hosted, transitId, batch, absent, needs)
      return
    case 'postings':
      for (const { from, to } of command.transfers) needLeg(hosted, from, to, batch, absent, needs)
      return
    case 'disbursement':
      for (const { account } of command.funders) needLeg(hosted, account, funderAccount(account), batch, absent, needs)
      for (const id of accountIdsOf(command)) needAccount(hosted, id, batch, absent, needs)
      return
    case 'capture':
    case 'release':
    case 'refund':
      needAccount(hosted, command.account, batch, absent, needs)
      if (received.refKey !== undefined) needReferred(hosted, received.refKey, batch, absent, needs)
      return
    case 'open':
    case 'change':
    case 'expire':
      needAccount(hosted, command.account, batch, absent, needs)
      return
    default:
      for (const id of accountIdsOf(command)) needAccount(hosted, id, batch, absent, needs)
      needLots(hosted, lotsOwnerOf(command), batch, needs)
      if (received.refKey !== undefined) needReferred(hosted, received.refKey, batch, absent, needs)
  }
}

function needLots({ state, accounts }: Hosted, owner: string | undefined, batch: number, needs: NeedsOf): void {
  if (owner === undefined) return
  const lots = state.lots.allOf(owner)
  if (lots === undefined) needs.lotsOf.add(owner)
  else for (const { account } of lots) accounts.touch(account.id, batch)
}

function needMessage(hosted: Hosted, message: LinkMessage, batch: number, absent: Absent, needs: NeedsOf): void {
  const { accounts, link } = needsOf(hosted.state, message)
  for (const id of accounts) needAccount(hosted, id, batch, absent, needs)
  if (link !== undefined) needReferred(hosted, link, batch, absent, needs)
}

function needAccount(hosted: Hosted, id: string, batch: number, absent: Absent, needs: NeedsOf): void {
  if (isHouse(id)) {
    const house = hosted.houses.get(id)
    if (house === undefined) needs.cells.add(id)
    else house.lastUsed = batch
    return
  }
  if (hosted.accounts.touch(id, batch) || absent.accounts.has(id)) return
  const { partition, state } = hosted
  const place = state.rules.partitionOf(ownerOfAccount(id))
  if (place === partition) needs.accounts.add(id)
  else {
    // It lives elsewhere: what goes there goes through transit.
    needAccount(hosted, transitId, batch, absent, needs)
    needs.elsewhere(place, id)
  }
}

/** Both sides of a transfer: an account of the house is that of the partition in which the other side lives. */
function needLeg(hosted: Hosted, from: string, to: string, batch: number, absent: Absent, needs: NeedsOf): void {
  needAccount(hosted, from, batch, absent, needs)
  needAccount(hosted, to, batch, absent, needs)
  const [house, other] = isHouse(from) ? [from, to] : [to, from]
  if (!isHouse(house) || isHouse(other)) return
  const place = hosted.state.rules.partitionOf(ownerOfAccount(other))
  if (place !== hosted.partition) needs.elsewhere(place, house)
}

/** What a transaction that another partition coordinates needs here. */
export function needElsewhere(hosted: Hosted, id: string, batch: number, absent: Absent, needs: NeedsOf): boolean {
  needAccount(hosted, id, batch, absent, needs)
  needAccount(hosted, transitId, batch, absent, needs)
  return needs.accounts.has(id)
}

function needTransaction(
  hosted: Hosted,
  key: IdKey,
  batch: number,
  absent: Absent,
  needs: NeedsOf,
  named: boolean,
): void {
  const remembered = recall(hosted, key)
  if (remembered !== undefined) remembered.lastUsed = batch
  else if ((named || hosted.seen.mayHold(key)) && !absent.transactions.has(key)) {
    if (!named) hosted.seen.notExcluded++
    needs.transactions.add(key)
  }
}

/** A transaction that the command names, and the accounts on its other side. */
function needReferred(hosted: Hosted, key: IdKey, batch: number, absent: Absent, needs: NeedsOf): void {
  const remembered = recall(hosted, key)
  if (remembered === undefined) {
    if (!absent.transactions.has(key)) needs.transactions.add(key)
    return
  }
  remembered.lastUsed = batch
  for (const [from, to] of remembered.decided?.facts?.legs ?? []) needLeg(hosted, from, to, batch, absent, needs)
  for (const row of remembered.decided?.rows ?? []) {
    needSides(hosted, row, batch, absent, needs)
    // Points that come back to a lot whose day is over expire at once.
    if (row.to?.id === pointsAccounts.redeemed) needAccount(hosted, pointsAccounts.expired, batch, absent, needs)
  }
}

function needSides(hosted: Hosted, row: Row, batch: number, absent: Absent, needs: NeedsOf): void {
  if (row.from !== undefined) needAccount(hosted, row.from.id, batch, absent, needs)
  if (row.to !== undefined) needAccount(hosted, row.to.id, batch, absent, needs)
  if (row.far !== undefined) needAccount(hosted, row.far, batch, absent, needs)
}

/** Makes resident what the ledger found and notes what it did not. Returns the keys of the transactions that came in. */
export function install(
  hosted: Hosted,
  needs: Needs,
  found: Found | undefined,
  batch: number,
  absent: Absent,
): IdKey[] {
  const { accounts } = hosted
  const { lots, remembered } = hosted.state
  lots.forgetEmpty()
  for (const account of found?.accounts ?? []) {
    if (account.key < 0) {
      if (hosted.houses.has(account.id)) continue
    } else if (accounts.has(account.id)) continue
    const name = accountName(account.id, account.asset.code)
    account.pledge = hosted.state.joints.pledges.get(name)
    accounts.install(name, account, batch)
    if (account.key < 0) hosted.cells.set(account.key, name)
    else lots.add(account)
  }
  for (const owner of needs.lotsOf) lots.completed(owner)
  for (const house of needs.cells) hosted.houses.set(house, { lastUsed: batch })
  for (const id of needs.accounts) if (!accounts.has(id)) absent.accounts.add(id)
  const came: IdKey[] = []
  for (const [key, transaction] of found?.transactions ?? []) {
    if (remembered.has(key)) continue
    transaction.lastUsed = batch
    remembered.set(key, transaction)
    came.push(key)
  }
  for (const key of needs.transactions) if (!remembered.has(key)) absent.transactions.add(key)
  return came
}

/**
 * A transaction that is remembered, or that a batch which is not committed decided the short way: then it is remembered from now on, until
 * the batch that asks has committed.
 */
export function recall(hosted: Hosted, key: IdKey): Remembered | undefined {
  const { remembered } = hosted.state
  const known = remembered.get(key)
  if (known?.decided !== undefined || hosted.plainRows.length === 0 || !hosted.seen.mayHold(key)) return known
  for (let i = 0; i < 4; i++) recallWords[i] = wordOfIdKey(key, i)
  for (const rows of hosted.plainRows) {
    const decided = rows.decided(recallWords, 0)
    if (decided === undefined) continue
    // A tombstone may name it already.
    if (known !== undefined) known.decided = decided
    else remembered.set(key, { decided, links: [], lastUsed: 0 })
    hosted.recalled.push(key)
    return remembered.get(key)
  }
  return known
}

const recallWords = new Int32Array(4)

/** Forgets transactions of a batch that is committed, unless a later one uses them: then its commit lets them go. */
export function letGo(hosted: Hosted, keys: readonly IdKey[], committed: number): void {
  hosted.plainRows = hosted.plainRows.filter((rows) => rows.batch > committed)
  const { accounts, usedAgain } = hosted
  const { remembered } = hosted.state
  hosted.usedAgain = []
  for (const key of usedAgain.length === 0 ? keys : [...usedAgain, ...keys]) {
    const one = remembered.get(key)
    if (one === undefined) continue
    if ((one.lastUsed ?? 0) > committed) {
      hosted.usedAgain.push(key)
      continue
    }
    // Open holds of resident accounts keep their transaction: a capture needs no query, and its row finds what it links to.
    const held = one.decided?.command.type === 'hold' ? one.decided.rows.at(-1)?.from : undefined
    if (held !== undefined && accounts.peek(accountName(held.id, held.asset.code))?.holds.has(key)) continue
    remembered.delete(key)
  }
}

/**
 * Passivation: forgets accounts whose last batch has committed, in turn with a second chance for the recently used, until at most `excess` are
 * gone. Their state is durable already: nothing to write. Returns how many went.
 */
export function passivate(hosted: Hosted, excess: number, committed: number, recently: number): number {
  const { accounts, houses } = hosted
  const { lots, remembered } = hosted.state
  const mayGo = (lastUsed: number): boolean => lastUsed <= committed && lastUsed <= recently
  return accounts.evict(excess, excess * 4 + 64, mayGo, (slot, name) => {
    if (accounts.isCell(slot)) {
      const id = accounts.idOf(slot)
      if (!mayGo(houses.get(id)?.lastUsed ?? 0)) return false
      forgetHouse(hosted, id)
      return true
    }
    const account = accounts.peek(name)
    if (account === undefined) return true
    for (const key of account.holds.keys()) remembered.delete(key)
    lots.forget(account)
    return true
  })
}

/** All cells of a house id go together: `houses` promises that they are all there. */
function forgetHouse(hosted: Hosted, id: string): void {
  hosted.houses.delete(id)
  for (const [key, name] of [...hosted.cells]) {
    if (name !== id && !name.startsWith(`${id}|`)) continue
    for (const hold of hosted.accounts.peek(name)?.holds.keys() ?? []) hosted.state.remembered.delete(hold)
    hosted.cells.delete(key)
    hosted.accounts.delete(name)
  }
}
