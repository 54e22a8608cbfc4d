// What every mailbox must do, whatever carries it: registered for node:test by each adapter's own test.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Appended, Frame, FrameName, MailboxReader, MailboxWriter, NewFrame } from '../ports.ts'
import type { Position } from '../position.ts'

export interface MailboxUnderTest {
  readonly writer: MailboxWriter
  /** The one that it begins with. */
  readonly generation: number
  /** A lane's reader in a thread of its own; `die` ends the thread without a word. */
  reader(): MailboxReader & { die(): void }
  /** Ends the generation, with everything in it or without; only where a mailbox can. */
  endGeneration?(keeps: 'everything' | 'nothing'): Promise<void>
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
  const check = (rule: string, body: (mailbox: Given) => Promise<void>, bounds = wide): void => {
    test(`${name}: ${rule}`, async () => {
      const mailbox = await make(bounds)
      open.push(mailbox)
      await body({ ...mailbox, start: { generation: mailbox.generation, high: 0, low: 0, index: 0 } })
    })
  }

  check(
    'frames of a partition come in the order they were appended, whole and unchanged',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      from.open(2, start)
      const sent = Array.from({ length: 200 }, (_, i) => i)
      await allAppended(
        writer,
        [1, 2].flatMap((partition) =>
          sent
            .filter((i) => 1 + (i % 2) === partition)
            .map((i) => ({ partition, bytes: bytes(`frame ${i}`), commands: 1 })),
        ),
      )
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

  check('the names of the frames of a partition grow', async ({ writer, reader, start }) => {
    const names = await appendAll(writer, 3, numbered(0, 20))
    for (const [i, after] of names.slice(1).entries()) assert.ok(compare(names[i] ?? after, after) < 0)
    const from = reader()
    from.open(3, start)
    const came = await takeAll(from, 20)
    assert.deepEqual(
      came.map(({ high, low }) => ({ high, low })),
      names.map(({ high, low }) => ({ high, low })),
    )
  })

  check('what was appended before anybody opened waits', async ({ writer, reader, start }) => {
    await append(writer, 1, 'early')
    const from = reader()
    from.open(1, start)
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['early'])
  })

  check('one that is opened behind a position begins with the frame after it', async ({ writer, reader }) => {
    const names = await appendAll(writer, 1, ['a', 'b', 'c', 'd'], 3)
    const from = reader()
    from.open(1, at(names[1], 3))
    assert.deepEqual((await takeAll(from, 2)).map(textOf), ['c', 'd'])
  })

  check('a frame that was consumed in part comes again whole', async ({ writer, reader }) => {
    const names = await appendAll(writer, 1, ['a', 'b'], 3)
    const from = reader()
    from.open(1, at(names[0], 2))
    assert.deepEqual((await takeAll(from, 2)).map(textOf), ['a', 'b'])
  })

