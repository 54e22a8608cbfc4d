// Where a campaign's stock is when a partition has none left: claims that found none wait here while the stock of all partitions is called in and
// dealt out again, those that wait first. Only when every partition has answered that nothing is left is the campaign closed, and the
// claims are refused. So a claim is local, and nobody is refused while a coupon is left anywhere.
import type { MoveStock } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import type { Pending } from './outbox.ts'

export interface StockKeeperPorts {
  /** Waits for room; `reply` is called once. */
  submit(command: MoveStock, reply: (answer: Answer) => void): void
  /** Coupons between two partitions, as committed: the sum of `house:coupon:<campaign>:moving` over all partitions. */
  moving(campaign: string): Promise<number>
  resend(claim: Pending): void
  giveUp(claim: Pending, detail: string): void
}

const unreachable =
  'Some partition could not be asked for coupons that are left; nothing was recorded, send the same id again.'

export class StockKeeper {
  private readonly ports: StockKeeperPorts
  private readonly partitions: number
  /** Tells the ids of this process from those of any other. */
  private readonly tag: string
  private readonly parked = new Map<string, Pending[]>()
  private readonly running = new Set<string>()
  private rounds = 0

  constructor(ports: StockKeeperPorts, partitions: number, tag: string) {
    this.ports = ports
    this.partitions = partitions
    this.tag = tag
  }

  park(claim: Pending): void {
    const { command } = claim
    if (command.type !== 'coupon.claim') {
      this.ports.giveUp(claim, unreachable)
      return
    }
    const { campaign } = command
    const list = this.parked.get(campaign)
    if (list === undefined) this.parked.set(campaign, [claim])
    else list.push(claim)
    if (this.running.has(campaign)) return
    this.running.add(campaign)
    void this.run(campaign)
  }

  /** Rounds one after the other, until no claim of the campaign waits. */
  private async run(campaign: string): Promise<void> {
    while (this.parked.has(campaign)) {
      let dealt = false
      try {
        dealt = await this.round(campaign)
      } catch {
        dealt = false
      }
      if (dealt) continue
      const claims = this.parked.get(campaign) ?? []
      this.parked.delete(campaign)
      for (const claim of claims) this.ports.giveUp(claim, unreachable)
    }
    this.running.delete(campaign)
  }

  /**
   * What is on its way is read only after every partition has answered: then all earlier grants, of a process that died too, are through, because they
   * went by the same mailboxes. False: some partition could not be reached; what was called in is dealt out by the next round.
   */
  private async round(campaign: string): Promise<boolean> {
    const round = ++this.rounds
    const recalled = await this.toAll((partition) => this.move(round, partition, campaign, 'recall'))
    if (!recalled) return false
    const stock = await this.ports.moving(campaign)
    const claims = this.parked.get(campaign) ?? []
    this.parked.delete(campaign)
    if (stock <= 0) await this.toAll((partition) => this.move(round, partition, campaign, 'close'))
    else {
      const shares = sharesOf(stock, claims, this.partitions)
      await this.toAll((partition) => this.move(round, partition, campaign, 'grant', shares[partition] ?? 0))
    }
    for (const claim of claims) this.ports.resend(claim)
    return true
  }

  private async toAll(ask: (partition: number) => Promise<boolean>): Promise<boolean> {
    const answers = await Promise.all(Array.from({ length: this.partitions }, (_, partition) => ask(partition)))
    return !answers.includes(false)
  }

  /** False: no answer. */
  private move(
    round: number,
    partition: number,
    campaign: string,
    action: MoveStock['action'],
    amount?: number,
  ): Promise<boolean> {
    if (amount === 0) return Promise.resolve(true)
    const id = `!stock:${campaign}:${this.tag}:${round}:${action}:${partition}`
    return new Promise((resolve) =>
      this.ports.submit({ type: 'stock', id, partition, campaign, action, amount }, ({ http }) => resolve(http < 300)),
    )
  }
}

/** First to those that wait, in the order in which they came; what is left in equal parts. */
function sharesOf(stock: number, claims: readonly Pending[], partitions: number): number[] {
  const shares = Array.from({ length: partitions }, () => 0)
  const give = (partition: number, amount: number): void => {
    shares[partition] = (shares[partition] ?? 0) + amount
  }
  for (const { partition } of claims.slice(0, stock)) give(partition, 1)
  const rest = stock - Math.min(stock, claims.length)
  for (let partition = 0; partition < partitions; partition++) {
    give(partition, Math.floor(rest / partitions) + (partition < rest % partitions ? 1 : 0))
  }
  return shares
}
