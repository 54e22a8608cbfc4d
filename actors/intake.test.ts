// Intake with a clock and a mailbox of the test's: what is refused before the mailbox, how ticks become frames, who is asked again.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { VirtualTime } from '../adapters/simulated/time.ts'
import type { Command } from '../core/command.ts'
import { ownerOfAccount } from '../core/identity.ts'
import { credit, debit, postings, transfer } from '../core/testing/commands.ts'
import { type Answer, stockElsewhere } from '../schemas/answer.ts'
import { decodeFrame } from '../schemas/frame.ts'
import { Intake } from './intake.ts'
import type { Pending } from './outbox.ts'
import type { Frame } from './ports.ts'
import { partitionOf } from './route.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'

const partitions = 4
/** Of an owner in another partition than `c`. */
const elsewhere =
  ['d:cash', 'e:cash', 'f:cash', 'g:cash'].find(
    (account) => partitionOf(ownerOfAccount(account), partitions) !== partitionOf('c', partitions),
  ) ?? ''
const start = { generation: 0, high: 0, low: 0, index: 0 }

function given() {
  const time = new VirtualTime()
  const mailbox = new FakeMailbox(3)
  const intake = new Intake({ partitions, generation: 1, deadlineMs: 10_000 }, mailbox, time, time)
  intake.accept(true)
  for (let partition = 0; partition < partitions; partition++) mailbox.open(partition, start)
  const answers = new Map<string, Answer[]>()
  const submit = (...commands: Command[]): void => {
    for (const command of commands) {
      intake.submit(command, (answer) => answers.set(command.id, [...(answers.get(command.id) ?? []), answer]))
    }
  }
  const codeOf = (id: string): string => {
    const [answer, second] = answers.get(id) ?? []
    assert.equal(second, undefined, `${id} was answered twice`)
    if (answer === undefined) return 'none'
    const { code, effect } = JSON.parse(answer.body) as { code?: string; effect?: string }
    return code === undefined ? `${answer.http}` : `${answer.http} ${code} ${effect}`
  }
  const taken = (): Frame[] => {
    time.turn()
    return mailbox.take(1_000_000).filter((frame) => frame.bytes.length > 0)
  }
  return { time, mailbox, intake, answers, submit, codeOf, taken }
}

/** Promises that wait for each other settle. */
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const idsOf = (frame: Frame | undefined): string[] =>
  frame === undefined ? [] : decodeFrame(frame.bytes).map(({ command }) => command.id)
const ticketsOf = (frame: Frame): number[] => decodeFrame(frame.bytes).map(({ ticket }) => ticket)

test('commands of one tick share a frame per partition, in their order, stamped with the time they came', () => {
  const { submit, taken, time } = given()
  submit(debit({ id: '1' }))
  time.advance(0)
  submit(debit({ id: '2' }), debit({ id: '3', account: elsewhere }), debit({ id: '4' }))
  const frames = taken()
  assert.deepEqual(frames.map(idsOf).sort(), [['1'], ['2', '4'], ['3']])
  for (const frame of frames)
    for (const { stampedAt } of decodeFrame(frame.bytes)) assert.equal(stampedAt, time.startMs)
})

test('commands of one owner share a partition whatever they are', () => {
  const { submit, taken } = given()
  submit(
    debit({ id: '1', account: 'c:a' }),
    credit({ id: '2', account: 'c:b' }),
    transfer({ id: '3', from: 'house:x', to: 'c:c' }),
    postings([{ from: 'house:x', to: 'c:d', amount: '1' }], { id: '4' }),
  )
  assert.deepEqual(taken().map(idsOf), [['1', '2', '3', '4']])
})

test('a tick of many commands is cut into frames of 1,024', () => {
  const { submit, taken } = given()
  submit(...Array.from({ length: 2500 }, (_, i) => debit({ id: String(i) })))
  const frames = taken()
  assert.deepEqual(
    frames.map((frame) => idsOf(frame).length),
    [1024, 1024, 452],
  )
  assert.deepEqual(
    frames.flatMap(idsOf),
    Array.from({ length: 2500 }, (_, i) => String(i)),
  )
})

