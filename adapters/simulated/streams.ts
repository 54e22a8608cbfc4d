// A model of the streams server that outlives processes (Redis): a stream per partition and generation, dense by number, sealed when the next
// generation opens. It may fail over to a replica that lacks the last of it, and be out of reach.
import type { NewFrame } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import type { SeededRandom } from './random.ts'

export interface StreamFrame {
  /** 1, 2, 3 .. in its stream. */
  readonly sequence: number
  readonly bytes: Uint8Array
  readonly commands: number
}

interface Stream {
  frames: StreamFrame[]
  last: number
  commands: number
  trimmedCommands: number
}

export interface NumberedFrame extends NewFrame {
  readonly sequence: number
}

export type AppendReply =
  /** Another process has opened a generation. */
  | { readonly kind: 'gone' }
  /** A frame before these is missing: the tail was lost. */
  | { readonly kind: 'gap' }
  /** By partition the last sequence: what is beyond found no room. */
  | { readonly kind: 'ok'; readonly last: ReadonlyMap<number, number> }

const tailFramesMax = 4

export class SimulatedStreams {
  isDown = false
  /** Another number: another server, which may lack something. */
  runId = 1
  generation = 0
  private producer = ''
  private readonly streams = new Map<string, Stream>()
  private readonly random: SeededRandom
  private readonly watchers = new Set<() => void>()

  constructor(random: SeededRandom) {
    this.random = random
  }

  /** Whether the generation is still the present one: nobody else has opened another. */
  isOf(producer: string, generation: number): boolean {
    return this.producer === producer && this.generation === generation
  }

  /** Seals all before. `above`: the highest generation that anything was consumed from. */
  open(producer: string, above: number): number {
    this.producer = producer
    this.generation = Math.max(this.generation, above) + 1
    this.changed()
    return this.generation
  }

  /** Whole or not at all for each frame; what is there already by its number is not appended again. */
  append(producer: string, generation: number, frames: readonly NumberedFrame[], commandsMax: number): AppendReply {
    if (!this.isOf(producer, generation)) return { kind: 'gone' }
    const last = new Map<number, number>()
    for (const { partition, sequence } of frames) {
      const stream = this.stream(partition, generation)
      if (!last.has(partition) && sequence > stream.last + 1) return { kind: 'gap' }
      last.set(partition, stream.last)
    }
    const full = new Set<number>()
    for (const { partition, sequence, bytes, commands } of frames) {
      const stream = this.stream(partition, generation)
      const held = stream.commands - stream.trimmedCommands
      if (sequence <= stream.last || full.has(partition)) continue
      if (held > 0 && held + commands > commandsMax) {
        full.add(partition)
        continue
      }
      stream.frames.push({ sequence, bytes, commands })
      stream.last = sequence
      stream.commands += commands
    }
    for (const partition of last.keys()) last.set(partition, this.stream(partition, generation).last)
    this.changed()
    return { kind: 'ok', last }
  }

  /** Whether everything that was acknowledged is there. */
  holds(generation: number, ends: ReadonlyMap<number, number>): boolean {
    return [...ends].every(([partition, end]) => this.stream(partition, generation).last >= end)
  }

  /** Frames behind a position in its generation. */
  read(partition: number, { generation, high }: Position): readonly StreamFrame[] {
    return this.stream(partition, generation).frames.filter(({ sequence }) => sequence > high)
  }

  /** A frame that was consumed in part stays. */
  trim(partition: number, { generation, high, index }: Position): void {
    const stream = this.stream(partition, generation)
    stream.frames = stream.frames.filter(({ sequence, commands }) => {
      if (sequence > high || (sequence === high && index < commands)) return true
      stream.trimmedCommands += commands
      return false
    })
  }

  /** A replica takes over that lacks the last frames of some streams. */
  failOver(): void {
    this.runId++
    for (const stream of this.streams.values()) {
      const lost = this.random.below(tailFramesMax + 1)
      const kept = stream.frames.slice(0, Math.max(0, stream.frames.length - lost))
      for (const { commands } of stream.frames.slice(kept.length)) stream.commands -= commands
      if (kept.length < stream.frames.length)
        stream.last = kept.at(-1)?.sequence ?? (stream.frames[0]?.sequence ?? 1) - 1
      stream.frames = kept
    }
    this.changed()
  }

  /** Called after every change, until it is taken off. */
  watch(callback: () => void): () => void {
    this.watchers.add(callback)
    return () => this.watchers.delete(callback)
  }

  private changed(): void {
    for (const callback of this.watchers) callback()
  }

  private stream(partition: number, generation: number): Stream {
    const name = `${partition} ${generation}`
    let stream = this.streams.get(name)
    if (stream === undefined) {
      stream = { frames: [], last: 0, commands: 0, trimmedCommands: 0 }
      this.streams.set(name, stream)
    }
    return stream
  }
}
