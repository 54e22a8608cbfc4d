import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Items, postItems } from './array-batch.ts'
import { EngineIntake } from './intake.ts'
import { invalid } from './problem.ts'
import { FakeEngine } from './testing/fake-engine.ts'

const debit = (index: number): object => ({
  id: `d${index}`,
  type: 'debit',
  account: `c${index % 7}:cash`,
  amount: '1',
})

function given(count: number, itemAt: (index: number) => unknown = debit) {
  const engine = new FakeEngine()
  const parsed: number[] = []
  const https: number[] = []
  const items: Items = {
    count,
    at: (index) => {
      parsed.push(index)
      return itemAt(index)
    },
  }
  const ports = { engine, intake: new EngineIntake(engine), onItem: (http: number) => void https.push(http) }
  return { engine, items, ports, parsed, https }
}

test('the first items are answered before the last are parsed; each is parsed once, in order', async () => {
  const { items, ports, parsed } = given(3_000)
  let parsedAtFirstAnswer = 0
  const rendered = await postItems(items, ports, (index) => {
    parsedAtFirstAnswer ||= parsed.length
    return index
  })
  assert.ok(parsedAtFirstAnswer < 2_000, `${parsedAtFirstAnswer} were parsed before the first answer`)
  const all = Array.from({ length: 3_000 }, (_, index) => index)
  assert.deepEqual(parsed, all)
  assert.deepEqual(rendered, all)
})

test('answers stand in the order of the items, bad ones among them, whatever order they come in', async () => {
  const { engine, items, ports, https } = given(5, (index) => (index === 1 ? invalid('id', 'No.') : debit(index)))
  const replies: (() => void)[] = []
  engine.submit = ({ id }, reply) => {
    replies.push(() => reply({ http: id === 'd3' ? 422 : 201, replayed: false, body: '{}' }))
  }
  const posted = postItems(items, ports, (index, { http }) => `${index}:${http}`)
  for (const reply of replies.reverse()) reply()
  assert.deepEqual(await posted, ['0:201', '1:400', '2:201', '3:422', '4:201'])
  assert.deepEqual(https, [400, 201, 422, 201, 201])
})

test('a batch of nothing, or of nothing good, is answered without the engine', async () => {
  const { items, ports } = given(0)
  assert.deepEqual(await postItems(items, ports, String), [])
  const bad = given(600, () => null)
  assert.equal(
    (await postItems(bad.items, bad.ports, (_index, { http }) => http)).filter((http) => http === 400).length,
    600,
  )
  assert.equal(bad.engine.waitingMax, 0)
})

test('when the server closes in the middle, what was not yet taken is told so, and nothing of it is accepted', async () => {
  const { engine, items, ports } = given(2_000)
  const commands: string[] = []
  engine.onCommand = ({ id }) => {
    commands.push(id)
    if (commands.length === 600) ports.intake.close()
  }
  const https = await postItems(items, ports, (_index, { http }) => http)
  assert.equal(commands.length, 600)
  assert.deepEqual(https, [...new Array<number>(600).fill(201), ...new Array<number>(1_400).fill(503)])
})
