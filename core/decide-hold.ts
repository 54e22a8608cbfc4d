// Deciding what happens to reserved amounts on request: hold, capture, release. Their expiry is in `expire.ts`.
import { type Account, available, isCell } from './account.ts'
import { fits } from './across/pledge.ts'
import type { Refusal } from './code.ts'
import type { Capture, PlaceHold, Refund, Release } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import type { Hold } from './hold.ts'
import { type IdKey, isHouse } from './identity.ts'
import { violated } from './invariant.ts'
import { minorMax, parseAmount } from './money.ts'
import { accountName, type PartitionState, type Received } from './partition.ts'
import { capturedRow, type Row, reservedRow, sidelessRow } from './row.ts'
import type { Facts, Remembered } from './transaction.ts'
import { fundsFacts, lowersAsTo, residentSides } from './transfer.ts'

/** `remembered`: what is known of the hold's own id, which was not decided before: a tombstone, or nothing. */
export function decideHold(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: PlaceHold,
  remembered: Remembered | undefined,
): Decision {
  const resident = residentSides(state, command.account, command.to, command.asset)
  const draft = resident === undefined ? new Draft(state) : undefined
  const sides = resident ?? draft?.sides(command.account, command.to, command.asset, false) ?? 'account_not_found'
  if (typeof sides === 'string') return declined(state, received, at, sides)
  const { from: account, to } = sides
  if (account.status === 'closed' || to.status === 'closed') return declined(state, received, at, 'account_closed')
  // A hold lowers what is available of any account, whichever its normal side.
  if (account.status === 'frozen') return declined(state, received, at, 'account_frozen')
  if (account.asset.code !== to.asset.code) return declined(state, received, at, 'asset_mismatch')
  if (command.asset !== undefined && command.asset !== account.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const amount = parseAmount(command.amount, account.asset.scale)
  if (typeof amount === 'string') return declined(state, received, at, amount)
  if (account.key === to.key) return declined(state, received, at, 'same_account')
  if (remembered !== undefined && hasTombstone(remembered)) return declined(state, received, at, 'hold_released')
  const expiresAt = expiryOf(command, at)
  if (expiresAt !== undefined && expiresAt <= at) return declined(state, received, at, 'hold_expired')
  if (!isCell(account) && available(account) < amount) {
    return declined(state, received, at, 'insufficient_funds', fundsFacts(account, amount))
  }
  const held = account.held + amount
  if (held > minorMax) return declined(state, received, at, 'amount_overflow')
  // From here the hold must succeed.
  const row = reservedRow('hold', 0, amount, account, account.seq + 1, account.balance, held, to, undefined)
  const facts: Facts | undefined = expiresAt === undefined ? undefined : { expiresAt }
  return accepted(state, received, at, draft === undefined ? [row] : draft.rows(row), facts)
}

/** Epoch milliseconds; undefined: never. Intake has checked that `expiresAt` is a time that Date reads. */
function expiryOf({ expiresAt, expiresIn }: PlaceHold, at: number): number | undefined {
  if (expiresIn !== undefined) return at + expiresIn * 1000
  if (expiresAt === undefined) return undefined
  const ms = Date.parse(expiresAt)
  return Number.isNaN(ms) ? violated('expires_at_syntax', { expiresAt }) : ms
}

export function decideCapture(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Capture,
): Decision {
  const account = accountOf(state, command)
  if (typeof account === 'string') return declined(state, received, at, account)
  if (account.status === 'closed') return declined(state, received, at, 'account_closed')
  if (command.asset !== undefined && command.asset !== account.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const given = command.amount === undefined ? undefined : parseAmount(command.amount, account.asset.scale)
  if (typeof given === 'string') return declined(state, received, at, given)
  const holdKey = referred(received)
  const hold = account.holds.get(holdKey)
  if (hold === undefined) {
    return declined(state, received, at, whyNotOpen(state.remembered.get(holdKey), account, at) ?? 'hold_not_found')
  }
  const to = receiverOf(state, hold)
  if (to.status === 'closed') return declined(state, received, at, 'account_closed')
  const amount = given ?? hold.remaining
  if (amount > hold.remaining) return declined(state, received, at, 'capture_exceeds_hold')
  // What is captured was made sure of when it was held; only the other side can still lack room.
  if (lowersAsTo(to) && available(to) < amount) {
    return declined(state, received, at, 'insufficient_funds', fundsFacts(to, amount))
  }
  if (!fits(account, amount, 0n) || !fits(to, 0n, amount)) return declined(state, received, at, 'amount_overflow')
  // From here the capture must succeed.
  const captured = capturedRow(amount, account, to, holdKey)
  const rest = hold.remaining - amount
  if (!command.final || rest === 0n) return accepted(state, received, at, [captured])
  const { fromSeq, fromBalance, fromHeld } = captured
  const released = reservedRow('release', 1, rest, account, fromSeq + 1, fromBalance, fromHeld - rest, to, holdKey)
  return accepted(state, received, at, [captured, released])
}

export function decideRelease(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Release,
): Decision {
  const account = accountOf(state, command)
  if (typeof account === 'string') return declined(state, received, at, account)
  if (account.status === 'closed') return declined(state, received, at, 'account_closed')
  if (command.asset !== undefined && command.asset !== account.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const holdKey = referred(received)
  const hold = account.holds.get(holdKey)
  if (hold !== undefined) return accepted(state, received, at, [releasedRow(account, hold)])
  const refusal = whyNotOpen(state.remembered.get(holdKey), account, at)
  if (refusal !== undefined) return declined(state, received, at, refusal)
  // It came before its hold: the late hold will find the tombstone.
  return accepted(state, received, at, [sidelessRow('tombstone', 0, holdKey)])
}

const releasedRow = (account: Readonly<Account>, { idKey, remaining, to }: Hold): Row =>
  reservedRow('release', 0, remaining, account, account.seq + 1, account.balance, account.held - remaining, to, idKey)

/** The account that a command names beside a hold or an original; of the house: the cell of the given asset. */
export function accountOf(
  state: Readonly<PartitionState>,
  { account, asset }: Capture | Release | Refund,
): Account | Refusal {
  if (!isHouse(account)) return state.accounts.get(account) ?? 'account_not_found'
  if (asset === undefined || !state.catalog.assets.has(asset)) return 'asset_mismatch'
  return state.accounts.get(accountName(account, asset)) ?? 'account_not_found'
}

export const referred = ({ refKey, command }: Received): IdKey =>
  refKey ?? violated('ref_key_given', { type: command.type })

const receiverOf = ({ accounts }: Readonly<PartitionState>, { to, id }: Hold): Account =>
  accounts.get(accountName(to.id, to.asset.code)) ?? violated('receiver_of_hold_resident', { hold: id, to: to.id })

const hasTombstone = ({ links }: Remembered): boolean => links.some(({ kind }) => kind === 'tombstone')

/** What became of a hold that is not open on this account; undefined: nothing is known of its id. */
function whyNotOpen(remembered: Remembered | undefined, account: Readonly<Account>, at: number): Refusal | undefined {
  if (remembered === undefined) return undefined
  const { decided, links } = remembered
  if (decided === undefined) return hasTombstone(remembered) ? 'hold_released' : undefined
  if (decided.command.type !== 'hold') return 'hold_not_found'
  const placed = decided.rows.find(({ kind, code }) => kind === 'hold' && code === 0)
  if (placed === undefined) return hasTombstone(remembered) ? 'hold_released' : 'hold_not_found'
  if (placed.from?.key !== account.key) return 'hold_not_found'
  let remaining = placed.amount
  for (const { amount } of links) remaining -= amount
  const last = links.at(-1)
  if (remaining === 0n && last !== undefined) {
    if (last.kind === 'expire') return 'hold_expired'
    // A release behind another leg is the rest of a final capture.
    return last.kind === 'capture' || last.leg > 0 ? 'hold_captured' : 'hold_released'
  }
  // The row that ended it is of a batch still committing, which the load of this transaction could not see. All that end a hold name it,
  // and so keep it resident, but one: an expiry on the way of some other command.
  const expiresAt = decided.facts?.expiresAt
  if (expiresAt !== undefined && expiresAt <= at) return 'hold_expired'
  return violated('hold_open_or_ended', { account: account.id, hold: decided.command.id, remaining })
}
