// Random graphs of transfers, postings, loans, holds with their captures, and refunds between owners who live in several partitions, made so that they meet: few accounts, ids used
// again, refunds of what others refund too, accounts frozen and closed in between.
import fc from 'fast-check'
import type { Command, Posting } from '../../core/command.ts'
import { principalId } from '../../core/lots.ts'
import { allocate, formatMinor, parseAmount } from '../../core/money.ts'

export interface AcrossBurst {
  readonly waitMs: number
  readonly commands: readonly Command[]
}

const sharesOf = [['1'], ['0.3', '0.7'], ['0.33', '0.33', '0.34']]
const owners = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const

interface Draw {
  readonly kind:
    | 'transfer'
    | 'credit'
    | 'debit'
    | 'postings'
    | 'loan'
    | 'hold'
    | 'capture'
    | 'release'
    | 'refund'
    | 'change'
    | 'again'
    | 'conflict'
  readonly legs: readonly Posting[]
  readonly back: number
  readonly part: string | undefined
  readonly status: 'open' | 'frozen' | 'closed'
  readonly together: boolean
  readonly waitMs: number
}

const owner = fc.constantFrom(...owners)
const usual = owner.map((letter) => `${letter}:cash`)
const account = fc.oneof(
  { weight: 14, arbitrary: usual },
  { weight: 1, arbitrary: owner.map((letter) => `${letter}:loan`) },
  { weight: 1, arbitrary: fc.constantFrom('a:none', 'house:x') },
)
const amount = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('0.01', '0.001', '92233720368547758.07') },
)
const leg: fc.Arbitrary<Posting> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ from: account, to: account, amount, asset: fc.constant(undefined) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      from: owner.map((letter) => `${letter}:points`),
      to: owner.map((letter) => `${letter}:points`),
      amount,
      asset: fc.constant('POINTS'),
    }),
  },
)
const draw: fc.Arbitrary<Draw> = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant('transfer' as const) },
    { weight: 4, arbitrary: fc.constant('postings' as const) },
    { weight: 3, arbitrary: fc.constant('loan' as const) },
    { weight: 4, arbitrary: fc.constant('refund' as const) },
    { weight: 6, arbitrary: fc.constantFrom('hold' as const, 'capture' as const, 'capture' as const) },
    { weight: 1, arbitrary: fc.constant('release' as const) },
    { weight: 2, arbitrary: fc.constantFrom('credit' as const, 'debit' as const) },
    { weight: 1, arbitrary: fc.constant('change' as const) },
    { weight: 3, arbitrary: fc.constant('conflict' as const) },
    { weight: 2, arbitrary: fc.constant('again' as const) },
  ),
  legs: fc.array(leg, { minLength: 1, maxLength: 5 }),
  back: fc.nat(4),
  part: fc.option(fc.integer({ min: 1, max: 30 }).map(String), { nil: undefined }),
  status: fc.constantFrom('open', 'open', 'frozen', 'closed'),
  together: fc.boolean(),
  waitMs: fc.constantFrom(0, 0, 1, 1000),
})

export const acrossHistory = (size: { min: number; max: number }): fc.Arbitrary<readonly AcrossBurst[]> =>
  fc
    .array(draw, { minLength: size.min, maxLength: size.max, size: 'max' })
    .map((draws) => [
      { waitMs: 0, commands: owners.flatMap(openings) },
      { waitMs: 0, commands: owners.flatMap(funding) },
      ...settled(draws),
    ])

const openings = (letter: string): Command[] => [
  { type: 'open', id: '!open1', account: `${letter}:cash`, asset: 'CNY', overdraft: '0', normal: 'credit' },
  { type: 'open', id: '!open2', account: `${letter}:loan`, asset: 'CNY', overdraft: '0', normal: 'debit' },
]
const funding = (letter: string): Command[] => [
  { type: 'credit', id: 'first', account: `${letter}:cash`, amount: '100', from: 'house:x' },
  { type: 'debit', id: 'drawn', account: `${letter}:loan`, amount: '60', to: 'house:x' },
  { type: 'credit', id: 'points', account: `${letter}:points`, amount: '50', from: 'house:x', asset: 'POINTS' },
]

function settled(draws: readonly Draw[]): AcrossBurst[] {
  const sent: Command[] = []
  const bursts: { waitMs: number; commands: Command[] }[] = []
  for (const [index, drawn] of draws.entries()) {
    const command = commandOf(drawn, String(index), sent)
    if (command === undefined) continue
    if (drawn.kind !== 'again' && drawn.kind !== 'conflict') sent.push(command)
    const last = bursts.at(-1)
    if (last === undefined || !drawn.together) bursts.push({ waitMs: drawn.waitMs, commands: [command] })
    else last.commands.push(command)
  }
  return bursts
}

