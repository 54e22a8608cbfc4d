// The connections that a lane's commits go through. A commit that is alone takes one script (`commit.ts`). One that stands behind another takes
// the other connection: its rows are copied while the one before is made durable, and what compares and updates follows when that one was
// answered. Its transaction is open and unseen until then, so it stands only if the one before does.
import type pg from 'pg'
import { RetryableFault } from '../../actors/faults.ts'
import type { LaneCommit } from '../../actors/ports.ts'
import { finishCommit, runCommit, stageCommit } from './commit.ts'
import { connect, destroy, within } from './connect.ts'

/** A part of a commit that takes longer is treated like a lost connection: settled by the position. */
const partMs = 30_000
/** Where the server has no second connection to give, it is asked for one again after so long. */
const askAgainMs = 10_000
/** Only a host that stands still leaves a staged commit open for longer than that: the server ends it, or its rows would be in the next host's way. */
const openMs = partMs + 5000

export class Writers {
  /** Name of both connections: whoever takes over ends the backends of that name. */
  readonly host: string
  private readonly url: string
  /** The one whose turn it is stands first. */
  private inTurn: pg.Client
  private other: pg.Client | undefined
  private refusedAt = Number.NEGATIVE_INFINITY
  /** Whether the last commit that was sent stands; undefined: it is over. */
  private underWay: Promise<boolean> | undefined
  private dropped = false

  private constructor(url: string, host: string, first: pg.Client) {
    this.url = url
    this.host = host
    this.inTurn = first
  }

  static async open(url: string, host: string): Promise<Writers> {
    return new Writers(url, host, await connectWriter(url, host))
  }

  /** For whatever is not a commit: only while none is under way. */
  get client(): pg.Client {
    return this.inTurn
  }

  /** At most one may be under way when it is called. Settles after that one, and fails if that one does. */
  async commit(commit: LaneCommit): Promise<void> {
    const before = this.underWay
    const done = before === undefined ? this.alone(this.inTurn, commit) : this.behind(commit, before)
    const stands = done.then(
      () => true,
      () => false,
    )
    this.underWay = stands
    try {
      await done
    } finally {
      if (this.underWay === stands) this.underWay = undefined
    }
  }

  private async alone(client: pg.Client, commit: LaneCommit): Promise<void> {
    await within(partMs, 'committing', runCommit(client, this.host, commit))
  }

  private async behind(commit: LaneCommit, before: Promise<boolean>): Promise<void> {
    const { inTurn, other } = this
    if (other === undefined) {
      // Made beside the commits, for those that come: this one keeps to the connection of the one before.
      void this.connectOther()
      await standing(before)
      return await this.alone(inTurn, commit)
    }
    this.other = inTurn
    this.inTurn = other
    const staged = within(partMs, 'copying', stageCommit(other, commit))
    // Heard after the one before.
    staged.catch(() => undefined)
    await standing(before)
    await staged
    await within(partMs, 'committing', finishCommit(other, this.host, commit))
  }

  private async connectOther(): Promise<void> {
    if (performance.now() - this.refusedAt < askAgainMs) return
    this.refusedAt = performance.now()
    try {
      const client = await connectWriter(this.url, this.host)
      if (this.dropped) destroy(client)
      else this.other = client
    } catch {
      // One script after the other is slower, and as right.
    }
  }

  /** Ends both at once, whatever they are doing. */
  drop(): void {
    this.dropped = true
    destroy(this.inTurn)
    destroy(this.other)
  }

  async close(): Promise<void> {
    this.dropped = true
    await Promise.allSettled([this.inTurn.end(), this.other?.end()])
  }
}

async function standing(before: Promise<boolean>): Promise<void> {
  if (!(await before)) throw new RetryableFault('unavailable', 'the commit before it failed')
}

const connectWriter = (url: string, name: string): Promise<pg.Client> =>
  connect(url, {
    name,
    settings: { synchronous_commit: 'on', idle_in_transaction_session_timeout: `${openMs}ms` },
  })
