// Any command that intake may let through, every field in its whole range: for tests of what carries and stores commands.
import fc from 'fast-check'
import type { Command, TransactionCommand } from '../../core/command.ts'

// The runner prints no causes.
fc.configureGlobal({ includeErrorInReport: true })

const charactersOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...characters)
const word = fc.string({ unit: charactersOf('abcXYZ019._:-'), minLength: 1, maxLength: 128 })
const account = fc.oneof(word, fc.constantFrom('house:settlement:alipay', 'cust-42:cash', 'cust-42:points:2027-06'))
const amount = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String),
  fc.constantFrom('0.01', '92233720368547758.07', '0.00000001', '99999999999999999999.5'),
)
const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const asset = fc.string({ unit: charactersOf('ABCDEFXYZ0123456789._-'), minLength: 1, maxLength: 32 })
const metadata = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()), { maxKeys: 3 })

const common = {
  id: word,
  asset: some(asset),
  businessDate: some(fc.constantFrom('2027-01-31', '0001-01-01', '9999-12-31')),
  channel: some(fc.constantFrom('alipay', 'a', '0_-'.repeat(10))),
  reference: some(fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 60 }))),
  metadata: some(metadata.map((value) => JSON.stringify(value))),
}
const is = <T extends Command['type']>(type: T): fc.Arbitrary<T> => fc.constant(type)

export const anyTransaction: fc.Arbitrary<TransactionCommand> = fc.oneof(
  fc.record({ type: is('debit'), ...common, account, amount, to: account }),
  fc.record({ type: is('credit'), ...common, account, amount, from: account }),
  fc.record({ type: is('transfer'), ...common, from: account, to: account, amount }),
  fc.record({
    type: is('hold'),
    ...common,
    account,
    amount,
    to: account,
    expiresAt: some(fc.constantFrom('2027-01-31T12:00:00Z', '2027-01-31T12:00:00.123456+08:00')),
    expiresIn: some(fc.integer({ min: 0, max: 2 ** 31 })),
  }),
  fc.record({ type: is('capture'), ...common, account, hold: word, amount: some(amount), final: fc.boolean() }),
  fc.record({ type: is('release'), ...common, account, hold: word }),
  fc.record({ type: is('refund'), ...common, account, of: word, amount: some(amount) }),
  fc.record({
    type: is('postings'),
    ...common,
    owner: some(word),
    transfers: fc.array(fc.record({ from: account, to: account, amount, asset: some(asset) }), {
      minLength: 1,
      maxLength: 64,
    }),
  }),
  fc.record({
    type: is('points.earn'),
    ...common,
    owner: word,
    amount,
    expiresOn: fc.constantFrom('2027-06', '2027-06-15'),
  }),
  fc.record({ type: is('points.redeem'), ...common, owner: word, amount }),
  fc.record({
    type: is('order'),
    ...common,
    owner: word,
    total: amount,
    cash: some(fc.record({ account, amount })),
    points: some(fc.record({ amount, program: some(asset) })),
    coupon: some(fc.record({ campaign: asset })),
    credit: some(fc.record({ creditLine: account, amount })),
    merchant: word,
  }),
  fc.record({
    type: is('disbursement'),
    ...common,
    owner: word,
    loan: word,
    to: account,
    amount,
    creditLine: some(account),
    funders: fc.array(fc.record({ account, share: amount }), { maxLength: 4 }),
  }),
  fc.record({
    type: is('settle'),
    ...common,
    merchant: word,
    to: account,
    amount: some(amount),
    others: fc.constant('{}'),
  }),
  fc.record({ type: is('coupon.claim'), ...common, owner: word, campaign: asset, order: some(word) }),
  fc.record({ type: is('coupon.redeem'), ...common, owner: word, campaign: asset, order: some(word) }),
  fc.record({ type: is('coupon.return'), ...common, owner: word, campaign: asset, order: some(word) }),
)

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: anyTransaction },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('open'),
      id: word,
      account,
      asset,
      overdraft: amount,
      normal: fc.constantFrom('credit' as const, 'debit' as const),
      metadata: common.metadata,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('change'),
      id: word,
      account,
      status: some(fc.constantFrom('open' as const, 'frozen' as const, 'closed' as const)),
      overdraft: some(amount),
      ifVersion: some(fc.nat()),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: is('expire'), id: word, account }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('catalog'),
      id: word,
      partition: fc.nat(1023),
      partitions: fc.integer({ min: 1, max: 1024 }),
      version: fc.nat(),
      kind: fc.constantFrom('asset' as const, 'program' as const, 'campaign' as const),
      code: asset,
      body: common.metadata.map((text) => text ?? '{}'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: is('stock'),
      id: word,
      partition: fc.nat(1023),
      campaign: asset,
      action: fc.constantFrom('recall' as const, 'grant' as const, 'close' as const),
      amount: some(fc.nat()),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: is('points.expire'), id: word, owner: word }) },
)
