// Who hosts: a process hosts only while it holds a session advisory lock on each shard, on a dedicated direct connection. The lock is free
// at once when the process dies. It is a hint for liveness; what keeps a frozen former host from writing is the epoch in every commit.
import type pg from 'pg'
import { RetryableFault, TerminalFault } from '../../actors/faults.ts'
import { connect, destroy, shownUrl } from './connect.ts'

const lockKey = `hashtextextended('suanpan.host', 0)`

export class HostLock {
  private readonly clients = new Map<string, pg.Client>()
  private readonly name: string
  private readonly onLost: (url: string) => void
  private released = false

  /** `onLost`: the connection ended; hosting must stop until `acquire` succeeds again. */
  constructor(name: string, onLost: (url: string) => void) {
    this.name = name
    this.onLost = onLost
  }

  /** Takes the lock of a shard, or throws `hosted_elsewhere` telling by whom. `force` ends the session of a former host that hangs. */
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
    const old = this.clients.get(url)
    this.clients.set(url, client)
    destroy(old)
    client.once('end', () => {
      if (!this.released && this.clients.get(url) === client) {
        this.clients.delete(url)
        this.onLost(url)
      }
    })
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
    await Promise.allSettled([...this.clients.values()].map((client) => client.end()))
    this.clients.clear()
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
