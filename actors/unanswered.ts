// Commands without an answer, by ticket, oldest first. Tickets are dense, so the young ones stand in a ring. Not in a Map: one with as many
// deletions as insertions is made anew every few dozen of them, the old tables point to the new ones, and what a dead old table still names
// lives until the next major collection (measured: half of all garbage of a request survived its scavenge; see docs/decisions/010).

/** What is older than so many tickets moves to a Map: few wait that long, and one that waits for hours keeps no ring of its age. */
const ringSize = 65_536
const mask = ringSize - 1

export class Unanswered<T extends { readonly ticket: number }> {
  private readonly ring: (T | undefined)[] = new Array<T | undefined>(ringSize).fill(undefined)
  private readonly aged = new Map<number, T>()
  /** No ticket below it is in the ring. */
  private oldest = 0
  private newest = 0
  private count = 0

  get size(): number {
    return this.count
  }

  /** Tickets are added one after the other, without a gap. */
  add(one: T): void {
    const { ticket } = one
    const slot = ticket & mask
    const old = this.ring[slot]
    if (old !== undefined) this.aged.set(old.ticket, old)
    this.ring[slot] = one
    if (this.count === this.aged.size) this.oldest = ticket
    this.newest = ticket
    this.count++
  }

  get(ticket: number): T | undefined {
    const one = this.ring[ticket & mask]
    return one?.ticket === ticket ? one : this.aged.size === 0 ? undefined : this.aged.get(ticket)
  }

  has(ticket: number): boolean {
    return this.get(ticket) !== undefined
  }

  delete(ticket: number): void {
    const slot = ticket & mask
    if (this.ring[slot]?.ticket === ticket) this.ring[slot] = undefined
    else if (!this.aged.delete(ticket)) return
    this.count--
  }

  /** Oldest first; what is looped over may be deleted meanwhile. */
  *values(): Generator<T> {
    yield* this.aged.values()
    for (let ticket = Math.max(this.oldest, this.newest - mask); ticket <= this.newest; ticket++) {
      const one = this.ring[ticket & mask]
      if (one !== undefined && one.ticket === ticket) yield one
      else if (ticket === this.oldest) this.oldest++
    }
  }
}
