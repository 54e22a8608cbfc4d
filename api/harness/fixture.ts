// What a bank looks like when a test begins: accounts with their balances, and transactions that were posted before.
import { readFileSync } from 'node:fs'
import type { TransactionRequest } from '../client/contract.ts'

export interface AccountGiven {
  readonly asset: string
  /** What it begins with; comes from `house:opening`. */
  readonly balance?: string
  readonly overdraft?: string
  readonly normal?: 'credit' | 'debit'
}

/** `'100.00 CNY'`, or with more said. */
export type AccountsGiven = Readonly<Record<string, string | AccountGiven>>

export interface Fixture {
  readonly assets?: Readonly<Record<string, { readonly scale: number; readonly autoOpen?: boolean }>>
  readonly accounts?: AccountsGiven
  readonly transactions?: readonly TransactionRequest[]
}

/** Reads a JSON file of that form. Throws if it cannot be read, or has members that a fixture has not. */
export function loadFixture(file: string | URL): Fixture {
  const fixture: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (typeof fixture !== 'object' || fixture === null || Array.isArray(fixture)) {
    throw new TypeError(`${file} is not a fixture: a JSON object is expected`)
  }
  const unknown = Object.keys(fixture).find((name) => !['assets', 'accounts', 'transactions'].includes(name))
  if (unknown !== undefined) throw new TypeError(`${file}: ${unknown} is not a member of a fixture`)
  return fixture
}

/** Throws TypeError for anything else than `amount asset`. */
export function accountGiven(given: string | AccountGiven): AccountGiven {
  if (typeof given !== 'string') return given
  const [, balance, asset] = /^(\d+(?:\.\d+)?) (\S+)$/.exec(given) ?? []
  if (balance === undefined || asset === undefined)
    throw new TypeError(`not an amount of an asset: ${given} (as 100.00 CNY)`)
  return { asset, balance }
}
