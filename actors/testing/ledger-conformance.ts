// What every ledger must do, wherever it keeps things: registered for node:test by each adapter's own test.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Account } from '../../core/account.ts'
import type { Asset } from '../../core/asset.ts'
import type { Command } from '../../core/command.ts'
import { type IdKey, idKeyOf } from '../../core/identity.ts'
import {
  capture,
  change,
  credit,
  debit,
  earn,
  hold,
  open,
  postings,
  refund,
  release,
} from '../../core/testing/commands.ts'
import type { Remembered } from '../../core/transaction.ts'
import { isFault } from '../faults.ts'
import type { Found, Ledger, Needs, PartitionCommit, PastIds } from '../ports.ts'
import { Scribe } from './scribe.ts'
import { twoCommits } from './two-commits-conformance.ts'

export interface LedgerUnderTest {
  readonly partitions: number
  readonly assets: ReadonlyMap<string, Asset>
  /** Of another lane, thread or process: a connection of its own to the same database. */
  open(): Ledger
}

export interface LedgerMaker {
  /** An empty database with four partitions. */
  make(): Promise<LedgerUnderTest>
  stop(): Promise<void>
}

export function ledgerConformance(name: string, start: () => Promise<LedgerMaker>): void {
  let maker: LedgerMaker
  before(async () => {
    maker = await start()
  })
  after(async () => {
    await maker.stop()
  })
  const check: Check = (rule, body) => {
    test(`${name}: ${rule}`, async () => {
      const under = await maker.make()
      const ledgers: Ledger[] = []
      const scribe = async (): Promise<Scribe> => {
        const ledger = under.open()
        ledgers.push(ledger)
        const one = new Scribe(ledger, under.partitions, under.assets)
        await one.host()
        return one
      }
      await body({ under, scribe }).finally(() => Promise.all(ledgers.map((ledger) => ledger.close())))
    })
  }

  // ---- who hosts ----------------------------------------------------------------------------------------------------------------

  check('a new ledger stands at the beginning, and each take-over raises the epoch', async ({ scribe }) => {
    const first = await scribe()
    for (const head of first.heads.values()) {
      assert.deepEqual(
        [head.pseq, head.accountsOpened, head.time, head.segment, head.attempt, head.position],
        [0, 0, 0, 1, undefined, { generation: 0, high: 0, low: 0, index: 0 }],
      )
      assert.equal(head.chain.length, 32)
    }
    const second = await scribe()
    for (const [partition, epoch] of second.epochs) assert.equal(epoch, (first.epochs.get(partition) ?? 0) + 1)
  })

  check('what was committed is where the next host begins', async ({ scribe }) => {
    const first = await scribe()
    const commit = await first.post(...opened)
    const second = await scribe()
    assert.ok(commit.partitions.length > 1)
    for (const one of commit.partitions) {
      const head = second.heads.get(one.partition)
      assert.ok(head !== undefined && one.chain !== undefined)
      assert.deepEqual(
        [head.position, head.pseq, head.accountsOpened, head.time, head.segment],
        [one.after, one.lastPseq, one.accountsOpened, first.now, 1],
      )
      assert.deepEqual(Buffer.from(head.chain), Buffer.from(one.chain))
    }
  })

  check('a former host commits nothing any more', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const late = first.decide(credit({ id: 'late' }), credit({ id: 'late', account: 'd:cash' }))
    const second = await scribe()
    await assert.rejects(first.ledger.commit(late), isFault)
    for (const [partition, head] of second.heads)
      assert.equal(head.pseq, first.heads.get(partition)?.pseq === undefined ? 0 : second.at(partition).state.pseq)
    const found = await load(second.ledger, under, 'c', { transactions: [idKeyOf('c', 'late')] })
    assert.deepEqual(found.transactions, [])
  })

  check('a host goes on after trouble of its own, if nobody took over meanwhile', async ({ scribe }) => {
    const first = await scribe()
    await first.post(...opened)
    const { epochs } = first
    const heads = await first.host({ kind: 'resume', epochs })
    assert.equal(heads.length, 4)
    for (const { partition, epoch, pseq } of heads) {
      assert.equal(epoch, (epochs.get(partition) ?? 0) + 1)
      assert.equal(pseq, first.at(partition).state.pseq)
    }
  })

  check('partitions that somebody took are left out of a resume, and keep their epoch', async ({ scribe, under }) => {
    const first = await scribe()
    const { epochs } = first
    const other = under.open()
    const taken = await other.takeOver([1, 3], { kind: 'host' })
    const heads = await first.ledger.takeOver([0, 1, 2, 3], { kind: 'resume', epochs })
    assert.deepEqual(heads.map(({ partition }) => partition).sort(), [0, 2])
    const again = await other.takeOver([1, 3], {
      kind: 'resume',
      epochs: new Map(taken.map(({ partition, epoch }) => [partition, epoch])),
    })
    assert.equal(again.length, 2)
    await other.close()
  })

  // ---- all or nothing -----------------------------------------------------------------------------------------------------------

  for (const { what, moved } of [
    { what: 'position', moved: ({ before }) => ({ before: { ...before, high: before.high + 1 } }) },
    { what: 'epoch', moved: ({ epoch }) => ({ epoch: epoch - 1 }) },
    // What came for another partition of the lane left rows and no position.
    { what: 'last row', moved: ({ firstPseq }) => ({ firstPseq: firstPseq - 1 }) },
  ] satisfies { what: string; moved: (one: PartitionCommit) => Partial<PartitionCommit> }[]) {
    check(
      `one partition that is at another ${what} holds back the whole commit, and it is told as fenced`,
      async ({ scribe, under }) => {
        const first = await scribe()
        await first.post(...opened)
        const heads = new Map([...first.hosted].map(([partition, { position }]) => [partition, position]))
        const commit = first.decide(credit({ id: 'x' }), credit({ id: 'x', account: 'd:cash' }))
        assert.equal(commit.partitions.length, 2)
        const partitions = commit.partitions.map((one, i) => (i === 0 ? { ...one, ...moved(one) } : one))
        await assert.rejects(
          first.ledger.commit({ ...commit, partitions }),
          (error) => isFault(error) && error.code === 'fenced',
        )
        const second = await scribe()
        for (const [partition, head] of second.heads) assert.deepEqual(head.position, heads.get(partition))
        for (const owner of ['c', 'd']) {
          const found = await load(second.ledger, under, owner, { transactions: [idKeyOf(owner, 'x')] })
          assert.deepEqual(found.transactions, [])
        }
      },
    )
  }

  check('an id that stands already is refused with all that came along', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened, credit({ id: 'x' }))
    // As if the engine had forgotten it.
    first.at(first.partitionOf(credit())).state.remembered.clear()
    const twice = first.decide(credit({ id: 'y' }), credit({ id: 'x' }))
    await assert.rejects(first.ledger.commit(twice), (error) => isFault(error) && error.code === 'rows_refused')
    const second = await scribe()
    const found = await load(second.ledger, under, 'c', { accounts: ['c:cash'], transactions: [idKeyOf('c', 'y')] })
    assert.deepEqual(found.transactions, [])
    assert.equal(found.accounts[0]?.balance, 11_000n)
  })

  check('after a fault the same ledger takes over again and goes on', async ({ scribe }) => {
    const first = await scribe()
    await first.post(...opened)
    const commit = first.decide(credit({ id: 'x' }))
    const wrong = { ...commit, partitions: commit.partitions.map((one) => ({ ...one, epoch: one.epoch - 1 })) }
    await assert.rejects(first.ledger.commit(wrong), isFault)
    await first.host({ kind: 'resume', epochs: first.epochs })
    await first.post(open({ account: 'c:other' }))
  })

  twoCommits(check)

  // ---- what is loaded -----------------------------------------------------------------------------------------------------------

  check(
    'an account comes back as its host left it, with its open holds and what they are',
    async ({ scribe, under }) => {
      const first = await scribe()
      await first.post(...opened)
      await first.post(
        debit({ id: 'd' }),
        hold({ id: 'h1', amount: '30', expiresIn: 60 }),
        hold({ id: 'h2', amount: '20', to: 'c:save' }),
        hold({ id: 'h3', amount: '1' }),
        change({ id: '!f', account: 'c:save', overdraft: '7' }),
      )
      await first.post(
        capture({ id: 'k1', hold: 'h1', amount: '12', final: false }),
        capture({ id: 'k2', hold: 'h3' }),
        change({ id: '!g', account: 'c:save', status: 'frozen' }),
      )
      const second = await scribe()
      const partition = first.partitionOf(credit())
      const found = await load(second.ledger, under, 'c', { accounts: ['c:cash', 'c:save', 'c:loan', 'c:none'] })
      assert.deepEqual(found.accounts.map(({ id }) => id).sort(), ['c:cash', 'c:loan', 'c:save'])
      for (const account of found.accounts) {
        assert.deepEqual(plainAccount(account), plainAccount(first.account(partition, account.id)))
      }
      // The transactions of the open holds come along, with what was captured of them.
      assert.deepEqual(
        new Map(found.transactions.map(([key, one]) => [key, plainRemembered(one)])),
        new Map(['h1', 'h2'].map((id) => [idKeyOf('c', id), remembered(first, 'c', id)])),
      )
    },
  )

  check('all cells of a house account in the partition come back, and only those', async ({ scribe }) => {
    const first = await scribe()
    await first.post(...opened)
    await first.post(
      credit({ id: 'p', account: 'c:points', asset: 'POINTS', from: 'house:gifts' }),
      credit({ id: 'q', from: 'house:gifts' }),
      credit({ id: 'q', account: 'd:cash', from: 'house:gifts' }),
    )
    await first.post(credit({ id: 'r', from: 'house:gifts' }))
    const second = await scribe()
    const [here, there] = [credit(), credit({ account: 'd:cash' })].map((command) => first.partitionOf(command))
    assert.ok(here !== undefined && there !== undefined && here !== there)
    const found = await second.ledger.load(
      new Map([
        [here, { accounts: [], cells: ['house:gifts', 'house:none'], lotsOf: [], transactions: [] }],
        [there, { accounts: [], cells: ['house:gifts'], lotsOf: [], transactions: [] }],
      ]),
    )
    const cells = (partition: number): unknown[] =>
      (found.get(partition)?.accounts ?? []).map(plainAccount).sort((a, b) => (a.asset < b.asset ? -1 : 1))
    assert.deepEqual(cells(here), [
      plainAccount(first.account(here, 'house:gifts|CNY')),
      plainAccount(first.account(here, 'house:gifts|POINTS')),
    ])
    assert.deepEqual(cells(there), [plainAccount(first.account(there, 'house:gifts|CNY'))])
  })

  check('the lots of an owner come without being named, and nobody else has them', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const lots = ['2027-06', '2027-07-15'].map((expiresOn, i) => earn({ id: `e${i}`, expiresOn }))
    await first.post(...lots, earn({ id: 'e3', owner: 'd' }))
    const second = await scribe()
    const { accounts } = await load(second.ledger, under, 'c', { lotsOf: ['c', 'nobody'] })
    assert.deepEqual(accounts.map(({ id, balance }) => [id, balance]).sort(), [
      ['c:points:2027-06', 100n],
      ['c:points:2027-07-15', 100n],
    ])
  })

  check('a hold of the house comes back with its cell', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const held = hold({ id: 'h', account: 'house:gifts', to: 'c:cash', asset: 'CNY', expiresIn: 60 })
    await first.post(held)
    const second = await scribe()
    const partition = first.partitionOf(held)
    const found = await second.ledger.load(
      new Map([[partition, { accounts: [], cells: ['house:gifts'], lotsOf: [], transactions: [] }]]),
    )
    assert.deepEqual((found.get(partition)?.accounts ?? []).map(plainAccount), [
      plainAccount(first.account(partition, 'house:gifts|CNY')),
    ])
    assert.equal(under.partitions, 4)
  })

  check('a transaction comes back with its body, its facts and what links to it', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const commands: Command[] = [
      debit({ id: 'plain' }),
      debit({ id: 'rich', reference: '订单 😀', metadata: '{"a":"b"}', channel: 'alipay', businessDate: '2027-01-30' }),
      debit({ id: 'poor', amount: '100000' }),
      debit({ id: 'scale', amount: '0.001' }),
      hold({ id: 'h', amount: '10', expiresIn: 5 }),
      postings([
        { from: 'c:cash', to: 'c:save', amount: '1' },
        { from: 'house:x', to: 'c:points', amount: '5', asset: 'POINTS' },
      ]),
      release({ id: 'early', hold: 'never' }),
    ]
    await first.post(...commands)
    await first.post(
      refund({ id: 'back', of: 'plain', amount: '4' }),
      refund({ id: 'much', of: 'plain', amount: '7' }),
      capture({ id: 'k', hold: 'h', amount: '3' }),
    )
    const second = await scribe()
    const ids = ['plain', 'rich', 'poor', 'scale', 'h', 'p', 'early', 'never', 'back', 'much', 'k', 'unknown']
    const found = await load(second.ledger, under, 'c', { transactions: ids.map((id) => idKeyOf('c', id)) })
    const byKey = new Map(found.transactions)
    for (const id of ids) {
      const came = byKey.get(idKeyOf('c', id))
      if (id === 'unknown') assert.equal(came, undefined)
      else assert.deepEqual(came === undefined ? undefined : plainRemembered(came), remembered(first, 'c', id), id)
    }
    assert.equal(byKey.get(idKeyOf('c', 'never'))?.decided, undefined)
    assert.equal(byKey.get(idKeyOf('c', 'plain'))?.links.length, 1)
  })

  check('a hold that was placed and ended within one commit leaves no open hold', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    await first.post(hold({ id: 'h' }), capture({ hold: 'h' }), hold({ id: 'i' }), release({ id: 'l', hold: 'i' }))
    const second = await scribe()
    const found = await load(second.ledger, under, 'c', { accounts: ['c:cash'] })
    assert.equal(found.accounts[0]?.holds.size, 0)
    assert.equal(found.accounts[0]?.held, 0n)
  })

  check('nothing was asked, nothing comes', async ({ scribe }) => {
    const first = await scribe()
    await first.post(...opened)
    const found = await first.ledger.load(new Map())
    assert.equal([...found.values()].flatMap(({ accounts }) => accounts).length, 0)
  })

  // ---- the rest -----------------------------------------------------------------------------------------------------------------

  check(
    'every id of the past is named in its partition, and the holds that releases came before',
    async ({ scribe, under }) => {
      const first = await scribe()
      await first.post(...opened)
      await first.post(
        debit({ id: 'x' }),
        debit({ id: 'y', amount: '100000' }),
        release({ id: 'early', hold: 'never' }),
      )
      const here = first.partitionOf(credit())
      const { ids, into } = collected()
      await first.ledger.pastIds([here], into)
      for (const id of ['x', 'y', 'early', 'never']) assert.ok(ids.has(`${here} ${idKeyOf('c', id)}`), id)
      assert.ok(
        [...ids].every((name) => name.startsWith(`${here} `)),
        'ids of a partition that was not asked for',
      )
      const all = collected()
      await first.ledger.pastIds([0, 1, 2, 3], all.into)
      assert.ok(all.ids.has(`${first.partitionOf(credit({ account: 'd:cash' }))} ${idKeyOf('d', 'first')}`))
      assert.ok(under.partitions === 4)
    },
  )

  check('the note of an attempt stands until the next commit of its partition', async ({ scribe }) => {
    const first = await scribe()
    const attempt = '1:5-0+2 7 again'
    await first.ledger.commit(first.advance(2, attempt))
    const second = await scribe()
    assert.equal(second.heads.get(2)?.attempt, attempt)
    assert.equal(second.heads.get(1)?.attempt, undefined)
    assert.deepEqual(second.heads.get(2)?.position, { generation: 0, high: 0, low: 0, index: 0 })
    await second.ledger.commit(second.advance(2))
    const third = await scribe()
    assert.equal(third.heads.get(2)?.attempt, undefined)
    assert.equal(third.heads.get(2)?.pseq, 0)
  })

  check('money to the last of 63 bits comes back', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened.slice(0, 1), credit({ id: 'max', amount: '92233720368547758.07' }))
    const second = await scribe()
    const found = await load(second.ledger, under, 'c', { accounts: ['c:cash'] })
    assert.equal(found.accounts[0]?.balance, 2n ** 63n - 1n)
  })
}

