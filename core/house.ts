// Accounts of the house that the commands of consumer finance book against: one place for their names, because readers, reports and the
// expiry jobs look for them too.

export const pointsAccounts = {
  /** Where points come from: its balance is minus all that were ever given. */
  issued: 'house:points:issued',
  redeemed: 'house:points:redeemed',
  /** Pays merchants what redeemed points are worth. */
  funding: 'house:points:funding',
  expired: 'house:points:expired',
} as const

/** In the asset `COUPON.<campaign>`. Issued, in stock, on its way, at customers and redeemed sum up to nothing. */
export const couponAccounts = (campaign: string) =>
  ({
    /** Minus all that were ever issued. */
    issued: `house:coupon:${campaign}:issued`,
    /** What may still be claimed: one cell a partition, the sum is the campaign's stock. Never below zero. */
    stock: `house:coupon:${campaign}:stock`,
    /** Stock between two partitions. */
    moving: `house:coupon:${campaign}:moving`,
    redeemed: `house:coupon:${campaign}:redeemed`,
    /** The other side of the quota accounts: minus all that were ever claimed. */
    claimed: `house:coupon:${campaign}:claimed`,
  }) as const

/** Takings of a merchant until they are settled. */
export const merchantAccount = (merchant: string): string => `house:merchant:${merchant}`
export const isMerchantAccount = (id: string): boolean => id.startsWith('house:merchant:')
/** Pays merchants what coupons take off. */
export const promotionAccount = (campaign: string): string => `house:promotion:${campaign}`
/** Other side of what is drawn of credit lines by disbursements. */
export const creditDrawnAccount = 'house:credit:drawn'
/** What the institution owes a funder of loans out of their repayments; `funder` is the account that paid. */
export function funderAccount(funder: string): string {
  const parts = funder.split(':')
  return `house:loan:funder:${(parts[0] === 'house' ? parts.slice(1) : parts.slice(0, 1)).join(':')}`
}

/** `SPRING` of `house:coupon:SPRING:stock`; undefined: it is no stock. */
export const campaignOfStock = (houseId: string): string | undefined =>
  houseId.startsWith('house:coupon:') && houseId.endsWith(':stock') ? houseId.slice(13, -6) : undefined

/** The engine's own accounts open by themselves in every partition, whatever HOUSE_AUTO_OPEN says: nobody could name them all beforehand. */
export const opensAlways = (houseId: string): boolean =>
  houseId.startsWith('house:points:') ||
  houseId.startsWith('house:coupon:') ||
  houseId.startsWith('house:loan:') ||
  houseId === creditDrawnAccount ||
  houseId === 'house:transit'
