// The commits of a lane that are under way: at most two, so that the rows of one travel while the one before is made durable. They are heard
// in the order in which they were sent, and after one that failed no later one is heard: what it wrote rests on what did not happen.
import type { LaneCommit, Ledger } from './ports.ts'

const most = 2

export class Commits {
  private readonly ledger: Pick<Ledger, 'commit'>
  /** Each resolves when that commit is over and all before it are; none rejects. */
  private readonly underWay: Promise<void>[] = []
  private failed = false
  private failure: unknown

  constructor(ledger: Pick<Ledger, 'commit'>) {
    this.ledger = ledger
  }

  get count(): number {
    return this.underWay.length
  }

  /** Throws what the first commit failed of that has failed since `over`. */
  check(): void {
    if (this.failed) throw this.failure
  }

  /** Until one more may be sent. Throws what a commit failed of. */
  async room(): Promise<void> {
    while (this.underWay.length >= most && !this.failed) await this.underWay[0]
    this.check()
  }

  /** Until none is under way. Throws what one failed of. */
  async drained(): Promise<void> {
    await this.underWay.at(-1)
    this.check()
  }

  /** Until none is under way, whatever came of them; failures are forgotten with it. */
  async over(): Promise<void> {
    await this.underWay.at(-1)
    this.failed = false
    this.failure = undefined
  }

  /** Sends it; there must be room. One of the two is called when it is over: `stands`, or `fell` if it is the first that failed. */
  send(commit: LaneCommit, stands: () => void, fell: (error: unknown) => void): void {
    const done = this.hear(this.ledger.commit(commit), this.underWay.at(-1), stands, fell)
    this.underWay.push(done)
  }

  private async hear(
    commit: Promise<void>,
    before: Promise<void> | undefined,
    stands: () => void,
    fell: (error: unknown) => void,
  ): Promise<void> {
    let failure = await commit.then(nothing, (error: unknown) => ({ error }))
    await before
    this.underWay.shift()
    if (this.failed) return
    if (failure === undefined) {
      try {
        stands()
        return
      } catch (error) {
        // It stands, but not all of it was told: what is asked again is answered after a recovery.
        failure = { error }
      }
    }
    this.failed = true
    this.failure = failure.error
    fell(failure.error)
  }
}

const nothing = (): undefined => undefined
