// The right to host a ledger, shard by shard: one process at a time has it. Two ways to hold it (a session lock, a lease), one way to use it.

export interface HostingRight {
  /** Takes the right to a shard, or throws `hosted_elsewhere` telling who has it. `force` takes it from one that hangs. */
  acquire(url: string, force?: boolean): Promise<void>
  holds(url: string): boolean
  release(): Promise<void>
}

export interface HostingRightOptions {
  /** Of this process, in `pg_stat_activity` and in messages. */
  readonly name: string
  /** It is gone; hosting must stop until `acquire` succeeds again. */
  readonly onLost: (url: string) => void
}
