import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from './turns.ts'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('turns are taken one at a time, in the order they were asked for', async () => {
  const turns = new Turns()
  const order: string[] = []
  const ends = new Map<string, () => void>()
  assert.equal(turns.busy, false)
  for (const name of ['a', 'b', 'c'])
    void turns.take().then((end) => {
      order.push(name)
      ends.set(name, end)
    })
  for (const [n, name] of ['a', 'b', 'c'].entries()) {
    await settle()
    assert.equal(order.length, n + 1)
    assert.equal(order.at(-1), name)
    assert.equal(turns.busy, true)
    ends.get(name)?.()
  }
  await settle()
  assert.equal(turns.busy, false)
  const end = await turns.take()
  end()
  assert.equal(turns.busy, false)
})
