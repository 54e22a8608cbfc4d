// The harness as its users know it: what is tried here is what docs/testing.md promises.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { millisecondsOf } from './duration.ts'
import { explore } from './explore.ts'
import { createHarness, openHarness } from './harness.ts'
import { mutants } from './sim/mutants.ts'
import { Violation } from './violation.ts'

const accounts = { 'cust-1:cash': '100.00 CNY', 'cust-2:cash': '50.00 CNY' }

test('a hundred debits race for money that is enough for six: six win, whatever the order', async () => {
  const orders = new Set<string>()
  for (let seed = 1; seed <= 5; seed++) {
    const bank = await createHarness({ seed, accounts })
    const { winners, losers, repeats } = await bank.race(100, (i) =>
      bank.debit({ id: `pay-${i}`, account: 'cust-1:cash', amount: '15.00' }),
    )
    assert.deepEqual([winners.length, losers.length, repeats.length], [6, 94, 0])
    assert.equal(bank.account('cust-1:cash').balance, '10.00')
    await bank.assertInvariants()
    orders.add(
      bank
        .entries('cust-1:cash')
        .map(({ transaction }) => transaction)
        .join(),
    )
  }
  assert.ok(orders.size > 1, 'the seed decides who comes first')
})

test('the same button fifty times is one payment, and everybody hears of the same one', async () => {
  const bank = await createHarness({ seed: 2, accounts, faults: { client_cut: 3, client_twice: 3, thread_dies: 5 } })
  const { winners, repeats, losers } = await bank.race(50, () =>
    bank.debit({ id: 'order-1', account: 'cust-1:cash', amount: '60' }),
  )
  assert.deepEqual([winners.length, repeats.length, losers.length], [1, 49, 0])
  assert.equal(bank.account('cust-1:cash').balance, '40.00')
  await bank.assertInvariants()
})

test('money between owners, wherever they live and whatever dies: whole or not at all, and the loan once', async () => {
  const names = ['ann', 'ben', 'cat', 'dan', 'eve']
  const given = Object.fromEntries(names.map((name) => [`${name}:cash`, '100.00 CNY']))
  for (let seed = 1; seed <= 12; seed++) {
    const bank = await createHarness({ seed, accounts: given, partitions: 4, workers: 2, shards: 2, faults: 'all' })
    const cash = (i: number): string => `${names[i % names.length]}:cash`
    const moved = bank.race(60, (i) =>
      i % 3 === 0
        ? bank.postings({
            owner: names[i % names.length] ?? '',
            transfers: [
              { from: cash(i), to: cash(i + 1), amount: '5' },
              { from: cash(i + 1), to: cash(i + 2), amount: '6' },
            ],
          })
        : bank.transfer({ id: `t${i}`, from: cash(i), to: cash(i + 2), amount: '7' }),
    )
    const lent = bank.race(10, () =>
      bank.disburse({
        owner: 'ann',
        loan: 'L1',
        to: 'eve:cash',
        amount: '10',
        asset: 'CNY',
        funders: [
          { account: 'ben:cash', share: '0.3' },
          { account: 'dan:cash', share: '0.7' },
        ],
      }),
    )
    const { winners, losers } = await lent
    assert.ok(winners.length <= 1 && winners.length + losers.length === 10)
    await moved
    await bank.refund({ account: cash(1), of: 't1' })
    await bank.assertInvariants()
    const sum = names.reduce((total, name) => total + Number(bank.account(`${name}:cash`).balance), 0)
    assert.equal(sum, 500)
  }
})

test('one seed is one schedule, another seed another', async () => {
  const hashOf = async (seed: number): Promise<string> => {
    const bank = await createHarness({ seed, accounts, faults: 'all' })
    await bank.race(30, () => bank.debit({ account: 'cust-1:cash', amount: '7' }))
    await bank.crash('thread')
    await bank.assertInvariants()
    return bank.traceHash
  }
  assert.equal(await hashOf(3), await hashOf(3))
  assert.notEqual(await hashOf(3), await hashOf(4))
})

