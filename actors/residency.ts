// Activation: what of a batch is not in memory yet, and putting there what the ledger found. An account or id that was asked for and not
// found does not exist.
import type { Account } from '../core/account.ts'
import { pointsAccounts } from '../core/house.ts'
import { type IdKey, isHouse } from '../core/identity.ts'
import { accountIdsOf, lotsOwnerOf } from '../core/owner.ts'
import { accountName, type Received } from '../core/partition.ts'
import type { Row } from '../core/row.ts'
import type { Hosted } from './hosted.ts'
import type { Found, Needs } from './ports.ts'

/** Collects the needs of one partition's commands; sets, so that a hot account is asked for once. */
export class NeedsOf {
  readonly accounts = new Set<string>()
  readonly cells = new Set<string>()
  readonly lotsOf = new Set<string>()
  readonly transactions = new Set<IdKey>()

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

/** Adds what `received` needs and is not resident; marks what is, so that it stays until the batch has committed. */
export function collectNeeds(hosted: Hosted, received: Received, batch: number, absent: Absent, needs: NeedsOf): void {
  const { command } = received
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
      needAccount(hosted, command.to, batch, absent, needs)
      return
    case 'postings':
      for (const transfer of command.transfers) {
        needAccount(hosted, transfer.from, batch, absent, needs)
        needAccount(hosted, transfer.to, batch, absent, needs)
      }
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
  }
}

function needLots({ state }: Hosted, owner: string | undefined, batch: number, needs: NeedsOf): void {
  if (owner === undefined) return
  const lots = state.lots.allOf(owner)
  if (lots === undefined) needs.lotsOf.add(owner)
  else for (const { account } of lots) account.lastUsed = batch
}

function needAccount(hosted: Hosted, id: string, batch: number, absent: Absent, needs: NeedsOf): void {
  if (isHouse(id)) {
    const house = hosted.houses.get(id)
    if (house === undefined) needs.cells.add(id)
    else house.lastUsed = batch
    return
  }
  const account = hosted.state.accounts.get(id)
  if (account !== undefined) account.lastUsed = batch
  else if (!absent.accounts.has(id)) needs.accounts.add(id)
}

function needTransaction(
  hosted: Hosted,
  key: IdKey,
  batch: number,
  absent: Absent,
  needs: NeedsOf,
  named: boolean,
): void {
  const remembered = hosted.state.remembered.get(key)
  if (remembered !== undefined) remembered.lastUsed = batch
  else if ((named || hosted.seen.mayHold(key)) && !absent.transactions.has(key)) needs.transactions.add(key)
}

/** A transaction that the command names, and the accounts on its other side. */
function needReferred(hosted: Hosted, key: IdKey, batch: number, absent: Absent, needs: NeedsOf): void {
  const remembered = hosted.state.remembered.get(key)
  if (remembered === undefined) {
    if (!absent.transactions.has(key)) needs.transactions.add(key)
    return
  }
  remembered.lastUsed = batch
  for (const row of remembered.decided?.rows ?? []) {
    needSides(hosted, row, batch, absent, needs)
    // Points that come back to a lot whose day is over expire at once.
    if (row.to?.id === pointsAccounts.redeemed) needAccount(hosted, pointsAccounts.expired, batch, absent, needs)
  }
}

function needSides(hosted: Hosted, row: Row, batch: number, absent: Absent, needs: NeedsOf): void {
  if (row.from !== undefined) needAccount(hosted, row.from.id, batch, absent, needs)
  if (row.to !== undefined) needAccount(hosted, row.to.id, batch, absent, needs)
}

/** Makes resident what the ledger found and notes what it did not. Returns the keys of the transactions that came in. */
export function install(
  hosted: Hosted,
  needs: Needs,
  found: Found | undefined,
  batch: number,
  absent: Absent,
): IdKey[] {
  const { accounts, lots, remembered } = hosted.state
  lots.forgetEmpty()
  for (const account of found?.accounts ?? []) {
    if (account.key < 0) {
      if (hosted.houses.has(account.id)) continue
    } else if (accounts.has(account.id)) continue
    account.lastUsed = batch
    accounts.set(accountName(account.id, account.asset.code), account)
    if (account.key < 0) hosted.cellsByKey.set(account.key, account)
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
 * Passivation: forgets accounts whose last batch has committed, oldest openings of the Map first with a second chance for the recently used,
 * until at most `excess` are gone. Their state is durable already: nothing to write. Returns how many went.
 */
export function passivate(hosted: Hosted, excess: number, committed: number, recently: number): number {
  const { accounts, lots, remembered } = hosted.state
  let gone = 0
  let looked = 0
  const lookAtMost = excess * 4 + 64
  for (const [name, account] of accounts) {
    if (gone >= excess || looked++ >= lookAtMost) break
    const lastUsed = account.key < 0 ? (hosted.houses.get(account.id)?.lastUsed ?? 0) : account.lastUsed
    if (lastUsed > committed || lastUsed > recently) {
      accounts.delete(name)
      accounts.set(name, account)
      continue
    }
    if (account.key < 0) {
      forgetHouse(hosted, account.id)
      gone++
      continue
    }
    for (const key of account.holds.keys()) remembered.delete(key)
    accounts.delete(name)
    lots.forget(account)
    gone++
  }
  return gone
}

/** All cells of a house id go together: `houses` promises that they are all there. */
function forgetHouse(hosted: Hosted, id: string): void {
  hosted.houses.delete(id)
  for (const cell of [...hosted.cellsByKey.values()]) if (cell.id === id) forgetCell(hosted, cell)
}

function forgetCell(hosted: Hosted, cell: Account): void {
  for (const key of cell.holds.keys()) hosted.state.remembered.delete(key)
  hosted.cellsByKey.delete(cell.key)
  hosted.state.accounts.delete(accountName(cell.id, cell.asset.code))
}
