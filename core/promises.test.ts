// The promises of DESIGN section 1 that the pure domain keeps by itself, over random histories: every command refers to few accounts and few
// ids, so that ids are used again, holds are captured twice, refunds meet what others left, and holds run out in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AccountRef, available } from './account.ts'
import { apply } from './apply.ts'
import type { Command } from './command.ts'
import type { Decision } from './decide.ts'
import { rowKinds } from './row.ts'
import { comparable, outcomeOf, snapshot, TestLedger } from './testing/ledger.ts'
import type { Decided } from './transaction.ts'

interface Step {
  readonly command: Command
  readonly waitMs: number
}

/** A command with what it refers to left open: `back` counts among the earlier ones that it may refer to, `stray` breaks a reference. */
interface Draw {
  readonly command: Command
  readonly back: number
  readonly stray: 'no' | 'id' | 'account' | 'reference'
  readonly waitMs: number
}

const rarely = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: rare })
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const is = <T extends Command['type']>(type: T) => fc.constant(type)

const amount = rarely(
  fc.integer({ min: 1, max: 25 }).map(String),
  fc.constantFrom('0.01', '9.99', '0.001', '92233720368547758.07', '92233720368547758.08'),
)
const account = rarely(fc.constantFrom('c:a', 'c:a', 'c:b', 'c:loan'), fc.constantFrom('c:p', 'c:q', 'c:none'))
const house = fc.constantFrom('house:x', 'house:y')
const side = fc.oneof(house, account)
const asset = rarely(fc.constant(undefined), fc.constantFrom('CNY', 'POINTS', 'USD', 'XXX'))
const id = fc.constant('')
const owner = fc.constant('c')
const points = fc.integer({ min: 1, max: 40 }).map(String)
/** Days that pass within a history: see `waitMs`. */
const expiresOn = fc.constantFrom('2027-01-31', '2027-02-01', '2027-02', '2027-02-03')
const posting = fc.oneof(
  { weight: 4, arbitrary: fc.record({ from: side, to: side, amount, asset }) },
  {
    weight: 1,
    arbitrary: fc.record({ from: house, to: fc.constantFrom('c:p', 'c:q'), amount, asset: fc.constant('POINTS') }),
  },
)

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: is('credit'), id, account, amount, from: side, asset }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('credit'),
      id,
      account: fc.constantFrom('c:p', 'c:q'),
      amount,
      from: house,
      asset: fc.constant('POINTS'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: is('debit'), id, account, amount, to: side, asset }) },
  { weight: 2, arbitrary: fc.record({ type: is('transfer'), id, from: side, to: side, amount, asset }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: is('hold'),
      id,
      account,
      amount,
      to: side,
      asset,
      expiresIn: some(fc.integer({ min: 0, max: 9 })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: is('capture'), id, account, hold: id, amount: some(amount), final: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ type: is('release'), id, account, hold: id }) },
  { weight: 6, arbitrary: fc.record({ type: is('refund'), id, account, of: id, amount: some(amount) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: is('postings'),
      id,
      asset,
      transfers: fc.array(posting, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('change'),
      id,
      account,
      status: some(fc.constantFrom('open', 'open', 'open', 'frozen', 'closed')),
      overdraft: some(fc.constantFrom('0', '5', '100')),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: is('expire'), id, account: side }) },
  { weight: 2, arbitrary: fc.record({ type: is('points.earn'), id, owner, amount: points, expiresOn }) },
  { weight: 3, arbitrary: fc.record({ type: is('points.redeem'), id, owner, amount: points }) },
  { weight: 1, arbitrary: fc.record({ type: is('points.expire'), id, owner }) },
)

/** Steps of no time and of whole seconds: a hold runs out on the very millisecond of a command. */
const draw: fc.Arbitrary<Draw> = fc.record({
  command,
  back: fc.integer({ min: 0, max: 3 }),
  stray: rarely(fc.constant('no' as const), fc.constantFrom('id', 'account', 'reference')),
  waitMs: rarely(fc.constantFrom(0, 0, 0, 1, 1000, 3000), fc.constant(20_000_000)),
})