test('time passes at a word: a hold runs out, points expire after their last day, and each entry has its own time', async () => {
  const bank = await createHarness({ accounts, startAt: '2027-01-31T22:00:00Z', timeZone: 'Asia/Shanghai' })
  assert.equal(bank.businessDate, '2027-02-01')
  await bank.hold({ account: 'cust-2:cash', amount: '20', expiresIn: 3600 })
  await bank.earnPoints({ owner: 'cust-2', amount: '300', expiresOn: '2027-02-03' })
  assert.equal(bank.account('cust-2:cash').available, '30.00')
  await bank.advance('59m')
  assert.equal(bank.account('cust-2:cash').available, '30.00')
  await bank.advance('24h')
  assert.equal(bank.account('cust-2:cash').available, '50.00')
  const expiry = bank.entries('cust-2:cash').at(-1)
  assert.equal(expiry?.type, 'expire')
  assert.match(expiry?.at ?? '', /^2027-01-31T23:00:0/)
  assert.equal(bank.account('cust-2:points:2027-02-03').balance, '300')
  await bank.advance('7d')
  assert.equal(bank.account('cust-2:points:2027-02-03').balance, '0')
  await bank.assertInvariants()
})

test('a crash in the middle of a payment loses and doubles nothing', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const bank = await createHarness({ seed, accounts })
    const paying = bank.debit({ account: 'cust-1:cash', amount: '30' })
    await bank.crash(seed % 2 === 0 ? 'thread' : 'process')
    assert.equal((await paying).status, 'posted')
    assert.equal(bank.account('cust-1:cash').balance, '70.00')
    await bank.assertInvariants()
  }
})

test('outcomes are those of the typed client: declined, conflict, refused', async () => {
  const bank = await createHarness({ accounts })
  const declined = await bank.debit({ account: 'cust-1:cash', amount: '100.01' })
  assert.ok(declined.status === 'declined' && declined.problem.code === 'insufficient_funds')
  assert.equal(declined.problem.available, '100.00')
  await bank.debit({ id: 'x', account: 'cust-1:cash', amount: '1' })
  const conflict = await bank.debit({ id: 'x', account: 'cust-1:cash', amount: '2' })
  assert.ok(conflict.status === 'conflict' && conflict.problem.field === 'amount')
  const refused = await bank.debit({ account: 'cust-1:cash', amount: '-1' })
  assert.ok(refused.status === 'refused' && refused.problem.field === 'amount')
  assert.equal(bank.history().length, 3)
})

test('many at once over a stream are decided in order, under any fault', async () => {
  const bank = await createHarness({ seed: 9, accounts, faults: 'all' })
  const requests = Array.from({ length: 300 }, (_, i) => ({
    type: 'credit' as const,
    id: `c-${i}`,
    account: 'cust-1:cash',
    amount: '1',
  }))
  const outcomes = await bank.postAll([...requests, { type: 'debit', id: 'bad', account: 'cust-1:cash', amount: 'x' }])
  assert.equal(outcomes.filter(({ status }) => status === 'posted').length, 300)
  assert.equal(outcomes.at(-1)?.status, 'refused')
  assert.equal(bank.account('cust-1:cash').balance, '400.00')
  await bank.assertInvariants()
})

