// What the Redis mailbox and its reader in a worker thread tell each other. Frames do not pass here: the worker reads them from Redis itself.

import type { RedisNode } from './connection.ts'

/** Where the streams of a group are. */
export interface GroupState {
  readonly group: number
  /** The one that is appended to. All before it are sealed. */
  readonly generation: number
  /** Generations that may hold something, ascending; the present one is the last. */
  readonly live: readonly number[]
  /** The server that the writer is connected to: nothing is read from another. */
  readonly runId: string | undefined
  /** Where it is, if a cluster has sent the writer there. */
  readonly node: RedisNode | undefined
}

/** All that a worker needs to read; plain data. */
export interface RedisReaderSettings {
  readonly kind: 'redis'
  readonly url: string
  readonly name: string
  readonly ledger: string
  readonly partitions: number
  readonly perGroup: number
  readonly groups: readonly GroupState[]
  /** Two 32-bit integers a partition: generation and sequence of the last frame that a lane took. Shared memory, so that it outlives the thread. */
  readonly taken: Int32Array
}

export type ToReader = { readonly kind: 'group'; readonly state: GroupState }

export interface FromReader {
  /** Four numbers a partition: partition, generation, sequence, index. All up to there is committed. */
  readonly trims: readonly number[]
  /** Commands sent to Redis since the last message. */
  readonly reads: number
}