const history: fc.Arbitrary<readonly Step[]> = fc
  .array(draw, { minLength: 30, maxLength: 100, size: 'max' })
  .map(settled)

/** Ids are counted up, references point to commands before; but for the strays: an id used twice, another account, an id to come. */
function settled(draws: readonly Draw[]): readonly Step[] {
  const holds: Command[] = []
  const originals: Command[] = []
  return draws.map(({ command, back, stray, waitMs }, index) => {
    const id = `${ownIds.has(command.type) ? '!' : ''}${stray === 'id' ? index - back : index}`
    let settledCommand: Command = { ...command, id }
    if (settledCommand.type === 'capture' || settledCommand.type === 'release') {
      const hold = holds.at(-1 - back)
      const named = stray === 'reference' || hold === undefined ? String(index + back) : hold.id
      settledCommand = { ...settledCommand, hold: named, account: accountOf(hold, settledCommand.account, stray) }
    } else if (settledCommand.type === 'refund') {
      const original = originals.at(-1 - back)
      const named = stray === 'reference' || original === undefined ? String(index + back) : original.id
      settledCommand = { ...settledCommand, of: named, account: accountOf(original, settledCommand.account, stray) }
    }
    if (settledCommand.type === 'hold') holds.push(settledCommand)
    else if (!unrefundable.has(settledCommand.type)) originals.push(settledCommand)
    return { command: settledCommand, waitMs }
  })
}

const ownIds: ReadonlySet<Command['type']> = new Set(['change', 'expire', 'points.expire'])
const unrefundable: ReadonlySet<Command['type']> = new Set([...ownIds, 'release', 'refund', 'points.earn'])

function accountOf(referred: Command | undefined, drawn: string, stray: Draw['stray']): string {
  if (referred === undefined || stray === 'account') return drawn
  if ('account' in referred) return referred.account
  if ('from' in referred) return referred.from
  // Some lot: often one that had a part in it.
  if (referred.type === 'points.redeem') return 'c:points:2027-02-01'
  return 'transfers' in referred ? (referred.transfers[0]?.from ?? drawn) : drawn
}

const openings: readonly Command[] = [
  { type: 'open', id: '!a', account: 'c:a', asset: 'CNY', overdraft: '0', normal: 'credit' },
  { type: 'open', id: '!b', account: 'c:b', asset: 'CNY', overdraft: '20', normal: 'credit' },
  { type: 'open', id: '!c', account: 'c:loan', asset: 'CNY', overdraft: '0', normal: 'debit' },
  { type: 'credit', id: 'first', account: 'c:a', amount: '100', from: 'house:x' },
  { type: 'debit', id: 'drawn', account: 'c:loan', amount: '60', to: 'c:b' },
]

function opened(): TestLedger {
  return new TestLedger().accept(...openings)
}

function play(
  ledger: TestLedger,
  steps: readonly Step[],
  each: (decision: Decision, step: Step) => void = () => {},
): TestLedger {
  for (const step of steps) each(ledger.wait(step.waitMs).post(step.command), step)
  return ledger
}

// The runner prints no causes.
fc.configureGlobal({ includeErrorInReport: true })

/** Kinds that come of a catalog: see `policy.test.ts`. */
const elsewhere: ReadonlySet<string> = new Set([
  'catalog',
  'coupon.issue',
  'coupon.claim',
  'coupon.redeem',
  'coupon.return',
  'stock',
  'stock.close',
  'order',
  'disbursement',
  'settle',
  'reserve',
  'unreserve',
])

const check = (runs: number, property: (steps: readonly Step[]) => void) =>
  fc.assert(fc.property(history, property), { numRuns: runs })

