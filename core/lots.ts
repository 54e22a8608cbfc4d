// Lots: balances of one owner that differ by the day after which they are worth nothing. A lot is an account whose name says that day, so
// that earning, redeeming and expiry are transfers like any other; this file knows the names and which lots of an owner are in memory.
//
//   cust-42:points:2027-06              points of the program POINTS, good to the end of June 2027
//   cust-42:points:MILES:2027-06-15     points of another program, good to the end of that day
//   cust-42:coupon:SPRING               coupons whose campaign says how long they are good
//   cust-42:coupon:SPRING:2027-06-30    coupons that are good for some days after their claim
import type { Account } from './account.ts'
import { dateText, daysOfDate } from './business-date.ts'
import type { EarnPoints } from './command.ts'
import { ownerOfAccount } from './identity.ts'
import { violated } from './invariant.ts'

export interface Lot {
  readonly account: Account
  readonly kind: 'points' | 'coupon'
  /** The points program, which is the code of its asset, or the campaign. */
  readonly of: string
  /** Last day on which it may be used, days since 1970-01-01; Infinity where the name says none. */
  readonly lastDay: number
}

export const pointsDefault = 'POINTS'

/** A day that ends a month is written as the month. */
export function pointsLotId(owner: string, program: string, lastDay: number): string {
  const day = dateText(lastDay)
  const month = day.slice(0, 7)
  const expiry = lastDayOf(month) === lastDay ? month : day
  return program === pointsDefault ? `${owner}:points:${expiry}` : `${owner}:points:${program}:${expiry}`
}

/** The lot that points are earned into. Expects `expiresOn` as intake has checked it. */
export function earnedLotId({ owner, asset, expiresOn }: EarnPoints): string {
  const lastDay = lastDayOf(expiresOn) ?? violated('expires_on_syntax', { expiresOn })
  return pointsLotId(owner, asset ?? pointsDefault, lastDay)
}

/** Without a day where the campaign says how long its coupons are good. */
export const couponLotId = (owner: string, campaign: string, lastDay?: number): string =>
  lastDay === undefined ? `${owner}:coupon:${campaign}` : `${owner}:coupon:${campaign}:${dateText(lastDay)}`

/** What the name of an account says of it as a lot; undefined: it is none. */
export function lotNameOf(accountId: string): Omit<Lot, 'account'> | undefined {
  const colon = accountId.indexOf(':')
  const kind = accountId.startsWith('points:', colon + 1)
    ? 'points'
    : accountId.startsWith('coupon:', colon + 1)
      ? 'coupon'
      : undefined
  if (kind === undefined || (colon === 5 && accountId.startsWith('house'))) return undefined
  const rest = accountId.slice(colon + 8)
  const between = rest.lastIndexOf(':')
  const tail = rest.slice(between + 1)
  const head = between === -1 ? undefined : rest.slice(0, between)
  if (head?.includes(':')) return undefined
  const lastDay = lastDayOf(tail)
  if (kind === 'coupon') {
    if (head === undefined) return { kind, of: tail, lastDay: Number.POSITIVE_INFINITY }
    return lastDay === undefined ? undefined : { kind, of: head, lastDay }
  }
  return lastDay === undefined ? undefined : { kind, of: head ?? pointsDefault, lastDay }
}

/** Of `2027-06-15`, or of a month `2027-06` its last day. */
export function lastDayOf(text: string): number | undefined {
  if (text.length === 10) return daysOfDate(text)
  if (text.length !== 7) return undefined
  return daysOfDate(`${text}-31`) ?? daysOfDate(`${text}-30`) ?? daysOfDate(`${text}-29`) ?? daysOfDate(`${text}-28`)
}

/** Counts the coupons of a campaign that an owner has claimed: the quota. */
export const quotaId = (owner: string, campaign: string): string => `${owner}:quota:${campaign}`

/** What the borrower owes of a loan; debit-normal. */
export const principalId = (owner: string, loan: string): string => `${owner}:loan:${loan}:principal`

interface OwnerLots {
  /** Sorted by the last day, then by name: what is redeemed first comes first. */
  readonly lots: Lot[]
  /** None of the owner's lots is missing here. */
  complete: boolean
}

/** Owners without any lot that are kept known as such. */
const emptyOwnersMax = 65_536

/** The lots that are in memory, by owner. Whoever puts an account into memory or forgets one says so here. */
export class Lots {
  private readonly owners = new Map<string, OwnerLots>()
  private empty = 0

  /** Every lot of the owner that exists; undefined: some may not be in memory. */
  allOf(owner: string): readonly Lot[] | undefined {
    const known = this.owners.get(owner)
    return known?.complete === true ? known.lots : undefined
  }

  add(account: Account): void {
    const name = lotNameOf(account.id)
    if (name === undefined) return
    const { lots } = this.ownedBy(ownerOfAccount(account.id))
    const lot = { account, ...name }
    const at = lots.findIndex((other) => isBefore(lot, other))
    if (at === -1) lots.push(lot)
    else lots.splice(at, 0, lot)
  }

  /** The host asked the ledger for all lots of the owner, and what exists has been added. */
  completed(owner: string): void {
    const known = this.ownedBy(owner)
    known.complete = true
    if (known.lots.length === 0) this.empty++
  }

  /** Before more is asked for: forgets owners without lots if there are too many of them. They are asked for again when named again. */
  forgetEmpty(): void {
    if (this.empty < emptyOwnersMax) return
    for (const [owner, { lots }] of this.owners) if (lots.length === 0) this.owners.delete(owner)
    this.empty = 0
  }

  /** An account left memory: from now on the owner's lots must be asked for again. */
  forget(account: Readonly<Account>): void {
    if (lotNameOf(account.id) === undefined) return
    const owner = ownerOfAccount(account.id)
    const known = this.owners.get(owner)
    if (known === undefined) return
    known.complete = false
    const at = known.lots.findIndex((lot) => lot.account === account)
    if (at !== -1) known.lots.splice(at, 1)
    if (known.lots.length === 0) this.owners.delete(owner)
  }

  private ownedBy(owner: string): OwnerLots {
    let known = this.owners.get(owner)
    if (known === undefined) {
      known = { lots: [], complete: false }
      this.owners.set(owner, known)
    }
    return known
  }
}

const isBefore = (a: Lot, b: Lot): boolean =>
  a.lastDay < b.lastDay || (a.lastDay === b.lastDay && a.account.id < b.account.id)
