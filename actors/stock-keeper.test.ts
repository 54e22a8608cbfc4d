import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClaimCoupon, MoveStock } from '../core/command.ts'
import type { Pending } from './outbox.ts'
import { StockKeeper } from './stock-keeper.ts'

/** Partitions that keep stock as `decideStock` does, and claims that try again when they are sent again. */
function given(stock: number[]) {
  const here = [...stock]
  const closed = new Set<number>()
  const down = new Set<number>()
  const sent: string[] = []
  const outcomes: string[] = []
  let moving = 0
  const answer = ({ partition, action, amount = 0 }: MoveStock): void => {
    if (action === 'recall') {
      moving += here[partition] ?? 0
      here[partition] = 0
    } else if (action === 'grant') {
      moving -= amount
      here[partition] = (here[partition] ?? 0) + amount
      closed.delete(partition)
    } else closed.add(partition)
  }
  const keeper: StockKeeper = new StockKeeper(
    {
      submit: (command, reply) =>
        setImmediate(() => {
          sent.push(`${command.action} ${command.partition}${command.amount === undefined ? '' : ` ${command.amount}`}`)
          if (down.has(command.partition)) return reply({ http: 503, replayed: false, body: '{}' })
          answer(command)
          reply({ http: 201, replayed: false, body: '{}' })
        }),
      moving: async () => moving,
      resend: (pending) => setImmediate(() => claim(pending)),
      giveUp: () => outcomes.push('given up'),
    },
    stock.length,
    't',
  )
  const claim = (pending: Pending): void => {
    const { partition } = pending
    if ((here[partition] ?? 0) > 0) {
      here[partition] = (here[partition] ?? 0) - 1
      outcomes.push('won')
    } else if (closed.has(partition)) outcomes.push('refused')
    else keeper.park(pending)
  }
  const pending = (partition: number): Pending => ({
    command: { type: 'coupon.claim', id: 'c', owner: 'o', campaign: 'SPRING' } satisfies ClaimCoupon,
    ticket: 1,
    stampedAt: 0,
    reply: () => undefined,
    partition,
    deadline: 0,
    waits: false,
    accepted: undefined,
    frame: undefined,
    index: 0,
    sent: false,
  })
  const claimAt = (...partitions: number[]): void => {
    for (const partition of partitions) claim(pending(partition))
  }
  const left = (): number => moving + here.reduce((sum, one) => sum + one, 0)
  return { here, closed, down, sent, outcomes, claimAt, left }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
}
const count = (outcomes: readonly string[], outcome: string): number => outcomes.filter((one) => one === outcome).length

test('a claim gets the coupon that is left in another partition', async () => {
  const { claimAt, outcomes, here, left } = given([0, 0, 3])
  claimAt(0)
  await settle()
  assert.deepEqual(outcomes, ['won'])
  assert.equal(left(), 2)
  assert.ok(here.reduce((sum, one) => sum + one, 0) === 2, 'nothing stays on its way')
})

test('nobody is refused while a coupon is left anywhere, and then everybody is', async () => {
  for (let stock = 0; stock < 12; stock++) {
    const shares = Array.from({ length: 4 }, (_, partition) => Math.floor((stock + partition) / 4))
    const { claimAt, outcomes, left } = given(shares)
    for (let i = 0; i < 10; i++) claimAt(i % 3)
    await settle()
    const won = Math.min(10, stock)
    assert.deepEqual([count(outcomes, 'won'), count(outcomes, 'refused'), left()], [won, 10 - won, stock - won])
  }
})

test('a partition that cannot be reached may hold the last coupon: the claims are given up, not refused', async () => {
  const { claimAt, outcomes, down, left, sent } = given([0, 1])
  down.add(1)
  claimAt(0, 0)
  await settle()
  assert.deepEqual(outcomes, ['given up', 'given up'])
  assert.equal(
    sent.some((one) => one.startsWith('close')),
    false,
  )
  down.clear()
  claimAt(0, 0)
  await settle()
  assert.deepEqual([count(outcomes, 'won'), count(outcomes, 'refused'), left()], [1, 1, 0])
})

test('what a round had called in when it was cut short is dealt out by the next', async () => {
  const { claimAt, outcomes, down, left } = given([0, 5, 0])
  down.add(2)
  claimAt(0)
  await settle()
  assert.equal(left(), 5)
  down.clear()
  claimAt(0, 0, 0, 0, 0, 0)
  await settle()
  assert.deepEqual([count(outcomes, 'won'), count(outcomes, 'refused')], [5, 1])
})
