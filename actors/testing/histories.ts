// Random histories of commands of a few owners, made so that they meet: ids used again, holds captured twice, refunds of what others left,
// releases before their holds, holds that run out in between. And what must be answered: the rules on states with everything in memory, one
// command after the other.
import fc from 'fast-check'
import type { Command } from '../../core/command.ts'
import { TestLedger } from '../../core/testing/ledger.ts'
import { type Answer, answerTo } from '../../schemas/answer.ts'

// The runner prints no causes.
fc.configureGlobal({ includeErrorInReport: true })

/** Commands that are sent together, at one time; `waitMs` passes before. */
export interface Burst {
  readonly waitMs: number
  readonly commands: readonly Command[]
}

type Stray = 'no' | 'again' | 'conflict' | 'account' | 'reference'

/** A command with what it refers to left open: `back` counts among the earlier ones of its owner. */
interface Draw {
  readonly command: Command
  readonly back: number
  readonly stray: Stray
  readonly first: boolean
  readonly waitMs: number
}

const is = <T extends Command['type']>(type: T): fc.Arbitrary<T> => fc.constant(type)
const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 })
const rarely = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 14, arbitrary: usual }, { weight: 1, arbitrary: rare })

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

const amount = rarely(
  fc.integer({ min: 1, max: 40 }).map(String),
  fc.constantFrom('0.01', '9.99', '0.001', '92233720368547758.08'),
)
/** `@` stands for the owner, `#` for what tells one history from another. */
const own = rarely(fc.constantFrom('@:cash', '@:cash', '@:save', '@:loan'), fc.constantFrom('@:p', '@:q', '@:none'))
const house = fc.constantFrom('house:x#', 'house:y#')
/** The house's own money moves too, and is held: wherever a customer's account may stand. */
const account = fc.oneof({ weight: 16, arbitrary: own }, { weight: 1, arbitrary: house })
const side = fc.oneof({ weight: 4, arbitrary: house }, { weight: 1, arbitrary: account })
const asset = rarely(fc.constant(undefined), fc.constantFrom('CNY', 'POINTS', 'USD', 'XXX'))
const common = {
  id: fc.constant(''),
  asset,
  businessDate: seldom(fc.constantFrom('2027-01-01', '2027-02-28')),
  channel: seldom(fc.constantFrom('alipay', 'till-7')),
  reference: seldom(fc.constantFrom('', 'order 1', '订单 😀')),
  metadata: seldom(fc.constant('{"till":"A7"}')),
}
const posting = fc.oneof(
  { weight: 4, arbitrary: fc.record({ from: side, to: side, amount, asset: fc.constant(undefined) }) },
  {
    weight: 1,
    arbitrary: fc.record({ from: house, to: fc.constantFrom('@:p', '@:q'), amount, asset: fc.constant('POINTS') }),
  },
)

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: is('credit'), ...common, account, amount, from: side }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('credit'),
      id: common.id,
      account: fc.constantFrom('@:p', '@:q'),
      amount,
      from: house,
      asset: fc.constant('POINTS'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: is('debit'), ...common, account, amount, to: side }) },
  { weight: 2, arbitrary: fc.record({ type: is('transfer'), ...common, from: side, to: account, amount }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: is('hold'),
      ...common,
      account,
      amount,
      to: side,
      expiresIn: some(fc.integer({ min: 0, max: 9 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('hold'),
      ...common,
      account,
      amount,
      to: side,
      expiresAt: fc.constantFrom('2027-01-31T12:00:05Z', '2020-01-01T00:00:00Z'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: is('capture'),
      ...common,
      account,
      hold: common.id,
      amount: some(amount),
      final: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: is('release'), ...common, account, hold: common.id }) },
  { weight: 5, arbitrary: fc.record({ type: is('refund'), ...common, account, of: common.id, amount: some(amount) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: is('postings'),
      ...common,
      transfers: fc.array(posting, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('change'),
      id: common.id,
      account: own,
      status: some(fc.constantFrom('open', 'open', 'open', 'frozen', 'closed')),
      overdraft: some(fc.constantFrom('0', '5', '100')),
      ifVersion: seldom(fc.integer({ min: 1, max: 3 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('open'),
      id: common.id,
      account: own,
      asset: fc.constantFrom('CNY', 'POINTS'),
      overdraft: fc.constantFrom('0', '20'),
      normal: fc.constant('credit' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: is('expire'), id: common.id, account: own }) },
)

const draw: fc.Arbitrary<Draw> = fc.record({
  command,
  back: fc.nat(3),
  stray: fc.oneof(
    { weight: 9, arbitrary: fc.constant('no' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('again' as const, 'conflict' as const, 'account' as const, 'reference' as const),
    },
  ),
  first: fc.boolean(),
  waitMs: fc.constantFrom(0, 0, 0, 0, 1, 1000, 3000),
})

const owners = ['a', 'b', 'c', 'd'] as const

/** Not one of the commands crosses owners. `name` keeps histories over one database apart: all owners, house accounts and ids carry it. */
export const history = (name: string, size: { min: number; max: number }): fc.Arbitrary<readonly Burst[]> =>
  fc
    .array(fc.tuple(fc.constantFrom(...owners), draw), { minLength: size.min, maxLength: size.max, size: 'max' })
    .map((draws) => [
      { waitMs: 0, commands: owners.flatMap((owner) => openings(`${owner}${name}`, name)) },
      ...settled(draws, name),
    ])

const openings = (owner: string, name: string): Command[] => [
  { type: 'open', id: `!open1${name}`, account: `${owner}:cash`, asset: 'CNY', overdraft: '0', normal: 'credit' },
  {
    type: 'open',
    id: `!open2${name}`,
    account: `${owner}:save`,
    asset: 'CNY',
    overdraft: '20',
    normal: 'credit',
    metadata: '{"a":1}',
  },
  { type: 'open', id: `!open3${name}`, account: `${owner}:loan`, asset: 'CNY', overdraft: '0', normal: 'debit' },
  { type: 'credit', id: `first${name}`, account: `${owner}:cash`, amount: '100', from: `house:x${name}` },
  { type: 'debit', id: `drawn${name}`, account: `${owner}:loan`, amount: '60', to: `${owner}:save` },
]

function settled(draws: readonly (readonly [string, Draw])[], name: string): Burst[] {
  const sent = new Map<string, Command[]>()
  const bursts: { waitMs: number; commands: Command[] }[] = []
  for (const [index, [letter, { command, back, stray, first, waitMs }]] of draws.entries()) {
    const owner = `${letter}${name}`
    const before = sent.get(owner) ?? []
    sent.set(owner, before)
    const number = `${command.type === 'change' || command.type === 'expire' || command.type === 'open' ? '!' : ''}${index}${name}`
    const again = before.at(-1 - back)
    let one: Command
    if (stray === 'again' && again !== undefined) one = again
    else {
      one = named(command, owner, name, number, before, back, stray)
      if (stray === 'conflict' && again !== undefined && !again.id.startsWith('!') && !one.id.startsWith('!')) {
        one = { ...one, id: again.id }
      }
    }
    before.push(one)
    const last = bursts.at(-1)
    if (last === undefined || first) bursts.push({ waitMs, commands: [one] })
    else last.commands.push(one)
  }
  return bursts
}

function named(
  drawn: Command,
  owner: string,
  name: string,
  id: string,
  before: readonly Command[],
  back: number,
  stray: Stray,
): Command {
  const text = JSON.stringify({ ...drawn, id })
    .replaceAll('@:', `${owner}:`)
    .replaceAll('#"', `${name}"`)
  const one = JSON.parse(text) as Command
  if (one.type === 'capture' || one.type === 'release') {
    const hold = lastOf(before, ['hold'], back)
    const strayed = stray === 'reference' || hold === undefined
    return { ...one, hold: strayed ? `late${back}${name}` : hold.id, account: accountOf(hold, one.account, stray) }
  }
  if (one.type === 'refund') {
    const original = lastOf(before, ['debit', 'transfer', 'capture', 'postings', 'credit'], back)
    const strayed = stray === 'reference' || original === undefined
    return {
      ...one,
      of: strayed ? `none${back}${name}` : original.id,
      account: accountOf(original, one.account, stray),
    }
  }
  // The hold that a release or capture was ahead of.
  if (one.type === 'hold' && stray === 'reference') return { ...one, id: `late${back}${name}` }
  return one
}

/** Counted from the end, round and round where there are fewer. */
function lastOf(before: readonly Command[], types: readonly Command['type'][], back: number): Command | undefined {
  const of = before.filter(({ type }) => types.includes(type))
  return of.at(-1 - (back % Math.max(1, of.length)))
}

function accountOf(referred: Command | undefined, drawn: string, stray: Stray): string {
  if (referred === undefined || stray === 'account') return drawn
  const account = 'account' in referred ? referred.account : 'from' in referred ? referred.from : drawn
  return account.startsWith('house:') ? drawn : account
}

/** One state per partition with all that ever was in memory. */
export class Models {
  private readonly ledgers = new Map<number, TestLedger>()
  private readonly partitionOf: (command: Command) => number

  constructor(partitionOf: (command: Command) => number) {
    this.partitionOf = partitionOf
  }

  /** What the command must be answered when it is decided at `nowMs`, behind all that were posted before. */
  post(command: Command, nowMs: number): Answer {
    const partition = this.partitionOf(command)
    let ledger = this.ledgers.get(partition)
    if (ledger === undefined) {
      ledger = new TestLedger()
      this.ledgers.set(partition, ledger)
    }
    ledger.now = nowMs
    return answerTo(ledger.post(command), command, nowMs)
  }
}
