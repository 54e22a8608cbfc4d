// Transactions of every kind on a few accounts, one of them hot, as JSON bodies. Amounts are whole units, so that an oracle can sum them up.
import { Seeded } from './seeded.ts'

export interface Sent {
  readonly id: string
  readonly owner: string
  readonly json: string
  readonly body: SentBody
}

/** The fields of API.md that this load uses. */
export interface SentBody {
  readonly id: string
  readonly type: 'debit' | 'credit' | 'transfer' | 'hold' | 'capture' | 'release' | 'refund' | 'postings'
  readonly account?: string
  readonly asset?: string
  readonly amount?: string
  readonly from?: string
  readonly to?: string
  readonly hold?: string
  readonly of?: string
  readonly final?: boolean
  readonly transfers?: readonly { readonly from: string; readonly to: string; readonly amount: string }[]
}

export const settlement = 'house:settlement:default'

interface Known {
  readonly id: string
  readonly amount: number
}

/** Remembers what it made, so that captures and refunds find something; also what was never answered, and what is over long since. */
export class MixedLoad {
  readonly owners: readonly string[]
  readonly accounts: readonly string[]
  private readonly random: Seeded
  private readonly prefix: string
  private readonly holds = new Map<string, Known[]>()
  private readonly originals = new Map<string, Known[]>()
  private count = 0

  constructor(seed: number, prefix: string, owners: number) {
    this.random = new Seeded(seed)
    this.prefix = prefix
    this.owners = Array.from({ length: owners }, (_, i) => `${prefix}${i}`)
    this.accounts = this.owners.flatMap((owner) => [`${owner}:main`, `${owner}:save`])
  }

  /** `round` tells new accounts of POINTS apart, which open with their first credit. */
  next(round: number): Sent {
    const { random } = this
    const owner = (random.chance(0.4) ? this.owners[0] : random.pick(this.owners)) ?? ''
    const [main, save] = [`${owner}:main`, `${owner}:save`]
    const id = `${this.prefix}-${++this.count}`
    const size = 1 + random.below(60)
    const amount = String(size)
    const turn = random.below(100)
    if (turn < 20) {
      this.note(this.originals, owner, { id, amount: size })
      return sent(owner, { id, type: 'debit', account: main, amount })
    }
    if (turn < 38) return sent(owner, { id, type: 'credit', account: main, amount })
    if (turn < 40)
      return sent(owner, { id, type: 'credit', account: `${owner}:points-${round}`, asset: 'POINTS', amount })
    if (turn < 55) {
      this.note(this.holds, owner, { id, amount: size })
      return sent(owner, { id, type: 'hold', account: main, amount })
    }
    if (turn < 70) return this.capture(owner, id)
    if (turn < 75) {
      const hold = random.pick(this.holds.get(owner) ?? [])
      return sent(owner, { id, type: 'release', account: main, hold: hold?.id ?? `${id}-none` })
    }
    if (turn < 85) {
      const original = random.pick(this.originals.get(owner) ?? [])
      const part = { id, type: 'refund', account: main, of: original?.id ?? `${id}-none` } as const
      if (original === undefined || random.chance(0.3)) return sent(owner, part)
      return sent(owner, { ...part, amount: String(1 + random.below(original.amount)) })
    }
    if (turn < 93) {
      const [from, to] = random.chance(0.6) ? [main, save] : [save, main]
      return sent(owner, { id, type: 'transfer', from, to, amount })
    }
    return sent(owner, {
      id,
      type: 'postings',
      transfers: [
        { from: main, to: save, amount },
        { from: save, to: settlement, amount: '1' },
        { from: settlement, to: main, amount: '2' },
      ],
    })
  }

  private capture(owner: string, id: string): Sent {
    const hold = this.random.pick(this.holds.get(owner) ?? [])
    const whole = { id, type: 'capture', account: `${owner}:main`, hold: hold?.id ?? `${id}-none` } as const
    if (hold === undefined || this.random.chance(0.4)) return sent(owner, whole)
    const size = 1 + this.random.below(hold.amount)
    this.note(this.originals, owner, { id, amount: size })
    return sent(owner, { ...whole, amount: String(size), final: this.random.chance(0.4) })
  }

  private note(of: Map<string, Known[]>, owner: string, known: Known): void {
    const list = of.get(owner) ?? []
    of.set(owner, list)
    list.push(known)
    if (list.length > 12) list.shift()
  }
}

export const sent = (owner: string, body: SentBody): Sent => ({
  id: body.id,
  owner,
  json: JSON.stringify(body),
  body,
})
