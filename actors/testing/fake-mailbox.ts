// A mailbox without threads: what is appended can be taken at once. Notes what its reader does.
import type { Frame, FrameName, MailboxReader, MailboxWriter } from '../ports.ts'
import { comparePositions, type Position } from '../position.ts'

interface Box {
  frames: (Frame & { readonly commands: number })[]
  /** Number of the last frame handed out; undefined: nobody has opened it. */
  taken: number | undefined
  last: number
  /** The last append was refused and nothing was trimmed since. */
  refused: boolean
}

const commandsIn = ({ frames }: Box): number => frames.reduce((sum, { commands }) => sum + commands, 0)

export class FakeMailbox implements MailboxWriter, MailboxReader {
  readonly generation: number
  /** Commands that a partition may hold. */
  commandsMax = Number.POSITIVE_INFINITY
  /** What the reader did, in order: `open 3 after 1:2-0+1`, `close 3`, `trim 3 to 1:2-0+1`. */
  readonly log: string[] = []
  private readonly boxes = new Map<number, Box>()
  private waiting: (() => void) | undefined
  private wakeAt = 1
  spun = false
  private calls = 0
  private rooms: (() => void)[] = []

  constructor(generation = 1) {
    this.generation = generation
  }

  append(partition: number, frame: Uint8Array, commands: number): FrameName | undefined {
    const box = this.box(partition)
    const held = commandsIn(box)
    box.refused = held > 0 && held + commands > this.commandsMax
    if (box.refused) return undefined
    box.last++
    box.frames.push({ partition, high: box.last, low: 0, bytes: frame, commands })
    this.ring()
    return { high: box.last, low: 0 }
  }

  async room(partition: number): Promise<void> {
    this.noSpin('the writer asks for room again and again')
    const box = this.box(partition)
    while (box.refused || commandsIn(box) >= this.commandsMax) {
      await new Promise<void>((resolve) => this.rooms.push(resolve))
    }
  }

  open(partition: number, after: Position): void {
    this.log.push(`open ${partition} after ${text(after)}`)
    const box = this.box(partition)
    this.forget(box, after)
    box.taken = (box.frames[0]?.high ?? box.last + 1) - 1
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
      this.box(frame.partition).taken = frame.high
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
    for (const { frames } of this.boxes.values()) for (const { commands } of frames) sum += commands
    return sum
  }

  /** Number of the last frame that a reader took: what it may have had in hand when it died. */
  lastTaken(partition: number): number {
    return this.box(partition).taken ?? 0
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

  private untaken(): (Frame & { readonly commands: number })[] {
    return [...this.boxes.values()].flatMap(({ frames, taken }) =>
      taken === undefined ? [] : frames.filter(({ high }) => high > taken),
    )
  }

  get waitingCommands(): number {
    return this.untaken().reduce((sum, { commands }) => sum + commands, 0)
  }

  private forget(box: Box, position: Position): void {
    box.frames = box.frames.filter(
      ({ high, commands }) =>
        comparePositions({ generation: this.generation, high, low: 0, index: commands }, position) > 0,
    )
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
