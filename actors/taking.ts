// What a lane took out of its mailboxes, by partition: those to be decided together, and those to be tried alone.
import { FrameReader } from '../schemas/frame.ts'
import { isPacket } from '../schemas/packet.ts'
import type { Hosted } from './hosted.ts'
import type { Frame } from './ports.ts'
import { comparePositions, type Position } from './position.ts'
import { messagesIn, type Waiting } from './waiting.ts'

/** Puts what is new of these frames into `taken` of its partition, with the position behind it. */
export function sortFrames(
  frames: readonly Frame[],
  partitions: ReadonlyMap<number, Hosted>,
): { together: Map<Hosted, Position>; alone: Map<Hosted, Position> } {
  const together = new Map<Hosted, Position>()
  const alone = new Map<Hosted, Position>()
  for (const frame of frames) {
    const hosted = partitions.get(frame.partition)
    if (hosted === undefined) continue
    const messages = isPacket(frame.bytes) ? messagesIn(frame.bytes) : undefined
    const reader = messages === undefined ? readerOf(frame) : undefined
    const { generation, high, low } = frame
    const after: Position = { generation, high, low, index: messages?.length ?? reader?.count ?? 0 }
    const before = together.get(hosted) ?? alone.get(hosted)
    const here = before ?? hosted.position
    if (comparePositions(after, here) <= 0) continue
    if (before === undefined) hosted.taken.clear()
    const behind: Position = { generation, high, low, index: isSameFrame(here, after) ? here.index : 0 }
    if (reader !== undefined) hosted.taken.add(reader, behind)
    else hosted.taken.begin(behind)
    for (const message of messages?.slice(behind.index) ?? []) hosted.taken.push(message)
    const among = hosted.caution === undefined ? together : alone
    among.set(hosted, after)
  }
  return { together, alone }
}

/** Messages that never left the lane, behind the frames. */
export function addLooped(looped: ReadonlyMap<Hosted, readonly Waiting[]>, together: Map<Hosted, Position>): void {
  for (const [hosted, messages] of looped) {
    if (!together.has(hosted)) {
      hosted.taken.clear()
      together.set(hosted, hosted.position)
    }
    hosted.taken.begin(undefined)
    for (const message of messages) hosted.taken.push(message)
  }
}

const isSameFrame = (a: Position, b: Position): boolean =>
  a.generation === b.generation && a.high === b.high && a.low === b.low

/** The beginning of a generation holds none. */
const readerOf = ({ bytes }: Frame): FrameReader | undefined =>
  bytes.length === 0 ? undefined : new FrameReader(bytes)
