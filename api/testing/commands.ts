// Commands as intake hands them to the engine, with what a test does not care about left out.
import type {
  Capture,
  Credit,
  Debit,
  OpenAccount,
  PlaceHold,
  Refund,
  Release,
  TransactionCommand,
} from '../../core/command.ts'

export const bank = 'house:bank'
export const shop = 'house:shop'

export const opening = (account: string, rest: Partial<OpenAccount> = {}): OpenAccount => ({
  type: 'open',
  id: `!open-${account}`,
  account,
  asset: 'CNY',
  overdraft: '0',
  normal: 'credit',
  ...rest,
})
export const credit = (id: string, account: string, amount: string, rest: Partial<Credit> = {}): Credit => ({
  type: 'credit',
  id,
  account,
  amount,
  from: bank,
  ...rest,
})
export const debit = (id: string, account: string, amount: string, rest: Partial<Debit> = {}): Debit => ({
  type: 'debit',
  id,
  account,
  amount,
  to: shop,
  ...rest,
})
export const hold = (id: string, account: string, amount: string, rest: Partial<PlaceHold> = {}): PlaceHold => ({
  type: 'hold',
  id,
  account,
  amount,
  to: shop,
  ...rest,
})
export const capture = (id: string, account: string, of: string, rest: Partial<Capture> = {}): Capture => ({
  type: 'capture',
  id,
  account,
  hold: of,
  final: true,
  ...rest,
})
export const release = (id: string, account: string, of: string): Release => ({
  type: 'release',
  id,
  account,
  hold: of,
})
export const refund = (id: string, account: string, of: string, rest: Partial<Refund> = {}): Refund => ({
  type: 'refund',
  id,
  account,
  of,
  ...rest,
})

/** The same numbers in every run. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Credits and debits, some of them declined, spread over accounts. */
export function mixed(prefix: string, accounts: readonly string[], count: number, seed = 1): TransactionCommand[] {
  const roll = dice(seed)
  return Array.from({ length: count }, (_, i) => {
    const account = accounts[roll(accounts.length)] ?? ''
    const amount = `${1 + roll(50)}.${10 + roll(90)}`.replace(/0$/, '')
    return roll(2) === 0 ? credit(`${prefix}-${i}`, account, amount) : debit(`${prefix}-${i}`, account, amount)
  })
}