test('the histories are not empty talk: every kind of row and most refusals occur, captures and refunds are often accepted', () => {
  const kinds = new Map<string, number>()
  const outcomes = new Set<string>()
  check(150, (steps) => {
    play(opened(), steps, (decision, { command }) => {
      outcomes.add(outcomeOf(decision))
      if (outcomeOf(decision) === 'accepted') kinds.set(command.type, (kinds.get(command.type) ?? 0) + 1)
    }).journal.forEach(({ rows }) => {
      for (const { kind, code } of rows) if (code === 0) kinds.set(`row ${kind}`, (kinds.get(`row ${kind}`) ?? 0) + 1)
    })
  })
  for (const kind of Object.keys(rowKinds).filter((one) => !elsewhere.has(one)))
    assert.ok((kinds.get(`row ${kind}`) ?? 0) > 5, `${kind}: ${kinds.get(`row ${kind}`)}`)
  for (const type of ['capture', 'refund', 'hold', 'postings'])
    assert.ok((kinds.get(type) ?? 0) > 50, `${type}: ${kinds.get(type)}`)
  assert.ok(outcomes.size > 20, [...outcomes].join(' '))
})

test('P4: after every decision the balances of each asset sum to zero', () => {
  check(150, (steps) => {
    const ledger = opened()
    play(ledger, steps, () => {
      const sums = new Map<string, bigint>()
      for (const { asset, balance } of ledger.state.accounts.values()) {
        sums.set(asset.code, (sums.get(asset.code) ?? 0n) + balance)
      }
      for (const [code, sum] of sums) assert.equal(sum, 0n, code)
    })
  })
})

test('P3: nothing but a lower limit takes an available amount below zero, or further below', () => {
  check(150, (steps) => {
    const ledger = opened()
    const before = new Map<string, bigint>()
    play(ledger, steps, (_decision, { command }) => {
      for (const [name, account] of ledger.state.accounts) {
        const now = available(account)
        const floor = before.get(name) ?? 0n
        const limited = command.type === 'change' && command.account === account.id
        if (account.key > 0 && !limited) assert.ok(now >= 0n || now >= floor, `${name}: ${floor} -> ${now}`)
        before.set(name, now)
      }
    })
  })
})

test("P5: each account's rows are numbered without gaps and carry the balance and held amount after them", () => {
  check(150, (steps) => {
    const ledger = play(opened(), steps)
    const accounts = new Map<number, { seq: number; balance: bigint; held: bigint }>()
    const step = (key: number, seq: number, change: bigint, heldChange: bigint, balance: bigint, held: bigint) => {
      const account = accounts.get(key) ?? { seq: 0, balance: 0n, held: 0n }
      accounts.set(key, account)
      account.seq += 1
      account.balance += change
      account.held += heldChange
      assert.deepEqual({ seq, balance, held }, account)
    }
    assert.equal(
      ledger.state.pseq,
      ledger.journal.reduce((sum, { rows }) => sum + rows.length, 0),
    )
    for (const { rows } of ledger.journal) {
      for (const { kind, amount, from, fromSeq, fromBalance, fromHeld, to, toSeq, toBalance, toHeld } of rows) {
        const reserving = kind === 'hold' || kind === 'release' || kind === 'expire'
        const heldChange = kind === 'hold' ? amount : reserving || kind === 'capture' ? -amount : 0n
        if (from !== undefined && fromSeq > 0) {
          step(from.key, fromSeq, reserving ? 0n : -amount, heldChange, fromBalance, fromHeld)
        }
        if (to !== undefined && toSeq > 0) step(to.key, toSeq, amount, 0n, toBalance, toHeld)
      }
    }
    for (const { key, seq, balance, held } of ledger.state.accounts.values()) {
      assert.deepEqual({ seq, balance, held }, accounts.get(key) ?? { seq: 0, balance: 0n, held: 0n })
    }
  })
})

test('what is held is the sum of what is left of the open holds, and no hold outlives its time on an account that is touched', () => {
  check(150, (steps) => {
    const ledger = opened()
    play(ledger, steps, (_decision, { command }) => {
      for (const { id, held, holds } of ledger.state.accounts.values()) {
        let sum = 0n
        for (const { remaining, amount, expiresAt } of holds.values()) {
          assert.ok(remaining > 0n && remaining <= amount)
          sum += remaining
          const touched = 'account' in command && command.account === id && command.type !== 'open'
          if (touched && !id.startsWith('house:')) assert.ok(expiresAt === undefined || expiresAt > ledger.now)
        }
        assert.equal(held, sum)
      }
    })
  })
})