test('an answer reaches whoever asked, once, and never inside the call', () => {
  const { submit, taken, intake, codeOf } = given()
  submit(debit({ id: '1' }), debit({ id: '2' }))
  assert.equal(codeOf('1'), 'none')
  const [frame] = taken()
  assert.ok(frame !== undefined)
  const [first = 0, second = 0] = ticketsOf(frame)
  intake.answers([second, first, 999], [201, 422, 201], [0, 1, 0], '{"n":2}\n{"n":1}\n{}')
  intake.answers([second], [500], [0], '{}')
  assert.deepEqual([codeOf('1'), codeOf('2')], ['422', '201'])
  assert.equal(intake.waiting, 0)
})

test('a transaction of two owners goes to the mailbox of the one that pays', () => {
  const { submit, taken, time, codeOf, intake } = given()
  const across = transfer({ id: '1', from: 'a:cash', to: 'b:cash' })
  submit(across)
  time.turn()
  assert.equal(codeOf('1'), 'none')
  assert.deepEqual(
    taken().map(({ partition }) => partition),
    [intake.partitionOf(across)],
  )
})

test('packets of other partitions go into a full mailbox, past the commands that wait for room', () => {
  const { submit, taken, intake, mailbox, time } = given()
  mailbox.commandsMax = 1
  submit(debit({ id: '1' }))
  time.turn()
  intake.submit(debit({ id: '2' }), () => undefined, true)
  time.turn()
  intake.deliver([{ to: intake.partitionOf(debit({ id: '1' })), bytes: new Uint8Array([7]), messages: 1 }])
  assert.deepEqual(
    taken().map(({ bytes }) => bytes.length === 1),
    [false, true],
  )
})

test('a packet for a partition that is out of reach is left to its sender: the mailbox holds nothing of it', () => {
  const { taken, intake, time } = given()
  const to = intake.partitionOf(debit({ id: '1' }))
  const deliver = (): void => {
    intake.deliver([{ to, bytes: new Uint8Array([7]), messages: 1 }])
    time.turn()
  }
  intake.setDown(to, 'The database of this owner cannot be reached.')
  deliver()
  assert.deepEqual(taken(), [])
  intake.setDown(to, undefined)
  deliver()
  assert.equal(taken().length, 1)
})

test('nothing is taken before intake is open, nor after', () => {
  const { submit, taken, time, intake, codeOf } = given()
  intake.accept(false)
  submit(debit({ id: '1' }))
  time.turn()
  assert.equal(codeOf('1'), '503 not_ready none')
  assert.deepEqual(taken(), [])
  assert.equal(intake.waiting, 0)
})

test('a full mailbox refuses the whole frame: overloaded, and nothing was accepted', () => {
  const { submit, mailbox, taken, time, codeOf } = given()
  mailbox.commandsMax = 3
  submit(debit({ id: '1' }), debit({ id: '2' }))
  time.turn()
  submit(debit({ id: '3' }), debit({ id: '4' }), debit({ id: '5', account: elsewhere }))
  time.turn()
  assert.deepEqual(['1', '2', '3', '4', '5'].map(codeOf), [
    'none',
    'none',
    '429 overloaded none',
    '429 overloaded none',
    'none',
  ])
  assert.deepEqual(taken().flatMap(idsOf).sort(), ['1', '2', '5'])
})

test('at the deadline the outcome is unknown, and a late answer is dropped', () => {
  const { submit, taken, time, intake, codeOf } = given()
  submit(debit({ id: '1' }))
  const [frame] = taken()
  time.advance(6000)
  submit(debit({ id: '2' }))
  time.advance(3900)
  assert.equal(codeOf('1'), 'none')
  time.advance(200)
  assert.deepEqual([codeOf('1'), codeOf('2')], ['503 outcome_unknown unknown', 'none'])
  assert.ok(frame !== undefined)
  intake.answers(ticketsOf(frame), [201], [0], '{}')
  assert.equal(codeOf('1'), '503 outcome_unknown unknown')
  time.advance(6000)
  assert.equal(codeOf('2'), '503 outcome_unknown unknown')
})

