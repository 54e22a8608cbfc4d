// Applies a decision to a partition's state: live right after `decide`, and in replay from the journal. Never refuses: what does not fit is
// an InvariantViolation, and the memory is dropped. It computes every after-image a second time, by the kind of the row alone.
import { type Account, type AccountRef, available, isCell, openedAccount } from './account.ts'
import { applyCatalogChange } from './catalog.ts'
import { noHolds, OpenHolds } from './hold.ts'
import { campaignOfStock } from './house.ts'
import { violated } from './invariant.ts'
import { minorMax, minorMin } from './money.ts'
import { accountKey, accountName, type PartitionState } from './partition.ts'
import { type Row, reservedOf } from './row.ts'
import type { Decided } from './transaction.ts'

/**
 * Expects a decision of this state, not applied yet, at a time not before the last. Afterwards its accounts stand as its rows say, its id is
 * remembered, and its rows are known to the resident transactions that they link to.
 */
export function apply(state: PartitionState, decided: Decided): void {
  const { rows, at } = decided
  if (!(at >= state.time)) violated('time_goes_forward', { at, time: state.time })
  state.time = at
  state.pseq += rows.length
  remember(state, decided)
  applyRows(state, decided, 0)
}

/** The rows alone: of a decision, or of what a party does of a transaction before or after it is decided. */
export function applyRows(state: PartitionState, decided: Decided, firstLeg: number): void {
  const { rows } = decided
  const declined = rows[0].code !== 0
  for (let i = declined ? 1 : 0; i < rows.length; i++) {
    const row = rows[i]
    if (row === undefined || row.leg !== firstLeg + i || row.code !== 0)
      violated('legs_dense_and_accepted', { id: decided.command.id, leg: i })
    // What a declined transaction leaves is that nothing is reserved for it any more.
    if (declined && row.kind !== 'unreserve')
      violated('declined_is_one_row', { id: decided.command.id, kind: row.kind })
    applyRow(state, decided, row)
    if (row.link !== undefined) rememberLink(state, row)
  }
}

function remember(state: PartitionState, decided: Decided): void {
  const known = state.remembered.get(decided.idKey)
  if (known === undefined) state.remembered.set(decided.idKey, { decided, links: [], lastUsed: 0 })
  else if (known.decided === undefined) known.decided = decided
  else violated('decided_once', { id: decided.command.id })
}

function rememberLink(state: PartitionState, row: Row): void {
  const { link } = row
  if (link === undefined) return
  const target = state.remembered.get(link)
  if (target !== undefined) target.links.push(row)
  else if (row.kind === 'tombstone' || row.kind === 'coupon.redeem')
    state.remembered.set(link, { decided: undefined, links: [row], lastUsed: 0 })
}

function applyRow(state: PartitionState, decided: Decided, row: Row): void {
  switch (row.kind) {
    case 'debit':
    case 'credit':
    case 'transfer':
    case 'refund':
    case 'postings':
    case 'capture':
    case 'points.earn':
    case 'points.redeem':
    case 'points.expire':
    case 'coupon.issue':
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
    case 'order':
    case 'disbursement':
    case 'settle':
    case 'stock':
      applyPosted(state, decided, row)
      return
    case 'hold':
      applyHold(state, decided, row)
      return
    case 'release':
    case 'expire':
      applyRelease(state, decided, row)
      return
    case 'reserve':
    case 'unreserve':
      applyReserve(state, row)
      return
    case 'open':
      applyOpen(state, row)
      return
    case 'change':
      applyChange(state, decided, row)
      return
    case 'catalog':
      applyCatalog(state, decided)
      return
    case 'stock.close':
      if (decided.command.type !== 'stock') violated('stock_closes_by_its_command', { id: decided.command.id })
      state.exhausted.add(decided.command.campaign)
      return
    case 'tombstone':
      if (row.from !== undefined || row.to !== undefined || row.amount !== 0n) violated('tombstone_has_no_sides')
      return
  }
}

function applyCatalog(state: PartitionState, { command }: Decided): void {
  if (command.type !== 'catalog') violated('catalog_changes_by_its_command', { id: command.id })
  applyCatalogChange(state.catalog, command)
}

