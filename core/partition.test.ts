import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountKey, accountName } from './partition.ts'

test('an account is named by its id, a house cell by its id and asset', () => {
  assert.equal(accountName('c:cash', 'CNY'), 'c:cash')
  assert.equal(accountName('house:fees', 'CNY'), 'house:fees|CNY')
  assert.equal(accountName('house:fees', 'USD'), 'house:fees|USD')
  assert.equal(accountName('house1:fees', 'USD'), 'house1:fees')
})

test('names of cells stay right when more of them are asked for than are kept', () => {
  for (let n = 0; n < 140_000; n++) assert.equal(accountName(`house:${n % 70_000}`, 'CNY'), `house:${n % 70_000}|CNY`)
})

test('keys are exact, apart for each partition, and negative for cells', () => {
  const last = 2 ** 40 - 1
  for (const partition of [0, 1, 1023]) {
    for (const n of [1, last]) {
      const key = accountKey(partition, n, 'c:cash')
      assert.ok(Number.isSafeInteger(key) && key > 0)
      assert.equal(accountKey(partition, n, 'house:fees'), -key)
    }
  }
  assert.notEqual(accountKey(0, last, 'c:cash'), accountKey(1, 1, 'c:cash'))
})