export interface Given {
  readonly under: LedgerUnderTest
  /** Hosts all partitions over a ledger of its own. */
  scribe(): Promise<Scribe>
}

/** Registers one rule of the port: over an empty database. */
export type Check = (rule: string, body: (given: Given) => Promise<void>) => void

/** `c` and `d` live in different partitions of four. */
export const opened: readonly Command[] = [
  open({ id: '!1', account: 'c:cash' }),
  open({ id: '!2', account: 'c:save', overdraft: '20', metadata: '{"a":1}' }),
  open({ id: '!3', account: 'c:loan', normal: 'debit' }),
  open({ id: '!1', account: 'd:cash' }),
  credit({ id: 'first', amount: '100' }),
  credit({ id: 'first', amount: '100', account: 'd:cash' }),
]

export async function load(
  ledger: Ledger,
  under: LedgerUnderTest,
  owner: string,
  needs: Partial<Needs>,
): Promise<Found> {
  const partition = new Scribe(ledger, under.partitions, under.assets).partitionOf(credit({ account: `${owner}:cash` }))
  const found = await ledger.load(
    new Map([[partition, { accounts: [], cells: [], lotsOf: [], transactions: [], ...needs }]]),
  )
  return found.get(partition) ?? { accounts: [], transactions: [] }
}

