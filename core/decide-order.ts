// Deciding an order: cash, credit line, points and coupon of one customer, all or nothing, against the merchant's takings. What the coupon takes
// off and what the points are worth follow from the catalog; with cash and credit they must be the total exactly.
//
// Of what several refusals apply the first is returned: accounts, campaign and program that do not exist, closed, frozen, assets, amounts, same_account;
// coupon_not_held, coupon_not_started, coupon_expired, coupon_minimum_not_met; order_not_balanced; then what each part lacks, in the
// order in which they are booked: insufficient_funds, credit_line_exceeded, points_insufficient.
import { type Account, available } from './account.ts'
import type { Asset } from './asset.ts'
import { type Campaign, couponAsset, type Program } from './catalog.ts'
import type { Refusal } from './code.ts'
import type { PlaceOrder } from './command.ts'
import { usableCoupon } from './decide-coupon.ts'
import { burnPoints, pointLots } from './decide-points.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { couponAccounts, merchantAccount, pointsAccounts, promotionAccount } from './house.ts'
import { type Lot, pointsDefault } from './lots.ts'
import { formatMinor, parseAmount } from './money.ts'
import type { PartitionState, Received } from './partition.ts'
import type { Facts } from './transaction.ts'
import { fundsFacts } from './transfer.ts'

/** What an order names, all of it there. */
interface Parts {
  readonly cash: Readonly<Account> | undefined
  readonly line: Readonly<Account> | undefined
  readonly program: Program | undefined
  readonly campaign: Campaign | undefined
  readonly money: Asset
}

/** In minor units. */
interface Amounts {
  readonly total: bigint
  readonly cash: bigint
  readonly credit: bigint
  readonly points: bigint
  readonly pointsValue: bigint
  readonly discount: bigint
}

export function decideOrder(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: PlaceOrder,
): Decision {
  const parts = partsOf(state, command)
  if (typeof parts === 'string') return declined(state, received, at, parts)
  const given = amountsGiven(state, command, parts)
  if (typeof given === 'string') return declined(state, received, at, given)
  if (parts.cash !== undefined && parts.cash === parts.line) return declined(state, received, at, 'same_account')
  const coupon = parts.campaign === undefined ? undefined : usableCoupon(state, command.owner, parts.campaign, at)
  if (typeof coupon === 'string') return declined(state, received, at, coupon)
  if (parts.campaign !== undefined && given.total < minorOf(parts.campaign.minimumSpend, parts.money)) {
    return declined(state, received, at, 'coupon_minimum_not_met')
  }
  const discount = parts.campaign === undefined ? 0n : discountOf(parts.campaign, given.total, parts.money)
  const amounts: Amounts = { ...given, discount }
  const facts = factsOf(amounts, parts)
  const sum = amounts.cash + amounts.credit + amounts.pointsValue + discount
  if (sum !== given.total) {
    const { scale } = parts.money
    const said = { total: formatMinor(given.total, scale), sum: formatMinor(sum, scale), ...facts }
    return declined(state, received, at, 'order_not_balanced', said)
  }
  const draft = new Draft(state)
  const refusal = book(draft, state, at, command, parts, amounts, coupon)
  if (refusal !== undefined) return declined(state, received, at, refusal.code, refusal.facts)
  return accepted(state, received, at, draft.rows(), facts)
}

function partsOf(state: Readonly<PartitionState>, command: PlaceOrder): Parts | Refusal {
  const { accounts, catalog } = state
  const cash = command.cash === undefined ? undefined : accounts.get(command.cash.account)
  const line = command.credit === undefined ? undefined : accounts.get(command.credit.creditLine)
  if (command.cash !== undefined && cash === undefined) return 'account_not_found'
  if (command.credit !== undefined && line === undefined) return 'account_not_found'
  const campaign = command.coupon === undefined ? undefined : catalog.campaigns.get(command.coupon.campaign)
  if (command.coupon !== undefined && campaign === undefined) return 'campaign_not_found'
  const program =
    command.points === undefined ? undefined : catalog.programs.get(command.points.program ?? pointsDefault)
  if (command.points !== undefined && program === undefined) return 'program_not_found'
  for (const account of [cash, line]) if (account?.status === 'closed') return 'account_closed'
  for (const account of [cash, line]) if (account?.status === 'frozen') return 'account_frozen'
  const code = cash?.asset.code ?? line?.asset.code ?? program?.asset ?? campaign?.asset ?? command.asset
  const money = code === undefined ? undefined : catalog.assets.get(code)
  if (money === undefined) return 'asset_mismatch'
  for (const other of [line?.asset.code, program?.asset, campaign?.asset, command.asset]) {
    if (other !== undefined && other !== code) return 'asset_mismatch'
  }
  return { cash, line, program, campaign, money }
}

