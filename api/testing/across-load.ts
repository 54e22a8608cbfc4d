// Clients that move money between owners in every way that crosses partitions, and what must stand afterwards: each transaction that was posted,
// whole, and nothing else.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { HttpAnswer, HttpPosts } from './http-posts.ts'
import { Seeded } from './seeded.ts'

interface Asked {
  readonly name: string
  readonly json: string
  readonly moves: readonly { readonly from: string; readonly to: string; readonly amount: number }[]
  /** Transfers and captures that may be refunded. */
  readonly of: { readonly id: string; readonly owner: string } | undefined
  readonly hold?: Hold
  /** What it captures. */
  readonly captures?: { readonly hold: Hold; readonly final: boolean }
  answer: { readonly status: number; readonly body: string } | undefined
  /** What it was told instead. */
  refused: string
  answeredAs201: number
}

interface Hold {
  readonly id: string
  readonly account: string
  readonly to: string
  readonly amount: number
}

export class AcrossLoad {
  readonly accounts: readonly string[]
  readonly funds = 200
  posted = 0
  declined = 0
  unknowns = 0
  private readonly random: Seeded
  private readonly asked: Asked[] = []
  private number = 0

  constructor(seed: number, owners: number) {
    this.random = new Seeded(seed)
    this.accounts = Array.from({ length: owners }, (_, i) => `o${i}:cash`)
  }

