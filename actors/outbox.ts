// What intake has not got into the mailbox yet, in order per partition: commands gather here for the tick, while an append is under way, while
// the mailbox is full and while a generation ends. Decides when they are appended and which are sent again; answers nobody itself.
//
//   partition: free -> appending -> free | waiting for room -> free
//              any -> turning (a new generation was announced and something sent is unanswered) -> free (its lane has committed the turn)
import type { Command } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import { encodeFrame, type Stamped } from '../schemas/frame.ts'
import type { Outgoing } from './links.ts'
import type { Appended, FrameName, MailboxWriter, NewFrame, Timers } from './ports.ts'
import { comparePositions, type Position } from './position.ts'
import type { Unanswered } from './unanswered.ts'

/** A command that has no answer yet. */
export interface Pending extends Stamped {
  readonly command: Command
  readonly reply: (answer: Answer) => void
  readonly partition: number
  deadline: number
  /** Kept in order until there is room, instead of being refused. */
  waits: boolean
  /** Whoever wants to know that the mailbox holds it; undefined once told. */
  accepted: (() => void) | undefined
  /** The frame it went out with last; undefined: it waits here. */
  frame: OutFrame | undefined
  /** Its place in the frame, from 1. */
  index: number
  /** Was in a frame before of which nothing was heard: it may be applied already, so nobody may be told that nothing was accepted. */
  sent: boolean
}

/** Nobody may be told that nothing of it was accepted. */
export const mayBeApplied = ({ sent, frame }: Pending): boolean => sent || frame !== undefined

interface OutFrame extends NewFrame {
  bytes: Uint8Array
  list: readonly Pending[]
  /** Somebody wants to know when the mailbox holds it. */
  tells: boolean
  /** undefined: under way. */
  name: FrameName | 'lost' | undefined
}

interface Box {
  readonly partition: number
  gathered: Pending[]
  /** Of other partitions. They wait for appends under way, never for room. */
  packets: Outgoing[]
  /** Frames whose append is under way. */
  underWay: number
  /** Came back from a full mailbox, in order. */
  refused: Pending[]
  waitsForRoom: boolean
  /** Generation that its lane must reach before anything is appended again. */
  turnsTo: number | undefined
  /** Last position that a lane reported. */
  hosted: Position
  /** The last frame that is known to be in the mailbox. */
  appended: FrameName
}

/** Larger ticks are cut, so that a frame never fills a batch alone. */
const frameCommandsMax = 1024
/** Commands that may gather in one partition, besides those whose senders bound themselves. */
const gatheredCommandsMax = 8192
const noBytes = new Uint8Array(0)

export class Outbox {
  private readonly mailbox: MailboxWriter
  private readonly timers: Timers
  private readonly unanswered: Unanswered<Pending>
  private readonly refuse: (pending: Pending) => void
  private readonly boxes = new Map<number, Box>()
  /** Those with something gathered. */
  private readonly gathering = new Set<Box>()
  private flushing = false
  /** The highest that this process has opened while it runs. */
  generation = 0

  /** `refuse` is called for commands that did not get into the mailbox and never were in it. */
  constructor(
    mailbox: MailboxWriter,
    timers: Timers,
    unanswered: Unanswered<Pending>,
    refuse: (pending: Pending) => void,
  ) {
    this.mailbox = mailbox
    this.timers = timers
    this.unanswered = unanswered
    this.refuse = refuse
    mailbox.onGeneration((partitions, generation) => this.turn(partitions, generation))
  }

  /** Takes no command that would have to wait longer than for an append under way. */
  isFull(partition: number): boolean {
    const box = this.boxes.get(partition)
    return box !== undefined && (box.waitsForRoom || box.gathered.length >= gatheredCommandsMax)
  }

  add(pending: Pending): void {
    const box = this.box(pending.partition)
    box.gathered.push(pending)
    this.gathering.add(box)
    this.flushSoon()
  }

  /** What another partition has to say. What is lost of it is sent again by its link. */
  addPacket(packet: Outgoing): void {
    const box = this.box(packet.to)
    box.packets.push(packet)
    this.gathering.add(box)
    this.flushSoon()
  }

