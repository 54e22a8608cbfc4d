// What the clients of one simulated history do: a few owners, so that commands meet, and a few ids, so that they are used again. Drawn from the
// seed before anything runs; a shorter list of the same steps is a history too, which is how a failure is made small.
import type { SeededRandom } from '../../../adapters/simulated/random.ts'
import type { Command, Posting } from '../../../core/command.ts'
import { isHouse, ownerOfAccount } from '../../../core/identity.ts'

export interface Step {
  /** Steps of one client follow each other. */
  readonly client: number
  /** The client pauses before. */
  readonly thinkMs: number
  /** The client does not wait for the answer before its next step. */
  readonly goesOn: boolean
  readonly command: Command
}

export interface WorkloadOptions {
  readonly steps: number
  readonly clients: number
  readonly owners: number
  /** Milliseconds, at most. */
  readonly thinkMs: number
  /** Mostly what a batch decides the short way: debits, credits and transfers that are accepted. */
  readonly plain: boolean
}

/** An account of each owner in every state that rules care for; sent before the steps. */
export function openings(owners: number): Command[] {
  return names(owners).flatMap((owner): Command[] => [
    { type: 'open', id: '!cash', account: `${owner}:cash`, asset: 'CNY', overdraft: '0', normal: 'credit' },
    { type: 'open', id: '!save', account: `${owner}:save`, asset: 'CNY', overdraft: '20', normal: 'credit' },
    { type: 'open', id: '!loan', account: `${owner}:loan`, asset: 'CNY', overdraft: '0', normal: 'debit' },
    { type: 'credit', id: 'first', account: `${owner}:cash`, amount: '100', from: 'house:x' },
    { type: 'debit', id: 'drawn', account: `${owner}:loan`, amount: '60', to: `${owner}:save` },
  ])
}

const names = (owners: number): string[] => Array.from({ length: owners }, (_, i) => String.fromCharCode(97 + i))

export function workload(random: SeededRandom, options: WorkloadOptions): Step[] {
  const all = names(options.owners)
  const owners = all.map((name) => new Owner(name, all, random, options.plain))
  return Array.from({ length: options.steps }, (_, number) => {
    // Half of all is about one owner: the hot one.
    const owner = random.chance(0.5) ? owners[0] : random.pick(owners)
    if (owner === undefined) throw new Error('a workload needs an owner')
    return {
      client: random.below(options.clients),
      thinkMs: random.chance(0.5) ? 0 : random.fraction() * options.thinkMs,
      goesOn: random.chance(0.4),
      command: owner.next(number),
    }
  })
}

const weights = {
  credit: 6,
  debit: 6,
  transfer: 4,
  hold: 7,
  capture: 6,
  release: 3,
  refund: 7,
  postings: 3,
  change: 1,
  open: 1,
  expire: 1,
  disbursement: 1,
  'points.earn': 3,
  'points.redeem': 3,
  'coupon.claim': 3,
  'coupon.redeem': 1,
  'coupon.return': 1,
  order: 3,
  settle: 2,
} as const satisfies Partial<Record<Command['type'], number>>

const plainWeights = {
  credit: 12,
  debit: 3,
  transfer: 10,
  hold: 0.3,
  capture: 0.2,
  release: 0.3,
  refund: 0.7,
  postings: 0.3,
  change: 0.1,
}

/** Coupons that go back with a refund and coupons that do not, of which there are few. */
export const campaigns = [
  { code: 'BACK', off: 5, returnPolicy: 'return', limitPerCustomer: 2, minimumSpend: '10' },
  { code: 'BURN', off: 3, returnPolicy: 'burn', limitPerCustomer: 1, validDays: 1 },
] as const

const refundable = [
  'debit',
  'transfer',
  'capture',
  'postings',
  'points.redeem',
  'disbursement',
  'order',
] as const satisfies readonly Command['type'][]

/** What one owner did so far: later commands refer to it. */
class Owner {
  private readonly name: string
  /** Of everybody, this one too. */
  private readonly names: readonly string[]
  private readonly random: SeededRandom
  private readonly plain: boolean
  private readonly sent: Command[] = []
  private readonly refunded: Command[] = []
  /** Holds, each as often as it is to be captured soon. */
  private readonly toCapture: Command[] = []

  constructor(name: string, names: readonly string[], random: SeededRandom, plain: boolean) {
    this.name = name
    this.names = names
    this.random = random
    this.plain = plain
  }

  next(number: number): Command {
    const { random, sent } = this
    const again = random.pick(sent.slice(-12))
    if (again !== undefined && random.chance(0.08)) return again
    let command = this.soon(`t${number}`) ?? this.drawn(`t${number}`)
    // The same id with another body.
    if (again !== undefined && random.chance(0.02) && !again.id.startsWith('!') && !command.id.startsWith('!')) {
      command = { ...command, id: again.id }
    }
    sent.push(command)
    return command
  }

