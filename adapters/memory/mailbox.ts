// The mailbox in memory: lives in the main thread, outlives worker threads, keeps every frame until its commit. Bounded per partition and
// in all. Frames go to a worker over a port of their own, with credits: postMessage alone knows no back-pressure.
import type { MessagePort } from 'node:worker_threads'
import type { Appended, MailboxWriter, NewFrame } from '../../actors/ports.ts'
import { comparePositions, type Position } from '../../actors/position.ts'
import type { FramesMessage, MemoryReaderSettings, ReaderMessage } from './protocol.ts'

export interface MemoryMailboxLimits {
  /** Commands waiting in one partition, decided or not, that are not committed. */
  readonly partitionCommandsMax: number
  /** Bytes of all frames together. */
  readonly bytesMax: number
  /** Commands delivered to a worker and not yet taken by it. */
  readonly windowCommandsMax: number
}

export const defaultMailboxLimits: MemoryMailboxLimits = {
  partitionCommandsMax: 32_768,
  bytesMax: 256 * 1024 * 1024,
  windowCommandsMax: 16_384,
}

interface StoredFrame {
  readonly number: number
  readonly bytes: Uint8Array
  readonly commands: number
}

interface Box {
  readonly partition: number
  /** Uncommitted frames, oldest first. */
  readonly frames: StoredFrame[]
  commands: number
  lastNumber: number
  /** Count of the trims when an append was refused; -1: never. */
  refusedAt: number
  reader: Reader | undefined
  session: number
  /** Number of the last frame that was delivered in this session. */
  delivered: number
}

interface Reader {
  readonly port: MessagePort
  credit: number
  /** Partitions with something to deliver, each at most once. */
  readonly ready: Set<Box>
  scheduled: boolean
}

export class MemoryMailbox implements MailboxWriter {
  readonly generation: number
  private readonly limits: MemoryMailboxLimits
  private readonly boxes = new Map<number, Box>()
  private bytes = 0
  /** Trims that made room, in any partition. */
  private trims = 0
  /** Resolved at the next trim of any partition; whoever waits looks again. */
  private waiting: (() => void)[] = []

  constructor(generation: number, limits: MemoryMailboxLimits = defaultMailboxLimits) {
    this.generation = generation
    this.limits = limits
  }

  /** Settles inside the call. */
  append<F extends NewFrame>(frames: readonly F[], settled: (frame: F, outcome: Appended) => void): void {
    let refused = -1
    for (const frame of frames) {
      const box = this.box(frame.partition)
      if (frame.packet !== true && (box.partition === refused || !this.fits(box, frame))) {
        refused = box.partition
        box.refusedAt = this.trims
        settled(frame, 'full')
      } else {
        box.lastNumber++
        box.frames.push({ number: box.lastNumber, bytes: frame.bytes, commands: frame.commands })
        box.commands += frame.commands
        this.bytes += frame.bytes.length
        this.offer(box)
        settled(frame, { generation: this.generation, high: box.lastNumber, low: 0 })
      }
    }
  }

  private fits(box: Box, { bytes, commands }: NewFrame): boolean {
    return this.hasRoom(box, commands) && this.bytes + bytes.length <= this.limits.bytesMax
  }

  /** It loses nothing while the process lives. */
  onGeneration(): void {}

  room(partition: number): Promise<void> {
    const box = this.box(partition)
    // Room for less than was refused is of no use to whoever waits: he would ask again at once, and nothing else would run.
    const refused = box.refusedAt === this.trims
    if (!refused && this.hasRoom(box, 1) && this.bytes < this.limits.bytesMax) return Promise.resolve()
    return new Promise<void>((resolve) => {
      this.waiting.push(resolve)
    }).then(() => this.room(partition))
  }

  /** An empty mailbox takes any frame, so that a frame larger than the bound cannot wait for ever. */
  private hasRoom(box: Box, commands: number): boolean {
    return box.commands === 0 || box.commands + commands <= this.limits.partitionCommandsMax
  }

  /** Commands that wait or are under way, in all partitions. */
  depth(): number {
    let sum = 0
    for (const { commands } of this.boxes.values()) sum += commands
    return sum
  }

