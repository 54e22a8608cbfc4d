// Which command a worker thread is deciding, in memory that outlives the thread: a thread that ends in the middle of a decision has named the
// command it died of. One that ends elsewhere (while it commits, by its supervisor, for want of memory between two batches) names none.
import type { Position } from './position.ts'

/** A command by its place in the mailbox. */
export interface Named {
  readonly partition: number
  readonly place: Position
}

// partition, generation, high, low, index; index 0: none. Doubles, because `high` may pass 32 bits.
const words = 5
export const inHandBytes = words * Float64Array.BYTES_PER_ELEMENT

export class InHand {
  private readonly memory: Float64Array

  /** Shared by a thread and its supervisor; without it nobody outlives the thread. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(inHandBytes)) {
    this.memory = new Float64Array(memory)
  }

  /** The commands that come next stand in this frame. */
  frame(partition: number, { generation, high, low }: Position): void {
    const { memory } = this
    memory[4] = 0
    memory[0] = partition
    memory[1] = generation
    memory[2] = high
    memory[3] = low
  }

  /** Before each command is decided; plain ones are decided in 2 us, so this is one store. */
  command(index: number): void {
    this.memory[4] = index
  }

  /** Nothing is being decided. */
  clear(): void {
    this.memory[4] = 0
  }

  /** To be asked when the thread has ended. */
  named(): Named | undefined {
    const [partition = 0, generation = 0, high = 0, low = 0, index = 0] = this.memory
    return index === 0 ? undefined : { partition, place: { generation, high, low, index } }
  }
}
