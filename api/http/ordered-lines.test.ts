import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { OrderedLines } from './ordered-lines.ts'

/** A response that takes what it is given and is full when the test says so. */
class FakeResponse extends EventEmitter {
  written: string[] = []
  full = false

  write(text: string): boolean {
    this.written.push(text)
    return !this.full
  }
}

function start(window: number): { response: FakeResponse; lines: OrderedLines } {
  const response = new FakeResponse()
  return { response, lines: new OrderedLines(response as unknown as ServerResponse, window) }
}

async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false
  void promise.then(() => {
    settled = true
  })
  await turn()
  await turn()
  return settled
}

test('lines go out in the order they were opened, joined', async () => {
  const { response, lines } = start(8)
  for (let index = 0; index < 4; index++) assert.equal(lines.open(), index)
  lines.settle(2, 'c')
  lines.settle(1, 'b')
  await turn()
  assert.deepEqual(response.written, [])
  lines.settle(0, 'a')
  lines.settle(3, 'd')
  await turn()
  assert.deepEqual(response.written, ['a\nb\nc\nd\n'])
})

test('a full window waits for its oldest line', async () => {
  const { lines } = start(2)
  lines.open()
  lines.open()
  assert.equal(lines.hasRoom, false)
  const room = lines.room()
  lines.settle(1, 'b')
  assert.equal(await isSettled(room), false)
  lines.settle(0, 'a')
  assert.equal(await isSettled(room), true)
  assert.equal(lines.hasRoom, true)
})

test('while the socket is full nothing more is written and no room is given', async () => {
  const { response, lines } = start(8)
  response.full = true
  lines.settle(lines.open(), 'a')
  await turn()
  assert.equal(lines.hasRoom, false)
  const room = lines.room()
  lines.settle(lines.open(), 'b')
  assert.equal(await isSettled(room), false)
  assert.deepEqual(response.written, ['a\n'])
  response.full = false
  response.emit('drain')
  assert.equal(await isSettled(room), true)
  assert.deepEqual(response.written, ['a\n', 'b\n'])
})

test('idle: everything is written and taken', async () => {
  const { response, lines } = start(8)
  assert.equal(await isSettled(lines.idle()), true)
  const index = lines.open()
  const idle = lines.idle()
  assert.equal(await isSettled(idle), false)
  response.full = true
  lines.settle(index, 'a')
  assert.equal(await isSettled(idle), false)
  response.emit('drain')
  assert.equal(await isSettled(idle), true)
})

test('when the client has gone, whoever waits goes on and what comes is dropped', async () => {
  for (const wait of ['room', 'idle'] as const) {
    const { response, lines } = start(1)
    const index = lines.open()
    const waiting = lines[wait]()
    assert.equal(await isSettled(waiting), false)
    response.emit('close')
    assert.equal(await isSettled(waiting), true)
    assert.equal(lines.isGone, true)
    lines.settle(index, 'a')
    await turn()
    assert.deepEqual(response.written, [])
  }
})

test('long answers are written in pieces', async () => {
  const { response, lines } = start(64)
  const line = 'x'.repeat(20_000)
  for (let index = 0; index < 10; index++) lines.settle(lines.open(), line)
  await turn()
  assert.deepEqual(
    response.written.map((text) => text.length),
    [80_004, 80_004, 40_002],
  )
})
