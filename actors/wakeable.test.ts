import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wakeable } from './wakeable.ts'

test('a ring while somebody waits wakes them', async () => {
  const bell = wakeable()
  let woken = false
  const waiting = bell.next().then(() => {
    woken = true
  })
  await Promise.resolve()
  assert.equal(woken, false)
  bell.now()
  await waiting
  assert.equal(woken, true)
})

test('a ring while nobody waits is kept for the next wait, and only for that', async () => {
  const { now, next } = wakeable()
  now()
  now()
  await next()
  let woken = false
  const waiting = next().then(() => {
    woken = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(woken, false)
  now()
  await waiting
})
