// The one primitive: an amount of one asset from one account to another. Finding its two accounts, and the checks that every transfer
// must pass, in their order of precedence. What is done with a transfer that passes is decided by the types of command.
import { type Account, available, isCell } from './account.ts'
import { fits } from './across/pledge.ts'
import type { Refusal } from './code.ts'
import { isHouse } from './identity.ts'
import { type AmountRefusal, formatMinor, minorMax, minorMin } from './money.ts'
import { accountName, type PartitionState } from './partition.ts'
import type { Facts } from './transaction.ts'

/** The accounts of a transfer as they stand for it: live ones, or copies that earlier rows of the same transaction have changed. */
export interface Sides {
  readonly from: Readonly<Account>
  readonly to: Readonly<Account>
}

/**
 * Both accounts if both are there. A house account is a cell of the other account's asset; the given asset names it only where there is no
 * other account. Undefined: an account does not exist or must open first (see `draft.ts`).
 */
export function residentSides(
  { accounts }: Readonly<PartitionState>,
  fromId: string,
  toId: string,
  assetGiven: string | undefined,
): Sides | undefined {
  const fromHouse = isHouse(fromId)
  const toHouse = isHouse(toId)
  let from = fromHouse ? undefined : accounts.get(fromId)
  let to = toHouse ? undefined : accounts.get(toId)
  if (fromHouse || toHouse) {
    const assetCode = from !== undefined ? from.asset.code : to !== undefined ? to.asset.code : assetGiven
    if (assetCode === undefined) return undefined
    if (fromHouse) from = accounts.get(accountName(fromId, assetCode))
    if (toHouse) to = accounts.get(accountName(toId, assetCode))
  }
  return from === undefined || to === undefined ? undefined : { from, to }
}

/** A debit takes from what a credit-normal account has available; a debit-normal one gets more room by it. */
export const lowersAsFrom = (account: Readonly<Account>): boolean => account.normal === 'credit' && !isCell(account)
/** A credit takes from what a debit-normal account has available: a loan cannot be paid back further than to nothing. */
export const lowersAsTo = (account: Readonly<Account>): boolean => account.normal === 'debit' && !isCell(account)

/**
 * The checks of a posted transfer between accounts that exist, in the order of precedence that `decide.ts` states. `amount` as `parseAmount`
 * gave it for the asset of `from`. Undefined: it may be posted.
 */
export function refusalOfTransfer(
  from: Readonly<Account>,
  to: Readonly<Account>,
  assetGiven: string | undefined,
  amount: bigint | AmountRefusal,
): Refusal | undefined {
  if (from.status === 'closed' || to.status === 'closed') return 'account_closed'
  if (from.status === 'frozen' && lowersAsFrom(from)) return 'account_frozen'
  if (to.status === 'frozen' && lowersAsTo(to)) return 'account_frozen'
  if (from.asset.code !== to.asset.code) return 'asset_mismatch'
  if (assetGiven !== undefined && assetGiven !== from.asset.code) return 'asset_mismatch'
  if (typeof amount === 'string') return amount
  if (from.key === to.key) return 'same_account'
  if (shortSide(from, to, amount) !== undefined) return 'insufficient_funds'
  if (from.balance - amount < minorMin || to.balance + amount > minorMax) return 'amount_overflow'
  if (from.pledge === undefined && to.pledge === undefined) return undefined
  return fits(from, amount, 0n) && fits(to, 0n, amount) ? undefined : 'amount_overflow'
}

/** The account whose available amount does not cover a posted transfer, `from` first; undefined: none. */
export function shortSide(
  from: Readonly<Account>,
  to: Readonly<Account>,
  amount: bigint,
): Readonly<Account> | undefined {
  if (lowersAsFrom(from) && available(from) < amount) return from
  if (lowersAsTo(to) && available(to) < amount) return to
  return undefined
}

/** What a refused transfer is answered with beside its code: the figures of `insufficient_funds`, as the outside sees them. */
export function factsOfTransfer(
  refusal: Refusal,
  { from, to }: Sides,
  amount: bigint | AmountRefusal,
): Facts | undefined {
  if (refusal !== 'insufficient_funds' || typeof amount === 'string') return undefined
  return fundsFacts(shortSide(from, to, amount) ?? from, amount)
}

export const fundsFacts = (account: Readonly<Account>, needed: bigint): Facts => ({
  available: formatMinor(available(account), account.asset.scale),
  needed: formatMinor(needed, account.asset.scale),
})
