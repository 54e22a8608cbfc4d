import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from './command.ts'
import { firstDifference } from './compare.ts'
import {
  capture,
  change,
  credit,
  debit,
  hold,
  leg,
  open,
  postings,
  refund,
  release,
  transfer,
} from './testing/commands.ts'

const given = { asset: 'CNY', businessDate: '2027-01-31', channel: 'alipay', reference: 'r', metadata: '{}' }
/** Every member of every type, in the order in which a conflict names them. */
const full: readonly Command[] = [
  debit(given),
  credit(given),
  { type: 'transfer', id: 't', from: 'c:a', to: 'c:b', amount: '1', ...given },
  hold({ expiresAt: 'x', expiresIn: 1, ...given }),
  { type: 'capture', id: 'k', account: 'c:a', hold: 'h', amount: '1', final: true, ...given },
  release(given),
  { type: 'refund', id: 'r', account: 'c:a', of: 'd', amount: '1', ...given },
  open({ metadata: '{}' }),
  { type: 'change', id: '!c', account: 'c:a', status: 'open', overdraft: '1', ifVersion: 1 },
]

for (const command of full) {
  const fields = Object.keys(command).filter((field) => field !== 'type' && field !== 'id')
  test(`${command.type}: each field tells bodies apart, the first in order is named`, () => {
    assert.equal(firstDifference(command, { ...command }), undefined)
    for (const [index, field] of fields.entries()) {
      const other: Record<string, unknown> = { ...command }
      for (const later of fields.slice(index)) other[later] = 'other'
      assert.equal(firstDifference(command, other as unknown as Command), field)
      const { [field]: _left, ...without } = { ...command } as Record<string, unknown>
      assert.equal(firstDifference(command, without as unknown as Command), field)
      assert.equal(firstDifference(without as unknown as Command, command), field)
    }
  })
}

const legs = [leg('c:a', 'c:b', '1', 'CNY'), leg('c:b', 'c:c', '2', 'CNY')]
const table: readonly (readonly [string, Command, Command, string | undefined])[] = [
  ['the same', postings(legs), postings([...legs]), undefined],
  [
    'an absent member is one that is undefined',
    postings([leg('c:a', 'c:b')]),
    postings([{ from: 'c:a', to: 'c:b', amount: '10' }]),
    undefined,
  ],
  ['owner first', postings(legs, { owner: 'c' }), postings([], { owner: 'd' }), 'owner'],
  ['from', postings(legs), postings([leg('c:x', 'c:x', '9', 'USD')]), 'transfers[0].from'],
  ['to', postings(legs), postings([leg('c:a', 'c:x', '9', 'USD')]), 'transfers[0].to'],
  ['amount', postings(legs), postings([leg('c:a', 'c:b', '9', 'USD')]), 'transfers[0].amount'],
  ['asset', postings(legs), postings([leg('c:a', 'c:b', '1', 'USD')]), 'transfers[0].asset'],
  [
    'the second',
    postings(legs),
    postings([leg('c:a', 'c:b', '1', 'CNY'), leg('c:b', 'c:c', '3')]),
    'transfers[1].amount',
  ],
  ['one less', postings(legs), postings(legs.slice(0, 1)), 'transfers'],
  ['one more', postings(legs.slice(0, 1)), postings(legs), 'transfers'],
  ['what follows', postings(legs, given), postings(legs, { ...given, channel: 'wechat', metadata: '[]' }), 'channel'],
  ['type before all', transfer(), debit({ id: 't', amount: '99' }), 'type'],
  ['the default of final', capture(), capture({ final: false }), 'final'],
  ['what is left out', refund(), refund({ amount: '1' }), 'amount'],
  ['an expiry another way', hold({ expiresIn: 60 }), hold({ expiresAt: '2027-01-31T12:01:00Z' }), 'expiresAt'],
  ['a version', change({ ifVersion: 1 }), change({ ifVersion: 2 }), 'ifVersion'],
]

for (const [name, first, later, field] of table) {
  test(`${first.type}, ${name} -> ${field ?? 'the same'}`, () => assert.equal(firstDifference(first, later), field))
}
