// One coupon, two orders at the same moment. An order is one transaction: it burns the coupon and pays the rest, or does nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
// In your project: from 'suanpan/testing'.
import { explore } from '../../api/harness/testing.ts'

test('a coupon is good for one order, whichever comes first', async () => {
  const served = new Set<string>()
  await explore({ seeds: 50, fixture: new URL('./coupon.json', import.meta.url), faults: 'all' }, async (bank) => {
    const order = (name: string) =>
      bank.postings({
        id: name,
        transfers: [
          { from: 'cust-42:spring-coupon', to: 'house:coupons-burnt', amount: '1', asset: 'COUPON.SPRING' },
          { from: 'cust-42:cash', to: 'house:settlement:merchants', amount: '80.00', asset: 'CNY' },
        ],
      })
    const { winners, losers } = await bank.race(2, (i) => order(`order-${i}`))

    const [winner] = winners
    const [loser] = losers
    assert.ok(winners.length === 1 && winner?.status === 'posted')
    assert.ok(loser?.status === 'declined' && loser.problem.code === 'insufficient_funds')
    // The loser's cash was not touched either.
    assert.equal(bank.account('cust-42:cash').balance, '120.00')
    assert.equal(bank.account('cust-42:spring-coupon').balance, '0')
    served.add(winner.receipt.id)
  })
  // The seeds tried both orders of arrival.
  assert.deepEqual([...served].sort(), ['order-0', 'order-1'])
})
