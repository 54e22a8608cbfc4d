// One coupon, two orders at the same moment. An order is one transaction: it burns the coupon and pays the rest, or does nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
// In your project: from 'suanpan/testing'.
import { explore } from '../../api/harness/testing.ts'

test('a coupon is good for one order, whichever comes first', async () => {
  const served = new Set<string>()
  await explore({ seeds: 50, fixture: new URL('./coupon.json', import.meta.url), faults: 'all' }, async (bank) => {
    await bank.putCampaign('SPRING', {
      asset: 'CNY',
      stock: 100,
      limitPerCustomer: 1,
      minimumSpend: '50.00',
      discount: { amount: '20.00' },
    })
    const claimed = await bank.claimCoupon({ owner: 'cust-42', campaign: 'SPRING' })
    assert.equal(claimed.status, 'posted')
    const { winners, losers } = await bank.race(2, (i) =>
      bank.order({
        id: `order-${i}`,
        owner: 'cust-42',
        merchant: 'shop-7',
        total: '80.00',
        cash: { account: 'cust-42:cash', amount: '60.00' },
        coupon: { campaign: 'SPRING' },
      }),
    )

    const [winner] = winners
    const [loser] = losers
    assert.ok(winners.length === 1 && winner?.status === 'posted')
    assert.ok(loser?.status === 'declined' && loser.problem.code === 'coupon_not_held', JSON.stringify(loser))
    // The loser's cash was not touched; the shop has the whole price, a part of it from the promotion.
    assert.equal(bank.account('cust-42:cash').balance, '60.00')
    assert.equal(bank.account('house:merchant:shop-7').balance, '80.00')
    assert.equal(bank.account('house:promotion:SPRING').balance, '-20.00')
    served.add(winner.receipt.id)
  })
  // The seeds tried both orders of arrival.
  assert.deepEqual([...served].sort(), ['order-0', 'order-1'])
})
