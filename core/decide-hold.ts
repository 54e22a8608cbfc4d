// Deciding what happens to reserved amounts on request: hold, capture, release. Their expiry is in `expire.ts`.
import { type Account, available, isCell } from './account.ts'
import { startJoint } from './across/coordinate.ts'
import { livesElsewhere, transitId } from './across/joint.ts'
import { fits } from './across/pledge.ts'
import type { Refusal } from './code.ts'
import type { Capture, PlaceHold, Refund, Release } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import type { Hold } from './hold.ts'
import { type IdKey, isHouse } from './identity.ts'
import { violated } from './invariant.ts'
import { formatMinor, minorMax, normalizeDecimal, parseAmount } from './money.ts'
import { isForAnother } from './owner.ts'
import { accountName, type PartitionState, type Received } from './partition.ts'
import { capturedRows, type Row, reservedRow, sidelessRow } from './row.ts'
import type { Facts, Remembered } from './transaction.ts'
import { fundsFacts, lowersAsTo, refusalOfTransfer, residentSides } from './transfer.ts'

/** `remembered`: what is known of the hold's own id, which was not decided before: a tombstone, or nothing. */
export function decideHold(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: PlaceHold,
  remembered: Remembered | undefined,
): Decision {
  const far = isForAnother(command) ? command.to : undefined
  // The account of another owner is not looked at before a capture moves something there, whether it lives in this partition or elsewhere.
  const to = far === undefined ? command.to : transitId
  const resident = residentSides(state, command.account, to, command.asset)
  const draft = resident === undefined ? new Draft(state) : undefined
  const sides = resident ?? draft?.heldSides(command.account, to, command.asset) ?? 'account_not_found'
  if (typeof sides === 'string') return declined(state, received, at, sides)
  const { from: account, to: receiver } = sides
  if (account.status === 'closed' || receiver.status === 'closed') {
    return declined(state, received, at, 'account_closed')
  }
  // A hold lowers what is available of any account, whichever its normal side.
  if (account.status === 'frozen') return declined(state, received, at, 'account_frozen')
  if (account.asset.code !== receiver.asset.code) return declined(state, received, at, 'asset_mismatch')
  if (command.asset !== undefined && command.asset !== account.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const amount = parseAmount(command.amount, account.asset.scale)
  if (typeof amount === 'string') return declined(state, received, at, amount)
  if (account.key === receiver.key) return declined(state, received, at, 'same_account')
  if (remembered !== undefined && hasTombstone(remembered)) return declined(state, received, at, 'hold_released')
  const expiresAt = expiryOf(command, at)
  if (expiresAt !== undefined && expiresAt <= at) return declined(state, received, at, 'hold_expired')
  if (!isCell(account) && available(account) < amount) {
    return declined(state, received, at, 'insufficient_funds', fundsFacts(account, amount))
  }
  const held = account.held + amount
  if (held > minorMax) return declined(state, received, at, 'amount_overflow')
  // From here the hold must succeed.
  const row = reservedRow('hold', 0, amount, account, account.seq + 1, account.balance, held, receiver, undefined, far)
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
  if (hasRunOut(hold, at)) return declined(state, received, at, 'hold_expired')
  const left = leftOf(state, hold)
  if (left === 0n) return declined(state, received, at, 'hold_captured')
  const amount = given ?? left
  if (hold.far !== undefined) return captureForAnother(state, received, at, command, account, hold, amount, left)
  const to = receiverOf(state, hold)
  if (to.status === 'closed') return declined(state, received, at, 'account_closed')
  if (amount > left) return declined(state, received, at, 'capture_exceeds_hold')
  // What is captured was made sure of when it was held; only the other side can still lack room.
  if (lowersAsTo(to) && available(to) < amount) {
    return declined(state, received, at, 'insufficient_funds', fundsFacts(to, amount))
  }
  if (!fits(account, amount, 0n) || !fits(to, 0n, amount)) return declined(state, received, at, 'amount_overflow')
  // From here the capture must succeed.
  return accepted(state, received, at, capturedRows(amount, account, hold, to, command.final))
}

/**
 * What another owner gets is decided where he lives: here and now, or by his partition, as the last agent, with what is captured staying held
 * until it has answered. First what this owner has, then the other's account; a refusal says nothing of what the other has.
 */
function captureForAnother(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Capture,
  account: Account,
  hold: Hold,
  amount: bigint,
  left: bigint,
): Decision {
  const { far = '', to: transit } = hold
  const { asset, id: from } = account
  if (amount > left) return declined(state, received, at, 'capture_exceeds_hold')
  if (livesElsewhere(state, far)) {
    const leg = { from, to: far, amount: normalizeDecimal(formatMinor(amount, asset.scale)) }
    const move = { from, to: transit.id, amount, asset: asset.code, far }
    const legs = [{ ...leg, asset: command.asset, known: asset.code }]
    const plan = { kind: 'capture', legs, link: hold.idKey, part: { moves: [move], holds: [] } } as const
    return startJoint(state, received, command, at, plan)
  }
  if (!fits(account, amount, 0n)) return declined(state, received, at, 'amount_overflow')
  const draft = new Draft(state)
  const to = draft.receiver(far, asset, command.asset !== undefined)
  if (to === undefined) return declined(state, received, at, 'account_not_found')
  const refusal = refusalOfTransfer(receiverOf(state, hold), to, asset.code, amount)
  if (refusal !== undefined) return declined(state, received, at, refusal)
  return accepted(state, received, at, draft.rows(...capturedRows(amount, account, hold, to, command.final)))
}

/** Only a capture under way, which was in time, keeps it open then. */
const hasRunOut = ({ expiresAt }: Hold, at: number): boolean => expiresAt !== undefined && expiresAt <= at

/** What undecided captures have no claim to. */
function leftOf({ joints }: Readonly<PartitionState>, { idKey, remaining }: Hold): bigint {
  const taken = joints.underWay.get(idKey)
  return taken === undefined ? remaining : taken.whole ? 0n : remaining - taken.amount
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
  if (hold !== undefined) {
    if (hasRunOut(hold, at)) return declined(state, received, at, 'hold_expired')
    const left = leftOf(state, hold)
    if (left === 0n) return declined(state, received, at, 'hold_captured')
    return accepted(state, received, at, [releasedRow(account, hold, left)])
  }
  const refusal = whyNotOpen(state.remembered.get(holdKey), account, at)
  if (refusal !== undefined) return declined(state, received, at, refusal)
  // It came before its hold: the late hold will find the tombstone.
  return accepted(state, received, at, [sidelessRow('tombstone', 0, holdKey)])
}

const releasedRow = (account: Readonly<Account>, { idKey, to, far }: Hold, amount: bigint): Row =>
  reservedRow('release', 0, amount, account, account.seq + 1, account.balance, account.held - amount, to, idKey, far)

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