/** What only a partition's own bookkeeping may lower stays at zero or above; and new stock may be claimed. */
function stockMoved(state: PartitionState, { kind, from, to }: Row): void {
  if (kind !== 'coupon.issue' && kind !== 'coupon.claim' && kind !== 'stock') return
  for (const ref of [from, to]) {
    const campaign = ref === undefined ? undefined : campaignOfStock(ref.id)
    if (ref === undefined || campaign === undefined) continue
    if (live(state, ref).balance < 0n) violated('stock_not_below_zero', { stock: ref.id })
    if (ref === to) state.exhausted.delete(campaign)
  }
}

function applyPosted(state: PartitionState, { at }: Decided, row: Row): void {
  const { amount } = row
  if (!(amount > 0n)) violated('amount_above_zero', { kind: row.kind, amount })
  const from = live(state, row.from)
  const to = live(state, row.to)
  // Without a hold: it was taken from one in another partition, and arrives here.
  const captured = row.kind === 'capture' && row.link !== undefined
  if (captured) takeFromHold(from, row)
  const reserved = row.reserved ?? 0
  const held = captured || (reserved & reservedOf.from) !== 0 ? from.held - amount : from.held
  const toHeld = (reserved & reservedOf.to) !== 0 ? to.held - amount : to.held
  moveTo(from, row.fromSeq, from.balance - amount, row.fromBalance, held, row.fromHeld)
  moveTo(to, row.toSeq, to.balance + amount, row.toBalance, toHeld, row.toHeld)
  if (from.held !== 0n) keepNextExpiry(from, at)
  if (to.held !== 0n) keepNextExpiry(to, at)
  stockMoved(state, row)
}

function applyHold(state: PartitionState, { idKey, command, at, facts }: Decided, row: Row): void {
  const { amount, to, far } = row
  if (!(amount > 0n) || to === undefined || row.toSeq !== 0)
    violated('hold_reserves_for_somebody', { id: command.id, amount })
  const account = live(state, row.from)
  moveTo(account, row.fromSeq, account.balance, row.fromBalance, account.held + amount, row.fromHeld)
  const holds = ownHolds(account)
  if (holds.has(idKey)) violated('held_once', { id: command.id })
  const expiresAt = facts?.expiresAt
  // Named, not held on to: the receiver may be a live account, which would then outlive its passivation.
  const receiver: AccountRef = { key: to.key, id: to.id, asset: to.asset, normal: to.normal }
  const placed = { idKey, id: command.id, to: receiver, amount, remaining: amount, expiresAt }
  holds.set(idKey, far === undefined ? placed : { ...placed, far })
  if (expiresAt !== undefined && expiresAt < holds.nextExpiryAt) holds.nextExpiryAt = expiresAt
  keepNextExpiry(account, at)
}

function applyRelease(state: PartitionState, { at }: Decided, row: Row): void {
  const { amount } = row
  const account = live(state, row.from)
  takeFromHold(account, row)
  moveTo(account, row.fromSeq, account.balance, row.fromBalance, account.held - amount, row.fromHeld)
  // Not after an expiry: a thousand holds that run out together would be looked through a thousand times.
  if (row.kind === 'release' && account.held !== 0n) keepNextExpiry(account, at)
}

/** Without sides where a party is bound and nothing had to be held. */
function applyReserve(state: PartitionState, { kind, from, fromSeq, fromBalance, fromHeld, amount }: Row): void {
  if (from === undefined) {
    if (amount !== 0n) violated('reserves_of_an_account', { amount })
    return
  }
  const account = live(state, from)
  if (!(amount > 0n)) violated('amount_above_zero', { kind, amount })
  moveTo(
    account,
    fromSeq,
    account.balance,
    fromBalance,
    account.held + (kind === 'reserve' ? amount : -amount),
    fromHeld,
  )
}

