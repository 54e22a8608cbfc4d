import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Commits } from './commits.ts'
import type { LaneCommit } from './ports.ts'

/** Commits that the test ends, in any order. */
function given() {
  const ends: { ok: () => void; fail: (error: Error) => void }[] = []
  const heard: string[] = []
  const commits = new Commits({
    commit: () => new Promise((ok, fail) => ends.push({ ok, fail })),
  })
  return {
    commits,
    heard,
    send: (name: string, stands: () => void = () => undefined) =>
      commits.send(
        {} as LaneCommit,
        () => {
          heard.push(name)
          stands()
        },
        (error) => heard.push(`${name} fell: ${error instanceof Error ? error.message : String(error)}`),
      ),
    ok: (i: number) => ends[i]?.ok(),
    fail: (i: number, message: string) => ends[i]?.fail(new Error(message)),
  }
}

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('two are under way, and a third waits for room', async () => {
  const { commits, heard, send, ok } = given()
  send('a')
  send('b')
  assert.equal(commits.count, 2)
  let room = false
  void commits.room().then(() => {
    room = true
  })
  await turns()
  assert.equal(room, false)
  ok(0)
  await turns()
  assert.deepEqual([room, commits.count, heard], [true, 1, ['a']])
})

test('one that is done before the one ahead of it is heard after it', async () => {
  const { commits, heard, send, ok } = given()
  send('a')
  send('b')
  ok(1)
  await turns()
  assert.deepEqual([heard, commits.count], [[], 2])
  ok(0)
  await turns()
  assert.deepEqual([heard, commits.count], [['a', 'b'], 0])
})

test('behind one that failed nothing is heard, even if the ledger says that it stands', async () => {
  for (const second of ['stands', 'fails'] as const) {
    const { commits, heard, send, ok, fail } = given()
    send('a')
    send('b')
    if (second === 'stands') ok(1)
    else fail(1, 'too')
    fail(0, 'lost')
    await turns()
    assert.deepEqual(heard, ['a fell: lost'])
    assert.throws(() => commits.check(), /lost/)
    await assert.rejects(commits.room(), /lost/)
    await assert.rejects(commits.drained(), /lost/)
  }
})

test('the second alone may fail', async () => {
  const { commits, heard, send, ok, fail } = given()
  send('a')
  send('b')
  fail(1, 'refused')
  await turns()
  commits.check()
  ok(0)
  await turns()
  assert.deepEqual(heard, ['a', 'b fell: refused'])
})

test('it is over when both are, and the failure is forgotten', async () => {
  const { commits, heard, send, ok, fail } = given()
  send('a')
  send('b')
  fail(0, 'lost')
  let over = false
  const end = commits.over().then(() => {
    over = true
  })
  await turns()
  assert.equal(over, false)
  ok(1)
  await end
  commits.check()
  send('c')
  ok(2)
  await commits.drained()
  assert.deepEqual(heard, ['a fell: lost', 'c'])
})

test('an error in hearing of a commit counts as its failure', async () => {
  const { commits, heard, send, ok } = given()
  send('a', () => {
    throw new Error('no ear')
  })
  send('b')
  ok(0)
  ok(1)
  await turns()
  assert.deepEqual(heard, ['a', 'a fell: no ear'])
  assert.throws(() => commits.check(), /no ear/)
})