test('a partition whose shard is down refuses new commands before the mailbox; what was taken waits', () => {
  const { submit, taken, time, intake, codeOf } = given()
  submit(debit({ id: '1' }))
  const [frame] = taken()
  assert.ok(frame !== undefined)
  intake.setDown(frame.partition, 'The database cannot be reached.')
  submit(debit({ id: '2' }), debit({ id: '3', account: elsewhere }))
  time.turn()
  assert.deepEqual([codeOf('1'), codeOf('2'), codeOf('3')], ['none', '503 shard_unavailable none', 'none'])
  intake.setDown(frame.partition, undefined)
  submit(debit({ id: '4' }))
  assert.deepEqual(taken().flatMap(idsOf).sort(), ['3', '4'])
})

test('hosted again: what was consumed and is unanswered is asked again, in order, with its first stamp; what was not waits', () => {
  const { submit, taken, time, intake, mailbox, codeOf } = given()
  submit(debit({ id: '1' }), debit({ id: '2' }), debit({ id: '3' }))
  const [first] = taken()
  assert.ok(first !== undefined)
  submit(debit({ id: '4' }))
  taken()
  time.advance(100)
  const [one = 0] = ticketsOf(first)
  intake.answers([one], [201], [0], '{}')
  // The host died after it had committed the first two; the third comes out of the mailbox again.
  const position = { generation: 3, high: first.high, low: 0, index: 2 }
  mailbox.open(first.partition, position)
  intake.hosted(first.partition, position)
  const frames = taken()
  assert.deepEqual(frames.map(idsOf), [['1', '2', '3'], ['4'], ['2']])
  const again = frames.at(-1)
  assert.ok(again !== undefined)
  assert.equal(decodeFrame(again.bytes)[0]?.stampedAt, time.startMs)
  intake.answers(ticketsOf(again), [200], [1], '{}')
  assert.equal(codeOf('2'), '200')
  intake.hosted(first.partition, position)
  assert.deepEqual(taken(), [])
})

test('hosted again at a position of an earlier generation: everything still waits in the mailbox', () => {
  const { submit, taken, intake } = given()
  submit(debit({ id: '1' }))
  const [frame] = taken()
  intake.hosted(frame?.partition ?? 0, { generation: 2, high: 99, low: 0, index: 99 })
  assert.deepEqual(taken(), [])
})

test('asked again while the mailbox is full: it waits for room, and is never told that nothing was accepted', async () => {
  const { submit, taken, intake, mailbox, time, codeOf } = given()
  submit(debit({ id: '1' }))
  const [first] = taken()
  assert.ok(first !== undefined)
  submit(debit({ id: '2' }))
  const [second] = taken()
  assert.ok(second !== undefined)
  mailbox.commandsMax = 1
  const position = { generation: 3, high: first.high, low: 0, index: 1 }
  mailbox.open(first.partition, position)
  intake.hosted(first.partition, position)
  submit(debit({ id: '3' }))
  time.turn()
  assert.deepEqual(['1', '2', '3'].map(codeOf), ['none', 'none', '429 overloaded none'])
  assert.deepEqual(taken().map(idsOf), [['2']])
  mailbox.trim(first.partition, { generation: 3, high: second.high, low: 0, index: 1 })
  await turns()
  assert.deepEqual(taken().map(idsOf), [['1']])
})

test('what waits for room goes in order, in one piece or many, and behind it nothing slips in', async () => {
  const { intake, taken, mailbox, time, codeOf, answers, submit } = given()
  mailbox.commandsMax = 3
  const waiting = (id: string): void => {
    intake.submit(debit({ id }), (answer) => answers.set(id, [answer]), true)
  }
  for (const id of ['1', '2']) waiting(id)
  time.turn()
  // There is room for one, but not for these three.
  for (const id of ['3', '4', '5']) waiting(id)
  time.turn()
  await turns()
  submit(debit({ id: 'x' }))
  time.turn()
  waiting('6')
  time.turn()
  assert.equal(codeOf('x'), '429 overloaded none')
  const order: string[] = []
  while (order.length < 6) {
    const frames = taken()
    for (const frame of frames) {
      order.push(...idsOf(frame))
      mailbox.trim(frame.partition, { generation: 3, high: frame.high, low: 0, index: 1000 })
    }
    await turns()
  }
  assert.deepEqual(order, ['1', '2', '3', '4', '5', '6'])
  assert.ok(!mailbox.spun)
})