function commandOf(
  { kind, legs, back, part, status }: Draw,
  id: string,
  sent: readonly Command[],
): Command | undefined {
  const [first] = legs
  if (first === undefined) return undefined
  const { from, to, amount, asset } = first
  switch (kind) {
    case 'transfer':
      return { type: 'transfer', id, from, to, amount, asset }
    case 'credit':
      return { type: 'credit', id, account: to, from, amount, asset }
    case 'debit':
      return { type: 'debit', id, account: from, to, amount, asset }
    case 'postings': {
      const names = legs.flatMap((one) => [one.from, one.to]).filter((one) => !one.startsWith('house:'))
      const owner = names[back % Math.max(1, names.length)]?.split(':')[0]
      return { type: 'postings', id, owner: owner ?? 'house', transfers: legs }
    }
    case 'loan': {
      const funders = [...new Set(legs.map((one) => one.from))].slice(0, 3)
      const shares = sharesOf[funders.length - 1] ?? []
      return {
        type: 'disbursement',
        id,
        owner: owners[back] ?? 'a',
        // Few, so that one is paid out by several at a time.
        loan: legs.length > 3 ? 'L2' : 'L1',
        to,
        amount,
        asset: 'CNY',
        funders: funders.map((account, i) => ({ account, share: shares[i] ?? '0' })),
      }
    }
    case 'hold':
      if (from.startsWith('house:')) return undefined
      return { type: 'hold', id, account: from, to, amount, expiresIn: legs.length > 3 ? 1 + back : undefined }
    case 'capture':
    case 'release': {
      const holds = sent.filter((one) => one.type === 'hold')
      const hold = holds.at(-1 - (back % Math.max(1, holds.length)))
      if (hold === undefined) return undefined
      const named = { id, account: hold.account, hold: hold.id }
      return kind === 'release'
        ? { type: 'release', ...named }
        : { type: 'capture', ...named, amount: part ?? amount, final: legs.length > 2 }
    }
    case 'refund': {
      const originals = sent.filter(({ type }) =>
        ['transfer', 'debit', 'capture', 'postings', 'disbursement'].includes(type),
      )
      const of = originals.at(-1 - (back % Math.max(1, originals.length)))
      const payer = of === undefined ? undefined : payerOf(of)
      if (of === undefined || payer === undefined) return undefined
      return {
        type: 'refund',
        id,
        account: payer,
        of: of.id,
        amount: of.type === 'postings' || of.type === 'disbursement' ? undefined : part,
      }
    }
    case 'change':
      return { type: 'change', id: `!${id}`, account: from.startsWith('house:') ? to : from, status }
    case 'again':
      return sent.at(-1 - (back % Math.max(1, sent.length)))
    case 'conflict': {
      const other = sent.findLast((one) => one.type === 'transfer')
      if (other === undefined) return undefined
      if (back % 2 === 0 || other.from.startsWith('house:')) return { ...other, amount: '77.77' }
      // One that its partition could post by itself, to an account that the first has nothing to do with, while that is under way.
      return {
        type: 'credit',
        id: other.id,
        account: `${other.from.split(':')[0]}:points`,
        amount: '7',
        from: 'house:x',
      }
    }
  }
}

function payerOf(of: Command): string | undefined {
  if (of.type === 'debit' || of.type === 'capture') return of.account
  if (of.type === 'disbursement') return principalId(of.owner, of.loan)
  if (of.type === 'transfer') return of.from.startsWith('house:') ? undefined : of.from
  if (of.type !== 'postings') return undefined
  return of.transfers.map(({ from }) => from).find((from) => from.split(':')[0] === of.owner)
}

export interface PlainLeg {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly asset: string
}

/** What an accepted command moves, told from its body alone. */
export function legsOfCommand(
  command: Command,
  original: (owner: string, id: string) => Command | undefined,
): readonly PlainLeg[] {
  switch (command.type) {
    case 'debit':
      return [plain({ ...command, from: command.account })]
    case 'credit':
      return [plain({ ...command, to: command.account })]
    case 'transfer':
      return [plain(command)]
    case 'postings':
      return command.transfers.map(plain)
    case 'disbursement': {
      const { owner, loan, to, funders } = command
      const scale = 2
      const whole = parseAmount(command.amount, scale)
      const parts =
        typeof whole === 'bigint'
          ? allocate(
              whole,
              funders.map(({ share }) => share),
            )
          : []
      return [
        ...funders.map(({ account }, i) => ({
          from: account,
          to: `house:loan:funder:${account.startsWith('house:') ? account.slice('house:'.length) : account.split(':')[0]}`,
          amount: formatMinor(parts[i] ?? 0n, scale),
          asset: 'CNY',
        })),
        { from: principalId(owner, loan), to, amount: command.amount, asset: 'CNY' },
      ]
    }
    case 'capture': {
      const hold = original(command.account.split(':')[0] ?? '', command.hold)
      if (hold?.type !== 'hold' || command.amount === undefined) return []
      return [plain({ from: hold.account, to: hold.to, amount: command.amount })]
    }
    case 'refund': {
      const of = original(command.account.split(':')[0] ?? '', command.of)
      if (of === undefined) return []
      const whole = legsOfCommand(of, original)
      const turned = whole.map(({ from, to, amount, asset }) => ({ from: to, to: from, amount, asset }))
      const [only] = turned
      return command.amount === undefined || only === undefined ? turned : [{ ...only, amount: command.amount }]
    }
    default:
      return []
  }
}

const plain = ({ from, to, amount, asset }: Posting): PlainLeg => ({
  from,
  to,
  amount,
  asset: asset ?? (from.endsWith(':points') ? 'POINTS' : 'CNY'),
})
