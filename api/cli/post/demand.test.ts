import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '../../client/client.ts'
import { readTransaction } from '../../http/normalise.ts'
import { Problem } from '../../http/problem.ts'
import { Demand, shortfallOf } from './demand.ts'

const assets = [
  { code: 'CZK', scale: 2, autoOpen: false },
  { code: 'JPY', scale: 0, autoOpen: false },
  { code: 'POINTS', scale: 0, autoOpen: true },
]
const accounts = new Map([
  ['cust-1:cash', 'CZK'],
  ['cust-1:yen', 'JPY'],
  ['cust-1:points:2099-01', 'POINTS'],
])
const ledger = {
  assets: { list: async () => assets },
  accounts: {
    get: async (id: string) => (accounts.has(id) ? { id, asset: accounts.get(id) } : undefined),
  },
} as unknown as Client

async function shortOf(bodies: readonly object[], opening?: string): Promise<string[]> {
  const demand = await Demand.create()
  for (const [index, body] of bodies.entries()) {
    const command = readTransaction({ id: `t-${index}`, ...body }, undefined)
    if (command instanceof Problem) assert.fail(command.detail)
    await demand.add(command, index + 1)
  }
  await demand.settle()
  const short = await shortfallOf(demand, ledger, opening, () => {})
  await Promise.all([demand.close(), short.toOpen.close()])
  return [...short.assets, ...short.missing, ...short.mismatched]
}

const credit = (more: object) => ({ type: 'credit', account: 'cust-1:cash', amount: '1', ...more })
const order = { type: 'order', owner: 'cust-1', total: '1', merchant: 'm' }
const loan = { type: 'disbursement', owner: 'cust-1', loan: 'L1', amount: '1' }

const table: readonly (readonly [string, readonly object[], readonly string[], string?])[] = [
  ['an account that is there', [credit({})], []],
  ['an account that is not', [credit({ account: 'x:cash' })], ['x:cash (line 1)']],
  ['a credit opens an account of such an asset', [credit({ account: 'x:points', asset: 'POINTS' })], []],
  ['a debit does not', [{ type: 'debit', account: 'x:p', amount: '1', asset: 'POINTS' }], ['x:p (line 1)']],
  ['a transfer to it does', [{ type: 'transfer', from: 'house:a', to: 'x:p', amount: '1', asset: 'POINTS' }], []],
  [
    'of postings each by its own asset',
    [
      {
        type: 'postings',
        transfers: [
          { from: 'house:a', to: 'x:p', amount: '1', asset: 'POINTS' },
          { from: 'house:a', to: 'x:c', amount: '1', asset: 'CZK' },
          { from: 'house:a', to: 'cust-1:cash', amount: '1', asset: 'NOPE' },
        ],
        owner: 'x',
      },
    ],
    ['there is no asset NOPE (line 1)', 'x:c (line 1)', 'cust-1:cash has CZK, line 1 says NOPE'],
  ],
  [
    'points are earned into a lot that is not there yet',
    [{ type: 'points.earn', owner: 'x', amount: '1', expiresOn: '2099-01' }],
    [],
  ],
  ['a coupon is claimed by who never had one', [{ type: 'coupon.claim', owner: 'x', campaign: 'SPRING' }], []],
  ['what a loan owes is not there before it', [{ ...loan, to: 'cust-1:cash' }], []],
  [
    'its wallet, line and funders must be',
    [{ ...loan, to: 'x:a', creditLine: 'cust-1:b', funders: [{ account: 'x:c', share: '1' }] }],
    ['cust-1:b (line 1)', 'x:c (line 1)', 'x:a (line 1)'],
  ],
  ['the cash of an order must be', [{ ...order, cash: { account: 'cust-1:a', amount: '1' } }], ['cust-1:a (line 1)']],
  [
    'decimals where the account alone says the asset, wherever they come',
    [credit({ account: 'cust-1:yen' }), credit({ account: 'cust-1:yen', amount: '1.5' }), credit({ amount: '1.50' })],
    ['cust-1:yen has JPY with 0 decimals, the amount of line 2 has 1'],
  ],
  [
    'a refund names any account of an order, its amount is in money',
    [{ type: 'refund', account: 'cust-1:points:2099-01', of: 'o-1', amount: '1.50' }],
    [],
  ],
  [
    'a missing account that would be opened in another asset',
    [credit({ account: 'x:c', asset: 'CZK' }), credit({ account: 'x:c', asset: 'JPY' })],
    ['x:c (line 1)', 'x:c (line 2)', 'x:c would be opened in CZK, line 2 says JPY'],
    'CZK',
  ],
  [
    'a missing account that would be opened with fewer decimals',
    [credit({ account: 'x:c', amount: '1.5' })],
    ['x:c (line 1)', 'x:c would be opened in JPY with 0 decimals, the amount of line 1 has 1'],
    'JPY',
  ],
]
for (const [name, bodies, expected, opening] of table)
  test(`what a file asks for: ${name}`, async () => assert.deepEqual(await shortOf(bodies, opening), expected))
