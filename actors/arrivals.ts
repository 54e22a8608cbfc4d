// Frames of a lane that have arrived in its thread and were not taken yet: what every mailbox's reader keeps at its end.
import type { Frame } from './ports.ts'

export interface Arrived extends Frame {
  readonly commands: number
}

export class Arrivals {
  private frames: Arrived[] = []
  private commands = 0
  private wake: (() => void) | undefined
  private wakeAt = 1

  /** The beginning of a generation counts as one. */
  get waitingCommands(): number {
    return this.commands
  }

  /** `ring` at the end of what belongs together: whoever waits is not called for the first part of it. */
  put(frame: Arrived): void {
    this.frames.push(frame)
    this.commands += countOf(frame)
  }

  ring(): void {
    const wake = this.wake
    if (wake === undefined || this.commands < this.wakeAt) return
    this.wake = undefined
    wake()
  }

  /** Drops what has arrived of a partition. Returns how many commands that was. */
  forget(partition: number): number {
    let dropped = 0
    this.frames = this.frames.filter((frame) => {
      if (frame.partition !== partition) return true
      dropped += countOf(frame)
      return false
    })
    this.commands -= dropped
    return dropped
  }

  /** See `MailboxReader.take`. */
  take(commandsMax: number): readonly Arrived[] {
    let commands = 0
    let count = 0
    for (const frame of this.frames) {
      if (count > 0 && commands + frame.commands > commandsMax) break
      commands += countOf(frame)
      count++
    }
    this.commands -= commands
    if (count < this.frames.length) return this.frames.splice(0, count)
    const all = this.frames
    this.frames = []
    return all
  }

  /** See `MailboxReader.whenFrames`. */
  whenFrames(callback: () => void, commandsMin = 1): void {
    this.wakeAt = commandsMin
    if (this.commands >= commandsMin) {
      this.wake = undefined
      callback()
    } else this.wake = callback
  }
}

const countOf = ({ commands }: Arrived): number => Math.max(1, commands)
