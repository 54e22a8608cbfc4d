import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TransactionCommand, TransactionType } from '../../core/command.ts'
import { secondsMax } from '../../schemas/http/fields.ts'
import { readTransaction } from './normalise.ts'
import { Problem } from './problem.ts'
import { rightBodies, wrongBodies } from './testing/bodies.ts'

const types = Object.keys(rightBodies) as TransactionType[]

function accepted(body: unknown, key?: string): TransactionCommand {
  const command = readTransaction(body, key)
  assert.ok(!(command instanceof Problem), `refused: ${JSON.stringify(command)}`)
  return command
}

function refused(body: unknown, code: string, field: string | undefined, key?: string): void {
  const problem = readTransaction(body, key)
  assert.ok(problem instanceof Problem, `accepted: ${JSON.stringify(problem).slice(0, 200)}`)
  assert.deepEqual({ code: problem.code, field: problem.field }, { code, field })
}

for (const type of types) {
  test(`${type}: a right body is taken with all that it says`, () => {
    const command = accepted(rightBodies[type])
    const { metadata, ...rest } = command
    const { metadata: given, ...said } = rightBodies[type]
    assert.equal(metadata, JSON.stringify(given))
    for (const [name, value] of Object.entries(said)) {
      const got = Object.entries(rest).find(([key]) => key === name)?.[1]
      assert.deepEqual(JSON.parse(JSON.stringify(got)), value, name)
    }
  })

  test(`${type}: each field that is wrong is named`, () => {
    const wrong = wrongBodies(type)
    assert.ok(wrong.length > 100)
    for (const { name, body, code, field } of wrong) {
      const problem = readTransaction(body, undefined)
      assert.ok(problem instanceof Problem, `accepted: ${name}`)
      assert.deepEqual({ code: problem.code, field: problem.field }, { code, field }, name)
      assert.doesNotThrow(() => JSON.parse(problem.body('/')))
    }
  })
}

const debit = { id: 'pay-1', type: 'debit', account: 'c1:cash', amount: '1' }
const credit = { id: 'pay-1', type: 'credit', account: 'c1:cash', amount: '1' }
const hold = { id: 'h-1', type: 'hold', account: 'c1:cash', amount: '1' }

test('the defaults of to, from and final are filled', () => {
  assert.equal((accepted(debit) as { to?: string }).to, 'house:settlement:default')
  assert.equal((accepted({ ...debit, channel: 'alipay' }) as { to?: string }).to, 'house:settlement:alipay')
  assert.equal((accepted({ ...credit, channel: 'wx' }) as { from?: string }).from, 'house:settlement:wx')
  assert.equal((accepted(hold) as { to?: string }).to, 'house:settlement:default')
  const capture = accepted({ id: 'x', type: 'capture', account: 'c1:cash', hold: 'h' })
  assert.deepEqual(
    { ...capture },
    {
      type: 'capture',
      id: 'x',
      asset: undefined,
      businessDate: undefined,
      channel: undefined,
      reference: undefined,
      metadata: undefined,
      account: 'c1:cash',
      hold: 'h',
      amount: undefined,
      final: true,
    },
  )
})

test('amounts lose trailing zeros, and only those', () => {
  const amountOf = (amount: string): string | undefined =>
    (accepted({ ...debit, amount }) as { amount?: string }).amount
  const table = [
    ['10.0', '10'],
    ['10.00', '10'],
    ['10.50', '10.5'],
    ['100', '100'],
    ['0.010', '0.01'],
    ['9223372036854775808', '9223372036854775808'],
    ['9999999999999999999.999999999999999999', '9999999999999999999.999999999999999999'],
    ['0.000000000000000001', '0.000000000000000001'],
  ] as const
  for (const [given, expected] of table) assert.equal(amountOf(given), expected)
})

test('what is not a plain decimal above zero is no amount', () => {
  const wrong = [
    '0',
    '0.0',
    '0.000',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1e3',
    '1E3',
    '01',
    '00',
    '.5',
    '5.',
    '1.2.3',
    '1,5',
    '1_000',
    '0x10',
    'NaN',
    'Infinity',
    '٣',
    '１',
    '10000000000000000000',
    '1.0000000000000000001',
    '1\n',
    '',
  ]
  for (const amount of wrong) refused({ ...debit, amount }, 'invalid', 'amount')
  for (const amount of [1, 12.34, 0, -1, 1e300, null, true, ['1'], { value: '1' }])
    refused({ ...debit, amount }, 'invalid', 'amount')
})