test('a fixture brings assets, accounts and what was posted before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'suanpan-fixture-'))
  try {
    const file = join(folder, 'bank.json')
    writeFileSync(
      file,
      JSON.stringify({
        assets: { STARS: { scale: 0, autoOpen: true } },
        accounts: { 'cust-7:cash': { asset: 'CNY', balance: '20', overdraft: '5' } },
        transactions: [{ type: 'hold', id: 'h', account: 'cust-7:cash', amount: '24' }],
      }),
    )
    const bank = await createHarness({ fixture: file })
    assert.equal(bank.account('cust-7:cash').available, '1.00')
    await bank.credit({ account: 'cust-7:stars', asset: 'STARS', amount: '3' })
    assert.equal(bank.account('cust-7:stars').balance, '3')
    writeFileSync(file, '{"account":{}}')
    await assert.rejects(createHarness({ fixture: file }), /account is not a member/)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('what breaks a promise is told with its seed, the shortest history and the line that runs it again', async () => {
  const broken = mutants.deduplication_without_index
  assert.ok(broken !== undefined)
  const bank = await openHarness({ seed: 5, accounts }, broken.variant)
  for (let i = 0; i < 5; i++) await bank.credit({ id: `noise-${i}`, account: 'cust-2:cash', amount: '1' })
  await bank.debit({ id: 'once', account: 'cust-1:cash', amount: '10' })
  await bank.crash()
  await bank.debit({ id: 'once', account: 'cust-1:cash', amount: '10' })
  await assert.rejects(bank.assertInvariants(), (error: Error) => {
    assert.match(error.message, /^seed 5: decided_once: once stands twice/)
    assert.match(error.message, /SUANPAN_SEED=5 node .*harness\.sim\.test\.[jt]s/)
    return true
  })
})

test('the shortest history is shown where the commands alone bring it about', async () => {
  const broken = mutants.cells_not_written
  assert.ok(broken !== undefined)
  const bank = await openHarness({ seed: 5, accounts }, broken.variant)
  for (let i = 0; i < 20; i++) await bank.credit({ id: `c-${i}`, account: 'cust-2:cash', amount: '1' })
  await assert.rejects(bank.assertInvariants(), (error: Error) => {
    const [, commands] = /\((\d+) commands/.exec(error.message) ?? []
    assert.ok(Number(commands) <= 3, error.message)
    return true
  })
})

test('a test that fails under some seed is told with it, and with the faults that it needs', async () => {
  await assert.rejects(
    explore({ seeds: 30, accounts, faults: { thread_dies: 20, client_cut: 1, commit_slow: 1 } }, async (bank) => {
      await bank.race(20, (i) => bank.debit({ id: `d-${i}`, account: 'cust-1:cash', amount: '1' }))
      assert.ok((bank.faults.thread_dies ?? 0) === 0, 'a thread died')
    }),
    (error: Error) => {
      assert.match(error.message, /^seed \d+: a thread died\nIt needs these faults: thread_dies\n/)
      assert.match(error.message, /"id":"d-3"/)
      return true
    },
  )
})

test('a broken promise is told once, and its faults are taken away though each run shows another history of it', async () => {
  await assert.rejects(
    explore({ seeds: 1, accounts, faults: { thread_dies: 3, client_cut: 1 } }, async (bank) => {
      await bank.race(9, (i) => bank.debit({ id: `d-${i}`, account: 'cust-1:cash', amount: '1' }))
      const found = new Violation('decided_once', `found in ${bank.traceHash}`)
      throw new Error(`seed 1: ${found.message}\nAgain: here`, { cause: found })
    }),
    (error: Error) => {
      assert.match(error.message, /^seed 1: decided_once: found in \S+\nIt needs no fault\.\n/)
      assert.equal(error.message.match(/^Again: /gm)?.length, 1)
      return true
    },
  )
})

test('a test explored under every fault passes where the engine keeps its promises', async () => {
  await explore({ seeds: 8, accounts, faults: 'all' }, async (bank) => {
    const { winners } = await bank.race(12, () => bank.debit({ account: 'cust-1:cash', amount: '30' }))
    assert.equal(winners.length, 3)
  })
})

test('durations are read as people write them', () => {
  assert.deepEqual(
    ['24h', '1.5s', '31d', '90m', '7ms', 12].map((text) => millisecondsOf(text as '1s')),
    [86_400_000, 1500, 2_678_400_000, 5_400_000, 7, 12],
  )
  for (const wrong of ['1w', '-1s', 'h', '', Number.NaN, -1])
    assert.throws(() => millisecondsOf(wrong as '1s'), TypeError)
})

test('a campaign over several partitions: as many winners as coupons, whatever fails, and nobody above the limit', async () => {
  await explore({ seeds: 12, faults: 'all', partitions: 4, workers: 2 }, async (bank) => {
    await bank.putCampaign('SALE', { asset: 'CNY', stock: 10, limitPerCustomer: 1, discount: { amount: '5' } })
    const claims = await bank.race(30, (i) => bank.claimCoupon({ owner: `c${i % 20}`, campaign: 'SALE' }))
    assert.equal(claims.winners.length, 10)
    assert.equal(new Set(claims.winners.map((one) => one.status === 'posted' && one.receipt.accounts[0]?.id)).size, 10)
    assert.equal(bank.account('house:coupon:SALE:issued').balance, '-10')
    assert.equal(bank.account('house:coupon:SALE:stock').balance, '0')
    // Raised: what was refused before is to be had.
    await bank.putCampaign('SALE', { asset: 'CNY', stock: 11, limitPerCustomer: 1, discount: { amount: '5' } })
    const more = await bank.race(5, (i) => bank.claimCoupon({ owner: `late${i}`, campaign: 'SALE' }))
    assert.equal(more.winners.length, 1)
  })
})

test('points of a program of its own pay a part of an order, and what the API refuses is thrown', async () => {
  const bank = await createHarness({ accounts: { 'cust-1:cash': '50.00 CNY' } })
  await bank.putProgram('MILES', { asset: 'CNY', points: '100', worth: '1.00' })
  await bank.earnPoints({ owner: 'cust-1', amount: '500', asset: 'MILES', expiresOn: '2027-06' })
  const ordered = await bank.order({
    owner: 'cust-1',
    merchant: 'm',
    total: '25.00',
    cash: { account: 'cust-1:cash', amount: '20.00' },
    points: { amount: '500', program: 'MILES' },
  })
  assert.equal(ordered.status, 'posted')
  assert.equal(bank.account('cust-1:cash').balance, '30.00')
  await assert.rejects(bank.putCampaign('X', { asset: 'NONE', stock: 1, discount: { amount: '1' } }), /no asset NONE/)
  await assert.rejects(bank.putProgram('CNY', { asset: 'CNY', points: '1', worth: '1' }), /worth themselves/)
  await bank.assertInvariants()
})

test('takings are settled once, however many ask for them at once, from whichever partitions they came', async () => {
  for (const faults of ['none', 'all'] as const) {
    const customers = Array.from({ length: 8 }, (_, i) => `cust-${i}`)
    const bank = await createHarness({
      seed: 3,
      faults,
      partitions: 4,
      workers: 2,
      shards: 2,
      accounts: {
        'shop:cash': '0 CNY',
        ...Object.fromEntries(customers.map((owner) => [`${owner}:cash`, '50.00 CNY'])),
      },
    })
    const order = (owner: string) =>
      bank.order({ owner, merchant: 'shop', total: '10.00', cash: { account: `${owner}:cash`, amount: '10.00' } })
    for (const one of await Promise.all(customers.map(order))) assert.equal(one.status, 'posted')
    const { winners } = await bank.race(20, () => bank.settle({ merchant: 'shop', to: 'shop:cash' }))
    assert.equal(winners.length, 1)
    assert.equal(bank.account('shop:cash').balance, '80.00')
    assert.equal((await bank.settle({ merchant: 'shop', to: 'other:cash' })).status, 'refused')
    await bank.assertInvariants()
  }
})

/** The message of what is thrown. */
async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

test('an option that is none, or has a value that it cannot have, is told by its name', async () => {
  const table: readonly (readonly [object, RegExp])[] = [
    [{ sede: 7 }, /^sede is no option/],
    [{ seed: '7' }, /^seed must be a whole number from 0/],
    [{ seed: -1 }, /^seed must/],
    [{ startAt: 'yesterday' }, /^startAt must be a time of RFC 3339/],
    [{ startAt: '2027-02-30T00:00:00Z' }, /^startAt must/],
    [{ timeZone: 'Asia/Nowhere' }, /time zone.*Asia\/Nowhere/],
    [{ partitions: 0 }, /^partitions must be a whole number from 1/],
    [{ workers: 1.5 }, /^workers must/],
    [{ shards: '2' }, /^shards must/],
    [{ faults: { cosmic_rays: 1 } }, /^faults\.cosmic_rays is no kind/],
    [{ faults: { thread_dies: -1 } }, /^faults\.thread_dies must/],
    [{ faults: 'some' }, /^faults must/],
    [{ trace: true }, /^trace must/],
  ]
  for (const [options, expected] of table) assert.match(await messageOf(() => createHarness(options)), expected)
  await createHarness({ seed: undefined, faults: undefined } as object)
  assert.match(
    await messageOf(() => explore({ seeds: 0 }, async () => undefined)),
    /^seeds must be a whole number from 1/,
  )
})

test('an account that the API would refuse is refused, with its name and the field', async () => {
  const table: readonly (readonly [string, unknown, RegExp])[] = [
    ['cust-1', '1 CNY', /^account cust-1: id must be an account id/],
    ['house:x', '1 CNY', /^account house:x: House accounts/],
    ['a:b', '1.5', /^account a:b: not an amount of an asset: 1\.5/],
    ['a:b', 100, /^account a:b: not an amount/],
    ['a:b', '1 XYZ', /^account a:b: There is no asset XYZ/],
    ['a:b', '1.001 CNY', /^account a:b: balance must be an amount of CNY, which has 2 decimals/],
    ['a:b', { asset: 'CNY', balance: 100 }, /^account a:b: balance must be a decimal string/],
    ['a:b', { asset: 'CNY', overdraft: '-5' }, /^account a:b: overdraft must be a decimal string/],
    ['a:b', { asset: 'CNY', overdraft: '0.001' }, /^account a:b: overdraft must be an amount of CNY/],
    ['a:b', { asset: 'CNY', blance: '5' }, /^account a:b: There is no field "blance"/],
    ['a:b', { asset: 'CNY', normal: 'left' }, /^account a:b: normal must be one of/],
  ]
  const bank = await createHarness({ accounts })
  for (const [id, given, expected] of table) {
    assert.match(await messageOf(() => createHarness({ accounts: { [id]: given as '1 CNY' } })), expected)
    assert.match(await messageOf(() => bank.openAccount(id, given as '1 CNY')), expected)
  }
  const change = (given: object) => messageOf(() => bank.changeAccount('cust-1:cash', given))
  assert.match(await change({ overdraft: 5 }), /^account cust-1:cash: overdraft must be/)
  assert.match(await change({ status: 'frozn' }), /^account cust-1:cash: status must be one of/)
  assert.match(await change({}), /^account cust-1:cash: status is missing/)
  assert.equal(bank.history().length, 0)
})

test('a campaign or a program that the API would refuse is refused, with the field', async () => {
  const bank = await createHarness({ accounts })
  const discount = { amount: '5' }
  const campaign = (given: object, code = 'SALE') =>
    messageOf(() => bank.putCampaign(code, given as Parameters<typeof bank.putCampaign>[1]))
  assert.match(await campaign({ asset: 'CNY', stock: 1 }), /^campaign SALE: discount is missing/)
  assert.match(await campaign({ asset: 'CNY', stock: '1', discount }), /^campaign SALE: stock must be a whole number/)
  assert.match(
    await campaign({ asset: 'CNY', stock: 1, limit: 1, discount }),
    /^campaign SALE: There is no field "limit"/,
  )
  assert.match(await campaign({ asset: 'CNY', stock: 1, discount }, 'spring'), /^campaign spring: code must be/)
  const program = { asset: 'CNY', points: 100, worth: '1' } as unknown as Parameters<typeof bank.putProgram>[1]
  assert.match(await messageOf(() => bank.putProgram('MILES', program)), /^program MILES: points must be/)
})

test('a fixture that cannot be what it says is no beginning: whatever was not posted is told', async () => {
  const given = { 'a:b': '10.00 CNY' }
  const debit = (amount: unknown) => ({ type: 'debit', id: 'd', account: 'a:b', amount })
  const table: readonly (readonly [object, RegExp])[] = [
    [{ account: given }, /account is not a member of a fixture/],
    [{ accounts: [] }, /accounts must be an object/],
    [{ transactions: {} }, /transactions must be an array/],
    [{ assets: { GOLD: { scale: '2' } } }, /^asset GOLD: scale must be/],
    [{ assets: { CNY: { scale: 4 } } }, /^asset CNY: it exists with scale 2/],
    [{ accounts: given, transactions: [debit('1'), debit('2')] }, /transactions\[1\]\.amount was conflict/],
    [{ accounts: given, transactions: [debit('10.01')] }, /transactions\[0\] was declined: insufficient_funds/],
    [{ accounts: given, transactions: [debit('0.001')] }, /transactions\[0\] was declined: amount_scale/],
    [{ accounts: given, transactions: [debit(1)] }, /transactions\[0\]\.amount was refused: invalid/],
  ]
  for (const [fixture, expected] of table) assert.match(await messageOf(() => createHarness({ fixture })), expected)
})

test('points run out when their last day ends in the time zone of the ledger, not when somebody next looks', async () => {
  for (const [timeZone, midnight] of [
    ['Asia/Shanghai', '2027-02-28T16:00'],
    ['UTC', '2027-03-01T00:00'],
    ['America/Los_Angeles', '2027-03-01T08:00'],
    ['Pacific/Kiritimati', '2027-02-28T10:00'],
  ] as const) {
    const bank = await createHarness({ accounts, timeZone, startAt: '2027-02-27T12:00:00Z' })
    await bank.earnPoints({ owner: 'cust-1', amount: '300', expiresOn: '2027-02' })
    await bank.advance('90d')
    const [earned, expired] = bank.entries('cust-1:points:2027-02')
    assert.deepEqual([earned?.amount, expired?.amount, expired?.businessDate], ['300', '-300', '2027-03-01'])
    // The timer looks once a minute.
    assert.ok(expired?.at.startsWith(midnight) || expired?.at.startsWith(midnight.replace(/0$/, '1')), expired?.at)
    await bank.assertInvariants()
  }
})

test('entries are those of the API: the reference, the other side far away, what was reserved, every cell of the house', async () => {
  const owners = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay']
  const given = Object.fromEntries(owners.map((owner) => [`${owner}:cash`, '100.00 CNY']))
  const bank = await createHarness({ accounts: given, partitions: 4, workers: 2, shards: 2 })
  for (const owner of owners) await bank.debit({ account: `${owner}:cash`, amount: '1', reference: `of ${owner}` })
  assert.deepEqual(
    owners.map((owner) => bank.entries(`${owner}:cash`).at(-1)?.reference),
    owners.map((owner) => `of ${owner}`),
  )
  const house = bank.entries('house:settlement:default')
  assert.deepEqual(
    house.map(({ balance }) => balance),
    ['1.00', '2.00', '3.00', '4.00', '5.00', '6.00'],
  )
  assert.equal(bank.account('house:settlement:default').balance, '6.00')
  for (const payer of owners)
    for (const payee of owners.filter((owner) => owner !== payer)) {
      await bank.transfer({ from: `${payer}:cash`, to: `${payee}:cash`, amount: '0.50' })
      const before = bank.entries(`${payee}:cash`).at(-1)
      assert.deepEqual([before?.counterparty, before?.amount], [`${payer}:cash`, '0.50'])
    }
  for (const owner of owners) {
    let balance = 0
    let held = 0
    for (const entry of bank.entries(`${owner}:cash`)) {
      balance += Number(entry.amount)
      held += Number(entry.heldChange)
      assert.deepEqual([Number(entry.balance), Number(entry.held)], [balance, held], JSON.stringify(entry))
    }
  }
  await bank.assertInvariants()
})

test('a race whose body returns nothing, a number of racers that is none and a crash of nothing are told', async () => {
  const bank = await createHarness({ accounts })
  const nothing = (() => undefined) as unknown as () => ReturnType<typeof bank.debit>
  assert.match(await messageOf(() => bank.race(2, nothing)), /run must return the promise of an outcome/)
  assert.match(await messageOf(() => bank.race(-1, () => bank.debit({ account: 'a:b', amount: '1' }))), /^count must/)
  assert.match(await messageOf(() => bank.crash('node' as 'thread')), /^crash of what: node/)
})
