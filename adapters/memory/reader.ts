// The worker's end of the memory mailbox: frames that have arrived wait here until a lane takes them, and only then give back their credit.
import type { MessagePort } from 'node:worker_threads'
import type { Frame, MailboxReader } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import type { FramesMessage, ReaderMessage } from './protocol.ts'

interface Arrived extends Frame {
  readonly commands: number
}

/** One per worker thread; hands out a reader per lane. */
export class MemoryMailboxPort {
  private readonly port: MessagePort
  private readonly readers = new Map<number, { reader: MemoryMailboxReader; session: number }>()
  private sessions = 0
  private readonly generation: number
  private outgoing: ReaderMessage[] = []
  private trims: number[] = []

  constructor(port: MessagePort, generation: number) {
    this.port = port
    this.generation = generation
    port.on('message', (message: FramesMessage) => this.arrive(message))
  }

  reader(): MailboxReader {
    return new MemoryMailboxReader(this)
  }

  end(): void {
    this.port.close()
  }

  send(message: ReaderMessage): void {
    if (this.outgoing.length === 0) queueMicrotask(() => this.flush())
    this.outgoing.push(message)
  }

  /** A commit trims each of its partitions. */
  trim(partition: number, { generation, high, low, index }: Position): void {
    if (this.trims.length === 0) this.send({ kind: 'trim', places: this.trims })
    this.trims.push(partition, generation, high, low, index)
  }

  /** All that was said in one go is one message: each costs either thread several microseconds, whatever is in it. */
  private flush(): void {
    const messages = this.outgoing
    this.outgoing = []
    this.trims = []
    this.port.postMessage(messages)
  }

  open(reader: MemoryMailboxReader, partition: number, after: Position): void {
    this.sessions++
    this.readers.set(partition, { reader, session: this.sessions })
    this.send({ kind: 'open', partition, session: this.sessions, after })
  }

  close(partition: number): void {
    if (this.readers.delete(partition)) this.send({ kind: 'close', partition })
  }

  private arrive({ names, bytes }: FramesMessage): void {
    let stale = 0
    for (let i = 0; i < names.length; i += 6) {
      const [partition = 0, session = 0, high = 0, commands = 0, offset = 0, length = 0] = names.slice(i, i + 6)
      const to = this.readers.get(partition)
      // A frame of an opening that is over: it will come again in the present one.
      if (to === undefined || to.session !== session) stale += commands
      else {
        const part = bytes.subarray(offset, offset + length)
        to.reader.put({ partition, generation: this.generation, high, low: 0, commands, bytes: part })
      }
    }
    if (stale > 0) this.send({ kind: 'taken', commands: stale })
  }
}

class MemoryMailboxReader implements MailboxReader {
  private readonly from: MemoryMailboxPort
  private arrived: Arrived[] = []
  private commands = 0
  private wake: (() => void) | undefined
  private wakeAt = 1

  constructor(from: MemoryMailboxPort) {
    this.from = from
  }

  get waitingCommands(): number {
    return this.commands
  }

  put(frame: Arrived): void {
    this.arrived.push(frame)
    this.commands += frame.commands
    const wake = this.wake
    if (wake === undefined || this.commands < this.wakeAt) return
    this.wake = undefined
    wake()
  }

  open(partition: number, after: Position): void {
    this.forget(partition)
    this.from.open(this, partition, after)
  }

  close(partition: number): void {
    this.forget(partition)
    this.from.close(partition)
  }

  private forget(partition: number): void {
    let commands = 0
    this.arrived = this.arrived.filter((frame) => {
      if (frame.partition !== partition) return true
      commands += frame.commands
      return false
    })
    this.commands -= commands
    if (commands > 0) this.from.send({ kind: 'taken', commands })
  }

  take(commandsMax: number): readonly Frame[] {
    if (this.arrived.length === 0) return []
    let commands = 0
    let count = 0
    for (const frame of this.arrived) {
      if (count > 0 && commands + frame.commands > commandsMax) break
      commands += frame.commands
      count++
    }
    this.commands -= commands
    this.from.send({ kind: 'taken', commands })
    if (count === this.arrived.length) {
      const all = this.arrived
      this.arrived = []
      return all
    }
    return this.arrived.splice(0, count)
  }

  whenFrames(callback: () => void, commandsMin = 1): void {
    this.wakeAt = commandsMin
    if (this.commands >= commandsMin) {
      this.wake = undefined
      callback()
    } else this.wake = callback
  }

  trim(partition: number, position: Position): void {
    this.from.trim(partition, position)
  }
}