test('ids: every character of the charset, up to 128', () => {
  const all = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-'
  for (const id of ['a', all, 'x'.repeat(128), '.', ':', '-']) assert.equal(accepted({ ...debit, id }).id, id)
  for (const id of ['', 'x'.repeat(129), '!x', 'a b', 'a/b', 'ä', 'a\u0000', '\ud800'])
    refused({ ...debit, id }, 'invalid', 'id')
})

test('account ids: two parts or more, none empty, at most 128 characters', () => {
  for (const account of ['a:b', 'cust-42:points:2027-06', 'c:loan:L1:principal', `c:${'x'.repeat(126)}`])
    accepted({ ...debit, account })
  for (const account of [
    'a',
    'a:',
    ':b',
    'a::b',
    'a:b:',
    ':',
    '',
    `c:${'x'.repeat(127)}`,
    'a:b c',
    'a:b\n',
    'ä:b',
    'a:\u0000',
  ]) {
    refused({ ...debit, account }, 'invalid', 'account')
  }
})

test('the Idempotency-Key stands in for the id, plain or quoted', () => {
  const { id: _id, ...anonymous } = debit
  assert.equal(accepted(anonymous, 'key-1').id, 'key-1')
  assert.equal(accepted(anonymous, '"key-1"').id, 'key-1')
  assert.equal(accepted(debit, 'pay-1').id, 'pay-1')
  assert.equal(accepted(debit, '"pay-1"').id, 'pay-1')
  refused(debit, 'invalid', 'id', 'pay-2')
  refused(anonymous, 'invalid', 'id')
  for (const key of ['', '"', '""', '"a', 'a"', 'a b', '!x', 'x'.repeat(129), 'a, b', '"a";p=1'])
    refused(anonymous, 'invalid', 'id', key)
})

test('business dates are real days that Postgres can hold', () => {
  for (const businessDate of ['0001-01-01', '9999-12-31', '2024-02-29', '2000-02-29'])
    accepted({ ...debit, businessDate })
  for (const businessDate of [
    '0000-12-31',
    '2023-02-29',
    '1900-02-29',
    '2026-13-01',
    '2026-00-01',
    '2026-04-31',
    '2026-01-00',
    '26-01-01',
    '10000-01-01',
    '2026-1-1',
    '2026-01-01T00:00:00Z',
    '-001-01-01',
  ]) {
    refused({ ...debit, businessDate }, 'invalid', 'businessDate')
  }
})

test('an expiry is an instant of RFC 3339 or a number of seconds, not both', () => {
  const right = [
    '2026-03-01T12:00:00Z',
    '2026-03-01T12:00:00.123Z',
    '2026-03-01T12:00:00.123456789+05:30',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
    '2024-02-29T23:59:59-23:59',
  ]
  for (const expiresAt of right)
    assert.equal((accepted({ ...hold, expiresAt }) as { expiresAt?: string }).expiresAt, expiresAt)
  const wrong = [
    '2026-03-01',
    '2026-03-01T12:00:00',
    '2026-03-01 12:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+05',
    '0000-06-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '10000-01-01T00:00:00Z',
    '2026-01-01t00:00:00z',
    '2026-01-01T00:00:00.Z',
    'tomorrow',
    '1767225600000',
  ]
  for (const expiresAt of wrong) refused({ ...hold, expiresAt }, 'invalid', 'expiresAt')
  accepted({ ...hold, expiresIn: 1 })
  accepted({ ...hold, expiresIn: secondsMax })
  for (const expiresIn of [0, -1, 1.5, secondsMax + 1, '60', null])
    refused({ ...hold, expiresIn }, 'invalid', 'expiresIn')
  refused({ ...hold, expiresIn: 60, expiresAt: '2026-03-01T12:00:00Z' }, 'invalid', 'expiresIn')
})

test('references: 256 characters of any kind, but no U+0000 and no lone surrogate', () => {
  for (const reference of ['', 'x'.repeat(256), '字'.repeat(256), '😀'.repeat(256), '"\\\n\u0001']) {
    assert.equal(accepted({ ...debit, reference }).reference, reference)
  }
  for (const reference of ['x'.repeat(257), '😀'.repeat(257), 'a\u0000', '\ud83d', '\ude00\ud83d'])
    refused({ ...debit, reference }, 'invalid', 'reference')
})

test('unknown types, and what is no object at all', () => {
  for (const type of ['points.expire', 'catalog', 'stock', 'open', 'change', 'expire', '__proto__', 'toString', '']) {
    refused({ ...debit, type }, 'invalid', 'type')
  }
  refused({ id: 'a' }, 'invalid', 'type')
  for (const body of [null, undefined, 1, 'debit', true, [], [debit]]) refused(body, 'invalid', undefined)
})