  check('a position of an earlier generation is before everything', async ({ writer, reader }) => {
    const { generation } = await append(writer, 1, 'a')
    const from = reader()
    from.open(1, { generation: generation - 1, high: 1_000_000, low: 5, index: 7 })
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['a'])
  })

  check(
    'opened again, it begins again there, and what was under way of the former opening does not come',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      const names = await appendAll(writer, 1, numbered(0, 50))
      await takeAll(from, 10)
      from.open(1, at(names[4], 1))
      await append(writer, 1, 'last')
      const came = await takeAll(from, 46)
      assert.deepEqual(came.map(textOf), [...Array.from({ length: 45 }, (_, i) => String(i + 5)), 'last'])
      await nothingMore(from)
    },
  )

  check('after close nothing of the partition comes, the others go on', async ({ writer, reader, start }) => {
    const from = reader()
    from.open(1, start)
    from.open(2, start)
    await append(writer, 1, 'a')
    await takeAll(from, 1)
    await append(writer, 1, 'b')
    from.close(1)
    await append(writer, 1, 'c')
    await append(writer, 2, 'd')
    assert.deepEqual((await takeAll(from, 1)).map(textOf), ['d'])
    await nothingMore(from)
  })

  check('a frame stays until it is trimmed: the next reader gets it again', async ({ writer, reader, start }) => {
    const first = reader()
    first.open(1, start)
    const names = await appendAll(writer, 1, ['a', 'b', 'c'])
    await takeAll(first, 3)
    first.trim(1, at(names[0], 1))
    first.die()
    const second = reader()
    second.open(1, at(names[0], 1))
    assert.deepEqual((await takeAll(second, 2)).map(textOf), ['b', 'c'])
  })

  check('take gives whole frames up to about so many commands, at least one', async ({ writer, reader, start }) => {
    const from = reader()
    from.open(1, start)
    await appendAll(writer, 1, numbered(0, 40), 4)
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

  check(
    'whenFrames calls back at once if there are some, else once when they come',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      let calls = 0
      from.whenFrames(() => {
        calls++
      })
      await allArrived()
      assert.equal(calls, 0)
      await append(writer, 1, 'a')
      await append(writer, 1, 'b')
      await until(() => calls > 0)
      await allArrived()
      assert.equal(calls, 1)
      let again = 0
      from.whenFrames(() => {
        again++
      })
      assert.equal(again, 1)
    },
  )

  check(
    'whoever wants many commands at once is called when so many wait, and no sooner',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      from.open(2, start)
      let calls = 0
      const call = (): void => {
        calls++
      }
      from.whenFrames(call, 5)
      await append(writer, 1, 'a', 2)
      await append(writer, 2, 'b', 2)
      await until(() => from.waitingCommands === 4)
      assert.equal(calls, 0)
      await append(writer, 1, 'c', 1)
      await until(() => calls === 1)
      from.whenFrames(call, 5)
      assert.equal(calls, 2)
      // The last wish counts.
      from.take(1000)
      from.whenFrames(call, 1000)
      from.whenFrames(call, 1)
      await append(writer, 1, 'd', 1)
      await until(() => calls === 3)
    },
  )

  check('the commands that could be taken are counted', async ({ writer, reader, start }) => {
    const from = reader()
    from.open(1, start)
    from.open(2, start)
    assert.equal(from.waitingCommands, 0)
    await append(writer, 1, 'a', 3)
    await append(writer, 2, 'b', 4)
    await until(() => from.waitingCommands === 7)
    const [frame] = from.take(1)
    assert.equal(from.waitingCommands, frame?.partition === 1 ? 4 : 3)
    from.close(1)
    from.close(2)
    assert.equal(from.waitingCommands, 0)
  })

  check(
    'each partition has its turn: one that is full does not hold up the others',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      from.open(2, start)
      await appendAll(writer, 1, numbered(0, 2000), 10)
      await append(writer, 2, 'one')
      let before = 0
      for (;;) {
        await arrived(from)
        const frames = from.take(100)
        const index = frames.findIndex(({ partition }) => partition === 2)
        if (index >= 0) break
        before += frames.length
        assert.ok(before < 1900, 'the other partition came last')
      }
    },
  )

  check(
    'a full partition takes nothing of a frame, the others do',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      await append(writer, 1, 'a', 6)
      assert.equal(await appended(writer, 1, bytes('b'), 5), 'full')
      await append(writer, 1, 'c', 4)
      assert.equal(await appended(writer, 1, bytes('d'), 1), 'full')
      await append(writer, 2, 'e', 10)
      assert.deepEqual((await takeAll(from, 2)).map(textOf), ['a', 'c'])
    },
    narrow,
  )

  check(
    'a packet of another partition goes into a full one, and counts there',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      await append(writer, 1, 'a', 10)
      assert.equal(await appended(writer, 1, bytes('b'), 1), 'full')
      const [outcome] = await allAppended(writer, [{ partition: 1, bytes: bytes('p'), commands: 3, packet: true }])
      assert.notEqual(outcome, 'full')
      assert.equal(await appended(writer, 1, bytes('c'), 1), 'full')
      assert.deepEqual((await takeAll(from, 2)).map(textOf), ['a', 'p'])
    },
    narrow,
  )

  check(
    'one call holds frames of many partitions: each its outcome, and behind one that found no room its partition takes no other',
    async ({ writer, reader, start }) => {
      const from = reader()
      for (const partition of [1, 2, 3]) from.open(partition, start)
      const frame = (partition: number, text: string, commands: number) => ({ partition, bytes: bytes(text), commands })
      const outcomes = await allAppended(writer, [
        frame(1, 'a', 6),
        frame(1, 'b', 5),
        frame(1, 'c', 1),
        frame(2, 'd', 4),
        frame(2, 'e', 6),
        frame(3, 'f', 1),
      ])
      assert.deepEqual(
        outcomes.map((outcome) => (typeof outcome === 'object' ? outcome.high : outcome)),
        [1, 'full', 'full', 1, 2, 1],
      )
      assert.deepEqual((await takeAll(from, 4)).map(textOf).sort(), ['a', 'd', 'e', 'f'])
      await append(writer, 1, 'g', 4)
      assert.deepEqual((await takeAll(from, 1)).map(textOf), ['g'])
    },
    narrow,
  )

  check(
    'taken is not trimmed: a frame counts until its commit',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      const name = await append(writer, 1, 'a', 10)
      await takeAll(from, 1)
      assert.equal(await appended(writer, 1, bytes('b'), 1), 'full')
      from.trim(1, at(name, 9))
      await allArrived()
      assert.equal(await appended(writer, 1, bytes('b'), 1), 'full', 'a frame that is consumed in part still counts')
      from.trim(1, at(name, 10))
      await until(async () => (await appended(writer, 1, bytes('b'), 1)) !== 'full')
    },
    narrow,
  )

  check(
    'whoever opens behind a commit makes room, if its host died or lost the answer before it trimmed',
    async ({ writer, reader, start }) => {
      const first = reader()
      first.open(1, start)
      const name = await append(writer, 1, 'a', 10)
      await takeAll(first, 1)
      assert.equal(await appended(writer, 1, bytes('b'), 1), 'full')
      first.open(1, at(name, 10))
      await until(async () => (await appended(writer, 1, bytes('b'), 1)) !== 'full')
    },
    narrow,
  )

  check(
    'an empty partition takes any frame: none can wait for ever',
    async ({ writer }) => {
      await append(writer, 1, 'huge', 1000)
      assert.equal(await appended(writer, 1, bytes('next'), 1), 'full')
    },
    narrow,
  )

  check(
    'room resolves at once where there is some, else when a commit has made it',
    async ({ writer, reader, start }) => {
      await writer.room(1)
      const from = reader()
      from.open(1, start)
      const name = await append(writer, 1, 'a', 10)
      let hasRoom = false
      const room = writer.room(1).then(() => {
        hasRoom = true
      })
      await writer.room(2)
      await takeAll(from, 1)
      await allArrived()
      assert.equal(hasRoom, false)
      from.trim(1, at(name, 10))
      await room
      await append(writer, 1, 'b', 1)
    },
    narrow,
  )

  check(
    'after a refusal there is no room before something was trimmed, even if less would fit: whoever waits does not ask in vain',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      const name = await append(writer, 1, 'a', 6)
      await takeAll(from, 1)
      assert.equal(await appended(writer, 1, bytes('b'), 5), 'full')
      let hasRoom = false
      const room = writer.room(1).then(() => {
        hasRoom = true
      })
      await allArrived()
      assert.equal(hasRoom, false)
      from.trim(1, at(name, 6))
      await room
      await append(writer, 1, 'b', 5)
      await writer.room(1)
      // Refused, and trimmed before anybody waited.
      assert.equal(await appended(writer, 1, bytes('c'), 6), 'full')
      const [frame] = await takeAll(from, 1)
      from.trim(1, at(frame, 5))
      await until(async () => (await appended(writer, 1, bytes('d'), 10)) !== 'full')
      assert.equal(await appended(writer, 1, bytes('e'), 1), 'full')
      const [last] = await takeAll(from, 1)
      from.trim(1, at(last, 10))
      await allArrived()
      await writer.room(1)
    },
    narrow,
  )

  check(
    'commands without end come through to a reader that takes them bit by bit',
    async ({ writer, reader, start }) => {
      const from = reader()
      from.open(1, start)
      let sent = 0
      let next = 0
      while (next < 20_000) {
        while (sent < 20_000 && sent - next < 3000) {
          await appendAll(writer, 1, numbered(sent, 100), 7)
          sent += 100
        }
        await arrived(from)
        for (const frame of from.take(500)) {
          assert.equal(textOf(frame), String(next++))
          from.trim(1, at(frame, 7))
        }
      }
      await nothingMore(from)
    },
  )

  check('readers of two threads get what is theirs', async ({ writer, reader, start }) => {
    const [one, two] = [reader(), reader()]
    one.open(1, start)
    two.open(2, start)
    await append(writer, 2, 'b')
    await append(writer, 1, 'a')
    assert.deepEqual((await takeAll(one, 1)).map(textOf), ['a'])
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['b'])
    // The partition moves over. Where the former host cannot be told, the epoch of its commits holds it off.
    one.close(1)
    two.open(1, start)
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['a'])
    await append(writer, 1, 'c')
    assert.deepEqual((await takeAll(two, 1)).map(textOf), ['c'])
    await nothingMore(one)
  })

  const checkEnds = (rule: string, body: (mailbox: Given & Required<MailboxUnderTest>) => Promise<void>): void =>
    check(rule, async (mailbox) => {
      // The memory mailbox lives as long as its process, in one generation.
      const { endGeneration } = mailbox
      if (endGeneration !== undefined) await body({ ...mailbox, endGeneration })
    })

  checkEnds(
    'a generation that ends is read to its end, then the next one says that it begins, then come its frames',
    async ({ writer, reader, start, endGeneration }) => {
      const told: [readonly number[], number][] = []
      writer.onGeneration((partitions, generation) => told.push([partitions, generation]))
      const from = reader()
      for (const partition of [1, 2]) from.open(partition, start)
      const [first] = await appendAll(writer, 1, ['a', 'b', 'c'])
      assert.ok(first !== undefined)
      assert.deepEqual((await takeAll(from, 3)).map(textOf), ['a', 'b', 'c'])
      from.trim(1, at(first, 1))
      await appendAll(writer, 1, ['d', 'e'])
      await endGeneration('everything')
      for (const partition of [1, 2]) {
        assert.deepEqual(
          told.filter(([partitions]) => partitions.includes(partition)).map(([, generation]) => generation),
          [first.generation + 1],
        )
      }
      const name = await append(writer, 1, 'f')
      assert.equal(name.generation, first.generation + 1)
      const came: string[] = []
      while (!came.includes('1:f') || !came.includes('2:begins 0')) {
        await arrived(from)
        came.push(...from.take(1).map(shown(first.generation + 1)))
      }
      assert.deepEqual(
        came.filter((text) => text.startsWith('1')),
        ['1:d', '1:e', '1:begins 0', '1:f'],
      )
      await nothingMore(from)
      // Opened again in the old one, at its end, or in the new one.
      from.open(1, at(first, 1))
      assert.deepEqual((await takeAll(from, 5)).map(textOf), ['b', 'c', 'd', 'e', 'f'])
      from.open(1, { ...at(first, 1), high: 5 })
      assert.deepEqual((await takeAll(from, 1)).map(textOf), ['f'])
      from.open(1, { generation: name.generation, high: 0, low: 0, index: 0 })
      await arrived(from)
      assert.deepEqual(from.take(10).map(textOf), ['f'])
    },
  )

  checkEnds(
    'what a generation lost is skipped: the next one begins, and the names grow on',
    async ({ writer, reader, start, endGeneration }) => {
      const from = reader()
      from.open(1, start)
      const name = await append(writer, 1, 'a')
      await takeAll(from, 1)
      await endGeneration('nothing')
      await endGeneration('nothing')
      const later = await append(writer, 1, 'c')
      assert.equal(later.generation, name.generation + 2)
      const came: string[] = []
      while (came.at(-1) !== '1:c') {
        await arrived(from)
        came.push(...from.take(10).map(shown(name.generation)))
      }
      assert.deepEqual(came, ['1:begins 1', '1:begins 2', '1:c'])
      const other = reader()
      other.open(1, at(name, 1))
      assert.deepEqual((await takeAll(other, 1)).map(textOf), ['c'])
    },
  )
}

