// What the writer knows of the end of one stream: its last sequence, and which frames count against the bound because they are not trimmed yet.

interface Held {
  readonly sequence: number
  readonly commands: number
  readonly bytes: number
}

export class StreamEnd {
  readonly partition: number
  /** Last one that Redis has acknowledged. */
  sequence = 0
  /** Why it took no more: cleared when there may be room again. */
  refused = false
  /** Of all frames trimmed in this generation. */
  trimmedCommands = 0
  trimmedBytes = 0
  /** Entries up to here may be deleted; up to `deletedTo` they are. */
  trimmedTo = 0
  deletedTo = 0
  heldCommands = 0
  /** Oldest first. */
  private readonly held: Held[] = []
  private committed = { sequence: 0, index: 0 }

  constructor(partition: number) {
    this.partition = partition
  }

  get holdsSome(): boolean {
    return this.held.length > 0
  }

  appended(commands: number, bytes: number): void {
    this.sequence++
    this.heldCommands += commands
    this.held.push({ sequence: this.sequence, commands, bytes })
    // A lane may be faster than the reply to the append.
    if (this.sequence <= this.committed.sequence) this.release()
  }

  /** All up to the command `index` of the frame is committed. Returns whether that made room: a frame counts until it is consumed whole. */
  trim(sequence: number, index: number): boolean {
    this.committed = { sequence, index }
    return this.release()
  }

  private release(): boolean {
    const { sequence, index } = this.committed
    let count = 0
    for (const frame of this.held) {
      if (frame.sequence > sequence || (frame.sequence === sequence && index < frame.commands)) break
      count++
      this.heldCommands -= frame.commands
      this.trimmedCommands += frame.commands
      this.trimmedBytes += frame.bytes
      this.trimmedTo = frame.sequence
    }
    if (count > 0) this.held.splice(0, count)
    return count > 0
  }
}
