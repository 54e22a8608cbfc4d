// Holds for another owner: placed where the payer lives, captured where the receiver does, and the same to the last figure whether the two share a
// partition or not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Command } from '../command.ts'
import { formatMinor } from '../money.ts'
import { capture, change, credit, debit, hold, refund, release, transfer } from '../testing/commands.ts'
import type { AccountGiven } from '../testing/ledger.ts'
import { apart, Town } from '../testing/town.ts'

const together = (): number => 1
const given = (placing = apart, receiver: AccountGiven | 'none' = {}): Town => {
  const town = new Town(placing).account('a:cash')
  if (receiver !== 'none') town.account('b:cash', receiver)
  town.post(credit({ id: 'first', account: 'a:cash', amount: '100' }))
  return town
}
const held = (placing = apart, more: Parameters<typeof hold>[0] = {}, receiver: AccountGiven | 'none' = {}): Town => {
  const town = given(placing, receiver)
  assert.equal(town.post(hold({ account: 'a:cash', to: 'b:cash', amount: '60', ...more })), 'accepted')
  return town
}
const take = (more: Parameters<typeof capture>[0] = {}) => capture({ account: 'a:cash', ...more })

for (const [where, placing] of [
  ['in two partitions', apart],
  ['in one partition', together],
] as const) {
  describe(`payer and receiver ${where}`, () => {
    test('a hold reserves, a capture pays and releases the rest, and both sides name each other', () => {
      const town = held(placing)
      assert.equal(town.figures('a:cash'), '100.00 60.00 2')
      assert.equal(town.post(take({ amount: '45' })), 'accepted')
      assert.deepEqual([town.figures('a:cash'), town.figures('b:cash')], ['55.00 0.00 4', '45.00 0.00 1'])
      assert.equal(town.post(take({ id: 'more' })), 'hold_captured')
      town.checkSums()
    })

    test('captured again and again, then what is left', () => {
      const town = held(placing)
      assert.equal(town.post(take({ id: '1', amount: '10', final: false })), 'accepted')
      assert.equal(town.post(take({ id: '2', amount: '20', final: false })), 'accepted')
      assert.equal(town.post(take({ id: '3', amount: '30.01' })), 'capture_exceeds_hold')
      assert.equal(town.post(take({ id: '4' })), 'accepted')
      assert.deepEqual([town.figures('a:cash'), town.figures('b:cash')], ['40.00 0.00 5', '60.00 0.00 3'])
      town.checkSums()
    })

    const refusals: readonly (readonly [string, AccountGiven | 'none', string])[] = [
      ['is not there', 'none', 'account_not_found'],
      ['is closed', { status: 'closed' }, 'account_closed'],
      ['is a loan and frozen', { normal: 'debit', balance: -10_000n, status: 'frozen' }, 'account_frozen'],
      ['has another asset', { asset: 'USD' }, 'asset_mismatch'],
      ['is a loan with less left to pay back', { normal: 'debit', balance: -5_999n }, 'insufficient_funds'],
      ['is full', { balance: 2n ** 63n - 6_000n }, 'amount_overflow'],
    ]
    for (const [name, receiver, refusal] of refusals) {
      test(`the receiver ${name}: the capture is ${refusal}, and the hold stands as before`, () => {
        const town = held(placing, {}, receiver)
        assert.equal(town.post(take()), refusal)
        assert.equal(town.figures('a:cash'), '100.00 60.00 2')
        assert.equal(town.post(release({ account: 'a:cash' })), 'accepted')
        assert.equal(town.figures('a:cash'), '100.00 0.00 3')
      })
    }

    test('frozen: the payer cannot hold more, but what he holds is captured; a receiver gets it', () => {
      const town = held(placing)
      town.of('a').set('a:cash', { status: 'frozen' })
      town.of('b').set('b:cash', { status: 'frozen' })
      assert.equal(town.post(hold({ id: 'h2', account: 'a:cash', to: 'b:cash' })), 'account_frozen')
      assert.equal(town.post(take()), 'accepted')
      assert.equal(town.figures('b:cash'), '60.00 0.00 1')
    })

    test('the receiving account is not looked at before a capture', () => {
      const town = given(placing)
      assert.equal(town.post(hold({ account: 'a:cash', to: 'b:none' })), 'accepted')
      assert.equal(town.post(take()), 'account_not_found')
    })

    test('it opens by itself where its asset does and the capture names it', () => {
      const town = given(placing).account('a:points', { asset: 'POINTS' })
      town.post(credit({ id: 'p', account: 'a:points', asset: 'POINTS', amount: '50' }))
      const points = hold({ id: 'hp', account: 'a:points', to: 'b:points', amount: '20' })
      assert.equal(town.post(points), 'accepted')
      const whole = { account: 'a:points', hold: 'hp', final: false, amount: '5' }
      assert.equal(town.post(capture({ id: '1', ...whole })), 'account_not_found')
      assert.equal(town.post(capture({ id: '2', ...whole, asset: 'POINTS' })), 'accepted')
      assert.equal(town.figures('b:points'), '5 0 1')
      assert.equal(town.post(capture({ id: '3', ...whole })), 'accepted')
      town.checkSums()
    })

    test('what was captured is refunded in parts, never above it, and not by the hold', () => {
      const town = held(placing)
      town.post(take({ amount: '50' }))
      const back = (id: string, amount?: string) => refund({ id, account: 'a:cash', of: 'cap', amount })
      assert.equal(town.post(back('1', '20')), 'accepted')
      assert.equal(town.post(back('2', '30.01')), 'refund_exceeds_original')
      assert.equal(town.post(back('3')), 'accepted')
      assert.equal(town.post(back('4')), 'refund_exceeds_original')
      assert.equal(town.post(refund({ id: '5', account: 'a:cash', of: 'h' })), 'original_not_refundable')
      assert.deepEqual([town.figures('a:cash'), town.figures('b:cash')], ['100.00 0.00 6', '0.00 0.00 3'])
      town.checkSums()
    })

    test('it is released, and it runs out', () => {
      const town = held(placing, { expiresIn: 10 })
      town.post(hold({ id: 'h2', account: 'a:cash', to: 'b:cash', amount: '5' }))
      assert.equal(town.post(release({ account: 'a:cash', hold: 'h2' })), 'accepted')
      town.wait(10_000)
      assert.equal(town.post(take()), 'hold_expired')
      assert.equal(town.figures('a:cash'), '100.00 0.00 5')
    })
  })
}