type Given = MailboxUnderTest & { readonly start: Position }

const wide: MailboxBounds = { partitionCommandsMax: 1_000_000 }
const narrow: MailboxBounds = { partitionCommandsMax: 10 }
const waitMs = 5000

const numbered = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => String(from + i))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (frame: Frame): string => new TextDecoder().decode(frame.bytes)
/** `partition:text`, or how far its generation is from `base` where one begins. */
const shown =
  (base: number) =>
  (frame: Frame): string =>
    `${frame.partition}:${frame.bytes.length === 0 ? `begins ${frame.generation - base}` : textOf(frame)}`
const compare = (a: FrameName, b: FrameName): number => a.high - b.high || a.low - b.low

async function append(writer: MailboxWriter, partition: number, text: string, commands = 1): Promise<FrameName> {
  const outcome = await appended(writer, partition, bytes(text), commands)
  assert.ok(typeof outcome === 'object', String(outcome))
  return outcome
}

async function appendAll(
  writer: MailboxWriter,
  partition: number,
  texts: readonly string[],
  commands = 1,
): Promise<FrameName[]> {
  const frames = texts.map((text) => ({ partition, bytes: bytes(text), commands }))
  return (await allAppended(writer, frames)).map((outcome) => {
    assert.ok(typeof outcome === 'object', String(outcome))
    return outcome
  })
}

