// Holds that have run out: before a command is decided, those on the accounts that it touches are expired by decisions of their own, so that
// every row is true at its time.
import type { Account, AccountRef } from './account.ts'
import { accountOf } from './decide-hold.ts'
import { type Hold, OpenHolds } from './hold.ts'
import { idKeyOf, isHouse, ownerOfAccount } from './identity.ts'
import { earnedLotId } from './lots.ts'
import { accountIdsOf, isForAnother, lotsOwnerOf } from './owner.ts'
import { accountName, type PartitionState, type Received } from './partition.ts'
import { reservedRow } from './row.ts'
import type { Decided } from './transaction.ts'
import { residentSides } from './transfer.ts'

const none: readonly Decided[] = []

/**
 * Holds that have run out by `at` on the resident accounts that the command touches: decisions to be applied, in this order, before `decide`.
 * Oldest expiry first; of the same millisecond by key. Costs a look at each account where nothing is due, the common case.
 */
export function dueExpiries(state: Readonly<PartitionState>, received: Received, at: number): readonly Decided[] {
  const { command } = received
  switch (command.type) {
    case 'hold':
      return isForAnother(command)
        ? onAccounts(state, accountsOfId(state, command.account), at)
        : onTransfer(state, command.account, command.to, command.asset, at)
    case 'debit':
      return onTransfer(state, command.account, command.to, command.asset, at)
    case 'credit':
      return onTransfer(state, command.from, command.account, command.asset, at)
    case 'transfer':
      return onTransfer(state, command.from, command.to, command.asset, at)
    case 'postings': {
      const accounts: Account[] = []
      for (const { from, to, asset } of command.transfers) addSides(state, from, to, asset ?? command.asset, accounts)
      return onAccounts(state, accounts, at)
    }
    case 'points.earn':
      return onAccounts(state, accountsOfId(state, earnedLotId(command)), at)
    case 'points.redeem':
    case 'points.expire':
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
      return onLots(state, command.owner, at)
    case 'capture':
    case 'release':
    case 'refund': {
      const account = accountOf(state, command)
      if (typeof account === 'string') return none
      const accounts = [account]
      if (received.refKey !== undefined) {
        addNamed(state, account.holds.get(received.refKey)?.to, accounts)
        for (const { from, to, far } of state.remembered.get(received.refKey)?.decided?.rows ?? []) {
          addNamed(state, from, accounts)
          addNamed(state, to, accounts)
          const other = far === undefined ? undefined : state.accounts.get(far)
          if (other !== undefined) accounts.push(other)
        }
      }
      return onAccounts(state, accounts, at)
    }
    case 'change':
    case 'expire':
      return onAccounts(state, accountsOfId(state, command.account), at)
    case 'order':
    case 'disbursement':
    case 'settle': {
      const accounts: Account[] = []
      for (const id of accountIdsOf(command)) {
        const account = isHouse(id) ? undefined : state.accounts.get(id)
        if (account !== undefined) accounts.push(account)
      }
      const owner = lotsOwnerOf(command)
      if (owner !== undefined) for (const { account } of state.lots.allOf(owner) ?? []) accounts.push(account)
      return onAccounts(state, accounts, at)
    }
    // No hold is ever placed on what they move.
    case 'catalog':
    case 'stock':
    case 'open':
      return none
  }
}

const onLots = (state: Readonly<PartitionState>, owner: string, at: number): readonly Decided[] =>
  onAccounts(
    state,
    (state.lots.allOf(owner) ?? []).map(({ account }) => account),
    at,
  )

/** The same on accounts by id, those that are resident; cells are left out. */
export function dueExpiriesOn(state: Readonly<PartitionState>, ids: readonly string[], at: number): readonly Decided[] {
  const found: Account[] = []
  for (const id of ids) {
    const account = state.accounts.get(id)
    if (account !== undefined) found.push(account)
  }
  return onAccounts(state, found, at)
}

