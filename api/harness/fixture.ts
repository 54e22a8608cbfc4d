// What a bank looks like when a test begins: accounts with their balances, and transactions that were posted before.
import { readFileSync } from 'node:fs'
import type { TransactionRequest } from '../client/contract.ts'
import { checkAsset } from './given.ts'

export interface AccountGiven {
  readonly asset: string
  /** What it begins with; comes from `house:opening`. */
  readonly balance?: string
  readonly overdraft?: string
  readonly normal?: 'credit' | 'debit'
}

/** `'100.00 CNY'`, or with more said. */
export type AccountsGiven = Readonly<Record<string, string | AccountGiven>>

export interface AssetGiven {
  readonly scale: number
  readonly autoOpen?: boolean
}

export interface Fixture {
  readonly assets?: Readonly<Record<string, AssetGiven>>
  readonly accounts?: AccountsGiven
  readonly transactions?: readonly TransactionRequest[]
}

/** Reads a JSON file of that form. Throws if it cannot be read, or has members that a fixture has not. */
export function loadFixture(file: string | URL): Fixture {
  return checkedFixture(jsonOf(file), String(file))
}

function jsonOf(file: string | URL): unknown {
  const text = readFileSync(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TypeError(`${file} is not JSON: ${(cause as Error).message}`, { cause })
  }
}

/** Throws TypeError, or the problem of an asset. What accounts and transactions are is seen when they are opened and posted. */
export function checkedFixture(fixture: unknown, name: string): Fixture {
  if (!isObject(fixture)) throw new TypeError(`${name} is not a fixture: a JSON object is expected`)
  const unknown = Object.keys(fixture).find((member) => !['assets', 'accounts', 'transactions'].includes(member))
  if (unknown !== undefined) throw new TypeError(`${name}: ${unknown} is not a member of a fixture`)
  const { assets = {}, accounts = {}, transactions = [] } = fixture
  if (!isObject(assets)) throw new TypeError(`${name}: assets must be an object`)
  if (!isObject(accounts)) throw new TypeError(`${name}: accounts must be an object`)
  if (!Array.isArray(transactions)) throw new TypeError(`${name}: transactions must be an array`)
  for (const [code, asset] of Object.entries(assets)) checkAsset(code, asset as AssetGiven)
  return fixture
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Throws TypeError for anything else than `amount asset`, or more said. */
export function accountGiven(id: string, given: string | AccountGiven): AccountGiven {
  if (typeof given === 'object' && given !== null) return given
  const [, balance, asset] = /^(\d+(?:\.\d+)?) (\S+)$/.exec(String(given)) ?? []
  if (balance === undefined || asset === undefined)
    throw new TypeError(`account ${id}: not an amount of an asset: ${given} (as 100.00 CNY)`)
  return { asset, balance }
}
