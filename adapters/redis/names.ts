// How a ledger's mailbox is laid out in Redis: which partitions share a group, and what each key is called. All keys of a group carry its
// hash tag, so they share a slot and one script may touch them, on Redis Cluster too.
//
//   suanpan:{<ledger>:m0}          hash: generation, producer     what the group is at
//   suanpan:{<ledger>:m0}:live     sorted set                     generations that may hold something that is not consumed
//   suanpan:{<ledger>:m0}:7        hash: producer, sealed, ..     generation 7: see scripts.ts
//   suanpan:{<ledger>:m0}:7:3      stream                         generation 7 of partition 3; entry <sequence>-0: <commands> = <frame>

/** So many streams are appended to in one call and read in one. Fixed: it decides where a partition is looked for after a restart. */
export const partitionsPerGroup = 64

export class Names {
  readonly groups: number
  readonly partitions: number
  private readonly ledger: string

  constructor(ledger: string, partitions: number, perGroup = partitionsPerGroup) {
    this.ledger = ledger
    this.partitions = partitions
    this.groups = Math.ceil(partitions / perGroup)
  }

  groupOf(partition: number): number {
    return partition % this.groups
  }

  partitionsOf(group: number): number[] {
    const all: number[] = []
    for (let partition = group; partition < this.partitions; partition += this.groups) all.push(partition)
    return all
  }

  root(group: number): string {
    return `suanpan:{${this.ledger}:m${group}}`
  }

  live(group: number): string {
    return `${this.root(group)}:live`
  }

  meta(group: number, generation: number): string {
    return `${this.root(group)}:${generation}`
  }

  stream(partition: number, generation: number): string {
    return `${this.root(this.groupOf(partition))}:${generation}:${partition}`
  }
}
