// Who hosts: a process hosts only while it holds a session advisory lock on each shard, on a dedicated direct connection. The lock is free
// at once when the process dies. It is a hint for liveness; what keeps a frozen former host from writing is the epoch in every commit.
import type pg from 'pg'
import { RetryableFault, TerminalFault } from '../../actors/faults.ts'
import { connect, destroy, shownUrl } from './connect.ts'
import type { HostingRight, HostingRightOptions } from './hosting-right.ts'

const lockKey = `hashtextextended('suanpan.host', 0)`

/** The lock's session says so often that it lives: a host that is frozen can be told from one that is idle. */
const heartbeatMs = 1000

export class HostLock implements HostingRight {
  private readonly clients = new Map<string, { readonly client: pg.Client; readonly heartbeat: NodeJS.Timeout }>()
  private readonly name: string
  private readonly onLost: (url: string) => void
  private released = false

  constructor({ name, onLost }: HostingRightOptions) {
    this.name = name
    this.onLost = onLost
  }

  async acquire(url: string, force = false): Promise<void> {
    const client = await connect(url, { name: `${this.name} lock` })
    try {
      if (force) await endHolder(client)
      const { rows } = await client.query<{ got: boolean }>(`SELECT pg_try_advisory_lock(${lockKey}) AS got`)
      if (rows[0]?.got !== true) throw await this.heldBy(client, url)
    } catch (error) {
      destroy(client)
      throw error
    }
    this.forget(url)
    const heartbeat = setInterval(() => void client.query('SELECT 1').catch(() => destroy(client)), heartbeatMs)
    this.clients.set(url, { client, heartbeat })
    client.once('end', () => {
      if (this.released || this.clients.get(url)?.client !== client) return
      this.forget(url)
      this.onLost(url)
    })
  }

  private forget(url: string): void {
    const old = this.clients.get(url)
    if (old === undefined) return
    this.clients.delete(url)
    clearInterval(old.heartbeat)
    destroy(old.client)
  }

  /** Our own former session may still hold it, or whoever did just went: only another process that is there hosts elsewhere. */
  private async heldBy(client: pg.Client, url: string): Promise<Error> {
    const { holder, text } = await whoHolds(client, url)
    if (holder === undefined || holder === `${this.name} lock`) return new RetryableFault('unavailable', text)
    return new TerminalFault('hosted_elsewhere', text)
  }

  holds(url: string): boolean {
    return this.clients.has(url)
  }

  async release(): Promise<void> {
    this.released = true
    const held = [...this.clients.values()]
    this.clients.clear()
    for (const { heartbeat } of held) clearInterval(heartbeat)
    await Promise.allSettled(held.map(({ client }) => client.end()))
  }
}

/** Ends the session of a host whose last heartbeat is older than `ms` by the database's clock: it is frozen. True if there was one. */
export async function endFrozenHolder(url: string, ms: number): Promise<boolean> {
  const client = await connect(url, { name: 'suanpan standby' })
  try {
    const { rows } = await client.query(
      `SELECT pg_terminate_backend(a.pid, 5000) ${holdersOf} AND a.query_start < clock_timestamp() - $1 * interval '1 ms'`,
      [ms],
    )
    return rows.length > 0
  } finally {
    await client.end()
  }
}

const holdersOf = `
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey} AND a.pid <> pg_backend_pid()`

async function whoHolds(
  client: pg.Client,
  url: string,
): Promise<{ readonly holder: string | undefined; readonly text: string }> {
  const { rows } = await client.query<{ application_name: string; client_addr: string | null; since: Date }>(
    `SELECT a.application_name, a.client_addr::text, a.backend_start AS since ${holdersOf}`,
  )
  const [holder] = rows
  const who =
    holder === undefined
      ? 'another process'
      : `"${holder.application_name}"${holder.client_addr === null ? '' : ` from ${holder.client_addr}`}, connected since ${holder.since.toISOString()}`
  const text = `the ledger on ${shownUrl(url)} is hosted by ${who}; stop it first, or start with --take-over if it hangs`
  return { holder: holder?.application_name, text }
}

async function endHolder(client: pg.Client): Promise<void> {
  await client.query(`SELECT pg_terminate_backend(a.pid, 5000) ${holdersOf}`)
}
