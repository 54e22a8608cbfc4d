// The catalog and the stock of campaigns: one line a rule.
import { type Case, cases } from './case.ts'
import { campaignBody, catalogChange, moveStock } from './catalog.ts'
import { earn, open } from './commands.ts'
import type { TestLedger } from './ledger.ts'

const stock = 'house:coupon:SPRING:stock|COUPON.SPRING'
const issued = 'house:coupon:SPRING:issued|COUPON.SPRING'
const moving = 'house:coupon:SPRING:moving|COUPON.SPRING'
const spring = (l: TestLedger) => l.accept(catalogChange())
const second = (given: Parameters<typeof catalogChange>[0] = {}) => catalogChange({ version: 2, ...given })

export const catalogCases: readonly Case[] = [
  ...cases('catalog', [
    [
      'a campaign issues its stock',
      (l) => l,
      catalogChange(),
      'accepted',
      { rows: 'catalog open open coupon.issue', after: { [stock]: '10 0 1', [issued]: '-10 0 1' } },
    ],
    ['whatever the rule for the house', (l) => l, catalogChange(), 'accepted', { houseAutoOpen: false }],
    [
      'in equal shares, here the smaller',
      (l) => l,
      catalogChange({ partition: 0, partitions: 4 }),
      'accepted',
      { after: { [stock]: '2 0 1' } },
    ],
    [
      'in equal shares, here the larger',
      (l) => l,
      catalogChange({ partition: 3, partitions: 4 }),
      'accepted',
      { after: { [stock]: '3 0 1' } },
    ],
    ['a share may be none', (l) => l, catalogChange({ partition: 0, partitions: 11 }), 'accepted', { rows: 'catalog' }],
    [
      'a change of something else issues none',
      spring,
      second({ body: campaignBody({ limitPerCustomer: 1 }) }),
      'accepted',
      { rows: 'catalog' },
    ],
    [
      'a raise issues what is new',
      spring,
      second({ body: campaignBody({ stock: 13 }) }),
      'accepted',
      { rows: 'catalog coupon.issue', after: { [stock]: '13 0 2' } },
    ],
    ['the next one only: not one further', (l) => l, second(), 'catalog_at 0'],
    ['the next one only: not the same again', spring, catalogChange({ id: '!again' }), 'catalog_at 1'],
    ['the same command again', spring, catalogChange(), 'repeated'],
    [
      'an asset, and accounts of it',
      (l) => l.accept(catalogChange({ kind: 'asset', code: 'GOLD', body: '{"scale":4,"autoOpen":false}' })),
      open({ asset: 'GOLD' }),
      'accepted',
    ],
    ['no account of an asset before', (l) => l, open({ asset: 'GOLD' }), 'asset_mismatch'],
    [
      'a program brings its points',
      (l) =>
        l.accept(
          catalogChange({ kind: 'program', code: 'MILES', body: '{"asset":"CNY","points":"1","worth":"1","scale":0}' }),
        ),
      earn({ asset: 'MILES' }),
      'accepted',
    ],
  ]),
  ...cases('stock', [
    [
      'is recalled whole',
      spring,
      moveStock(),
      'accepted',
      { rows: 'open stock', after: { [stock]: '0 0 2', [moving]: '10 0 1' } },
    ],
    ['nothing is left to recall', (l) => spring(l).accept(moveStock()), moveStock({ id: '!2' }), 'nothing'],
    [
      'is granted',
      (l) => spring(l).accept(moveStock()),
      moveStock({ id: '!2', action: 'grant', amount: 4 }),
      'accepted',
      { after: { [stock]: '4 0 3', [moving]: '6 0 2' } },
    ],
    ['is not closed while some is here', spring, moveStock({ action: 'close' }), 'nothing'],
    [
      'is closed',
      (l) => spring(l).accept(moveStock()),
      moveStock({ id: '!2', action: 'close' }),
      'accepted',
      { rows: 'stock.close' },
    ],
    ['of a campaign that is not known here', (l) => l, moveStock(), 'nothing'],
  ]),
]
