// Deciding what is done to points: earned into the lot of their last day, redeemed from the lots that expire first, burnt when their day is
// over. What a point is worth in money is the orders' business (`decide-order.ts`).
import { available } from './account.ts'
import type { Asset } from './asset.ts'
import type { Refusal } from './code.ts'
import type { EarnPoints, ExpirePoints, RedeemPoints } from './command.ts'
import { accepted, type Decision, declined, nothing } from './decision.ts'
import { Draft } from './draft.ts'
import { pointsAccounts } from './house.ts'
import { violated } from './invariant.ts'
import { earnedLotId, type Lot, lastDayOf, pointsDefault } from './lots.ts'
import { formatMinor, parseAmount } from './money.ts'
import type { PartitionState, Received } from './partition.ts'
import type { PostedKind } from './row.ts'
import type { Facts } from './transaction.ts'

export function decideEarn(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: EarnPoints,
): Decision {
  const asset = programOf(state, command.asset)
  if (asset === undefined) return declined(state, received, at, 'asset_mismatch')
  const lastDay = lastDayOf(command.expiresOn) ?? violated('expires_on_syntax', { expiresOn: command.expiresOn })
  const lotId = earnedLotId(command)
  const amount = parseAmount(command.amount, asset.scale)
  // Of the account before the amount, as everywhere: see the order in `decide.ts`.
  if (state.accounts.get(lotId)?.status === 'closed') return declined(state, received, at, 'account_closed')
  if (typeof amount === 'string') return declined(state, received, at, amount)
  if (lastDay < state.rules.dateOf(at)) return declined(state, received, at, 'points_expired')
  const draft = new Draft(state)
  const refusal = draft.book('points.earn', pointsAccounts.issued, lotId, asset, amount)
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

export function decideRedeem(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: RedeemPoints,
): Decision {
  const asset = programOf(state, command.asset)
  if (asset === undefined) return declined(state, received, at, 'asset_mismatch')
  const amount = parseAmount(command.amount, asset.scale)
  if (typeof amount === 'string') return declined(state, received, at, amount)
  const draft = new Draft(state)
  const refusal = burnPoints(
    draft,
    'points.redeem',
    pointLots(state, command.owner, asset.code),
    asset,
    amount,
    state.rules.dateOf(at),
  )
  if (refusal !== undefined) return declined(state, received, at, refusal.code, refusal.facts)
  return accepted(state, received, at, draft.rows())
}

/** Nothing is left to expire most times: then nothing is stored. */
export function decideExpirePoints(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: ExpirePoints,
): Decision {
  const today = state.rules.dateOf(at)
  const draft = new Draft(state)
  let expired = 0
  for (const { account, kind, lastDay } of allLots(state, command.owner)) {
    // What is held is somebody's until the hold ends; a frozen lot waits until it is open again.
    const amount = account.balance - account.held
    if (kind !== 'points' || lastDay >= today || account.status !== 'open' || amount <= 0n) continue
    const refusal = draft.book('points.expire', account.id, pointsAccounts.expired, account.asset, amount)
    if (refusal !== undefined) violated('expiry_is_never_refused', { lot: account.id, refusal })
    expired++
  }
  return expired === 0 ? nothing : accepted(state, received, at, draft.rows())
}

/** Takes an amount from lots, those that expire first first; a lot whose day is over, or that is not open, is passed by. */
export function burnPoints(
  draft: Draft,
  kind: PostedKind,
  lots: readonly Lot[],
  asset: Asset,
  amount: bigint,
  today: number,
): { readonly code: Refusal; readonly facts?: Facts | undefined } | undefined {
  let usable = 0n
  for (const lot of lots) usable += usableOf(lot, today)
  if (usable < amount) {
    const facts = { available: formatMinor(usable, asset.scale), needed: formatMinor(amount, asset.scale) }
    return { code: 'points_insufficient', facts }
  }
  let left = amount
  for (const lot of lots) {
    const usableHere = usableOf(lot, today)
    const part = usableHere < left ? usableHere : left
    if (part === 0n) continue
    const code = draft.book(kind, lot.account.id, pointsAccounts.redeemed, asset, part)
    if (code !== undefined) return { code, facts: draft.facts }
    left -= part
    if (left === 0n) break
  }
  return undefined
}

function usableOf({ account, lastDay }: Lot, today: number): bigint {
  if (lastDay < today || account.status !== 'open') return 0n
  const amount = available(account)
  return amount > 0n ? amount : 0n
}

/** The asset of a program; points are whatever the ledger counts in an asset that opens by itself. */
const programOf = (state: Readonly<PartitionState>, given: string | undefined): Asset | undefined => {
  const asset = state.catalog.assets.get(given ?? pointsDefault)
  return asset?.autoOpen === true ? asset : undefined
}

export const pointLots = (state: Readonly<PartitionState>, owner: string, program: string): readonly Lot[] =>
  allLots(state, owner).filter(({ kind, account }) => kind === 'points' && account.asset.code === program)

export const allLots = ({ lots }: Readonly<PartitionState>, owner: string): readonly Lot[] =>
  lots.allOf(owner) ?? violated('lots_resident', { owner })
