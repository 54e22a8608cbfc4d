// What the file itself says each account must have, worked out without any of Suanpan's code: plain splitting, whole haléře. The mapping is
// checked against it.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Beside the checkout; it is not part of the project's own files. */
export const bankFile = fileURLToPath(new URL('../../../shared/data/czech-bank/trans.asc', import.meta.url))
export const mappingFile = fileURLToPath(new URL('mapping.json', import.meta.url))

/** Reason to skip a test, false if the file is there. */
export const skipped = existsSync(bankFile) ? false : `${bankFile} is not here`

export interface Sum {
  /** Haléře. */
  balance: bigint
  rows: number
}

export interface BankSums {
  readonly rows: number
  readonly credits: Sum
  readonly debits: Sum
  /** By account id as the mapping makes it. */
  readonly accounts: ReadonlyMap<string, Sum>
  /** The other side of every row, by house account. */
  readonly house: ReadonlyMap<string, Sum>
}

export async function sumBankFile(path: string): Promise<BankSums> {
  const [header = '', ...lines] = (await readFile(path, 'latin1')).split('\r\n').filter((line) => line !== '')
  if (header.replaceAll('"', '') !== 'trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account')
    throw new Error(`another header: ${header}`)
  const accounts = new Map<string, Sum>()
  const house = new Map<string, Sum>()
  const credits: Sum = { balance: 0n, rows: 0 }
  const debits: Sum = { balance: 0n, rows: 0 }
  for (const line of lines) {
    const values = line.replaceAll('"', '').split(';')
    const [, account, , type, operation, amount = '', , symbol] = values
    if (values.length !== 10 || !/^[0-9]+\.[0-9]{2}$/.test(amount)) throw new Error(`another row: ${line}`)
    const haler = BigInt(amount.replace('.', ''))
    const isCredit = type === 'PRIJEM'
    add(isCredit ? credits : debits, haler)
    add(sumOf(accounts, `acct-${account}:cash`), isCredit ? haler : -haler)
    add(sumOf(house, houseAccountOf(operation, symbol)), isCredit ? -haler : haler)
  }
  return { rows: lines.length, credits, debits, accounts, house }
}

function houseAccountOf(operation: string | undefined, symbol: string | undefined): string {
  if (symbol === 'UROK') return 'house:interest-paid'
  if (symbol === 'SANKC. UROK') return 'house:interest-earned'
  if (symbol === 'SLUZBY') return 'house:fees'
  if (operation === 'VKLAD' || operation === 'VYBER') return 'house:settlement:cash-desk'
  if (operation === 'VYBER KARTOU') return 'house:settlement:card'
  return 'house:settlement:interbank'
}

function sumOf(sums: Map<string, Sum>, id: string): Sum {
  const sum = sums.get(id) ?? { balance: 0n, rows: 0 }
  sums.set(id, sum)
  return sum
}

function add(sum: Sum, haler: bigint): void {
  sum.balance += haler
  sum.rows++
}

/** `-1234n` -> `-12.34` */
export function korunas(haler: bigint): string {
  const digits = (haler < 0n ? -haler : haler).toString().padStart(3, '0')
  return `${haler < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}