/** One frame alone: what became of it. */
export async function appended(
  writer: MailboxWriter,
  partition: number,
  bytes: Uint8Array,
  commands: number,
): Promise<Appended> {
  const [outcome] = await allAppended(writer, [{ partition, bytes, commands }])
  assert.ok(outcome !== undefined)
  return outcome
}

/** In one call: what became of each. */
function allAppended(writer: MailboxWriter, frames: readonly NewFrame[]): Promise<Appended[]> {
  return new Promise((resolve, reject) => {
    const outcomes = new Map<NewFrame, Appended>()
    writer.append(frames, (frame, outcome) => {
      if (outcomes.has(frame)) reject(new Error('a frame was settled twice'))
      outcomes.set(frame, outcome)
      if (outcomes.size === frames.length) resolve(frames.map((one) => outcomes.get(one) ?? 'lost'))
    })
  })
}

function at(name: FrameName | undefined, index: number): Position {
  assert.ok(name !== undefined)
  return { generation: name.generation, high: name.high, low: name.low, index }
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
    frames.push(...commandsOf(reader.take(1)))
  }
  assert.equal(frames.length, count)
  return frames
}

/** Without the beginnings of generations. */
const commandsOf = (frames: readonly Frame[]): Frame[] => frames.filter((frame) => frame.bytes.length > 0)

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const late = performance.now() + waitMs
  while (!(await holds())) {
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
  assert.deepEqual(commandsOf(reader.take(1000)).map(textOf), [])
}
