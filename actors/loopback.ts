// Committed packets from one partition of a lane to another of the same lane: heard in its next batch. By way of the main thread and the mailbox
// they came back when that batch had just been taken, and waited for one more commit. They have no position and need none: a link's mark
// says what was heard (docs/decisions/023-across-owners.md). They are lost with the lane's memory, and then sent again out of the outbox, through
// the mailbox, where a message that makes its host fail has a place by which it is found.
import type { Hosted } from './hosted.ts'
import type { Leaving } from './links.ts'
import { messagesOf, type Waiting } from './waiting.ts'

export class Loopback {
  private readonly partitions: ReadonlyMap<number, Hosted>
  private readonly on: boolean
  private packets: Leaving[] = []

  constructor(partitions: ReadonlyMap<number, Hosted>, on: boolean) {
    this.partitions = partitions
    this.on = on
  }

  /** Keeps those that need not leave the lane and returns the others. */
  keep(leaving: readonly Leaving[]): readonly Leaving[] {
    return leaving.filter((packet) => {
      const loops = this.hosted(packet) !== undefined
      if (loops) this.packets.push(packet)
      return !loops
    })
  }

  /** What waits, by partition in the order of the commits; `gone`: its partition has left the lane meanwhile. */
  take(): {
    readonly count: number
    readonly here: ReadonlyMap<Hosted, readonly Waiting[]>
    readonly gone: readonly Leaving[]
  } {
    const here = new Map<Hosted, Waiting[]>()
    const gone: Leaving[] = []
    let count = 0
    for (const leaving of this.packets) {
      const hosted = this.hosted(leaving)
      if (hosted === undefined) {
        gone.push(leaving)
        continue
      }
      const messages = messagesOf(leaving.packet)
      count += messages.length
      const before = here.get(hosted)
      if (before === undefined) here.set(hosted, messages)
      else for (const message of messages) before.push(message)
    }
    this.packets = []
    return { count, here, gone }
  }

  clear(): void {
    this.packets = []
  }

  /** Where it loops to. What is tried with care goes through the mailbox. */
  private hosted({ to }: Leaving): Hosted | undefined {
    const hosted = this.on ? this.partitions.get(to) : undefined
    return hosted?.caution === undefined ? hosted : undefined
  }
}
