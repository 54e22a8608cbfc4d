// What every mailbox must do, whatever carries it: registered for node:test by each adapter's own test.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Frame, FrameName, MailboxReader, MailboxWriter } from '../ports.ts'
import type { Position } from '../position.ts'

export interface MailboxUnderTest {
  readonly writer: MailboxWriter & { readonly generation: number }
  /** A lane's reader in a thread of its own; `die` ends the thread without a word. */
  reader(): MailboxReader & { die(): void }
  close(): Promise<void>
}

export interface MailboxBounds {
  /** Commands that one partition may hold. */
  readonly partitionCommandsMax: number
}

/** `make` gives an empty mailbox with those bounds. */
export function mailboxConformance(name: string, make: (bounds: MailboxBounds) => Promise<MailboxUnderTest>): void {
  const open: MailboxUnderTest[] = []
  afterEach(async () => {
    for (const mailbox of open.splice(0)) await mailbox.close()
  })
  const check = (rule: string, body: (mailbox: MailboxUnderTest) => Promise<void>, bounds = wide): void => {
    test(`${name}: ${rule}`, async () => {
      const mailbox = await make(bounds)
      open.push(mailbox)
      await body(mailbox)
    })
  }

  check(
    'frames of a partition come in the order they were appended, whole and unchanged',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      from.open(2, start)
      const sent = Array.from({ length: 200 }, (_, i) => i)
      for (const i of sent) append(writer, 1 + (i % 2), `frame ${i}`)
      const came = await takeAll(from, 200)
      for (const partition of [1, 2]) {
        const texts = came.filter((frame) => frame.partition === partition).map(textOf)
        assert.deepEqual(
          texts,
          sent.filter((i) => 1 + (i % 2) === partition).map((i) => `frame ${i}`),
        )
      }
    },
  )

  check('the names of the frames of a partition grow', async ({ writer, reader }) => {
    const names = Array.from({ length: 20 }, (_, i) => append(writer, 3, String(i)))
    for (const [i, after] of names.slice(1).entries()) assert.ok(compare(names[i] ?? after, after) < 0)
    const from = reader()
    from.open(3, start)
    const came = await takeAll(from, 20)
    assert.deepEqual(
      came.map(({ high, low }) => ({ high, low })),
      names,
    )
  })

  check('what was appended before anybody opened waits', async ({ writer, reader }) => {
    append(writer, 1, 'early')
    const from = reader()
    from.open(1, start)
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['early'])
  })

  check('one that is opened behind a position begins with the frame after it', async ({ writer, reader }) => {
    const names = ['a', 'b', 'c', 'd'].map((text) => append(writer, 1, text, 3))
    const from = reader()
    from.open(1, at(writer, names[1], 3))
    assert.deepEqual((await takeAll(from, 2)).map(textOf), ['c', 'd'])
  })

  check('a frame that was consumed in part comes again whole', async ({ writer, reader }) => {
    const names = ['a', 'b'].map((text) => append(writer, 1, text, 3))
    const from = reader()
    from.open(1, at(writer, names[0], 2))
    assert.deepEqual((await takeAll(from, 2)).map(textOf), ['a', 'b'])
  })

  check('a position of an earlier generation is before everything', async ({ writer, reader }) => {
    append(writer, 1, 'a')
    const from = reader()
    from.open(1, { generation: writer.generation - 1, high: 1_000_000, low: 5, index: 7 })
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['a'])
  })

  check(
    'opened again, it begins again there, and what was under way of the former opening does not come',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      const names = Array.from({ length: 50 }, (_, i) => append(writer, 1, String(i)))
      await takeAll(from, 10)
      from.open(1, at(writer, names[4], 1))
      append(writer, 1, 'last')
      const came = await takeAll(from, 46)
      assert.deepEqual(came.map(textOf), [...Array.from({ length: 45 }, (_, i) => String(i + 5)), 'last'])
      await nothingMore(from)
    },
  )

  check('after close nothing of the partition comes, the others go on', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    from.open(2, start)
    append(writer, 1, 'a')
    await takeAll(from, 1)
    append(writer, 1, 'b')
    from.close(1)
    append(writer, 1, 'c')
    append(writer, 2, 'd')
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['d'])
    await nothingMore(from)
  })

  check('a frame stays until it is trimmed: the next reader gets it again', async ({ writer, reader }) => {
    const first = reader()
    first.open(1, start)
    const names = ['a', 'b', 'c'].map((text) => append(writer, 1, text))
    await takeAll(first, 3)
    first.trim(1, at(writer, names[0], 1))
    first.die()
    const second = reader()
    second.open(1, at(writer, names[0], 1))
    assert.deepEqual((await takeAll(second, 2)).map(textOf), ['b', 'c'])
  })

  check('take gives whole frames up to about so many commands, at least one', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    for (let i = 0; i < 40; i++) append(writer, 1, String(i), 4)
    const came: string[] = []
    const sizes = new Set<number>()
    while (came.length < 20) {
      await arrived(from)
      const frames = from.take(3)
      assert.equal(frames.length, 1)
      came.push(...frames.map(textOf))
    }
    while (came.length < 40) {
      await arrived(from)
      const frames = from.take(9)
      sizes.add(frames.length)
      came.push(...frames.map(textOf))
    }
    assert.ok(!sizes.has(0) && !sizes.has(3), [...sizes].join())
    assert.deepEqual(
      came,
      Array.from({ length: 40 }, (_, i) => String(i)),
    )
    assert.deepEqual(from.take(1000), [])
  })

  check('whenFrames calls back at once if there are some, else once when they come', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    let calls = 0
    from.whenFrames(() => {
      calls++
    })
    await allArrived()
    assert.equal(calls, 0)
    append(writer, 1, 'a')
    append(writer, 1, 'b')
    await until(() => calls > 0)
    await allArrived()
    assert.equal(calls, 1)
    let again = 0
    from.whenFrames(() => {
      again++
    })
    assert.equal(again, 1)
  })

  check(
    'whoever wants many commands at once is called when so many wait, and no sooner',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      from.open(2, start)
      let calls = 0
      const call = (): void => {
        calls++
      }
      from.whenFrames(call, 5)
      append(writer, 1, 'a', 2)
      append(writer, 2, 'b', 2)
      await until(() => from.waitingCommands === 4)
      assert.equal(calls, 0)
      append(writer, 1, 'c', 1)
      await until(() => calls === 1)
      from.whenFrames(call, 5)
      assert.equal(calls, 2)
      // The last wish counts.
      from.take(1000)
      from.whenFrames(call, 1000)
      from.whenFrames(call, 1)
      append(writer, 1, 'd', 1)
      await until(() => calls === 3)
    },
  )

  check('the commands that could be taken are counted', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    from.open(2, start)
    assert.equal(from.waitingCommands, 0)
    append(writer, 1, 'a', 3)
    append(writer, 2, 'b', 4)
    await until(() => from.waitingCommands === 7)
    const [frame] = from.take(1)
    assert.equal(from.waitingCommands, frame?.partition === 1 ? 4 : 3)
    from.close(1)
    from.close(2)
    assert.equal(from.waitingCommands, 0)
  })

  check('each partition has its turn: one that is full does not hold up the others', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    from.open(2, start)
    for (let i = 0; i < 2000; i++) append(writer, 1, `many ${i}`, 10)
    append(writer, 2, 'one')
    let before = 0
    for (;;) {
      await arrived(from)
      const frames = from.take(100)
      const index = frames.findIndex(({ partition }) => partition === 2)
      if (index >= 0) break
      before += frames.length
      assert.ok(before < 1900, 'the other partition came last')
    }
  })

  check(
    'a full partition takes nothing of a frame, the others do',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      assert.ok(writer.append(1, bytes('a'), 6))
      assert.equal(writer.append(1, bytes('b'), 5), undefined)
      assert.ok(writer.append(1, bytes('c'), 4))
      assert.equal(writer.append(1, bytes('d'), 1), undefined)
      assert.ok(writer.append(2, bytes('e'), 10))
      assert.deepEqual((await takeAll(from, 2)).map(textOf), ['a', 'c'])
    },
    narrow,
  )

  check(
    'taken is not trimmed: a frame counts until its commit',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      const name = append(writer, 1, 'a', 10)
      await takeAll(from, 1)
      assert.equal(writer.append(1, bytes('b'), 1), undefined)
      from.trim(1, at(writer, name, 9))
      await allArrived()
      assert.equal(writer.append(1, bytes('b'), 1), undefined, 'a frame that is consumed in part still counts')
      from.trim(1, at(writer, name, 10))
      await until(() => writer.append(1, bytes('b'), 1) !== undefined)
    },
    narrow,
  )

  check(
    'an empty partition takes any frame: none can wait for ever',
    async ({ writer }) => {
      assert.ok(writer.append(1, bytes('huge'), 1000))
      assert.equal(writer.append(1, bytes('next'), 1), undefined)
    },
    narrow,
  )

  check(
    'room resolves at once where there is some, else when a commit has made it',
    async ({ writer, reader }) => {
      await writer.room(1)
      const from = reader()
      from.open(1, start)
      const name = append(writer, 1, 'a', 10)
      let hasRoom = false
      const room = writer.room(1).then(() => {
        hasRoom = true
      })
      await writer.room(2)
      await takeAll(from, 1)
      await allArrived()
      assert.equal(hasRoom, false)
      from.trim(1, at(writer, name, 10))
      await room
      assert.ok(writer.append(1, bytes('b'), 1))
    },
    narrow,
  )

  check(
    'after a refusal there is no room before something was trimmed, even if less would fit: whoever waits does not ask in vain',
    async ({ writer, reader }) => {
      const from = reader()
      from.open(1, start)
      const name = append(writer, 1, 'a', 6)
      await takeAll(from, 1)
      assert.equal(writer.append(1, bytes('b'), 5), undefined)
      let hasRoom = false
      const room = writer.room(1).then(() => {
        hasRoom = true
      })
      await allArrived()
      assert.equal(hasRoom, false)
      from.trim(1, at(writer, name, 6))
      await room
      assert.ok(writer.append(1, bytes('b'), 5))
      await writer.room(1)
      // Refused, and trimmed before anybody waited.
      assert.equal(writer.append(1, bytes('c'), 6), undefined)
      const [frame] = await takeAll(from, 1)
      from.trim(1, at(writer, frame, 5))
      await until(() => writer.append(1, bytes('d'), 10) !== undefined)
      assert.equal(writer.append(1, bytes('e'), 1), undefined)
      const [last] = await takeAll(from, 1)
      from.trim(1, at(writer, last, 10))
      await allArrived()
      await writer.room(1)
    },
    narrow,
  )

  check('commands without end come through to a reader that takes them bit by bit', async ({ writer, reader }) => {
    const from = reader()
    from.open(1, start)
    let sent = 0
    let next = 0
    while (next < 20_000) {
      while (sent < 20_000 && sent - next < 3000) append(writer, 1, String(sent++), 7)
      await arrived(from)
      for (const frame of from.take(500)) {
        assert.equal(textOf(frame), String(next++))
        from.trim(1, at(writer, frame, 7))
      }
    }
    await nothingMore(from)
  })

  check('readers of two threads get what is theirs', async ({ writer, reader }) => {
    const [one, two] = [reader(), reader()]
    one.open(1, start)
    two.open(2, start)
    append(writer, 2, 'b')
    append(writer, 1, 'a')
    assert.deepEqual((await takeAll(one, 1)).map(textOf), ['a'])
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['b'])
    // The partition moves over.
    two.open(1, start)
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['a'])
    append(writer, 1, 'c')
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['c'])
    await nothingMore(one)
  })
}