  /** How far the partition's frames were delivered: what a thread that died may have had in hand. */
  deliveredTo(partition: number): Position {
    const box = this.box(partition)
    return { generation: this.generation, high: box.delivered, low: 0, index: Number.MAX_SAFE_INTEGER }
  }

  /** Connects a worker; its lanes open partitions over the port. What it must know to read. */
  connect(port: MessagePort): MemoryReaderSettings {
    const reader: Reader = { port, credit: this.limits.windowCommandsMax, ready: new Set(), scheduled: false }
    port.on('message', (messages: readonly ReaderMessage[]) => {
      for (const message of messages) this.hear(reader, message)
    })
    port.on('close', () => {
      for (const box of this.boxes.values()) if (box.reader === reader) box.reader = undefined
    })
    return { kind: 'memory', generation: this.generation }
  }

  private hear(reader: Reader, message: ReaderMessage): void {
    switch (message.kind) {
      case 'open': {
        const box = this.box(message.partition)
        box.reader?.ready.delete(box)
        box.reader = reader
        box.session = message.session
        this.trim(box, message.after)
        box.delivered = (box.frames[0]?.number ?? box.lastNumber + 1) - 1
        this.offer(box)
        return
      }
      case 'close': {
        const box = this.box(message.partition)
        if (box.reader !== reader) return
        reader.ready.delete(box)
        box.reader = undefined
        return
      }
      case 'taken':
        reader.credit += message.commands
        this.schedule(reader)
        return
      case 'trim': {
        const { places } = message
        for (let i = 0; i < places.length; i += 5) {
          const [partition = 0, generation = 0, high = 0, low = 0, index = 0] = places.slice(i, i + 5)
          const box = this.box(partition)
          if (box.reader === reader) this.trim(box, { generation, high, low, index })
        }
        return
      }
    }
  }

  private offer(box: Box): void {
    const { reader } = box
    if (reader === undefined || box.delivered >= box.lastNumber) return
    reader.ready.add(box)
    this.schedule(reader)
  }

  private schedule(reader: Reader): void {
    if (reader.scheduled || reader.ready.size === 0 || reader.credit <= 0) return
    reader.scheduled = true
    queueMicrotask(() => {
      reader.scheduled = false
      this.deliver(reader)
    })
  }

  /** One message with all that the credit allows; each partition gives one frame a round, so that none starves another. */
  private deliver(reader: Reader): void {
    const frames: { box: Box; frame: StoredFrame }[] = []
    let size = 0
    while (reader.credit > 0 && reader.ready.size > 0) {
      for (const box of reader.ready) {
        const first = box.frames[0]
        const frame = first === undefined ? undefined : box.frames[box.delivered + 1 - first.number]
        if (frame === undefined) {
          reader.ready.delete(box)
          continue
        }
        box.delivered = frame.number
        if (frame.number === box.lastNumber) reader.ready.delete(box)
        frames.push({ box, frame })
        size += frame.bytes.length
        reader.credit -= frame.commands
        if (reader.credit <= 0) break
      }
    }
    if (frames.length === 0) return
    const bytes = new Uint8Array(size)
    const names: number[] = []
    let at = 0
    for (const { box, frame } of frames) {
      bytes.set(frame.bytes, at)
      names.push(box.partition, box.session, frame.number, frame.commands, at, frame.bytes.length)
      at += frame.bytes.length
    }
    reader.port.postMessage({ names, bytes } satisfies FramesMessage, [bytes.buffer])
  }

  private trim(box: Box, position: Position): void {
    let count = 0
    for (const { number, commands, bytes } of box.frames) {
      const end: Position = { generation: this.generation, high: number, low: 0, index: commands }
      if (comparePositions(end, position) > 0) break
      count++
      box.commands -= commands
      this.bytes -= bytes.length
    }
    if (count === 0) return
    box.frames.splice(0, count)
    this.trims++
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  private box(partition: number): Box {
    let box = this.boxes.get(partition)
    if (box === undefined) {
      box = {
        partition,
        frames: [],
        commands: 0,
        lastNumber: 0,
        refusedAt: -1,
        reader: undefined,
        session: 0,
        delivered: 0,
      }
      this.boxes.set(partition, box)
    }
    return box
  }
}