  /** After the I/O of this turn: all requests that were read together share their frames. */
  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    this.timers.soon(() => this.flush())
  }

  private flush(): void {
    this.flushing = false
    const frames: OutFrame[] = []
    for (const box of this.gathering) {
      if (box.underWay > 0) continue
      for (const packet of box.packets) {
        frames.push(packetFrame(packet))
        box.underWay++
      }
      box.packets = []
      if (box.waitsForRoom || box.turnsTo !== undefined) continue
      this.gathering.delete(box)
      const { gathered } = box
      box.gathered = []
      for (let at = 0; at < gathered.length; at += frameCommandsMax) {
        const list = gathered.length <= frameCommandsMax ? gathered : gathered.slice(at, at + frameCommandsMax)
        frames.push(frameOf(box.partition, list))
        box.underWay++
      }
    }
    if (frames.length > 0) this.mailbox.append(frames, this.settle)
  }

  private readonly settle = (frame: OutFrame, outcome: Appended): void => {
    const box = this.box(frame.partition)
    box.underWay--
    const { list } = frame
    frame.bytes = noBytes
    frame.list = []
    if (outcome === 'full') this.takeBack(box, list)
    else {
      frame.name = outcome
      if (outcome !== 'lost') box.appended = outcome
      if (frame.tells && outcome !== 'lost') this.tell(list)
      // Its lane may have consumed it, and its thread ended before the answer, sooner than this was heard.
      if (outcome !== 'lost' && comparePositions({ ...outcome, index: 1 }, box.hosted) <= 0) this.sendAgain(box)
    }
    if (box.underWay > 0) return
    if (box.refused.length > 0) this.waitForRoom(box)
    this.release(box)
    if (box.gathered.length > 0 || box.packets.length > 0) this.flushSoon()
  }

  private tell(list: readonly Pending[]): void {
    for (const pending of list) {
      if (pending.accepted === undefined || !this.unanswered.has(pending.ticket)) continue
      pending.deadline = Number.POSITIVE_INFINITY
      pending.accepted()
      pending.accepted = undefined
    }
  }

  /** The mailbox is full: what may wait stays, in order; all else is refused. */
  private takeBack(box: Box, list: readonly Pending[]): void {
    for (const pending of list) {
      if (!this.unanswered.has(pending.ticket)) continue
      pending.frame = undefined
      if (pending.waits || pending.sent) box.refused.push(pending)
      else this.refuse(pending)
    }
  }

  /** Behind those that wait nothing slips in. */
  private waitForRoom(box: Box): void {
    const waiting = box.refused
    box.refused = []
    for (const pending of box.gathered) {
      if (pending.waits || pending.sent) waiting.push(pending)
      else this.refuse(pending)
    }
    this.gather(box, waiting)
    if (box.waitsForRoom) return
    box.waitsForRoom = true
    void this.mailbox.room(box.partition).then(() => {
      box.waitsForRoom = false
      this.flushSoon()
    })
  }

  /** A new generation begins. What was sent and is unanswered may be in the old one or lost: that shows when the old one was read to its end. */
  private turn(partitions: readonly number[], generation: number): void {
    this.generation = Math.max(this.generation, generation)
    const sent = new Set<number>()
    for (const { partition, frame } of this.unanswered.values()) if (frame !== undefined) sent.add(partition)
    for (const partition of partitions) if (sent.has(partition)) this.box(partition).turnsTo = generation
  }

  /** See `LaneNews.hosted` and `turned`. Idempotency gives those that were applied their first answer. */
  hosted(partition: number, position: Position): void {
    const box = this.box(partition)
    box.hosted = position
    if (box.turnsTo === undefined) this.sendAgain(box)
    else this.release(box)
  }

  /** Nothing of this process stands there, as far as all its appends are settled. */
  neverReached(partition: number, position: Position): boolean {
    const { appended, underWay } = this.box(partition)
    const isBeginning = position.high === 0 && position.low === 0
    return (
      underWay === 0 && !isBeginning && comparePositions({ ...appended, index: Number.MAX_SAFE_INTEGER }, position) < 0
    )
  }

  private release(box: Box): void {
    if (box.turnsTo === undefined || box.underWay > 0 || box.hosted.generation < box.turnsTo) return
    box.turnsTo = undefined
    this.sendAgain(box)
  }

  /** Puts back, each to its place in the order of arrival, what was consumed or lost without an answer. */
  private sendAgain(box: Box): void {
    const again: Pending[] = []
    for (const pending of this.unanswered.values()) {
      if (pending.partition !== box.partition || pending.frame === undefined) continue
      const { name } = pending.frame
      if (name === undefined) continue
      if (name !== 'lost' && comparePositions({ ...name, index: pending.index }, box.hosted) > 0) continue
      pending.frame = undefined
      pending.sent = true
      again.push(pending)
    }
    if (again.length === 0) return
    this.gather(box, [...again, ...box.gathered].sort(byTicket))
    this.flushSoon()
  }

  /** Forgets what was answered without having been sent. */
  forgetAnswered(): void {
    for (const box of this.gathering)
      this.gather(
        box,
        box.gathered.filter(({ ticket }) => this.unanswered.has(ticket)),
      )
  }

  private gather(box: Box, list: Pending[]): void {
    box.gathered = list
    if (list.length > 0 || box.packets.length > 0) this.gathering.add(box)
    else this.gathering.delete(box)
  }

  private box(partition: number): Box {
    let box = this.boxes.get(partition)
    if (box === undefined) {
      box = {
        partition,
        gathered: [],
        packets: [],
        underWay: 0,
        refused: [],
        waitsForRoom: false,
        turnsTo: undefined,
        hosted: beforeAll,
        appended: beforeAll,
      }
      this.boxes.set(partition, box)
    }
    return box
  }
}

const beforeAll: Position = { generation: -1, high: 0, low: 0, index: 0 }
const byTicket = (a: Pending, b: Pending): number => a.ticket - b.ticket

const packetFrame = ({ to, bytes, messages }: Outgoing): OutFrame => ({
  partition: to,
  bytes,
  commands: messages,
  packet: true,
  list: [],
  tells: false,
  name: undefined,
})

function frameOf(partition: number, list: readonly Pending[]): OutFrame {
  const frame: OutFrame = {
    partition,
    bytes: encodeFrame(list),
    commands: list.length,
    list,
    tells: false,
    name: undefined,
  }
  for (let i = 0; i < list.length; i++) {
    const pending = list[i]
    if (pending === undefined) continue
    pending.frame = frame
    pending.index = i + 1
    if (pending.accepted !== undefined) frame.tells = true
  }
  return frame
}
