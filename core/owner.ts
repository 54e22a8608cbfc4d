// Whose a command is: the owner places it in a partition and names its transaction. Nothing here looks at any state.
import type { Command, PlaceHold, PlaceOrder, Postings } from './command.ts'
import {
  couponAccounts,
  creditDrawnAccount,
  funderAccount,
  merchantAccount,
  pointsAccounts,
  promotionAccount,
} from './house.ts'
import { isHouse, ownerOfAccount } from './identity.ts'
import { earnedLotId, principalId, quotaId } from './lots.ts'

/** Owner of commands that name house accounts only. */
export const houseOwner = 'house'

/**
 * The owner of a command: that of `account` (debit, credit, hold, capture, release, refund and account commands), of `from` (transfer);
 * where that one is the house's, of the other side. Postings: the explicit `owner`, else their first account that is not the house's.
 * `house` where all accounts are.
 */
export function ownerOfCommand(command: Command): string {
  switch (command.type) {
    case 'debit':
    case 'hold':
      return ownerOfEither(command.account, command.to)
    case 'credit':
      return ownerOfEither(command.account, command.from)
    case 'transfer':
      return ownerOfEither(command.from, command.to)
    case 'postings':
      return command.owner ?? nonHouseOwnersOf(command)[0] ?? houseOwner
    case 'points.earn':
    case 'points.redeem':
    case 'points.expire':
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
    case 'order':
    case 'disbursement':
      return command.owner
    case 'settle':
      return ownerOfAccount(command.to)
    case 'catalog':
    case 'stock':
      return houseOwner
    case 'capture':
    case 'release':
    case 'refund':
    case 'open':
    case 'change':
    case 'expire':
      return ownerOfAccount(command.account)
  }
}

const ownerOfEither = (first: string, second: string): string => ownerOfAccount(isHouse(first) ? second : first)

/** Whether a hold is for somebody else than the one it is placed on. */
export const isForAnother = ({ account, to }: Pick<PlaceHold, 'account' | 'to'>): boolean =>
  !isHouse(account) && !isHouse(to) && ownerOfAccount(account) !== ownerOfAccount(to)

/** What is hashed to find the partition: the owner, or the transaction's id where the house has nobody on the other side. */
export function routingKeyOf(command: Command): string {
  const owner = ownerOfCommand(command)
  return owner === houseOwner ? command.id : owner
}

/** The owner among whose lots a command chooses; undefined: it looks at none but those that it names. */
export function lotsOwnerOf(command: Command): string | undefined {
  switch (command.type) {
    case 'points.redeem':
    case 'points.expire':
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
      return command.owner
    case 'order':
      return command.points === undefined && command.coupon === undefined ? undefined : command.owner
    default:
      return undefined
  }
}

/** The id of another transaction of its owner that a command refers to: that of the hold, of the original, or a name that others link to. */
export function referredIdOf(command: Command): string | undefined {
  switch (command.type) {
    case 'capture':
    case 'release':
      return command.hold
    case 'refund':
      return command.of
    // Redemptions for one order have no transaction of their own that a return could name: they are found by this name, which they link to.
    case 'coupon.redeem':
    case 'coupon.return':
      return `!coupon:${command.campaign}:${command.order ?? ''}`
    default:
      return undefined
  }
}

/** The accounts that a command itself names, as written, and those of the house that it always needs; one may come twice. */
export function accountIdsOf(command: Command): readonly string[] {
  switch (command.type) {
    case 'debit':
    case 'hold':
      return [command.account, command.to]
    case 'credit':
      return [command.from, command.account]
    case 'transfer':
      return [command.from, command.to]
    case 'postings':
      return command.transfers.flatMap(({ from, to }) => [from, to])
    case 'points.earn':
      return [pointsAccounts.issued, earnedLotId(command)]
    case 'points.redeem':
      return [pointsAccounts.redeemed]
    case 'points.expire':
      return [pointsAccounts.expired]
    case 'coupon.claim': {
      const { stock, claimed } = couponAccounts(command.campaign)
      return [stock, claimed, quotaId(command.owner, command.campaign)]
    }
    case 'coupon.redeem':
    case 'coupon.return':
      return [couponAccounts(command.campaign).redeemed]
    case 'order':
      return accountIdsOfOrder(command)
    case 'disbursement': {
      const { owner, loan, to, creditLine, funders } = command
      const ids = [principalId(owner, loan), to]
      if (creditLine !== undefined) ids.push(creditLine, creditDrawnAccount)
      for (const { account } of funders) ids.push(account, funderAccount(account))
      return ids
    }
    case 'settle':
      return [merchantAccount(command.merchant), command.to]
    case 'catalog': {
      if (command.kind !== 'campaign') return []
      const { issued, stock } = couponAccounts(command.code)
      return [issued, stock]
    }
    case 'stock': {
      const { stock, moving } = couponAccounts(command.campaign)
      return [stock, moving]
    }
    case 'capture':
    case 'release':
    case 'refund':
    case 'open':
    case 'change':
    case 'expire':
      return [command.account]
  }
}

function accountIdsOfOrder({ cash, points, coupon, credit, merchant }: PlaceOrder): readonly string[] {
  const ids = [merchantAccount(merchant)]
  if (cash !== undefined) ids.push(cash.account)
  if (credit !== undefined) ids.push(credit.creditLine)
  if (points !== undefined) ids.push(pointsAccounts.redeemed, pointsAccounts.funding)
  if (coupon !== undefined) ids.push(couponAccounts(coupon.campaign).redeemed, promotionAccount(coupon.campaign))
  return ids
}

/** Each owner but the house once, in order of appearance. More than one: the command spans partitions. */
export function nonHouseOwnersOf(command: Command): readonly string[] {
  const owners: string[] = []
  for (const accountId of accountIdsOf(command)) {
    if (isHouse(accountId)) continue
    const owner = ownerOfAccount(accountId)
    if (!owners.includes(owner)) owners.push(owner)
  }
  return owners
}

/**
 * What is wrong with the `owner` of postings, for intake: `required` where more than one owner but the house occurs, `not_an_owner` where it
 * is none of theirs (`house` only if all accounts are the house's). Undefined: nothing.
 */
export function postingsOwnerProblem(command: Postings): 'required' | 'not_an_owner' | undefined {
  const owners = nonHouseOwnersOf(command)
  if (command.owner === undefined) return owners.length > 1 ? 'required' : undefined
  if (owners.length === 0) return command.owner === houseOwner ? undefined : 'not_an_owner'
  return owners.includes(command.owner) ? undefined : 'not_an_owner'
}
