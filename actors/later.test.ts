// Commands accepted for later, over an intake and a mailbox of the test's.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualTime } from '../adapters/simulated/time.ts'
import { debit } from '../core/testing/commands.ts'
import type { Answer } from '../schemas/answer.ts'
import { decodeFrame } from '../schemas/frame.ts'
import { Intake } from './intake.ts'
import { Later } from './later.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'

function given() {
  const time = new VirtualTime()
  const mailbox = new FakeMailbox()
  const intake = new Intake({ partitions: 1, generation: 1, deadlineMs: 10_000 }, mailbox, time, time)
  intake.accept(true)
  mailbox.open(0, { generation: 0, high: 0, low: 0, index: 0 })
  const later = new Later(intake, time)
  const told: string[] = []
  const submit = (id: string): void =>
    later.submit(debit({ id }), ({ http, body }: Answer) => told.push(`${id} ${http} ${JSON.parse(body).status}`))
  const decide = (): void => {
    const tickets = mailbox.take(100).flatMap(({ bytes }) => decodeFrame(bytes).map(({ ticket }) => ticket))
    const bodies = tickets.map(() => '{"status":"posted"}').join('\n')
    intake.answers(
      tickets,
      tickets.map(() => 201),
      tickets.map(() => 0),
      bodies,
    )
  }
  const isQueued = (id: string): boolean => later.find('c', id) !== undefined
  return { time, mailbox, intake, later, told, submit, decide, isQueued }
}

test('queued when the mailbox holds it, not before; found until it is decided; its decision is told to nobody twice', () => {
  const { time, mailbox, told, submit, decide, isQueued } = given()
  mailbox.holdsAppends = true
  submit('a')
  time.turn()
  assert.deepEqual([told, isQueued('a')], [[], false])
  mailbox.settle()
  assert.deepEqual([told, isQueued('a')], [['a 202 queued'], true])
  decide()
  assert.deepEqual([told, isQueued('a')], [['a 202 queued'], false])
})

test('what is queued has no deadline, what is not is told that nothing is known', () => {
  const { time, mailbox, intake, told, submit, isQueued } = given()
  submit('a')
  time.turn()
  mailbox.holdsAppends = true
  submit('b')
  intake.submit(debit({ id: 'c' }), ({ http }) => told.push(`c ${http}`))
  time.advance(10_100)
  assert.deepEqual(told, ['a 202 queued', 'b 503 503', 'c 503'])
  assert.deepEqual([isQueued('a'), isQueued('b')], [true, false])
})

test('a full mailbox refuses it', () => {
  const { time, mailbox, told, submit, isQueued } = given()
  mailbox.commandsMax = 1
  submit('a')
  time.turn()
  submit('b')
  time.turn()
  assert.deepEqual(told, ['a 202 queued', 'b 429 429'])
  assert.equal(isQueued('b'), false)
})

test('lost with its generation, it is sent again and stays queued until then', () => {
  const { time, mailbox, intake, told, submit, decide, isQueued } = given()
  submit('a')
  time.turn()
  mailbox.endGeneration(0)
  assert.equal(isQueued('a'), true)
  mailbox.take(10)
  intake.hosted(0, { generation: 2, high: 0, low: 0, index: 0 })
  time.turn()
  decide()
  assert.deepEqual([told, isQueued('a')], [['a 202 queued'], false])
})

test('whoever waits goes on when it is decided, or when the time is over', async () => {
  const { time, later, submit, decide } = given()
  submit('a')
  submit('a')
  time.turn()
  let over = 0
  const first = later.decided('c', 'a', 5000).then(() => over++)
  await later.decided('c', 'unknown', 5000)
  time.advance(5000)
  await first
  const second = later.decided('c', 'a', 5000).then(() => over++)
  decide()
  await second
  assert.equal(over, 2)
  assert.equal(later.find('c', 'a'), undefined)
})
