// Accounts of the house that the commands of consumer finance book against: one place for their names, because readers, reports and the
// expiry jobs look for them too.

export const pointsAccounts = {
  /** Where points come from: its balance is minus all that were ever given. */
  issued: 'house:points:issued',
  redeemed: 'house:points:redeemed',
  expired: 'house:points:expired',
} as const

/** The engine's own accounts open by themselves in every partition, whatever HOUSE_AUTO_OPEN says: nobody could name them all beforehand. */
export const opensAlways = (houseId: string): boolean => houseId.startsWith('house:points:')
