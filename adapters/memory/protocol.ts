// What the mailbox and its reader in a worker thread send each other.
import type { Position } from '../../actors/position.ts'

/** All that a worker needs to read; plain data. */
export interface MemoryReaderSettings {
  readonly kind: 'memory'
  readonly generation: number
}

export type ReaderMessage =
  | { readonly kind: 'open'; readonly partition: number; readonly session: number; readonly after: Position }
  | { readonly kind: 'close'; readonly partition: number }
  /** Credits: so many delivered commands were taken out of the port. */
  | { readonly kind: 'taken'; readonly commands: number }
  /** Five numbers a partition: its number, then generation, high, low, index of the position. */
  | { readonly kind: 'trim'; readonly places: readonly number[] }

/** Many frames in one buffer, because a message costs more than its bytes. */
export interface FramesMessage {
  /** Six numbers a frame: partition, session, frame number, commands, offset, length. */
  readonly names: readonly number[]
  readonly bytes: Uint8Array
}