function takeFromHold(account: Account, { link, amount, to }: Row): void {
  const { id, holds } = account
  const hold = link === undefined ? undefined : holds.get(link)
  // What is held for another owner is taken by him directly where he lives in this partition.
  const isForIt = hold !== undefined && (hold.to.key === to?.key || hold.far === to?.id)
  if (hold === undefined || link === undefined || !isForIt) violated('hold_open', { account: id })
  if (!(amount > 0n && amount <= hold.remaining))
    violated('hold_covers', { account: id, amount, remaining: hold.remaining })
  hold.remaining -= amount
  if (hold.remaining !== 0n) return
  holds.delete(link)
  if (holds.size === 0) account.holds = noHolds
}

function ownHolds(account: Account): OpenHolds {
  if (account.holds instanceof OpenHolds) return account.holds
  const own = new OpenHolds(account.holds)
  account.holds = own
  return own
}

/** Expects that all due by `at` were expired before: what is left runs out later. Looks through all holds only when the bound is passed. */
function keepNextExpiry(account: Account, at: number): void {
  const holds = ownHolds(account)
  if (holds.nextExpiryAt > at) return
  let next = Number.POSITIVE_INFINITY
  for (const { expiresAt } of holds.values()) if (expiresAt !== undefined && expiresAt < next) next = expiresAt
  holds.nextExpiryAt = next
}

function applyOpen(state: PartitionState, { from, fromSeq, amount }: Row): void {
  if (from === undefined || fromSeq !== 0 || amount < 0n) violated('opening_names_its_account')
  const key = accountKey(state.partition, state.accountsOpened + 1, from.id)
  const name = accountName(from.id, from.asset.code)
  if (from.key !== key || state.accounts.has(name))
    violated('opened_once_and_in_order', { name, key: from.key, next: key })
  state.accountsOpened += 1
  const account = openedAccount(key, from.id, from.asset, from.normal, amount)
  state.accounts.set(name, account)
  state.lots.add(account)
}

function applyChange(state: PartitionState, { facts }: Decided, { from, fromSeq, amount }: Row): void {
  const account = live(state, from)
  if (facts?.status === undefined || facts.version !== account.version + 1 || fromSeq !== 0 || amount < 0n) {
    violated('change_follows', { account: account.id, version: account.version, facts })
  }
  if (facts.status === 'closed' && (account.balance !== 0n || account.held !== 0n || account.pledge !== undefined)) {
    violated('closed_is_empty', { account: account.id, balance: account.balance, held: account.held })
  }
  account.status = facts.status
  account.overdraft = amount
  account.version = facts.version
}

// ---- one side -------------------------------------------------------------------------------------------------------------------

/** The account of this state, whatever object the row names it by: a live one, one of another state, or one made from the journal. */
function live(state: PartitionState, ref: AccountRef | undefined): Account {
  if (ref === undefined) violated('row_has_its_sides')
  const account = state.accounts.get(accountName(ref.id, ref.asset.code))
  if (account === undefined || account.key !== ref.key) violated('account_resident', { account: ref.id, key: ref.key })
  return account
}

/** What the kind of the row makes of the account must be what the row says; and P3. */
function moveTo(
  account: Account,
  seq: number,
  balance: bigint,
  balanceSaid: bigint,
  held: bigint,
  heldSaid: bigint,
): void {
  if (seq !== account.seq + 1) violated('seq_dense', { account: account.id, seq: account.seq, next: seq })
  if (balance !== balanceSaid || held !== heldSaid) {
    violated('after_image_agrees', { account: account.id, seq, balance, balanceSaid, held, heldSaid })
  }
  if (held < 0n || held > minorMax || balance > minorMax || balance < minorMin) {
    violated('amounts_fit', { account: account.id, seq, balance, held })
  }
  if (account.status === 'closed') violated('closed_stands_still', { account: account.id, seq })
  const heldBefore = account.held
  const balanceBefore = account.balance
  account.seq = seq
  // The row's own objects: one bigint then lives on where there would be two.
  account.balance = balanceSaid
  account.held = heldSaid
  if (isCell(account)) return
  const after = available(account)
  if (after >= 0n) return
  // Below zero is legal where a limit was lowered under use: then it may stand still or rise.
  const gained = account.normal === 'credit' ? balance - balanceBefore : balanceBefore - balance
  if (gained - (held - heldBefore) < 0n) violated('no_overdraw', { account: account.id, seq, available: after })
}
