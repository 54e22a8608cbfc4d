// Knows what a client knows: which transaction got which answer. Checks that answers never change and that accounts are the sum of them.
import assert from 'node:assert/strict'
import type { HttpAnswer, HttpPosts } from './http-posts.ts'
import type { Sent } from './mixed-load.ts'
import { settlement } from './mixed-load.ts'

interface Known {
  readonly sent: Sent
  /** The first definite answer; every later one must be the same byte for byte. */
  body: string | undefined
  posted: boolean
  answeredAs201: number
}

interface Money {
  balance: number
  held: number
}

interface Posted {
  readonly accounts: readonly {
    readonly id: string
    readonly balance: string
    readonly held: string
    readonly seq: number
  }[]
}

interface Entry {
  readonly seq: number
  readonly transaction: string
  readonly amount: string
  readonly heldChange: string
  readonly balance: string
  readonly held: string
}

interface AccountView {
  readonly balance: string
  readonly held: string
  readonly seq: number
}

/** An answer after which the client may not assume anything. */
const isUnknown = (answer: HttpAnswer | undefined): boolean => answer === undefined || answer.status === 503

export class Oracle {
  private readonly known = new Map<string, Known>()

  /** Before it is sent: from then on it may have happened. */
  sending(sent: Sent): void {
    if (!this.known.has(sent.id)) this.known.set(sent.id, { sent, body: undefined, posted: false, answeredAs201: 0 })
  }

  /** Throws if this answer cannot be, given those before. */
  answered({ id, json }: Sent, answer: HttpAnswer | undefined): void {
    if (answer === undefined || isUnknown(answer)) return
    const known = this.known.get(id)
    assert.ok(known)
    const { status, body, replayed } = answer
    assert.ok([200, 201, 422].includes(status), `${json} was answered ${status} ${body}`)
    if (status === 201) known.answeredAs201++
    assert.ok(known.answeredAs201 <= 1, `${json} was decided twice`)
    if (status === 200) assert.ok(replayed, `${json} was answered 200 without being called a repeat`)
    if (known.body === undefined) {
      known.body = body
      known.posted = status !== 422
    } else {
      assert.equal(body, known.body, `${json} was answered otherwise before`)
      assert.equal(status !== 422, known.posted)
    }
  }

  acknowledged(): Sent[] {
    return [...this.known.values()].filter(({ body }) => body !== undefined).map(({ sent }) => sent)
  }

  unknown(): Sent[] {
    return [...this.known.values()].filter(({ body }) => body === undefined).map(({ sent }) => sent)
  }

  count(): { acknowledged: number; posted: number; unknown: number } {
    const all = [...this.known.values()]
    return {
      acknowledged: all.filter(({ body }) => body !== undefined).length,
      posted: all.filter(({ posted }) => posted).length,
      unknown: all.filter(({ body }) => body === undefined).length,
    }
  }

  /** Sends them again: what was acknowledged must be called a repeat and be the same; what was not must get an answer now. */
  async sendAgain(posts: HttpPosts, list: readonly Sent[], inParallel = 32): Promise<void> {
    let at = 0
    const client = async (): Promise<void> => {
      for (let sent = list[at++]; sent !== undefined; sent = list[at++]) {
        const first = this.known.get(sent.id)?.body
        const answer = await posts.post('/v1/transactions', sent.json)
        assert.ok(!isUnknown(answer), `${sent.json} got no answer: ${answer?.body}`)
        if (first !== undefined) assert.ok(answer?.replayed, `${sent.json} was acknowledged, then ${answer?.status}`)
        this.answered(sent, answer)
      }
    }
    await Promise.all(Array.from({ length: inParallel }, client))
  }

  /** Every account against the sum of what is posted, entry by entry. Nothing may be unknown any more. */
  async checkAccounts(posts: HttpPosts): Promise<void> {
    assert.equal(this.unknown().length, 0)
    const { money, touched } = this.expected()
    const answers = this.answersBySeq()
    for (const [id, { balance, held }] of money) {
      if (id === settlement) {
        const house = await posts.get<AccountView>(`/v1/accounts/${id}?asset=CNY`)
        assert.equal(Number(house.balance), balance, `${id} is not what is left of all others`)
        continue
      }
      const account = await posts.get<AccountView>(`/v1/accounts/${id}`)
      assert.equal(Number(account.balance), balance, `the balance of ${id} is not the sum of what is posted`)
      assert.equal(Number(account.held), held, `what ${id} holds is not the sum of what is open`)
      assert.ok(balance - held >= 0, `${id} is overdrawn`)
      const entries = await allEntries(posts, id)
      assert.equal(entries.length, account.seq)
      let last = { balance: 0, held: 0 }
      for (const [i, entry] of entries.entries()) {
        assert.equal(entry.seq, i + 1, `the entries of ${id} are not dense`)
        last = { balance: last.balance + Number(entry.amount), held: last.held + Number(entry.heldChange) }
        assert.deepEqual({ balance: Number(entry.balance), held: Number(entry.held) }, last, `${id} at ${entry.seq}`)
        const answer = answers.get(`${id} ${entry.seq}`)
        if (answer !== undefined) {
          assert.equal(answer, `${entry.transaction} ${entry.balance} ${entry.held}`, `${id} at ${entry.seq}`)
          answers.delete(`${id} ${entry.seq}`)
        }
      }
      const seen = new Set(entries.map(({ transaction }) => transaction))
      assert.deepEqual([...seen].sort(), [...(touched.get(id) ?? [])].sort(), `entries of ${id}`)
    }
    assert.deepEqual([...answers.keys()], [], 'answers tell of entries that are not there')
  }

