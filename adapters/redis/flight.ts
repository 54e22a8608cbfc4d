// One call of the append script: which streams it names, what it appends to each, and the arguments that say so. Repeated as it is until its
// outcome is known.
import type { Appended } from '../../actors/ports.ts'
import type { Names } from './names.ts'
import type { StreamEnd } from './stream-end.ts'

export interface Outgoing {
  readonly partition: number
  readonly bytes: Uint8Array
  readonly commands: number
  /** Of another partition: no bound holds it up. */
  readonly packet: boolean
  settle(outcome: Appended): void
}

/** One call: the streams that it names, and what it appends to each. */
export interface Flight {
  readonly streams: readonly {
    readonly end: StreamEnd
    /** Entries up to here are deleted; undefined: none. */
    readonly deleteTo: number | undefined
    readonly first: number
    readonly frames: readonly Outgoing[]
  }[]
  readonly frames: number
  tries: number
}

/** Entries are deleted so many at a time, unless they lie there for a while: each time costs Redis more than the entries do. */
export const deleteEntries = 64

/** `deletes`: committed entries of all streams; `looks`: asks whether what is not committed is still there. */
export function flightOf(
  queue: readonly Outgoing[],
  endOf: (partition: number) => StreamEnd,
  ends: Iterable<StreamEnd>,
  { deletes, looks }: { readonly deletes: boolean; readonly looks: boolean },
): Flight | undefined {
  const frames = new Map<StreamEnd, Outgoing[]>()
  for (const frame of queue) {
    const end = endOf(frame.partition)
    const list = frames.get(end)
    if (list === undefined) frames.set(end, [frame])
    else list.push(frame)
  }
  if (deletes || looks) {
    for (const end of ends) {
      if (frames.has(end)) continue
      if ((deletes && end.trimmedTo > end.deletedTo) || (looks && end.holdsSome)) frames.set(end, [])
    }
  }
  if (frames.size === 0) return undefined
  const streams = [...frames].map(([end, list]) => {
    const entries = end.trimmedTo - end.deletedTo
    const deleteTo = entries >= deleteEntries || (deletes && entries > 0) ? end.trimmedTo : undefined
    return { end, deleteTo, first: end.sequence + 1, frames: list }
  })
  return { streams, frames: queue.length, tries: 0 }
}

export interface FlightFacts {
  readonly names: Names
  readonly group: number
  readonly producer: string
  readonly partitionCommandsMax: number
  readonly bytesMax: number
  readonly generation: number
  /** Number of the connection that it is sent over. */
  readonly connection: number
  readonly trimmedBytes: number
}

/** Count of the keys, the keys and the arguments of `appendScript`. */
export function argumentsOf({ streams }: Flight, facts: FlightFacts): (string | number | Buffer)[] {
  const { names, group, generation } = facts
  const args: (string | number | Buffer)[] = [1 + streams.length, names.meta(group, generation)]
  for (const { end } of streams) args.push(names.stream(end.partition, generation))
  args.push(facts.producer, facts.connection, facts.partitionCommandsMax, facts.bytesMax, facts.trimmedBytes)
  for (const { end, deleteTo, first, frames } of streams) {
    args.push(end.partition, deleteTo ?? '', end.trimmedCommands, first, frames.length)
    for (const { commands, bytes, packet } of frames) {
      args.push(packet ? -commands : commands, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }
  }
  return args
}
