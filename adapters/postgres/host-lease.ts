// Who hosts, where a pooler stands between us and the database: it hides sessions, so a session lock would belong to nobody. Instead a row
// with an end by the database's clock, renewed long before. As with the lock it is a hint for liveness; safety is the epoch in every commit.
import type pg from 'pg'
import { TerminalFault } from '../../actors/faults.ts'
import { connect, destroy, faulting, shownUrl } from './connect.ts'
import type { HostingRight, HostingRightOptions } from './hosting-right.ts'

/** How long a host that died keeps others waiting. */
export const leaseTtlMs = 3000
const renewalsPerTtl = 6

interface Held {
  /** By our monotonic clock, counted from before the renewal was sent: never later than the database's. */
  untilMs: number
  timer: NodeJS.Timeout
}

export class HostLease implements HostingRight {
  private readonly held = new Map<string, Held>()
  private readonly options: HostingRightOptions
  private readonly ttlMs: number
  private released = false

  constructor(options: HostingRightOptions, ttlMs: number = leaseTtlMs) {
    this.options = options
    this.ttlMs = ttlMs
  }

  async acquire(url: string, force = false): Promise<void> {
    const untilMs = performance.now() + this.ttlMs
    const holder = await faulting(() => this.renew(url, force))
    if (holder !== this.options.name) {
      const text = `the ledger on ${shownUrl(url)} is hosted by "${holder}" (a lease); stop it first, or start with --take-over if it hangs`
      throw new TerminalFault('hosted_elsewhere', text)
    }
    this.keep(url, untilMs)
  }

  /** Takes or prolongs the lease unless another's runs still; returns whose it is now. */
  private async renew(url: string, force: boolean): Promise<string> {
    const client = await connect(url, { name: `${this.options.name} lease` })
    try {
      const { rows } = await client.query<{ holder: string }>(
        `INSERT INTO suanpan.host_lease AS l (holder, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 ms')
         ON CONFLICT (one) DO UPDATE SET
           holder = CASE WHEN l.holder = $1 OR l.expires_at < clock_timestamp() OR $3 THEN excluded.holder ELSE l.holder END,
           expires_at = CASE WHEN l.holder = $1 OR l.expires_at < clock_timestamp() OR $3 THEN excluded.expires_at ELSE l.expires_at END
         RETURNING holder`,
        [this.options.name, this.ttlMs, force],
      )
      return rows[0]?.holder ?? ''
    } finally {
      await endSoon(client)
    }
  }

  private keep(url: string, untilMs: number): void {
    clearTimeout(this.held.get(url)?.timer)
    const timer = setTimeout(() => void this.prolong(url), this.ttlMs / renewalsPerTtl)
    this.held.set(url, { untilMs, timer })
  }

  private async prolong(url: string): Promise<void> {
    if (this.released) return
    try {
      await this.acquire(url)
    } catch (error) {
      const held = this.held.get(url)
      if (this.released || held === undefined) return
      const isTaken = error instanceof TerminalFault
      if (isTaken || performance.now() >= held.untilMs) {
        this.held.delete(url)
        this.options.onLost(url)
      } else this.keep(url, held.untilMs)
    }
  }

  holds(url: string): boolean {
    const held = this.held.get(url)
    return held !== undefined && performance.now() < held.untilMs
  }

  async release(): Promise<void> {
    this.released = true
    const urls = [...this.held.keys()]
    for (const { timer } of this.held.values()) clearTimeout(timer)
    this.held.clear()
    await Promise.allSettled(
      urls.map(async (url) => {
        const client = await connect(url, { name: `${this.options.name} lease` })
        await client.query('DELETE FROM suanpan.host_lease WHERE holder = $1', [this.options.name])
        await client.end()
      }),
    )
  }
}

async function endSoon(client: pg.Client): Promise<void> {
  await client.end().catch(() => destroy(client))
}