function onTransfer(
  state: Readonly<PartitionState>,
  fromId: string,
  toId: string,
  assetGiven: string | undefined,
  at: number,
): readonly Decided[] {
  const sides = residentSides(state, fromId, toId, assetGiven)
  if (sides !== undefined && !mayBeDue(sides.from, at) && !mayBeDue(sides.to, at)) return none
  const accounts: Account[] = []
  addSides(state, fromId, toId, assetGiven, accounts)
  return onAccounts(state, accounts, at)
}

/** Nothing held means no hold: looking at `holds` itself would be two more misses of the cache for every cold account. */
const mayBeDue = ({ held, holds }: Readonly<Account>, at: number): boolean =>
  held !== 0n && !(holds instanceof OpenHolds && holds.nextExpiryAt > at)

// ---- the accounts that are there ------------------------------------------------------------------------------------------------

/** Whichever of the two is there: the other may be one that the command opens. */
function addSides(
  { accounts }: Readonly<PartitionState>,
  fromId: string,
  toId: string,
  assetGiven: string | undefined,
  found: Account[],
): void {
  const assetCode = accounts.get(fromId)?.asset.code ?? accounts.get(toId)?.asset.code ?? assetGiven
  const from = accounts.get(isHouse(fromId) && assetCode !== undefined ? accountName(fromId, assetCode) : fromId)
  const to = accounts.get(isHouse(toId) && assetCode !== undefined ? accountName(toId, assetCode) : toId)
  if (from !== undefined) found.push(from)
  if (to !== undefined) found.push(to)
}

function addNamed({ accounts }: Readonly<PartitionState>, ref: AccountRef | undefined, found: Account[]): void {
  const account = ref === undefined ? undefined : accounts.get(accountName(ref.id, ref.asset.code))
  if (account !== undefined) found.push(account)
}

/** The account; of a house id, which comes here without an asset, all its cells. */
function accountsOfId({ accounts, catalog }: Readonly<PartitionState>, accountId: string): readonly Account[] {
  const found: Account[] = []
  const names = isHouse(accountId)
    ? [...catalog.assets.keys()].map((code) => accountName(accountId, code))
    : [accountId]
  for (const name of names) {
    const account = accounts.get(name)
    if (account !== undefined) found.push(account)
  }
  return found
}

// ---- their holds ----------------------------------------------------------------------------------------------------------------

interface Due {
  readonly account: Account
  readonly hold: Hold
  readonly expiresAt: number
}

/** An account may be listed twice. */
function onAccounts(state: Readonly<PartitionState>, accounts: readonly Account[], at: number): readonly Decided[] {
  if (!accounts.some((account) => mayBeDue(account, at))) return none
  const due: Due[] = []
  for (const account of new Set(accounts)) {
    if (!mayBeDue(account, at)) continue
    for (const hold of account.holds.values()) {
      const { expiresAt } = hold
      // What an undecided capture has a claim to ends with it, or after it.
      if (expiresAt !== undefined && expiresAt <= at && !state.joints.underWay.has(hold.idKey))
        due.push({ account, hold, expiresAt })
    }
  }
  due.sort((a, b) => a.expiresAt - b.expiresAt || (a.hold.idKey < b.hold.idKey ? -1 : 1))
  const expired = new Map<Account, { seq: number; held: bigint }>()
  return due.map(({ account, hold }) => {
    const before = expired.get(account) ?? account
    const after = { seq: before.seq + 1, held: before.held - hold.remaining }
    expired.set(account, after)
    return expiryOf(state, account, hold, after.seq, after.held, at)
  })
}

function expiryOf(
  { rules }: Readonly<PartitionState>,
  account: Account,
  hold: Hold,
  seq: number,
  held: bigint,
  at: number,
): Decided {
  const id = `!expire:${hold.id}`
  // The owner of the hold's transaction, so that one of the house's for each of several owners stays apart.
  const owner = ownerOfAccount(isHouse(account.id) ? hold.to.id : account.id)
  return {
    idKey: idKeyOf(owner, id),
    command: { type: 'expire', id, account: account.id },
    at,
    date: rules.dateOf(at),
    rows: [
      reservedRow('expire', 0, hold.remaining, account, seq, account.balance, held, hold.to, hold.idKey, hold.far),
    ],
    facts: undefined,
  }
}