// ---- appends that take their time ------------------------------------------------------------------------------------------------

test('while an append is under way the commands of its partition gather, those of others do not wait for it', () => {
  const { submit, taken, mailbox, time } = given()
  mailbox.holdsAppends = true
  submit(debit({ id: '1' }))
  time.turn()
  submit(debit({ id: '2' }), debit({ id: '3', account: elsewhere }))
  time.turn()
  submit(debit({ id: '4' }))
  time.turn()
  assert.equal(mailbox.appendsUnderWay, 2)
  mailbox.settle()
  mailbox.settle()
  time.turn()
  assert.equal(mailbox.appendsUnderWay, 1)
  mailbox.settle()
  assert.deepEqual(taken().map(idsOf).sort(), [['1'], ['2', '4'], ['3']])
})

test('at the deadline: under way is unknown, what was never sent was not accepted and is not sent any more', () => {
  const { submit, taken, mailbox, time, codeOf } = given()
  mailbox.holdsAppends = true
  submit(debit({ id: '1' }))
  time.turn()
  submit(debit({ id: '2' }))
  time.advance(10_100)
  assert.deepEqual([codeOf('1'), codeOf('2')], ['503 outcome_unknown unknown', '429 overloaded none'])
  mailbox.holdsAppends = false
  mailbox.settle()
  assert.deepEqual(taken().map(idsOf), [['1']])
})

test('behind an append under way no more than so many gather, then nothing is accepted', () => {
  const { submit, mailbox, time, codeOf } = given()
  mailbox.holdsAppends = true
  submit(debit({ id: 'first' }))
  time.turn()
  submit(...Array.from({ length: 8193 }, (_, i) => debit({ id: String(i) })))
  time.turn()
  assert.deepEqual(['0', '8191', '8192'].map(codeOf), ['none', 'none', '429 overloaded none'])
})

test('an append found the mailbox full: what gathered behind it is refused too, and what waits keeps its order', async () => {
  const { submit, taken, mailbox, time, codeOf, intake, answers } = given()
  mailbox.commandsMax = 1
  submit(debit({ id: '1' }))
  const [first] = taken()
  assert.ok(first !== undefined)
  mailbox.holdsAppends = true
  const waiting = (id: string): void => intake.submit(debit({ id }), (answer) => answers.set(id, [answer]), true)
  waiting('2')
  submit(debit({ id: '3' }))
  time.turn()
  waiting('4')
  submit(debit({ id: '5' }))
  mailbox.holdsAppends = false
  mailbox.settle()
  time.turn()
  assert.deepEqual(['2', '3', '4', '5'].map(codeOf), ['none', '429 overloaded none', 'none', '429 overloaded none'])
  mailbox.trim(first.partition, { ...first, index: 1 })
  await turns()
  assert.deepEqual(taken().flatMap(idsOf), ['2', '4'])
})

test('consumed, and its thread dead, before its append was heard to be settled: asked again', () => {
  const { submit, taken, mailbox, time, intake, codeOf } = given()
  mailbox.holdsAppends = true
  submit(debit({ id: '1' }), debit({ id: '2' }))
  time.turn()
  const partition = partitionOf('c', partitions)
  intake.hosted(partition, { generation: 3, high: 1, low: 0, index: 1 })
  mailbox.settle()
  mailbox.holdsAppends = false
  const frames = taken()
  assert.deepEqual(frames.map(idsOf), [['1', '2'], ['1']])
  intake.answers(ticketsOf(frames[1] as Frame), [200], [1], '{}')
  assert.equal(codeOf('1'), '200')
})

// ---- generations ----------------------------------------------------------------------------------------------------------------

const turned = (partition: number, generation: number) =>
  [partition, { generation, high: 0, low: 0, index: 0 }] as const