  /** Captures of one hold that follow each other while none of them is decided. */
  private soon(id: string): Command | undefined {
    const { random, toCapture } = this
    const hold = random.chance(0.5) ? toCapture.shift() : undefined
    if (hold === undefined) return undefined
    const amount = random.chance(0.8) ? '1' : undefined
    return { type: 'capture', ...this.common(id), ...this.named(hold, 'hold'), amount, final: random.chance(0.5) }
  }

  private drawn(id: string): Command {
    const { random } = this
    const type = random.weighted(this.plain ? plainWeights : weights) ?? 'credit'
    const common = this.common(id)
    switch (type) {
      case 'credit':
        return random.chance(0.2)
          ? { type, id, account: `${this.name}:points`, amount: this.amount(), from: this.house(), asset: 'POINTS' }
          : { type, ...common, account: this.account(), amount: this.amount(), from: this.side() }
      case 'debit':
        return { type, ...common, account: this.account(), amount: this.amount(), to: this.side() }
      case 'transfer':
        return { type, ...common, ...this.between(), amount: this.amount() }
      case 'hold': {
        const expiresIn = random.chance(0.5) ? random.below(4) : undefined
        const held = random.chance(0.05) ? `late${random.below(4)}` : id
        const hold = { type, ...common, id: held, expiresIn } as const
        if (random.chance(0.6)) {
          return { ...hold, account: this.account(), amount: this.amount(), to: this.side() }
        }
        // One that can be placed mostly, for somebody else.
        const placed = {
          ...hold,
          account: `${this.name}:cash`,
          amount: String(random.between(2, 9)),
          to: this.others(),
        }
        for (let i = random.below(4); i > 0; i--) this.toCapture.push(placed)
        return placed
      }
      case 'capture': {
        const hold = this.earlier(['hold'])
        const amount = random.chance(0.5) ? this.amount() : undefined
        return { type, ...common, ...this.named(hold, 'hold'), amount, final: random.chance(0.6) }
      }
      case 'release':
        return { type, ...common, ...this.named(this.earlier(['hold']), 'hold') }
      case 'refund': {
        const original = this.original()
        return {
          type,
          ...common,
          ...this.named(original, 'of'),
          // Mostly so little that something is left.
          amount: random.chance(0.7) ? (random.chance(0.6) ? String(random.between(1, 5)) : this.amount()) : undefined,
        }
      }
      case 'postings':
        return { type, ...common, transfers: this.transfers(), owner: this.name, asset: undefined }
      case 'disbursement': {
        const funders = [...new Set([this.anybodys(), this.anybodys()])]
        const shares = funders.length === 1 ? ['1'] : ['0.3', '0.7']
        return {
          type,
          ...common,
          owner: this.name,
          loan: random.pick(['L1', 'L2', 'L3'] as const) ?? 'L1',
          to: random.chance(0.5) ? this.account() : this.anybodys(),
          amount: this.amount(),
          asset: 'CNY',
          creditLine: random.chance(0.3) ? `${this.name}:save` : undefined,
          funders: funders.map((account, i) => ({ account, share: shares[i] ?? '0' })),
        }
      }
      case 'change': {
        const status = random.pick(['open', 'open', 'open', 'frozen', 'closed', undefined] as const)
        const overdraft = status === undefined ? random.pick(['0', '5', '100'] as const) : undefined
        return { type, id: `!${id}`, account: this.account(), status, overdraft }
      }
      case 'open':
        return { type, id: `!${id}`, account: `${this.name}:new`, asset: 'CNY', overdraft: '0', normal: 'credit' }
      case 'expire':
        return { type, id: `!${id}`, account: this.account() }
      case 'points.earn': {
        const expiresOn = random.pick(['2027-01', '2027-02-01', '2027-02-02', '2027-06', '2026-12'] as const)
        return { type, ...common, owner: this.name, amount: String(random.between(1, 50)), expiresOn }
      }
      case 'points.redeem':
        return { type, ...common, owner: this.name, amount: String(random.between(1, 60)) }
      case 'coupon.claim':
      case 'coupon.redeem':
        return { type, ...common, ...this.coupon(), order: random.chance(0.5) ? 'o1' : undefined }
      case 'coupon.return': {
        const redeemed = this.earlier(['coupon.redeem'])
        const order = redeemed?.type === 'coupon.redeem' ? redeemed.order : undefined
        return { type, ...common, ...this.coupon(), order: order ?? 'o1' }
      }
      case 'order':
        return { type, ...common, owner: this.name, merchant: random.pick(this.names) ?? this.name, ...this.paid() }
      case 'settle': {
        const amount = random.chance(0.5) ? String(random.between(1, 20)) : undefined
        return { type, ...common, merchant: this.name, to: `${this.name}:cash`, amount, others: '{}' }
      }
    }
  }

  private common(id: string) {
    const { random } = this
    if (this.plain) return { id, ...(random.chance(0.1) && { channel: 'till-7' }) }
    return {
      id,
      ...(random.chance(0.1) ? { channel: random.pick(['alipay', 'till-7'] as const) } : {}),
      ...(random.chance(0.1) ? { reference: 'order 1' } : {}),
      ...(random.chance(0.1) ? { metadata: '{"till":"A7"}' } : {}),
      ...(random.chance(0.05) ? { businessDate: '2027-01-30' } : {}),
    }
  }

