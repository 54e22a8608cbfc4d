import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { transactions } from './arbitraries.ts'
import { createHarness } from './harness.ts'

const accounts = { 'cust-1:cash': '100.00 CNY', 'cust-1:save': '10.00 CNY', 'cust-2:cash': '50.00 CNY' }
const drawn = transactions({ accounts: ['cust-1:cash', 'cust-1:save', 'cust-2:cash'], minLength: 5, maxLength: 40 })

test('drawn transactions are well-formed, meet each other, and keep every promise whatever goes wrong', async () => {
  const statuses = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.nat(), drawn, async (seed, requests) => {
      const bank = await createHarness({ seed, accounts, faults: 'all', partitions: 3 })
      for (const outcome of await Promise.all(requests.map((request) => bank.post(request)))) {
        statuses.set(outcome.status, (statuses.get(outcome.status) ?? 0) + 1)
      }
      await bank.assertInvariants()
    }),
    { numRuns: 15 },
  )
  for (const status of ['posted', 'pending', 'declined']) assert.ok((statuses.get(status) ?? 0) > 5, status)
  assert.equal(statuses.get('refused'), undefined)
})

test('they shrink to the transaction that matters', () => {
  const { counterexample } = fc.check(
    fc.property(drawn, (requests) => !requests.some(({ type }) => type === 'hold')),
    { seed: 4 },
  )
  const [requests] = counterexample ?? []
  assert.ok(requests !== undefined && requests.length <= 5)
  assert.equal(requests.filter(({ type }) => type === 'hold').length, 1)
})