describe('while a capture is on its way', () => {
  test('what it takes is nobody else’s, and a final one takes all', () => {
    const town = held()
    assert.equal(town.send(take({ id: '1', amount: '40', final: false })), 'started')
    assert.equal(town.send(take({ id: '2', amount: '20.01' })), 'capture_exceeds_hold')
    assert.equal(town.send(take({ id: '3', amount: '5' })), 'started')
    assert.equal(town.send(take({ id: '4', amount: '1' })), 'hold_captured')
    assert.equal(town.send(release({ account: 'a:cash' })), 'hold_captured')
    assert.equal(town.send(change({ id: '!', account: 'a:cash', status: 'closed' })), 'account_not_empty')
    while (town.onTheWay.length > 0) town.hear()
    assert.deepEqual([town.figures('a:cash'), town.figures('b:cash')], ['55.00 0.00 5', '45.00 0.00 2'])
    assert.equal(town.of('a').state.joints.underWay.size, 0)
  })

  test('a release gives back what it does not take', () => {
    const town = held()
    town.send(take({ id: '1', amount: '40', final: false }))
    assert.equal(town.send(release({ account: 'a:cash' })), 'accepted')
    assert.equal(town.figures('a:cash'), '100.00 40.00 3')
    while (town.onTheWay.length > 0) town.hear()
    assert.deepEqual([town.figures('a:cash'), town.figures('b:cash')], ['60.00 0.00 4', '40.00 0.00 1'])
    assert.equal(town.post(take({ id: '2' })), 'hold_captured')
  })

  for (const [end, closed] of [
    ['captured', false],
    ['refused', true],
  ] as const) {
    test(`it does not run out before it is ${end}`, () => {
      const town = held(apart, { expiresIn: 10 })
      if (closed) town.of('b').set('b:cash', { status: 'closed' })
      town.send(take({ amount: '40', final: false }))
      town.wait(20_000)
      town.send(credit({ id: 'other', account: 'a:cash', amount: '1' }))
      assert.equal(town.figures('a:cash'), '101.00 60.00 3')
      // Nor is anything more taken of it.
      assert.equal(town.send(take({ id: '3', amount: '5' })), 'hold_expired')
      assert.equal(town.send(release({ account: 'a:cash' })), 'hold_expired')
      while (town.onTheWay.length > 0) town.hear()
      town.send({ type: 'expire', id: '!expire', account: 'a:cash' })
      assert.equal(town.figures('a:cash'), closed ? '101.00 0.00 4' : '61.00 0.00 5')
      assert.equal(town.post(take({ id: '2' })), 'hold_expired')
    })
  }

  test('an account cannot be taken into an overflow that the capture would meet', () => {
    const town = held()
    town.send(take())
    const all = '92233720368547758.08'
    assert.equal(town.send(debit({ id: 'd', account: 'a:cash', amount: all })), 'amount_overflow')
    while (town.onTheWay.length > 0) town.hear()
    assert.equal(town.outcomes.get('cap'), 'accepted')
  })
})

