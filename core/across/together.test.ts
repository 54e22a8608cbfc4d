// What partitions decide in one commit is what they would have told each other by messages, one transaction after the other: outcomes, balances, and what
// can be given back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Command, Posting } from '../command.ts'
import { change, credit, postings, refund, transfer } from '../testing/commands.ts'
import { apart, Town } from '../testing/town.ts'

const ids = ['a', 'b', 'c', 'd'].flatMap((owner) => [`${owner}:cash`, `${owner}:loan`, `${owner}:usd`])

function opened(way?: 'one commit'): Town {
  const town = new Town(apart, way)
  for (const owner of ['a', 'b', 'c', 'd']) {
    town
      .account(`${owner}:cash`)
      .account(`${owner}:loan`, { normal: 'debit' })
      .account(`${owner}:usd`, { asset: 'USD' })
    town.post(credit({ id: 'first', account: `${owner}:cash`, amount: '100' }))
    town.post(transfer({ id: 'drawn', from: `${owner}:loan`, to: 'house:x', amount: '50' }))
    town.post(credit({ id: 'dollars', account: `${owner}:usd`, amount: '30' }))
  }
  return town
}

/** Messages reserve first, so an entry more is written there; and of several refusals the coordinator's own count first in both. */
const figures = (town: Town): readonly string[] => ids.map((id) => town.figures(id).replace(/ \d+$/, ''))

interface Draw {
  readonly legs: readonly Posting[]
  readonly type: 'transfer' | 'postings' | 'refund' | 'change'
  readonly status: 'open' | 'frozen' | 'closed'
  readonly back: number
  readonly part: string | undefined
}

const account = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a:cash', 'b:cash', 'c:cash', 'd:cash') },
  { weight: 2, arbitrary: fc.constantFrom(...ids) },
  { weight: 1, arbitrary: fc.constantFrom('b:none', 'house:x') },
)
const draw: fc.Arbitrary<Draw> = fc.record({
  legs: fc.array(
    fc.record({
      from: account,
      to: account,
      amount: fc.integer({ min: 1, max: 60 }).map(String),
      asset: fc.constant(undefined),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  type: fc.constantFrom('transfer', 'transfer', 'postings', 'postings', 'refund', 'change'),
  status: fc.constantFrom('open', 'open', 'frozen', 'closed'),
  back: fc.nat(3),
  part: fc.option(fc.integer({ min: 1, max: 30 }).map(String), { nil: undefined }),
})

function commandsOf(draws: readonly Draw[]): Command[] {
  const sent: Command[] = []
  for (const [i, { legs, type, status, back, part }] of draws.entries()) {
    const id = String(i)
    const [first] = legs
    if (first === undefined) continue
    const { from, to, amount } = first
    const named = legs.flatMap((leg) => [leg.from, leg.to]).find((one) => !one.startsWith('house:'))
    const of = sent.filter((one) => one.type === 'transfer' || one.type === 'postings').at(-1 - back)
    if (type === 'postings') sent.push(postings(legs, { id, owner: named?.split(':')[0] ?? 'house' }))
    else if (type === 'change') sent.push(change({ id: `!${id}`, account: named ?? 'a:cash', status }))
    else if (type === 'refund' && of !== undefined) {
      const payer = of.type === 'transfer' ? of.from : of.type === 'postings' ? of.transfers[0]?.from : undefined
      if (payer?.startsWith('house:') === false)
        sent.push(refund({ id, account: payer, of: of.id, amount: of.type === 'transfer' ? part : undefined }))
    } else sent.push(transfer({ id, from, to, amount }))
  }
  return sent.filter((one) => one.type !== 'postings' || one.owner !== 'house')
}

test('any history of transfers, postings and refunds between owners of four partitions', () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(draw, { minLength: 5, maxLength: 40, size: 'max' }), (draws) => {
      const [told, joined] = [opened(), opened('one commit')]
      for (const command of commandsOf(draws)) {
        const outcome = told.post(command)
        assert.equal(joined.send(command), outcome, JSON.stringify(command))
        joined.checkSums()
        assert.deepEqual(figures(joined), figures(told), JSON.stringify(command))
        const name = `${command.type} ${outcome}`
        outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
      }
    }),
    { numRuns: 200 },
  )
  for (const name of [
    'transfer accepted',
    'postings accepted',
    'refund accepted',
    'postings account_not_found',
    'postings asset_mismatch',
  ])
    assert.ok((outcomes.get(name) ?? 0) > 10, `${name}: ${outcomes.get(name)}`)
})

test('two parties that find a leg of theirs in different assets are refused, and the last one records it', () => {
  for (const way of [undefined, 'one commit'] as const) {
    const town = opened(way)
    const legs = [
      { from: 'a:cash', to: 'house:x', amount: '1' },
      { from: 'b:cash', to: 'c:usd', amount: '5' },
    ]
    const before = figures(town)
    assert.equal(town.post(postings(legs, { id: 'p', owner: 'a' })), 'asset_mismatch')
    assert.deepEqual(figures(town), before)
  }
})