  /** `account seq` -> `transaction balance held`, as the answers said. */
  private answersBySeq(): Map<string, string> {
    const bySeq = new Map<string, string>()
    for (const { sent, body, posted } of this.known.values()) {
      if (!posted || body === undefined) continue
      for (const { id, balance, held, seq } of (JSON.parse(body) as Posted).accounts) {
        assert.equal(bySeq.get(`${id} ${seq}`), undefined, `two answers tell of entry ${seq} of ${id}`)
        bySeq.set(`${id} ${seq}`, `${sent.id} ${balance} ${held}`)
      }
    }
    return bySeq
  }

  /** From the bodies of what is posted alone; the order of the commands does not matter. */
  private expected(): { money: Map<string, Money>; touched: Map<string, Set<string>> } {
    const money = new Map<string, Money>()
    const touched = new Map<string, Set<string>>()
    const of = (account: string, id: string): Money => {
      const one = money.get(account) ?? { balance: 0, held: 0 }
      money.set(account, one)
      touched.set(account, (touched.get(account) ?? new Set()).add(id))
      return one
    }
    const move = (id: string, from: string, to: string, amount: number, cny = true): void => {
      of(cny || from !== settlement ? from : 'points', id).balance -= amount
      of(cny || to !== settlement ? to : 'points', id).balance += amount
    }
    const posted = [...this.known.values()].filter((one) => one.posted).map(({ sent }) => sent)
    const parts = new Map<string, Sent[]>()
    for (const sent of posted) {
      const refersTo = sent.body.hold ?? sent.body.of
      if (refersTo === undefined) continue
      const key = `${sent.owner} ${refersTo}`
      parts.set(key, [...(parts.get(key) ?? []), sent])
    }
    /** A part without an amount takes what the others leave: nothing can follow it. */
    const amountOf = (sent: Sent, whole: number, type: string): number => {
      if (sent.body.amount !== undefined) return Number(sent.body.amount)
      const others = parts.get(`${sent.owner} ${sent.body.hold ?? sent.body.of}`) ?? []
      return others
        .filter((other) => other !== sent && other.body.type === type)
        .reduce((rest, other) => rest - Number(other.body.amount), whole)
    }
    const byName = new Map(posted.map((sent) => [`${sent.owner} ${sent.id}`, sent]))
    const wholeOf = (sent: Sent): number => {
      const hold = byName.get(`${sent.owner} ${sent.body.hold}`)
      return sent.body.type === 'capture'
        ? amountOf(sent, Number(hold?.body.amount), 'capture')
        : Number(sent.body.amount)
    }
    for (const sent of posted) {
      const { body, owner, id } = sent
      const main = body.account ?? ''
      const amount = Number(body.amount)
      if (body.type === 'debit') move(id, main, settlement, amount)
      if (body.type === 'credit') move(id, settlement, main, amount, body.asset !== 'POINTS')
      if (body.type === 'transfer') move(id, body.from ?? '', body.to ?? '', amount)
      for (const transfer of body.transfers ?? []) move(id, transfer.from, transfer.to, Number(transfer.amount))
      if (body.type === 'capture') move(id, main, settlement, wholeOf(sent))
      if (body.type === 'refund') {
        const original = byName.get(`${owner} ${body.of}`)
        assert.ok(original, `${sent.json} is posted, but not what it refunds`)
        move(id, settlement, main, amountOf(sent, wholeOf(original), 'refund'))
      }
      if (body.type === 'hold') {
        const uses = parts.get(`${owner} ${id}`) ?? []
        const left = uses
          .filter(({ body }) => body.type === 'capture')
          .reduce((rest, capture) => rest - wholeOf(capture), amount)
        assert.ok(left >= 0, `more than ${sent.json} is captured`)
        const over = uses.some(
          ({ body }) => body.type === 'release' || (body.type === 'capture' && body.final !== false),
        )
        of(main, id).held += over ? 0 : left
      }
      if (body.type === 'release' && byName.has(`${owner} ${body.hold}`)) of(main, id)
    }
    money.delete('points')
    return { money, touched }
  }
}

async function allEntries(posts: HttpPosts, account: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (let after: string | number | null = 0; after !== null; ) {
    const page: { entries: Entry[]; next: string | null } = await posts.get(
      `/v1/accounts/${account}/entries?after=${after}&limit=1000`,
    )
    entries.push(...page.entries)
    after = page.next
  }
  return entries
}