  /** Opens the accounts with their funds. */
  async open(posts: HttpPosts): Promise<void> {
    for (const id of this.accounts) {
      assert.equal((await posts.post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' })))?.status, 201)
      const funds = { id: 'first', type: 'credit', account: id, amount: String(this.funds) }
      assert.equal((await posts.post('/v1/transactions', JSON.stringify(funds)))?.status, 201)
    }
  }

  /** Sends until it gets no answer or is to stop; now and then twice at once. */
  async client(posts: HttpPosts, goesOn: () => boolean = () => true): Promise<void> {
    while (goesOn()) {
      const answer = await this.ask(posts, this.next(), this.random.chance(0.1) ? 2 : 1)
      if (answer === undefined || answer.status === 503) return
    }
  }

  /** A transfer under an id of the test's own. */
  async transferAs(posts: HttpPosts, id: string): Promise<void> {
    await this.ask(posts, this.transfer(id), 1)
  }

  /** The worst of its answers. */
  private async ask(posts: HttpPosts, one: Asked, times: number): Promise<HttpAnswer | undefined> {
    this.asked.push(one)
    const sent = Array.from({ length: times }, () => posts.post('/v1/transactions', one.json))
    const answers = await Promise.all(sent)
    for (const answer of answers) this.hear(one, answer)
    return answers.find((answer) => answer === undefined || answer.status === 503) ?? answers[0]
  }

  private next(): Asked {
    const { random } = this
    const id = `x${this.number++}`
    const drawn = random.below(17)
    if (drawn > 13) return this.capture(id)
    if (drawn > 11) return this.hold(id)
    if (drawn > 9) return this.loan(id)
    if (drawn < 5) return this.transfer(id)
    if (drawn < 8) return this.postings(id)
    const originals = this.asked.filter(({ of, answer }) => of !== undefined && answer?.status === 201)
    return originals.length === 0 ? this.transfer(id) : this.refund(id, random.pick(originals) ?? this.transfer(id))
  }

  private pick(): string {
    return this.random.pick(this.accounts) ?? ''
  }

  private transfer(id: string): Asked {
    const from = this.pick()
    let to = this.pick()
    while (to === from) to = this.pick()
    const amount = 1 + this.random.below(60)
    const owner = ownerOf(from)
    return asked(owner, id, { id, type: 'transfer', from, to, amount: String(amount) }, [{ from, to, amount }], {
      id,
      owner,
    })
  }

  private postings(id: string): Asked {
    const moves = Array.from({ length: 2 + this.random.below(4) }, () => {
      const from = this.random.chance(0.9) ? this.pick() : 'house:x'
      let to = this.pick()
      while (to === from) to = this.pick()
      return { from, to, amount: 1 + this.random.below(40) }
    })
    const owner = ownerOf(moves.map(({ to }) => to)[0] ?? '')
    const transfers = moves.map(({ from, to, amount }) => ({ from, to, amount: String(amount) }))
    return asked(owner, id, { id, type: 'postings', owner, transfers }, moves, undefined)
  }

  /** Two fund it by halves, a third gets it, and the borrower may be anybody. */
  private loan(id: string): Asked {
    const chosen = new Set<string>()
    while (chosen.size < 3) chosen.add(this.pick())
    const [one = '', other = '', to = ''] = chosen
    const half = 1 + this.random.below(30)
    const owner = ownerOf(this.pick())
    const funders = [one, other].map((account) => ({ account, share: '0.5' }))
    const body = { id, type: 'disbursement', owner, loan: id, to, amount: String(2 * half), asset: 'CNY', funders }
    const moves = [
      { from: one, to: 'house:loan', amount: half },
      { from: other, to: 'house:loan', amount: half },
      { from: 'house:loan', to, amount: 2 * half },
    ]
    return asked(owner, id, body, moves, undefined)
  }

  private hold(id: string): Asked {
    const { json, moves } = this.transfer(id)
    const { from: account, to, amount } = moves[0] ?? assert.fail(json)
    const body = { id, type: 'hold', account, to, amount: String(amount) }
    return { ...asked(ownerOf(account), id, body, [], undefined), hold: { id, account, to, amount } }
  }

  /** Of what another has, in any number of parts. */
  private capture(id: string): Asked {
    const placed = this.asked.filter(({ hold, answer }) => hold !== undefined && answer?.status === 201).slice(-8)
    const hold = this.random.pick(placed)?.hold
    if (hold === undefined) return this.hold(id)
    const amount = 1 + this.random.below(hold.amount)
    const final = this.random.chance(0.3)
    const { account, to } = hold
    const owner = ownerOf(account)
    const body = { id, type: 'capture', account, hold: hold.id, amount: String(amount), final }
    return { ...asked(owner, id, body, [{ from: account, to, amount }], { id, owner }), captures: { hold, final } }
  }

  private refund(id: string, { of, moves }: Asked): Asked {
    const [move] = moves
    if (of === undefined || move === undefined) return this.transfer(id)
    const amount = 1 + this.random.below(Math.max(1, move.amount))
    const body = { id, type: 'refund', account: move.from, of: of.id, amount: String(amount) }
    return asked(of.owner, id, body, [{ from: move.to, to: move.from, amount }], undefined)
  }

  private hear(one: Asked, answer: HttpAnswer | undefined): void {
    if (answer === undefined || answer.status === 503 || answer.status === 429) {
      one.refused = answer === undefined ? 'no answer' : `${answer.status} ${answer.body}`
      return
    }
    assert.ok([200, 201, 422].includes(answer.status), `${one.json}: ${answer.status} ${answer.body}`)
    if (answer.status === 201) one.answeredAs201++
    assert.ok(one.answeredAs201 <= 1, `${one.json} was decided twice`)
    const first = one.answer
    if (first !== undefined) {
      assert.equal(answer.body, first.body, one.json)
      return
    }
    one.answer = { status: answer.status === 200 ? 201 : answer.status, body: answer.body }
    if (answer.status === 422) this.declined++
    else this.posted++
  }

  /** Everything that has no answer, until it has one: at once, or after so many tries. */
  async sendAgain(posts: HttpPosts, triesMost = 1): Promise<void> {
    let open = this.asked.filter(({ answer }) => answer === undefined)
    this.unknowns += open.length
    for (let tries = 0; open.length > 0 && tries < triesMost; tries++) {
      if (tries > 0) await pause(100)
      await Promise.all(open.map(async (one) => this.hear(one, await posts.post('/v1/transactions', one.json))))
      open = open.filter(({ answer }) => answer === undefined)
    }
    assert.deepEqual(
      open.map(({ json }) => json),
      [],
      'no answer',
    )
  }

  /** Each with what it was told instead. */
  get unanswered(): string[] {
    return this.asked.filter(({ answer }) => answer === undefined).map(({ json, refused }) => `${json}: ${refused}`)
  }

  async sendAllAgain(posts: HttpPosts): Promise<void> {
    for (let at = 0; at < this.asked.length; at += 128) {
      const part = this.asked.slice(at, at + 128)
      await Promise.all(part.map(async (one) => this.hear(one, await posts.post('/v1/transactions', one.json))))
    }
  }

  /** Balances are the sum of what was posted, and held is what is left of holds. */
  async check(account: (id: string) => Promise<{ readonly balance: string; readonly held: string }>): Promise<void> {
    const expected = new Map(this.accounts.map((id) => [id, this.funds]))
    const left = new Map<Hold, number>()
    for (const { moves, answer, hold, captures } of this.asked) {
      if (answer?.status !== 201) continue
      if (hold !== undefined) left.set(hold, (left.get(hold) ?? 0) + hold.amount)
      if (captures !== undefined)
        left.set(
          captures.hold,
          captures.final ? Number.NEGATIVE_INFINITY : (left.get(captures.hold) ?? 0) - (moves[0]?.amount ?? 0),
        )
      for (const { from, to, amount } of moves) {
        expected.set(from, (expected.get(from) ?? 0) - amount)
        expected.set(to, (expected.get(to) ?? 0) + amount)
      }
    }
    for (const id of this.accounts) {
      const { balance, held } = await account(id)
      let open = 0
      for (const [hold, amount] of left) if (hold.account === id) open += Math.max(0, amount)
      assert.deepEqual(
        { id, balance, held },
        { id, balance: (expected.get(id) ?? 0).toFixed(2), held: open.toFixed(2) },
      )
    }
  }
}

/** Waits until nothing is between two partitions any more: the others follow a decision within milliseconds. */
export async function transitIsEmpty(posts: HttpPosts): Promise<void> {
  for (let looked = 0; ; looked++) {
    const answer = await posts.getAny('/v1/accounts/house:transit?asset=CNY')
    if (answer.status === 404 || JSON.parse(answer.body).balance === '0.00') return
    assert.ok(looked < 400, 'something stays in transit')
    await pause(50)
  }
}

const ownerOf = (account: string): string => account.split(':')[0] ?? ''

const asked = (
  owner: string,
  id: string,
  body: Readonly<Record<string, unknown>>,
  moves: Asked['moves'],
  of: Asked['of'],
): Asked => ({
  name: `${owner} ${id}`,
  json: JSON.stringify(body),
  moves,
  of,
  answer: undefined,
  refused: 'nothing',
  answeredAs201: 0,
})