const wide: MailboxBounds = { partitionCommandsMax: 1_000_000 }
const narrow: MailboxBounds = { partitionCommandsMax: 10 }
const start: Position = { generation: 0, high: 0, low: 0, index: 0 }
const waitMs = 5000

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (frame: Frame): string => new TextDecoder().decode(frame.bytes)
const compare = (a: FrameName, b: FrameName): number => a.high - b.high || a.low - b.low

function append(writer: MailboxWriter, partition: number, text: string, commands = 1): FrameName {
  const name = writer.append(partition, bytes(text), commands)
  assert.ok(name !== undefined, 'the mailbox is full')
  return { high: name.high, low: name.low }
}

function at(writer: { readonly generation: number }, name: FrameName | undefined, index: number): Position {
  assert.ok(name !== undefined)
  return { generation: writer.generation, high: name.high, low: name.low, index }
}

/** Resolves as soon as the reader has frames. */
export function arrived(reader: MailboxReader): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no frame came in ${waitMs} ms`)), waitMs)
    reader.whenFrames(() => {
      clearTimeout(late)
      resolve()
    })
  })
}

async function takeAll(reader: MailboxReader, count: number): Promise<Frame[]> {
  const frames: Frame[] = []
  while (frames.length < count) {
    await arrived(reader)
    frames.push(...reader.take(1))
  }
  assert.equal(frames.length, count)
  return frames
}

async function until(holds: () => boolean): Promise<void> {
  const late = performance.now() + waitMs
  while (!holds()) {
    assert.ok(performance.now() < late, 'it did not come to that')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Long enough for whatever is under way between two threads of one process, or over a local socket. */
async function allArrived(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 1))
}

async function nothingMore(reader: MailboxReader): Promise<void> {
  await allArrived()
  assert.deepEqual(reader.take(1000).map(textOf), [])
}
