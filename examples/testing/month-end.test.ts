// A hotel holds money on the last evening of the month and never captures it: it comes free at its time, on the next business day.
import assert from 'node:assert/strict'
import { test } from 'node:test'
// In your project: from 'suanpan/testing'.
import { createHarness } from '../../api/harness/testing.ts'

test('a hold that is not captured comes free after midnight, and its late capture is declined', async () => {
  const bank = await createHarness({
    accounts: { 'cust-42:cash': '500.00 CNY' },
    startAt: '2027-01-31T15:30:00Z',
    timeZone: 'Asia/Shanghai',
  })
  await bank.hold({ id: 'hotel-1', account: 'cust-42:cash', amount: '300.00', expiresIn: 3600 })
  assert.equal(bank.businessDate, '2027-01-31')
  assert.equal(bank.account('cust-42:cash').available, '200.00')

  await bank.advance('59m')
  assert.equal(bank.account('cust-42:cash').available, '200.00')

  await bank.advance('2m')
  assert.equal(bank.account('cust-42:cash').available, '500.00')
  const [, held, expired] = bank.entries('cust-42:cash')
  assert.deepEqual([held?.businessDate, expired?.businessDate], ['2027-01-31', '2027-02-01'])

  const late = await bank.capture({ account: 'cust-42:cash', hold: 'hotel-1' })
  assert.ok(late.status === 'declined' && late.problem.code === 'hold_expired')
  await bank.assertInvariants()
})