function amountsGiven(
  { catalog }: Readonly<PartitionState>,
  command: PlaceOrder,
  { money, program }: Parts,
): Omit<Amounts, 'discount'> | Refusal {
  const total = parseAmount(command.total, money.scale)
  if (typeof total === 'string') return total
  const cash = command.cash === undefined ? 0n : parseAmount(command.cash.amount, money.scale)
  if (typeof cash === 'string') return cash
  const credit = command.credit === undefined ? 0n : parseAmount(command.credit.amount, money.scale)
  if (typeof credit === 'string') return credit
  if (command.points === undefined || program === undefined) {
    return { total, cash, credit, points: 0n, pointsValue: 0n }
  }
  const scale = catalog.assets.get(program.code)?.scale ?? 0
  const points = parseAmount(command.points.amount, scale)
  if (typeof points === 'string') return points
  const pointsValue = (points * minorOf(program.worth, money)) / minorOf(program.points, { scale })
  // Too few to be worth the smallest unit: they would be burnt for nothing.
  return pointsValue === 0n ? 'amount_scale' : { total, cash, credit, points, pointsValue }
}

/** Of a decimal that was checked when it was put into the catalog. */
function minorOf(text: string, { scale }: Pick<Asset, 'scale'>): bigint {
  const minor = parseAmount(text, scale)
  return typeof minor === 'string' ? 0n : minor
}

/** Never more than the total; a share of it is rounded down. */
function discountOf({ discount }: Campaign, total: bigint, money: Asset): bigint {
  let amount: bigint
  if (discount.kind === 'fixed') amount = minorOf(discount.amount, money)
  else {
    amount = (total * minorOf(discount.percent, { scale: percentScale })) / (100n * 10n ** BigInt(percentScale))
    const cap = discount.cap === undefined ? undefined : minorOf(discount.cap, money)
    if (cap !== undefined && cap < amount) amount = cap
  }
  return amount < total ? amount : total
}

const percentScale = 4

/** What the catalog made of the order, so that it can be answered and refunded whatever the catalog says later. */
function factsOf({ pointsValue, discount }: Amounts, { money, campaign }: Parts): Facts | undefined {
  if (pointsValue === 0n && campaign === undefined) return undefined
  return {
    ...(pointsValue === 0n ? {} : { pointsValue: formatMinor(pointsValue, money.scale) }),
    ...(campaign === undefined
      ? {}
      : { discount: formatMinor(discount, money.scale), returnPolicy: campaign.returnPolicy }),
  }
}

type Lacking = { readonly code: Refusal; readonly facts?: Facts | undefined } | undefined

function book(
  draft: Draft,
  state: Readonly<PartitionState>,
  at: number,
  command: PlaceOrder,
  { cash, line, program, campaign, money }: Parts,
  amounts: Amounts,
  coupon: Lot | undefined,
): Lacking {
  const merchant = merchantAccount(command.merchant)
  const move = (from: string, to: string, asset: Asset, amount: bigint): Lacking => {
    const code = amount === 0n ? undefined : draft.book('order', from, to, asset, amount)
    return code === undefined ? undefined : { code, facts: draft.facts }
  }
  let lacking = cash === undefined ? undefined : move(cash.id, merchant, money, amounts.cash)
  if (lacking !== undefined) return lacking
  if (line !== undefined) {
    if (available(line) < amounts.credit) {
      return { code: 'credit_line_exceeded', facts: fundsFacts(line, amounts.credit) }
    }
    lacking = move(line.id, merchant, money, amounts.credit)
    if (lacking !== undefined) return lacking
  }
  const pointsAsset = program === undefined ? undefined : state.catalog.assets.get(program.code)
  if (pointsAsset !== undefined) {
    const lots = pointLots(state, command.owner, pointsAsset.code)
    lacking =
      burnPoints(draft, 'order', lots, pointsAsset, amounts.points, state.rules.dateOf(at)) ??
      move(pointsAccounts.funding, merchant, money, amounts.pointsValue)
    if (lacking !== undefined) return lacking
  }
  if (campaign === undefined || coupon === undefined) return undefined
  const { redeemed } = couponAccounts(campaign.code)
  return (
    move(coupon.account.id, redeemed, couponAsset(campaign.code), 1n) ??
    move(promotionAccount(campaign.code), merchant, money, amounts.discount)
  )
}