test('a new generation: what was sent and is unanswered is sent again in order once the old one is decided, before all that came later', () => {
  const { submit, taken, mailbox, intake, time } = given()
  for (const id of ['1', '2', '3', '4']) {
    submit(debit({ id }))
    time.turn()
  }
  const partition = partitionOf('c', partitions)
  // The first is decided and answered, the second decided, the others are lost with all that was under way.
  mailbox.holdsAppends = true
  submit(debit({ id: '5' }))
  time.turn()
  mailbox.holdsAppends = false
  submit(debit({ id: '6' }))
  const [first, second] = mailbox.take(100)
  assert.ok(first !== undefined && second !== undefined)
  mailbox.endGeneration(2)
  submit(debit({ id: '7' }), debit({ id: '8', account: elsewhere }))
  assert.deepEqual(taken().map(idsOf), [['8']])
  intake.answers(ticketsOf(first), [201], [0], '{}')
  // The old host died: what it had consumed and not answered is in the old generation, too.
  intake.hosted(partition, { generation: 3, high: 2, low: 0, index: 1 })
  assert.deepEqual(taken().map(idsOf), [])
  intake.hosted(...turned(partition, 4))
  assert.deepEqual(taken().map(idsOf), [['2', '3', '4', '5', '6', '7']])
  intake.hosted(...turned(partition, 4))
  assert.deepEqual(taken(), [])
})

test('a generation that ends while another begins: held until the lane has reached the last', () => {
  const { submit, taken, mailbox, intake } = given()
  submit(debit({ id: '1' }))
  taken()
  const partition = partitionOf('c', partitions)
  mailbox.endGeneration(0)
  mailbox.endGeneration(0)
  intake.hosted(...turned(partition, 4))
  assert.deepEqual(taken().map(idsOf), [])
  intake.hosted(...turned(partition, 5))
  assert.deepEqual(taken().map(idsOf), [['1']])
})

test('sent again after its generation was lost: at its deadline the outcome is unknown, though it is nowhere now', () => {
  const { submit, taken, mailbox, codeOf, time } = given()
  submit(debit({ id: '1' }))
  taken()
  mailbox.endGeneration(0)
  submit(debit({ id: '2' }))
  time.advance(10_100)
  assert.deepEqual([codeOf('1'), codeOf('2')], ['503 outcome_unknown unknown', '429 overloaded none'])
})

test('a position that no frame of this process has reached is that of another that hosted meanwhile', () => {
  const { submit, taken, intake, mailbox } = given()
  const generation = 1
  mailbox.generation = generation
  submit(debit({ id: '1' }))
  const [frame = assert.fail()] = taken()
  const at = (high: number, index = 1) => ({ generation, high, low: 0, index })
  const { partition, high } = frame
  assert.deepEqual(
    [at(0, 0), at(high), at(high + 1), { ...at(0, 0), generation: 2 }].map((one) => intake.isOfAnother(partition, one)),
    [false, false, true, true],
  )
  mailbox.holdsAppends = true
  submit(debit({ id: '2' }))
  taken()
  // Its lane may have consumed it before that is heard.
  assert.equal(intake.isOfAnother(partition, at(high + 1)), false)
  mailbox.settle()
  assert.deepEqual(
    [high + 1, high + 2].map((one) => intake.isOfAnother(partition, at(one))),
    [false, true],
  )
})

