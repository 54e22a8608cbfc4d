// What can be counted: a code and the number of decimals of its unit. Immutable once created.

export const scaleMax = 8

export interface Asset {
  readonly code: string
  /** Decimals of the unit: 2 for CNY, 0 for JPY. */
  readonly scale: number
  /** An account of this asset opens by itself at its first credit. */
  readonly autoOpen: boolean
}

/** Exist in every ledger from its creation. */
export const builtInAssets: readonly Asset[] = [
  { code: 'CNY', scale: 2, autoOpen: false },
  { code: 'USD', scale: 2, autoOpen: false },
  { code: 'EUR', scale: 2, autoOpen: false },
  { code: 'CZK', scale: 2, autoOpen: false },
  { code: 'JPY', scale: 0, autoOpen: false },
  { code: 'POINTS', scale: 0, autoOpen: true },
]
