// What the supervisor and a worker thread say to each other. Plain data, so that structured clone loses nothing; errors are messages too.
import type { CommitStats } from './lane-ports.ts'
import type { Outgoing } from './links.ts'
import type { Position } from './position.ts'
import type { Suspicion } from './suspects.ts'

export type ToWorker =
  | {
      readonly kind: 'host'
      readonly shard: number
      readonly partitions: readonly number[]
      /** What may have ended former hosts, by partition. */
      readonly suspects: readonly (readonly [number, Suspicion])[]
      /** Number of the last row that a former host is known to have committed, by partition. */
      readonly seen: readonly (readonly [number, number])[]
    }
  | { readonly kind: 'release'; readonly shard: number; readonly partitions: readonly number[] }
  /** A shard that was added while the process runs. What its address means is between the thread's entry and whoever sends this. */
  | { readonly kind: 'shard'; readonly shard: number; readonly address: string }
  /** Its database may be another one by now. */
  | { readonly kind: 'look_again'; readonly shard: number }
  | { readonly kind: 'segment'; readonly shard: number; readonly segment: number }
  | { readonly kind: 'segment_closed'; readonly shard: number; readonly segment: number }
  | { readonly kind: 'ping'; readonly n: number }
  | { readonly kind: 'stop' }

export type FromWorker =
  | { readonly kind: 'hosted'; readonly partition: number; readonly position: Position }
  | { readonly kind: 'turned'; readonly partition: number; readonly position: Position }
  | { readonly kind: 'lost'; readonly partitions: readonly number[] }
  | { readonly kind: 'released'; readonly partitions: readonly number[] }
  | { readonly kind: 'history_lost'; readonly partition: number; readonly seen: number; readonly found: number }
  | { readonly kind: 'trouble'; readonly shard: number; readonly code: string | undefined; readonly message: string }
  | { readonly kind: 'committed'; readonly shard: number; readonly stats: CommitStats }
  | { readonly kind: 'quarantined'; readonly partition: number; readonly position: string; readonly id: string }
  | {
      readonly kind: 'answers'
      /** Typed arrays: a clone of plain ones costs 0.15 us an answer on either side. */
      readonly tickets: ArrayLike<number>
      readonly https: ArrayLike<number>
      readonly replayed: ArrayLike<number>
      readonly bodies: string
    }
  | { readonly kind: 'packets'; readonly packets: readonly Outgoing[] }
  | { readonly kind: 'pong'; readonly n: number }
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }
