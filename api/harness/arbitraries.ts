// fast-check arbitraries of transactions that meet: few accounts, ids that are used again, holds that are captured twice, refunds of what was
// refunded. They shrink as fast-check shrinks anything: fewer transactions, smaller amounts.
import fc from 'fast-check'
import type { TransactionRequest } from '../client/contract.ts'

export interface TransactionsOptions {
  /** Accounts that exist, of one asset. Transfers go between any of them, whoever owns them. */
  readonly accounts: readonly [string, ...string[]]
  readonly minLength?: number
  readonly maxLength?: number
  /** Units, at most; default 50. */
  readonly amountMax?: number
}

/** A transaction whose references are still open: `back` counts among the earlier ones of its account that it may refer to. */
interface Draw {
  readonly type: 'debit' | 'credit' | 'transfer' | 'hold' | 'capture' | 'release' | 'refund'
  readonly account: string
  readonly other: string
  readonly amount: string
  readonly back: number
  readonly part: boolean
  readonly final: boolean
  readonly expiresIn: number | undefined
  readonly again: boolean
}

/** An amount as the API takes it, above zero, with up to two decimals. */
export const amounts = (max = 50): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max }).map(String) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: max * 100 }).map((cents) => (cents / 100).toFixed(2)),
    },
  )

/** A history to be sent in its order, or all at once: ids are `t-0`, `t-1`, ..; every reference goes back. */
export function transactions(options: TransactionsOptions): fc.Arbitrary<TransactionRequest[]> {
  const { accounts, minLength = 1, maxLength = 50, amountMax } = options
  const draw: fc.Arbitrary<Draw> = fc.record({
    type: fc.constantFrom<Draw['type']>(
      'debit',
      'debit',
      'credit',
      'credit',
      'transfer',
      'hold',
      'hold',
      'capture',
      'capture',
      'release',
      'refund',
    ),
    account: fc.constantFrom(...accounts),
    other: fc.constantFrom(...accounts),
    amount: amounts(amountMax),
    back: fc.nat(3),
    part: fc.boolean(),
    final: fc.boolean(),
    expiresIn: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    again: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  })
  return fc.array(draw, { minLength, maxLength }).map(settled)
}

function settled(draws: readonly Draw[]): TransactionRequest[] {
  const sent: TransactionRequest[] = []
  for (const [index, draw] of draws.entries()) {
    const repeated = draw.again ? sent.at(-1 - draw.back) : undefined
    sent.push(repeated ?? request(draw, `t-${index}`, sent))
  }
  return sent
}

const payerOf = (one: TransactionRequest): string | undefined =>
  'account' in one ? one.account : one.type === 'transfer' ? one.from : undefined

function request(draw: Draw, id: string, sent: readonly TransactionRequest[]): TransactionRequest {
  const { type, account, other, amount, back, part, final, expiresIn } = draw
  const earlier = (types: readonly string[]): string =>
    sent.filter((one) => types.includes(one.type) && payerOf(one) === account).at(-1 - back)?.id ?? 'none'
  switch (type) {
    case 'debit':
    case 'credit':
      return { type, id, account, amount }
    case 'transfer':
      return account === other ? { type: 'debit', id, account, amount } : { type, id, from: account, to: other, amount }
    case 'hold':
      return { type, id, account, amount, ...(expiresIn === undefined ? {} : { expiresIn }) }
    case 'capture':
      return { type, id, account, hold: earlier(['hold']), final, ...(part ? { amount } : {}) }
    case 'release':
      return { type, id, account, hold: earlier(['hold']) }
    case 'refund':
      return { type, id, account, of: earlier(['debit', 'capture', 'transfer']), ...(part ? { amount } : {}) }
  }
}
