// Opening the next generation of a group, and deleting those that are consumed.
import type { Redis } from 'ioredis'
import type { Names } from './names.ts'
import { openScript } from './scripts.ts'

export interface Opening {
  readonly names: Names
  readonly group: number
  readonly producer: string
  /** The new one is above. */
  readonly above: number
  /** Known to hold something, whatever the server says. */
  readonly live: readonly number[]
  /** A process that starts takes the group over from whoever had it. */
  readonly takesOver: boolean
}

export type Opened =
  | { readonly outcome: 'opened'; readonly generation: number; readonly live: readonly number[] }
  /** Another process has opened a later one. */
  | { readonly outcome: 'superseded' }

/** Seals all former generations. Throws what the connection throws: then it may have been opened, and the next try opens one above. */
export async function openGeneration(redis: Redis, opening: Opening): Promise<Opened> {
  const { names, group, producer, above } = opening
  for (;;) {
    const [stored, owner] = await redis.hmget(names.root(group), 'generation', 'producer')
    const known = await redis.zrange(names.live(group), '0', '-1')
    const present = Number(stored ?? 0)
    if (!opening.takesOver && present > above && owner !== producer) return { outcome: 'superseded' }
    const generation = Math.max(above, present) + 1
    const former = [...new Set([...known.map(Number), ...opening.live])].sort((a, b) => a - b)
    const keys = [names.root(group), names.live(group), names.meta(group, generation)]
    for (const one of former) keys.push(names.meta(group, one))
    const done = await redis.eval(openScript.lua, keys.length, ...keys, producer, String(generation), stored ?? '')
    if (done === 1) return { outcome: 'opened', generation, live: [...former, generation] }
  }
}

/** Deletes generations that every partition of the group has left behind. */
export async function deleteGenerations(
  redis: Redis,
  names: Names,
  group: number,
  generations: readonly number[],
): Promise<void> {
  for (const generation of generations) {
    const streams = names.partitionsOf(group).map((partition) => names.stream(partition, generation))
    await redis.unlink([names.meta(group, generation), ...streams])
    await redis.zrem(names.live(group), String(generation))
  }
}
