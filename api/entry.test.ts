import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from '../core/command.ts'
import { debit, settle } from '../core/testing/commands.ts'
import type { Answer } from '../schemas/answer.ts'
import { entryOf } from './entry.ts'

/** Looks at takings are answered by the test, in turn. */
function given() {
  const submitted: Command[] = []
  const answers = new Map<string, Answer>()
  const looks: { found: (others: Readonly<Record<string, string>>) => void; fail: () => void }[] = []
  const entry = entryOf(
    {
      submit: (command) => submitted.push(command),
      partitionOf: () => 0,
    },
    {
      cellsElsewhere: () =>
        new Promise((found, reject) => looks.push({ found, fail: () => reject(new Error('no connection')) })),
    },
    { soon: (callback) => void setImmediate(callback) },
  )
  return {
    looks,
    answers,
    ids: () => submitted.map(({ id }) => id),
    submitted,
    send: (command: Command, waits = true) => entry.submit(command, (answer) => answers.set(command.id, answer), waits),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const out = (id: string): Command => debit({ id, account: 'm:cash', amount: '1' })

test('what an owner sends behind a settlement waits for it; others do not', async () => {
  const { looks, ids, send, submitted } = given()
  send(out('before'))
  send(settle({ id: 's1' }))
  send(out('a'))
  send(settle({ id: 's2' }))
  send(out('b'))
  send(debit({ id: 'other' }))
  assert.deepEqual(ids(), ['before', 'other'])
  looks[0]?.found({ CNY: '5' })
  await turn()
  assert.deepEqual(ids(), ['before', 'other', 's1', 'a'])
  const [, , first] = submitted
  assert.equal(first?.type === 'settle' && first.others, '{"CNY":"5"}')
  // The second one is looked at when the first is on its way, not before.
  assert.equal(looks.length, 2)
  looks[1]?.found({})
  await turn()
  assert.deepEqual(ids(), ['before', 'other', 's1', 'a', 's2', 'b'])
  send(out('after'))
  assert.equal(ids().at(-1), 'after')
})

test('a settlement whose takings cannot be looked at is refused, and what waits behind it goes on', async () => {
  const { looks, ids, answers, send } = given()
  send(settle({ id: 's1' }))
  send(out('a'))
  looks[0]?.fail()
  await turn()
  assert.deepEqual(ids(), ['a'])
  assert.match(answers.get('s1')?.body ?? '', /"shard_unavailable"/)
})

test('callers that do not wait for room are refused when too many wait behind one settlement', async () => {
  const { looks, ids, answers, send } = given()
  send(settle({ id: 's1' }))
  for (let i = 0; i < 8192; i++) send(out(`a${i}`), false)
  send(out('one more'), false)
  send(out('waits'), true)
  await turn()
  assert.match(answers.get('one more')?.body ?? '', /"overloaded"/)
  looks[0]?.found({})
  await turn()
  assert.deepEqual([ids().length, ids().at(-1)], [8194, 'waits'])
})
