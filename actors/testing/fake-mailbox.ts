// A mailbox without threads: what is appended can be taken at once. Notes what its reader does. A test may hold appends back, and end a
// generation with or without the loss of what nobody has taken.
import type { Appended, Frame, MailboxReader, MailboxWriter, NewFrame } from '../ports.ts'
import { comparePositions, type Position } from '../position.ts'

interface Stored extends Frame {
  readonly commands: number
}

interface Box {
  frames: Stored[]
  /** End of the last frame handed out; undefined: nobody has opened it. */
  taken: Position | undefined
  last: number
  /** The last append was refused and nothing was trimmed since. */
  refused: boolean
}

const commandsIn = ({ frames }: Box): number => frames.reduce((sum, { commands }) => sum + commands, 0)
const endOf = ({ generation, high, low, commands }: Stored): Position => ({ generation, high, low, index: commands })
const isAfter = (frame: Stored, position: Position): boolean => comparePositions(endOf(frame), position) > 0

export class FakeMailbox implements MailboxWriter, MailboxReader {
  generation: number
  /** Commands that a partition may hold. */
  commandsMax = Number.POSITIVE_INFINITY
  /** Appends stay under way until `settle`. */
  holdsAppends = false
  /** What the reader did, in order: `open 3 after 1:2-0+1`, `close 3`, `trim 3 to 1:2-0+1`. */
  readonly log: string[] = []
  spun = false
  private readonly boxes = new Map<number, Box>()
  private waiting: (() => void) | undefined
  private wakeAt = 1
  private calls = 0
  private rooms: (() => void)[] = []
  private held: (() => void)[] = []
  private listener: (partitions: readonly number[], generation: number) => void = () => undefined

  constructor(generation = 1) {
    this.generation = generation
  }

  append<F extends NewFrame>(frames: readonly F[], settled: (frame: F, outcome: Appended) => void): void {
    const { generation } = this
    const settle = (): void => {
      const refused = new Set<number>()
      for (const frame of frames) {
        const outcome =
          refused.has(frame.partition) && frame.packet !== true
            ? 'full'
            : generation < this.generation
              ? 'lost'
              : this.appendOne(frame)
        if (outcome === 'full') refused.add(frame.partition)
        settled(frame, outcome)
      }
    }
    if (this.holdsAppends) this.held.push(settle)
    else settle()
  }

  get appendsUnderWay(): number {
    return this.held.length
  }

  /** Ends the oldest append under way. */
  settle(): void {
    const settle = this.held.shift()
    if (settle === undefined) throw new Error('no append is under way')
    settle()
  }

  private appendOne({ partition, bytes, commands, packet }: NewFrame): Appended {
    const box = this.box(partition)
    const holds = commandsIn(box)
    if (packet !== true) {
      box.refused = holds > 0 && holds + commands > this.commandsMax
      if (box.refused) return 'full'
    }
    box.last++
    const name = { generation: this.generation, high: box.last, low: 0 }
    box.frames.push({ partition, ...name, bytes, commands })
    this.ring()
    return name
  }

  async room(partition: number): Promise<void> {
    this.noSpin('the writer asks for room again and again')
    const box = this.box(partition)
    while (box.refused || commandsIn(box) >= this.commandsMax) {
      await new Promise<void>((resolve) => this.rooms.push(resolve))
    }
  }

  onGeneration(listener: (partitions: readonly number[], generation: number) => void): void {
    this.listener = listener
  }

  /** Ends the generation: of each partition all but the first `kept` frames that are not trimmed are lost; appends under way are too. */
  endGeneration(kept = Number.POSITIVE_INFINITY): void {
    this.generation++
    for (const [partition, box] of this.boxes) {
      box.frames = box.frames.slice(0, kept)
      box.last = 0
      box.frames.push({
        partition,
        generation: this.generation,
        high: 0,
        low: 0,
        bytes: new Uint8Array(0),
        commands: 0,
      })
    }
    this.listener([...this.boxes.keys()], this.generation)
    for (const settle of this.held.splice(0)) settle()
    this.ring()
  }

  open(partition: number, after: Position): void {
    this.log.push(`open ${partition} after ${text(after)}`)
    const box = this.box(partition)
    this.forget(box, after)
    box.taken = { ...after, index: 0 }
    this.ring()
  }

  close(partition: number): void {
    this.log.push(`close ${partition}`)
    this.box(partition).taken = undefined
  }

  take(commandsMax: number): readonly Frame[] {
    const frames: Frame[] = []
    let commands = 0
    for (const frame of this.untaken()) {
      if (frames.length > 0 && commands + frame.commands > commandsMax) break
      commands += frame.commands
      frames.push(frame)
      this.box(frame.partition).taken = endOf(frame)
    }
    return frames
  }

  whenFrames(callback: () => void, commandsMin = 1): void {
    this.wakeAt = commandsMin
    if (this.waitingCommands < commandsMin) {
      this.waiting = callback
      return
    }
    this.waiting = undefined
    this.noSpin('the reader waits for frames again and again and takes none')
    callback()
  }

  trim(partition: number, position: Position): void {
    this.log.push(`trim ${partition} to ${text(position)}`)
    this.forget(this.box(partition), position)
    for (const box of this.boxes.values()) box.refused = false
    for (const resolve of this.rooms.splice(0)) resolve()
  }

  /** Commands that are not trimmed yet. */
  depth(): number {
    let sum = 0
    for (const box of this.boxes.values()) sum += commandsIn(box)
    return sum
  }

  /** End of the last frame that a reader took: what it may have had in hand when it died. */
  lastTaken(partition: number): Position {
    return this.box(partition).taken ?? { generation: this.generation, high: 0, low: 0, index: 0 }
  }

  /** A loop of promises alone: nothing else in the process would ever run again. */
  private noSpin(what: string): void {
    if (this.calls++ === 0) {
      setImmediate(() => {
        this.calls = 0
      })
    }
    if (this.calls < 1000) return
    this.spun = true
    throw new Error(what)
  }

  private untaken(): Stored[] {
    return [...this.boxes.values()].flatMap(({ frames, taken }) =>
      taken === undefined ? [] : frames.filter((frame) => isAfter(frame, taken)),
    )
  }

  get waitingCommands(): number {
    return this.untaken().reduce((sum, { commands }) => sum + Math.max(1, commands), 0)
  }

  private forget(box: Box, position: Position): void {
    box.frames = box.frames.filter((frame) => isAfter(frame, position))
  }

  private ring(): void {
    const wake = this.waiting
    if (wake === undefined || this.waitingCommands < this.wakeAt) return
    this.waiting = undefined
    wake()
  }

  private box(partition: number): Box {
    let box = this.boxes.get(partition)
    if (box === undefined) {
      box = { frames: [], taken: undefined, last: 0, refused: false }
      this.boxes.set(partition, box)
    }
    return box
  }
}

const text = ({ generation, high, low, index }: Position): string => `${generation}:${high}-${low}+${index}`
