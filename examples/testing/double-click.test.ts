// A customer taps "pay" twice, the network repeats both, and a worker thread dies: one payment, and every tap hears of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
// In your project: from 'suanpan/testing'.
import { explore } from '../../api/harness/testing.ts'

test('an order is paid once, however often it is sent', async () => {
  await explore(
    {
      seeds: 50,
      accounts: { 'cust-42:cash': '100.00 CNY' },
      faults: { client_twice: 5, client_cut: 5, thread_dies: 3 },
    },
    async (bank) => {
      const pay = () => bank.debit({ id: 'order-7', account: 'cust-42:cash', amount: '60.00' })
      const { winners, repeats, losers } = await bank.race(2, pay)

      assert.equal(winners.length, 1)
      assert.equal(repeats.length, 1)
      assert.equal(losers.length, 0)
      assert.equal(bank.account('cust-42:cash').balance, '40.00')
    },
  )
})
