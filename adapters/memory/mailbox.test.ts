import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import {
  appended,
  arrived,
  type MailboxBounds,
  type MailboxUnderTest,
  mailboxConformance,
} from '../../actors/testing/mailbox-conformance.ts'
import { MemoryMailbox, type MemoryMailboxLimits } from './mailbox.ts'
import { MemoryMailboxPort } from './reader.ts'

const generation = 4
const closes: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closes.splice(0)) await close()
})

function given(limits: Partial<MemoryMailboxLimits>): MailboxUnderTest & { readonly writer: MemoryMailbox } {
  const writer = new MemoryMailbox(generation, {
    partitionCommandsMax: 1_000_000,
    bytesMax: 1 << 30,
    windowCommandsMax: 1000,
    ...limits,
  })
  const channels: MessageChannel[] = []
  closes.push(async () => {
    for (const { port1, port2 } of channels) {
      port1.close()
      port2.close()
    }
  })
  return {
    writer,
    generation,
    reader: () => {
      const channel = new MessageChannel()
      channels.push(channel)
      writer.connect(channel.port1)
      const reader = new MemoryMailboxPort(channel.port2, generation).reader()
      return Object.assign(reader, { die: () => channel.port2.close() })
    },
    close: () => Promise.resolve(),
  }
}

mailboxConformance('memory mailbox', async (bounds: MailboxBounds) => given(bounds))

const bytes = (length: number): Uint8Array => new Uint8Array(length)
const start = { generation: 0, high: 0, low: 0, index: 0 }

test('memory mailbox: the bytes of all partitions together are bounded, and room waits for them too', async () => {
  const { writer, reader } = given({ bytesMax: 100 })
  const from = reader()
  from.open(1, start)
  const name = await appended(writer, 1, bytes(60), 1)
  assert.equal(await appended(writer, 2, bytes(41), 1), 'full')
  assert.notEqual(await appended(writer, 2, bytes(40), 1), 'full')
  let hasRoom = false
  const room = writer.room(3).then(() => {
    hasRoom = true
  })
  await pause(5)
  assert.equal(hasRoom, false)
  assert.ok(typeof name === 'object')
  from.trim(1, { ...name, index: 1 })
  await room
})

test('memory mailbox: no more than the window is delivered to a thread that does not take', async () => {
  const { writer, reader } = given({ windowCommandsMax: 10 })
  const from = reader()
  from.open(1, start)
  for (let i = 0; i < 100; i++) await appended(writer, 1, bytes(1), 4)
  await arrived(from)
  // 4 + 4 + 4: the credit was still there when the third was given.
  assert.equal(from.take(1000).length, 3)
  await arrived(from)
  assert.equal(from.take(1000).length, 3)
})

test('memory mailbox: the window of a partition that was opened again is not lost with its former frames', async () => {
  const { writer, reader } = given({ windowCommandsMax: 10 })
  const from = reader()
  from.open(1, start)
  for (let i = 0; i < 100; i++) await appended(writer, 1, bytes(1), 5)
  for (let i = 0; i < 50; i++) {
    from.open(1, start)
    if (i % 3 === 0) await arrived(from)
  }
  await arrived(from)
  assert.equal(from.take(1000).length, 2)
})

test('memory mailbox: what was delivered is known, for whoever asks what a dead thread had in hand', async () => {
  const { writer, reader } = given({})
  assert.equal(writer.deliveredTo(1).high, 0)
  await appended(writer, 1, bytes(1), 1)
  await appended(writer, 1, bytes(1), 1)
  assert.equal(writer.deliveredTo(1).high, 0)
  const from = reader()
  from.open(1, start)
  await arrived(from)
  assert.deepEqual([writer.deliveredTo(1).generation, writer.deliveredTo(1).high], [generation, 2])
  assert.equal(writer.depth(), 2)
})