// ---- any history ----------------------------------------------------------------------------------------------------------------

interface Draw {
  readonly type: 'hold' | 'capture' | 'release' | 'refund' | 'transfer' | 'change'
  readonly payer: string
  readonly receiver: string
  readonly amount: number
  readonly part: number | undefined
  readonly back: number
  readonly final: boolean
  readonly seconds: number | undefined
  readonly status: 'open' | 'frozen' | 'closed'
  readonly waitMs: number
  readonly hears: number
}

const owner = fc.constantFrom('a', 'b', 'c')
const draw: fc.Arbitrary<Draw> = fc.record({
  type: fc.constantFrom(
    'hold',
    'hold',
    'capture',
    'capture',
    'capture',
    'release',
    'refund',
    'refund',
    'transfer',
    'change',
  ),
  payer: owner,
  receiver: fc.constantFrom('a', 'b', 'c', 'c'),
  amount: fc.integer({ min: 1, max: 60 }),
  part: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
  back: fc.nat(3),
  final: fc.boolean(),
  seconds: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  status: fc.constantFrom('open', 'frozen', 'closed', 'closed'),
  waitMs: fc.constantFrom(0, 0, 1, 1000, 3000),
  hears: fc.nat(3),
})

/** Captures and releases name a hold before them, refunds a capture. */
function commandsOf(draws: readonly Draw[]): Command[] {
  const sent: Command[] = []
  const earlier = (type: Command['type'], back: number) => sent.filter((one) => one.type === type).at(-1 - back)
  for (const [i, { type, payer, receiver, amount, part, back, final, seconds, status }] of draws.entries()) {
    const id = String(i)
    const [account, to] = [`${payer}:cash`, `${receiver}:cash`]
    const text = String(amount)
    const some = part === undefined ? undefined : String(part)
    const placed = earlier('hold', back)
    const captured = earlier('capture', back)
    if (type === 'hold') sent.push(hold({ id, account, to, amount: text, expiresIn: seconds }))
    else if (type === 'transfer') sent.push(transfer({ id, from: account, to, amount: text }))
    else if (type === 'change') sent.push(change({ id: `!${id}`, account, status }))
    else if (type === 'refund' && captured?.type === 'capture')
      sent.push(refund({ id, account: captured.account, of: captured.id, amount: some }))
    else if (type === 'capture' && placed?.type === 'hold')
      sent.push(capture({ id, account: placed.account, hold: placed.id, amount: some, final }))
    else if (type === 'release' && placed?.type === 'hold')
      sent.push(release({ id, account: placed.account, hold: placed.id }))
    else sent.push(credit({ id, account, amount: text }))
  }
  return sent
}

