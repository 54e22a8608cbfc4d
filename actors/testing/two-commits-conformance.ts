// Of a ledger: two commits under way, the second resting on the first.
import assert from 'node:assert/strict'
import { idKeyOf } from '../../core/identity.ts'
import { capture, credit, debit, hold, open } from '../../core/testing/commands.ts'
import { isFault } from '../faults.ts'
import { type Check, load, opened } from './ledger-conformance.ts'

const fault = (code: string) => (error: unknown) => isFault(error) && error.code === code

export function twoCommits(check: Check): void {
  check('a second commit rests on what the first one wrote, and settles after it', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const order: number[] = []
    const commits = [
      first.decide(hold({ id: 'h', amount: '30' }), hold({ id: 'k', amount: '2' }), open({ account: 'c:new' })),
      first.decide(capture({ id: 'x', hold: 'h', amount: '12', final: false }), credit({ id: 'n', account: 'c:new' })),
      first.decide(capture({ id: 'y', hold: 'k' }), debit({ id: 'o', account: 'c:new', amount: '1' })),
    ]
    const [one, two, three] = commits
    assert.ok(one !== undefined && two !== undefined && three !== undefined)
    const sent = first.ledger.commit(one).then(() => order.push(1))
    const behind = first.ledger.commit(two).then(() => order.push(2))
    await sent
    await Promise.all([behind, first.ledger.commit(three).then(() => order.push(3))])
    assert.deepEqual(order, [1, 2, 3])
    const second = await scribe()
    const partition = first.partitionOf(credit())
    assert.deepEqual(second.heads.get(partition)?.position, three.partitions[0]?.after)
    const found = await load(second.ledger, under, 'c', { accounts: ['c:cash', 'c:new'] })
    for (const { id, balance, held, seq } of found.accounts) {
      const own = first.account(partition, id)
      assert.deepEqual([balance, held, seq], [own.balance, own.held, own.seq], id)
    }
    const held = found.accounts.find(({ id }) => id === 'c:cash')?.holds
    assert.deepEqual(
      [...(held?.values() ?? [])].map(({ remaining }) => remaining),
      [1800n],
    )
  })

  check('if the first is fenced, nothing of the second stands', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const commits = [first.decide(credit({ id: 'x' })), first.decide(credit({ id: 'y' }))]
    const second = await scribe()
    const [one, two] = await Promise.allSettled(commits.map((commit) => first.ledger.commit(commit)))
    assert.deepEqual([one?.status, two?.status], ['rejected', 'rejected'])
    assert.ok(one?.status === 'rejected' && isFault(one.reason))
    const transactions = ['x', 'y'].map((id) => idKeyOf('c', id))
    const found = await load(second.ledger, under, 'c', { accounts: ['c:cash'], transactions })
    assert.deepEqual(found.transactions, [])
    assert.equal(found.accounts[0]?.balance, 10_000n)
  })

  check('a second that is refused leaves the first as it is', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const one = first.decide(credit({ id: 'x' }))
    // As if the engine had forgotten it.
    first.at(first.partitionOf(credit())).state.remembered.clear()
    const two = first.decide(credit({ id: 'y' }), credit({ id: 'x' }))
    const sent = [first.ledger.commit(one), first.ledger.commit(two)]
    await sent[0]
    await assert.rejects(sent[1] ?? assert.fail(), fault('rows_refused'))
    await first.host({ kind: 'resume', epochs: first.epochs })
    const found = await load(first.ledger, under, 'c', { accounts: ['c:cash'] })
    assert.equal(found.accounts[0]?.balance, 11_000n)
    await first.post(open({ account: 'c:other' }))
  })

  check('after two that failed the same ledger takes over again and goes on', async ({ scribe, under }) => {
    const first = await scribe()
    await first.post(...opened)
    const one = first.decide(credit({ id: 'x' }))
    const two = first.decide(credit({ id: 'y' }))
    const wrong = { ...one, partitions: one.partitions.map((part) => ({ ...part, epoch: part.epoch - 1 })) }
    const sent = [first.ledger.commit(wrong), first.ledger.commit(two)]
    await assert.rejects(sent[0] ?? assert.fail(), fault('fenced'))
    await assert.rejects(sent[1] ?? assert.fail(), isFault)
    await first.host({ kind: 'resume', epochs: first.epochs })
    const commits = [
      first.decide(open({ account: 'c:other' })),
      first.decide(credit({ id: 'z', account: 'c:other', from: 'house:other' })),
    ]
    await Promise.all(commits.map((commit) => first.ledger.commit(commit)))
    const found = await load(first.ledger, under, 'c', { accounts: ['c:cash', 'c:other'] })
    assert.deepEqual(
      new Map(found.accounts.map(({ id, balance }) => [id, balance])),
      new Map([
        ['c:cash', 10_000n],
        ['c:other', 1000n],
      ]),
    )
  })
}