  /** Often one of those that were refunded before: what is left of it then is what matters. */
  private original(): Command | undefined {
    const { random } = this
    if (this.refunded.length > 0 && random.chance(0.4)) return random.pick(this.refunded.slice(-3))
    const original = random.chance(0.4) ? this.earlier(['transfer', 'capture']) : this.earlier(refundable)
    if (original !== undefined) this.refunded.push(original)
    return original
  }

  private coupon(): { owner: string; campaign: string } {
    const campaign = this.random.chance(0.05) ? 'NONE' : (this.random.pick(campaigns.map(({ code }) => code)) ?? '')
    return { owner: this.name, campaign }
  }

  /** The parts of an order and their sum, mostly. */
  private paid() {
    const { random } = this
    const cash = random.between(1, 30)
    const points = random.chance(0.3) ? 100 * random.between(1, 3) : 0
    const coupon = random.chance(0.4) ? random.pick(campaigns) : undefined
    const credit = random.chance(0.2) ? random.between(1, 10) : 0
    const off = random.chance(0.05) ? 1 : 0
    return {
      total: String(cash + points / 100 + (coupon?.off ?? 0) + credit + off),
      cash: { account: `${this.name}:cash`, amount: String(cash) },
      ...(points > 0 && { points: { amount: String(points) } }),
      ...(coupon !== undefined && { coupon: { campaign: coupon.code } }),
      ...(credit > 0 && { credit: { creditLine: `${this.name}:save`, amount: String(credit) } }),
    }
  }

  private amount(): string {
    const { random } = this
    if (this.plain) return String(random.between(1, random.chance(0.1) ? 40 : 3))
    return random.chance(0.06)
      ? random.pick(['0.01', '9.99', '0.001', '92233720368547758.07'] as const)
      : String(random.between(1, 40))
  }

  private house(): string {
    return this.random.pick(['house:x', 'house:y'] as const)
  }

  private account(): string {
    if (this.plain && this.random.chance(0.97)) return `${this.name}:cash`
    const kind = this.random.weighted({ cash: 10, save: 3, loan: 2, points: 1, new: 1, none: 0.3 })
    return `${this.name}:${kind ?? 'cash'}`
  }

  /** One to three; at least one account of them is of this owner. */
  private transfers(): readonly Posting[] {
    const { random, name } = this
    const transfers = Array.from({ length: random.between(1, 3) }, (): Posting => {
      if (random.chance(0.2)) {
        return { from: this.house(), to: `${name}:points`, amount: this.amount(), asset: 'POINTS' }
      }
      const [from, to] = [this.side(), this.anybodys()]
      // The house pays itself in no transaction of an owner.
      return { from, to: from === to && isHouse(from) ? `${name}:cash` : to, amount: this.amount(), asset: undefined }
    })
    const isTheirs = transfers.some(({ from, to }) => [from, to].some((id) => ownerOfAccount(id) === name))
    const [first, ...others] = transfers
    return isTheirs || first === undefined ? transfers : [{ ...first, to: `${name}:cash` }, ...others]
  }

  /** Both sides of a transfer: mostly of this owner. */
  private between(): { from: string; to: string } {
    if (this.plain && this.random.chance(0.6)) return { from: this.account(), to: this.others() }
    return this.random.chance(0.6)
      ? { from: this.side(), to: this.account() }
      : { from: this.account(), to: this.anybodys() }
  }

  /** The house's, its own, or somebody else's. */
  private anybodys(): string {
    const { random } = this
    if (random.chance(0.5)) return this.side()
    return `${random.pick(this.names) ?? this.name}:${random.weighted({ cash: 10, save: 3, loan: 1, none: 0.3 }) ?? 'cash'}`
  }

  /** An account of another owner, where there is one. */
  private others(): string {
    const others = this.names.filter((name) => name !== this.name)
    return others.length === 0 ? this.house() : `${this.random.pick(others)}:cash`
  }

  private side(): string {
    return this.random.chance(0.8) ? this.house() : this.account()
  }

  private earlier(types: readonly Command['type'][]): Command | undefined {
    return this.random.pick(this.sent.filter(({ type }) => types.includes(type)).slice(-6))
  }

  /** Mostly what it refers to is there. */
  private named<F extends 'hold' | 'of'>(
    earlier: Command | undefined,
    field: F,
  ): { account: string } & Record<F, string> {
    const { random } = this
    const strays = earlier === undefined || random.chance(0.06)
    const account = strays || random.chance(0.03) ? this.account() : accountOf(earlier, this.account())
    const id = strays ? `late${random.below(4)}` : earlier.id
    return { account, [field]: id } as { account: string } & Record<F, string>
  }
}

function accountOf(command: Command, otherwise: string): string {
  if (command.type === 'disbursement') return command.creditLine ?? otherwise
  const account = 'account' in command ? command.account : 'from' in command ? command.from : otherwise
  return account.startsWith('house:') ? otherwise : account
}