const rich = (placing: (owner: string) => number, way?: 'one commit'): Town => {
  const town = new Town(placing, way)
  for (const name of ['a', 'b', 'c']) {
    town.account(`${name}:cash`)
    // One is empty, and may close.
    if (name !== 'c') town.post(credit({ id: `first-${name}`, account: `${name}:cash`, amount: '100' }))
  }
  return town
}

const looseOrder: ReadonlySet<Command['type']> = new Set(['transfer', 'refund'])

const history = fc.array(draw, { minLength: 10, maxLength: 60, size: 'max' })

test('one after the other, it is the same wherever the owners live: outcomes, balances, what is held', () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(history, (draws) => {
      const towns = [apart, together, (name: string) => (name === 'c' ? 2 : 1)].map((placing) => rich(placing))
      towns.push(rich(apart, 'one commit'))
      for (const [i, command] of commandsOf(draws).entries()) {
        const [one, ...others] = towns.map((town) => {
          town.wait(draws[i]?.waitMs ?? 0)
          const outcome = town.post(command)
          town.checkSums()
          // Each account at its time: a command looks at the clock of those that it touches in its partition.
          for (const name of ['a', 'b', 'c']) town.post({ type: 'expire', id: '!', account: `${name}:cash` })
          // Of several refusals, those of the coordinator's own accounts come first.
          const told = looseOrder.has(command.type) && outcome !== 'accepted' ? 'declined' : outcome
          return [told, ...['a', 'b', 'c'].map((name) => town.figures(`${name}:cash`).replace(/ \d+$/, ''))]
        })
        for (const other of others) assert.deepEqual(other, one, JSON.stringify(command))
        const name = `${command.type} ${one?.[0]}`
        outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
      }
    }),
    { numRuns: 200 },
  )
  for (const name of [
    'capture accepted',
    'capture account_closed',
    'capture hold_expired',
    'refund accepted',
    'release accepted',
  ])
    assert.ok((outcomes.get(name) ?? 0) > 3, `${name}: ${outcomes.get(name)}`)
})

test('all at once: sums hold at every step, every capture is decided, no hold gives more than it held, nothing stays held for a hold that is over', () => {
  let captures = 0
  fc.assert(
    fc.property(history, (draws) => {
      const town = rich(apart)
      const commands = commandsOf(draws)
      for (const [i, command] of commands.entries()) {
        town.wait(draws[i]?.waitMs ?? 0)
        town.send(command)
        for (let heard = 0; heard < (draws[i]?.hears ?? 0); heard++) town.hear()
        town.checkSums()
      }
      while (town.onTheWay.length > 0) {
        town.hear()
        town.checkSums()
      }
      const taken = new Map<string, bigint>()
      for (const { state } of town.ledgers.values()) {
        assert.deepEqual(
          [state.joints.coordinations.size, state.joints.underWay.size, state.joints.pledges.size],
          [0, 0, 0],
        )
        for (const { id, held: holding, holds } of state.accounts.values()) {
          assert.equal(
            [...holds.values()].reduce((sum, { remaining }) => sum + remaining, 0n),
            holding,
            id,
          )
        }
        for (const { decided, links } of state.remembered.values()) {
          const placed = decided?.rows.find(({ kind, code }) => kind === 'hold' && code === 0)
          if (placed === undefined || decided === undefined) continue
          const out = links.reduce((sum, { amount }) => sum + amount, 0n)
          captures += links.filter(({ kind }) => kind === 'capture').length
          taken.set(decided.command.id, out)
          assert.ok(
            out <= placed.amount,
            `hold ${decided.command.id} of ${formatMinor(placed.amount, 2)} gave ${formatMinor(out, 2)}`,
          )
        }
      }
      for (const command of commands)
        if (command.type === 'capture') assert.notEqual(town.outcomes.get(command.id), 'started', command.id)
    }),
    { numRuns: 200 },
  )
  assert.ok(captures > 80, `${captures} captures`)
})