test('__proto__ is a field that nobody knows', () => {
  refused(
    JSON.parse('{"id":"a","type":"debit","account":"c1:cash","amount":"1","__proto__":{"to":"x:y"}}'),
    'unknown_field',
    '__proto__',
  )
  refused(JSON.parse('{"__proto__":{"type":"debit"}}'), 'invalid', 'type')
})

test('house accounts on both sides need the asset', () => {
  refused({ id: 'a', type: 'transfer', from: 'house:a', to: 'house:b', amount: '1' }, 'invalid', 'asset')
  accepted({ id: 'a', type: 'transfer', from: 'house:a', to: 'house:b', amount: '1', asset: 'CNY' })
  refused({ ...debit, account: 'house:a' }, 'invalid', 'asset')
  refused({ ...credit, account: 'house:a' }, 'invalid', 'asset')
  const leg = { from: 'house:a', to: 'house:b', amount: '1' }
  refused({ id: 'a', type: 'postings', transfers: [{ ...leg, asset: 'CNY' }, leg] }, 'invalid', 'transfers[1].asset')
  accepted({ id: 'a', type: 'postings', transfers: [leg], asset: 'CNY' })
})

test('postings: the owner is needed where there are two, and must be one of them', () => {
  const transfers = [
    { from: 'a:cash', to: 'house:x', amount: '1' },
    { from: 'b:cash', to: 'house:x', amount: '1' },
  ]
  refused({ id: 'p', type: 'postings', transfers }, 'invalid', 'owner')
  accepted({ id: 'p', type: 'postings', transfers, owner: 'b' })
  refused({ id: 'p', type: 'postings', transfers, owner: 'c' }, 'invalid', 'owner')
  refused({ id: 'p', type: 'postings', transfers: transfers.slice(0, 1), owner: 'c' }, 'invalid', 'owner')
  accepted({ id: 'p', type: 'postings', transfers: transfers.slice(0, 1) })
})

test('holds, what becomes of them, and refunds name an account of an owner: one of the house is in every partition', () => {
  for (const type of ['hold', 'capture', 'release', 'refund'] as const)
    refused({ ...rightBodies[type], account: 'house:a' }, 'invalid', 'account')
})

test('points: the last day is a day or a month that exists, and the house has none', () => {
  const earn = { id: 'e', type: 'points.earn', owner: 'c1', amount: '1', expiresOn: '2027-06' }
  for (const expiresOn of ['2027-06', '2028-02-29', '9999-12']) accepted({ ...earn, expiresOn })
  for (const expiresOn of ['2027-13', '2027-00', '2027-02-29', '0000-01', '2027-6'])
    refused({ ...earn, expiresOn }, 'invalid', 'expiresOn')
  refused({ ...earn, owner: 'house' }, 'invalid', 'owner')
  refused({ id: 'r', type: 'points.redeem', owner: 'house', amount: '1' }, 'invalid', 'owner')
})

test('orders and loans name accounts of their owner, and shares are a whole', () => {
  const order = rightBodies.order
  refused({ ...order, cash: { account: 'c2:cash', amount: '1' } }, 'invalid', 'cash.account')
  refused({ ...order, credit: { creditLine: 'c2:line', amount: '1' } }, 'invalid', 'credit.creditLine')
  refused({ ...order, owner: 'c'.repeat(81) }, 'invalid', 'owner')
  const loan = rightBodies.disbursement
  const funders = (...shares: string[]) => shares.map((share, i) => ({ account: `house:lender:${i}`, share }))
  for (const shares of [['1'], ['0.3', '0.7'], ['0.25', '0.25', '0.5']])
    accepted({ ...loan, funders: funders(...shares) })
  for (const shares of [['0.9'], ['0.3', '0.8']])
    refused({ ...loan, funders: funders(...shares) }, 'invalid', 'funders')
  accepted({ ...loan, funders: [{ account: 'bank-a:funds', share: '1' }] })
  const elsewhere = { ...loan, creditLine: undefined, to: 'c2:cash', funders: undefined, asset: undefined }
  accepted({ ...elsewhere, asset: 'CNY' })
  accepted({ ...elsewhere, creditLine: loan.creditLine })
  refused(elsewhere, 'invalid', 'asset')
  refused({ ...loan, creditLine: 'c2:line' }, 'invalid', 'creditLine')
  refused({ ...loan, owner: 'c'.repeat(80), creditLine: undefined, loan: 'L'.repeat(64) }, 'invalid', 'loan')
  refused({ ...rightBodies.settle, to: 'house:shop' }, 'invalid', 'to')
  refused({ ...rightBodies.settle, to: 'm2:cash' }, 'invalid', 'to')
})
