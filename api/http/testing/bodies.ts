// A right body of each type, and every way in which the schemas say that a field can be wrong.
import type { TransactionType } from '../../../core/command.ts'
import { transactionBodies } from '../../../schemas/http/transaction.ts'

type Json = Readonly<Record<string, unknown>>

/** All fields given, the optional ones too. */
const common = {
  id: 'pay-1',
  asset: 'CNY',
  businessDate: '2026-03-01',
  channel: 'alipay',
  reference: 'order 4711',
  metadata: { till: 'A7' },
}

export const rightBodies: Readonly<Record<TransactionType, Json>> = {
  debit: { ...common, type: 'debit', account: 'c1:cash', amount: '12.34', to: 'house:fees' },
  credit: { ...common, type: 'credit', account: 'c1:cash', amount: '12.34', from: 'house:fees' },
  transfer: { ...common, type: 'transfer', from: 'c1:cash', to: 'c1:savings', amount: '1' },
  hold: { ...common, type: 'hold', account: 'c1:cash', amount: '5', to: 'house:fees', expiresIn: 60 },
  capture: { ...common, type: 'capture', account: 'c1:cash', hold: 'h1', amount: '5', final: false },
  release: { ...common, type: 'release', account: 'c1:cash', hold: 'h1' },
  refund: { ...common, type: 'refund', account: 'c1:cash', of: 'pay-0', amount: '5' },
  postings: {
    ...common,
    type: 'postings',
    owner: 'c1',
    transfers: [
      { from: 'c1:cash', to: 'house:fees', amount: '1', asset: 'CNY' },
      { from: 'c1:cash', to: 'c1:savings', amount: '2' },
    ],
  },
  'points.earn': { ...common, type: 'points.earn', owner: 'c1', amount: '100', expiresOn: '2027-06' },
  'points.redeem': { ...common, type: 'points.redeem', owner: 'c1', amount: '100' },
  order: {
    ...common,
    type: 'order',
    owner: 'c1',
    total: '100',
    cash: { account: 'c1:cash', amount: '60' },
    points: { amount: '1000', program: 'POINTS' },
    coupon: { campaign: 'SPRING' },
    credit: { creditLine: 'c1:line', amount: '10' },
    merchant: 'm1',
  },
  disbursement: {
    ...common,
    type: 'disbursement',
    owner: 'c1',
    loan: 'L1',
    to: 'c1:cash',
    amount: '100',
    creditLine: 'c1:line',
    funders: [
      { account: 'house:lender:a', share: '0.3' },
      { account: 'house:lender:b', share: '0.7' },
    ],
  },
  settle: { ...common, type: 'settle', merchant: 'm1', to: 'm1:cash', amount: '100' },
  'coupon.claim': { ...common, type: 'coupon.claim', owner: 'c1', campaign: 'SPRING', order: 'o-1' },
  'coupon.redeem': { ...common, type: 'coupon.redeem', owner: 'c1', campaign: 'SPRING', order: 'o-1' },
  'coupon.return': { ...common, type: 'coupon.return', owner: 'c1', campaign: 'SPRING', order: 'o-1' },
}

interface Property {
  readonly type?: string
  readonly const?: unknown
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly items?: { readonly properties?: Readonly<Record<string, Property>>; readonly required?: readonly string[] }
}

interface WrongBody {
  readonly name: string
  readonly body: unknown
  readonly code: 'invalid' | 'unknown_field'
  readonly field: string
}

const nonStrings: readonly unknown[] = [null, 0, 1, 12.34, true, false, [], {}, ['c1:cash'], { a: 1 }]
const badText = ['\u0000', 'a\u0000b', '\ud800', 'a\udc00b']
const badStrings = [
  '',
  ' ',
  ' 1',
  '1 ',
  'a b',
  'é',
  '٣',
  '\n',
  'a\n',
  'x/y',
  '%41',
  ...badText,
  'x'.repeat(129),
  'x'.repeat(5000),
]

/** Values that the property's schema refuses, whatever the field is. */
function wrongValues(property: Property): unknown[] {
  const { type, pattern, minimum, maximum } = property
  if (property.const !== undefined) return [...nonStrings, 'nothing', '', 'constructor', '__proto__', 'DEBIT', 'debit ']
  if (type === 'string' && pattern !== undefined) {
    // The pattern is the contract's own words; what it takes is tried by name in `normalise.test.ts`.
    const right = new RegExp(pattern, 'u')
    return [...nonStrings, ...badStrings.filter((text) => !right.test(text)), ...badText]
  }
  if (type === 'integer' && minimum !== undefined && maximum !== undefined) {
    return [null, '60', true, [], {}, minimum - 1, maximum + 1, minimum + 0.5, -1, 1e300]
  }
  if (type === 'boolean') return [null, 0, 1, 'true', '', [], {}]
  if (type === 'array') return [null, 'x', 1, true, {}, { 0: {} }]
  if (type === 'object') return [null, 'x', 1, true, [], [{}]]
  throw new Error(`the test does not know how to break ${JSON.stringify(property)}`)
}

/** One wrong thing each. */
export function wrongBodies(type: TransactionType): WrongBody[] {
  const right = rightBodies[type]
  const schema = transactionBodies[type] as unknown as {
    readonly properties: Readonly<Record<string, Property>>
    readonly required: readonly string[]
  }
  const wrong: WrongBody[] = []
  const add = (body: unknown, field: string, code: WrongBody['code'], name: string): void => {
    wrong.push({ name: `${type}: ${field} ${name}`, body, code, field })
  }
  for (const [name, property] of Object.entries(schema.properties)) {
    for (const value of wrongValues(property)) add({ ...right, [name]: value }, name, 'invalid', shownValue(value))
  }
  for (const name of schema.required) add(without(right, name), name, 'invalid', 'missing')
  for (const name of ['amuont', 'Amount', 'toString', 'constructor', 'hasOwnProperty', '', 'a.b', 'a/b~']) {
    add({ ...right, [name]: '1' }, name, 'unknown_field', 'unknown')
  }
  for (const other of Object.values(transactionBodies)) {
    for (const name of Object.keys(other.properties)) {
      if (!(name in schema.properties)) add({ ...right, [name]: '1' }, name, 'unknown_field', 'of another type')
    }
  }
  const { transfers } = right
  const items = schema.properties.transfers?.items
  if (Array.isArray(transfers) && items?.properties !== undefined) {
    const [first] = transfers as Json[]
    const with2 = (item: unknown): Json => ({ ...right, transfers: [first, first, item] })
    for (const [name, property] of Object.entries(items.properties)) {
      for (const value of wrongValues(property)) {
        add(with2({ ...first, [name]: value }), `transfers[2].${name}`, 'invalid', shownValue(value))
      }
    }
    for (const name of items.required ?? [])
      add(with2(without(first ?? {}, name)), `transfers[2].${name}`, 'invalid', 'missing')
    for (const value of [null, 1, 'x', []]) add(with2(value), 'transfers[2]', 'invalid', shownValue(value))
    add(with2({ ...first, amuont: '1' }), 'transfers[2].amuont', 'unknown_field', 'unknown')
    add({ ...right, transfers: [] }, 'transfers', 'invalid', 'empty')
    add({ ...right, transfers: new Array(65).fill(first) }, 'transfers', 'invalid', 'too many')
  }
  return wrong
}

const without = (body: Json, name: string): Json =>
  Object.fromEntries(Object.entries(body).filter(([key]) => key !== name))
const shownValue = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 20)