test('refunds and captures are never above what they refer to', () => {
  check(150, (steps) => {
    const ledger = play(opened(), steps)
    const wholes = new Map<string, { amount: bigint; legs: number }>()
    for (const { idKey, rows } of ledger.journal) {
      const moved = rows.filter(
        ({ kind, code }) => code === 0 && !['open', 'release', 'change', 'tombstone'].includes(kind),
      )
      wholes.set(idKey, { amount: moved.reduce((sum, { amount }) => sum + amount, 0n), legs: moved.length })
    }
    for (const { rows } of ledger.journal) {
      for (const { kind, amount, link } of rows) {
        // What expires on its way back is counted by the refund that brought it.
        if (link === undefined || kind === 'tombstone' || kind === 'points.expire') continue
        const whole = wholes.get(link)
        assert.ok(whole !== undefined)
        whole.amount -= amount
        assert.ok(whole.amount >= 0n, `${kind}: ${whole.amount} left`)
      }
    }
  })
})

test('P2: a command sent again, at once or at any later point, gets its first decision and changes nothing', () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(), { maxLength: 10 }), (steps, picks) => {
      const ledger = opened()
      const decided: Decided[] = []
      const repeat = (one: Decided) => {
        const journaled = ledger.journal.length
        const again = ledger.post(one.command)
        assert.ok(again.kind === 'repeated')
        assert.equal(again.decided, one)
        assert.ok(ledger.journal.slice(journaled).every(({ command }) => command.type === 'expire'))
      }
      play(ledger, steps, (decision) => {
        if (decision.kind === 'decided') decided.push(decision.decided)
        const pick = picks[decided.length % Math.max(1, picks.length)]
        const one = pick === undefined ? undefined : decided[pick % Math.max(1, decided.length)]
        if (one !== undefined) repeat(one)
      })
      const before = snapshot(ledger.state)
      // Expiries due by now were written by the commands of the last moment or are by this.
      for (const one of decided) repeat(one)
      const after = snapshot(ledger.state)
      if (ledger.journal.at(-1)?.command.type !== 'expire') assert.equal(after, before)
      for (const one of decided.toReversed()) repeat(one)
      assert.equal(snapshot(ledger.state), after)
    }),
    { numRuns: 150 },
  )
})

test('P7: replaying the journal gives the same state, from live rows and from rows as they are stored', () => {
  check(150, (steps) => {
    const ledger = play(opened(), steps)
    for (const form of [(decided: Decided) => decided, asStored]) {
      const { state } = new TestLedger()
      for (const decided of ledger.journal) apply(state, form(decided))
      assert.equal(accountsOf(state), accountsOf(ledger.state))
      assert.deepEqual(
        [state.time, state.pseq, state.accountsOpened, state.remembered.size],
        [ledger.state.time, ledger.state.pseq, ledger.state.accountsOpened, ledger.state.remembered.size],
      )
    }
  })
})

const accountsOf = ({ accounts }: TestLedger['state']): string => comparable(accounts)

/** Rows name plain references, as read from the journal. */
function asStored(decided: Decided): Decided {
  const plain = (ref: AccountRef | undefined): AccountRef | undefined =>
    ref === undefined ? undefined : { key: ref.key, id: ref.id, asset: { ...ref.asset }, normal: ref.normal }
  const [first, ...rest] = decided.rows.map((row) => ({ ...row, from: plain(row.from), to: plain(row.to) }))
  assert.ok(first !== undefined)
  return { ...decided, rows: [first, ...rest] }
}

test('a decision does not depend on what the partition has forgotten of closed business', () => {
  check(60, (steps) => {
    const whole = opened()
    const forgetful = opened()
    const used = new Set<string>()
    for (const { command, waitMs } of steps) {
      whole.wait(waitMs)
      forgetful.wait(waitMs)
      // Only new ids that refer to nothing: whatever is remembered must not matter to them.
      if (used.has(command.id) || 'hold' in command || 'of' in command) continue
      used.add(command.id)
      forgetful.state.remembered.clear()
      const expected = whole.post(command)
      const decision = forgetful.post(command)
      assert.equal(comparable(decision), comparable(expected))
    }
  })
})