describe('a claim that found no stock in its partition', () => {
  const claim: Command = { type: 'coupon.claim', id: 'claim', owner: 'c', campaign: 'SPRING' }

  /** It was sent, answered that there is none, and waits for coupons of other partitions. */
  function parked() {
    const all = given()
    const parked: Pending[] = []
    all.intake.onStockElsewhere = (pending) => parked.push(pending)
    const elsewhere = (frame: Frame | undefined): void => {
      for (const ticket of ticketsOf(frame ?? assert.fail())) all.intake.answers([ticket], [stockElsewhere], [0], '{}')
    }
    all.submit(claim)
    const [frame = assert.fail()] = all.taken()
    elsewhere(frame)
    const again = (): Frame => {
      all.intake.resend(parked.at(-1) ?? assert.fail())
      return all.taken()[0] ?? assert.fail()
    }
    return { ...all, parked, frame, elsewhere, again }
  }

  test('at its deadline: nothing was recorded, and the client is told so', () => {
    const { time, codeOf, intake, parked: waiting, taken } = parked()
    time.advance(10_100)
    assert.equal(codeOf('claim'), '429 overloaded none')
    for (const pending of waiting) intake.resend(pending)
    assert.deepEqual(taken(), [])
  })

  test('sent again and parked again, still nothing was recorded', () => {
    const { time, codeOf, again, elsewhere } = parked()
    elsewhere(again())
    elsewhere(again())
    time.advance(10_100)
    assert.equal(codeOf('claim'), '429 overloaded none')
  })

  test('sent again and not heard of by the deadline: it may have been claimed', () => {
    const { time, codeOf, again } = parked()
    again()
    time.advance(10_100)
    assert.equal(codeOf('claim'), '503 outcome_unknown unknown')
  })

  test('sent again after the answer of one host was lost: unknown for good, for a copy of it may still be decided', () => {
    for (const how of ['deadline', 'given up'] as const) {
      const { time, codeOf, intake, mailbox, again, elsewhere, taken, parked: waiting } = parked()
      const { partition, high } = again()
      const position = { generation: 3, high, low: 0, index: 1 }
      mailbox.open(partition, position)
      intake.hosted(partition, position)
      elsewhere(taken()[0])
      if (how === 'deadline') time.advance(10_100)
      else intake.giveUp(waiting.at(-1) ?? assert.fail(), 'Some partition could not be asked.')
      assert.equal(codeOf('claim'), '503 outcome_unknown unknown')
    }
  })

  test('while the mailbox is full it waits for room, and at its deadline was never accepted', async () => {
    const { time, codeOf, intake, mailbox, parked: waiting, submit, frame, taken } = parked()
    mailbox.commandsMax = 1
    mailbox.trim(frame.partition, { generation: 3, high: frame.high, low: 0, index: 1 })
    submit(debit({ id: '1' }))
    time.turn()
    for (const pending of waiting) intake.resend(pending)
    time.turn()
    assert.deepEqual(['1', 'claim'].map(codeOf), ['none', 'none'])
    time.advance(10_100)
    await turns()
    assert.deepEqual(['1', 'claim'].map(codeOf), ['503 outcome_unknown unknown', '429 overloaded none'])
    assert.deepEqual(taken().flatMap(idsOf), ['1'])
  })

  test('given up because a partition cannot be asked, and at close, it had no effect', () => {
    const one = parked()
    one.intake.giveUp(one.parked[0] ?? assert.fail(), 'Some partition could not be asked.')
    assert.equal(one.codeOf('claim'), '503 shard_unavailable none')
    const other = parked()
    other.intake.close()
    assert.equal(other.codeOf('claim'), '503 not_ready none')
  })
})

test('close answers whatever is left and leaves no timer', () => {
  const { submit, taken, intake, time, codeOf } = given()
  submit(debit({ id: '1' }))
  taken()
  intake.close()
  assert.equal(codeOf('1'), '503 outcome_unknown unknown')
  assert.equal(time.pendingTimers, 0)
})

test('the tickets of a process are not those of one before it, whose frames may still be answered', () => {
  const sent = [3, 4].map((generation) => {
    const time = new VirtualTime()
    const mailbox = new FakeMailbox(generation)
    mailbox.open(0, start)
    const intake = new Intake({ partitions: 1, generation, deadlineMs: 10_000 }, mailbox, time, time)
    intake.accept(true)
    let heard: string | undefined
    intake.submit({ ...credit({ id: `g${generation}` }) }, ({ body }) => {
      heard = body
    })
    time.turn()
    const [frame] = mailbox.take(10)
    return { intake, tickets: ticketsOf(frame ?? assert.fail()), heard: () => heard }
  })
  const [former, present] = sent
  assert.ok(former !== undefined && present !== undefined)
  present.intake.answers(former.tickets, [201], [0], '{"of":"the former"}')
  assert.equal(present.heard(), undefined)
  present.intake.answers(present.tickets, [201], [0], '{"of":"this one"}')
  assert.equal(present.heard(), '{"of":"this one"}')
})
