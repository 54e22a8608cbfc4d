// Deciding what is done to coupons: claimed out of a campaign's stock, redeemed (burnt), taken back. Stock, quota and coupon are accounts, so each of
// these is one transfer or two; window, limit and validity are looked at by the time of the command.
import type { Campaign } from './catalog.ts'
import { couponAsset } from './catalog.ts'
import type { Refusal } from './code.ts'
import type { ClaimCoupon, RedeemCoupon, ReturnCoupon } from './command.ts'
import { stockOf } from './decide-catalog.ts'
import { referred } from './decide-hold.ts'
import { allLots } from './decide-points.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { couponAccounts } from './house.ts'
import { couponLotId, type Lot, quotaId } from './lots.ts'
import type { PartitionState, Received } from './partition.ts'
import type { Row } from './row.ts'

export function decideClaim(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: ClaimCoupon,
): Decision {
  const campaign = state.catalog.campaigns.get(command.campaign)
  if (campaign === undefined) return declined(state, received, at, 'campaign_not_found')
  const { owner } = command
  const { code, validDays, limitPerCustomer } = campaign
  const asset = couponAsset(code)
  const lotId = couponLotId(owner, code, validDays === undefined ? undefined : state.rules.dateOf(at) + validDays)
  const quota = state.accounts.get(quotaId(owner, code))
  if (quota?.status === 'closed' || state.accounts.get(lotId)?.status === 'closed') {
    return declined(state, received, at, 'account_closed')
  }
  if (command.asset !== undefined && command.asset !== asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  if (at < campaign.claimFrom) return declined(state, received, at, 'coupon_not_started')
  if (at >= campaign.claimUntil) return declined(state, received, at, 'coupon_expired')
  if (limitPerCustomer !== undefined && quota !== undefined && quota.balance >= BigInt(limitPerCustomer)) {
    return declined(state, received, at, 'coupon_limit_reached')
  }
  if (stockOf(state, code) <= 0n) {
    // Nothing is left here; whether anything is left at all is another question, unless it was answered.
    return state.exhausted.has(code) ? declined(state, received, at, 'coupon_exhausted') : { kind: 'stock_elsewhere' }
  }
  const names = couponAccounts(code)
  const draft = new Draft(state)
  const refusal =
    draft.book('coupon.claim', names.stock, lotId, asset, 1n) ??
    draft.book('coupon.claim', names.claimed, quotaId(owner, code), asset, 1n)
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

export function decideRedeemCoupon(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: RedeemCoupon,
): Decision {
  const campaign = state.catalog.campaigns.get(command.campaign)
  if (campaign === undefined) return declined(state, received, at, 'campaign_not_found')
  const asset = couponAsset(campaign.code)
  if (command.asset !== undefined && command.asset !== asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const lot = usableCoupon(state, command.owner, campaign, at)
  if (typeof lot === 'string') return declined(state, received, at, lot)
  const draft = new Draft(state)
  const { redeemed } = couponAccounts(campaign.code)
  const refusal = draft.book('coupon.redeem', lot.account.id, redeemed, asset, 1n, referred(received))
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

/**
 * Takes the last redemption back that was made for the same order and not taken back yet; without `order` those made without one. A coupon
 * comes back to where it was, as good or as expired as it would be by now.
 */
export function decideReturnCoupon(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: ReturnCoupon,
): Decision {
  const campaign = state.catalog.campaigns.get(command.campaign)
  if (campaign === undefined) return declined(state, received, at, 'campaign_not_found')
  if (command.asset !== undefined && command.asset !== couponAsset(campaign.code).code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const link = referred(received)
  const redemption = openRedemption(state.remembered.get(link)?.links ?? [])
  if (redemption === undefined) return declined(state, received, at, 'original_not_found')
  if (campaign.returnPolicy === 'burn') return declined(state, received, at, 'original_not_refundable')
  const draft = new Draft(state)
  const refusal = draft.giveBack(redemption, link, 'coupon.return')
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

function openRedemption(links: readonly Row[]): Row | undefined {
  const open: Row[] = []
  for (const row of links) {
    if (row.kind === 'coupon.redeem') open.push(row)
    else if (row.kind === 'coupon.return') {
      const at = open.findLastIndex(({ from }) => from?.key === row.to?.key)
      if (at !== -1) open.splice(at, 1)
    }
  }
  return open.at(-1)
}

/** The coupon that expires first of those that are good at the time; of several reasons why there is none, the one nearest to being good. */
export function usableCoupon(
  state: Readonly<PartitionState>,
  owner: string,
  campaign: Campaign,
  at: number,
): Lot | Refusal {
  const asset = couponAsset(campaign.code).code
  const today = state.rules.dateOf(at)
  let refusal: Refusal = 'coupon_not_held'
  for (const lot of allLots(state, owner)) {
    const { account, kind, of, lastDay } = lot
    if (kind !== 'coupon' || of !== campaign.code || account.asset.code !== asset) continue
    if (account.balance - account.held < 1n || account.status === 'closed') continue
    const why = whyNotGood(campaign, lastDay, today, at)
    if (why !== undefined) refusal = why
    else if (account.status === 'frozen') refusal = 'account_frozen'
    else return lot
  }
  return refusal
}

function whyNotGood(
  { validFrom, validUntil }: Campaign,
  lastDay: number,
  today: number,
  at: number,
): Refusal | undefined {
  if (Number.isFinite(lastDay)) return lastDay < today ? 'coupon_expired' : undefined
  if (at < validFrom) return 'coupon_not_started'
  return at >= validUntil ? 'coupon_expired' : undefined
}