function collected(): { ids: Set<string>; into: PastIds } {
  const ids = new Set<string>()
  return {
    ids,
    into: {
      id: (partition, _segment, idKey) => ids.add(`${partition} ${idKey}`),
      keeps: () => assert.fail('no segment is closed yet'),
      filter: () => assert.fail('no segment is closed yet'),
    },
  }
}

function plainAccount({ asset, holds, ...account }: Account) {
  const plainHolds = [...holds.values()].map(({ to, ...one }) => ({
    ...one,
    to: { key: to.key, id: to.id, asset: to.asset.code },
  }))
  return { ...account, asset: asset.code, holds: plainHolds.sort((a, b) => (a.id < b.id ? -1 : 1)) }
}

const remembered = (scribe: Scribe, owner: string, id: string) => {
  const partition = scribe.partitionOf(credit({ account: `${owner}:cash` }))
  const one = scribe.at(partition).state.remembered.get(idKeyOf(owner, id) as IdKey)
  return one === undefined ? undefined : plainRemembered(one)
}

/** As text: rows name accounts by key, and members that are undefined are left out. */
function plainRemembered({ decided, links }: Remembered): unknown {
  return JSON.parse(
    JSON.stringify({ decided, links }, (name, value: unknown) => {
      if (typeof value === 'bigint') return String(value)
      if ((name === 'from' || name === 'to') && typeof value === 'object' && value !== null && 'key' in value)
        return value.key
      return value
    }),
  )
}
