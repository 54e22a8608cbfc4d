// A server that keeps the contract's words in memory, for tests of the client and the command line: assets, accounts, debits and credits, the NDJSON
// batch. It decides with a few lines of its own, and can be told to fail in the ways that a network and a busy server do.
import { createInterface } from 'node:readline'
import Fastify, { type FastifyReply } from 'fastify'
import { type ProblemCode, problemBody, problems } from '../../../schemas/problem.ts'

export interface Faults {
  /** The next batches lose their connection after so many answers each; the rows behind them are decided all the same. */
  cutAfterAnswers: number[]
  /** The cut goes through the middle of an answer line. */
  cutInsideLine: boolean
  /** The next batches end politely after so many answers, without their last line. */
  endAfterAnswers: number[]
  /** So many requests (not /readyz) get a 429 with Retry-After: 0. */
  overloaded: number
  /** So many requests lose their connection before anything was read. */
  dropped: number
  /** Batch items that answer `outcome_unknown` so many more times, by id. */
  unknownItems: Map<string, number>
  /** The next batches say nothing more after so many answers each. */
  silentAfterAnswers: number[]
}

export interface FakeServer {
  readonly url: string
  readonly faults: Faults
  readonly accounts: Map<string, FakeAccount>
  /** By `owner id`. */
  readonly decided: Map<string, { readonly given: string; readonly http: number; readonly body: string }>
  /** `POST /v1/accounts` and so on, in order. */
  readonly requests: string[]
  /** Ids of the batch items in the order they arrived, again and again if sent again. */
  readonly received: string[]
  close(): Promise<void>
}

interface FakeAccount {
  readonly id: string
  readonly asset: string
  overdraft: bigint
  balance: bigint
  seq: number
  status: 'open' | 'frozen' | 'closed'
}

const scale = 2
const minor = (amount: string): bigint => {
  const [whole = '0', part = ''] = amount.split('.')
  return BigInt(whole + part.padEnd(scale, '0'))
}
const decimal = (amount: bigint): string => {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(scale + 1, '0')
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

export async function startFakeServer(port = 0): Promise<FakeServer> {
  const app = Fastify({ forceCloseConnections: true })
  const faults: Faults = {
    cutAfterAnswers: [],
    cutInsideLine: false,
    endAfterAnswers: [],
    overloaded: 0,
    dropped: 0,
    unknownItems: new Map(),
    silentAfterAnswers: [],
  }
  const assets = ['CZK', 'CNY', 'USD'].map((code) => ({ code, scale, autoOpen: false }))
  const accounts: FakeServer['accounts'] = new Map()
  const decided: FakeServer['decided'] = new Map()
  const requests: string[] = []
  const received: string[] = []

  const problem = (code: ProblemCode, detail: string) => ({
    http: problems[code].http as number,
    body: problemBody(code, { detail, instance: '/fake' }),
  })
  const send = (reply: FastifyReply, { http, body }: { http: number; body: string }) =>
    reply
      .code(http)
      .type(http < 400 ? 'application/json' : 'application/problem+json')
      .send(body)
  const view = (account: FakeAccount) => ({
    id: account.id,
    asset: account.asset,
    balance: decimal(account.balance),
    held: '0.00',
    available: decimal(account.balance + account.overdraft),
    overdraft: decimal(account.overdraft),
    status: account.status,
    seq: account.seq,
    version: 1,
    asOf: '2026-01-01T00:00:00.000Z',
    normal: 'credit',
  })

  function decide(text: string): { http: number; replayed: boolean; body: string } {
    const body = JSON.parse(text)
    received.push(body.id)
    const key = `${String(body.account).split(':')[0]} ${body.id}`
    const unknown = faults.unknownItems.get(body.id) ?? 0
    if (unknown > 0) {
      faults.unknownItems.set(body.id, unknown - 1)
      return { ...problem('outcome_unknown', 'No answer yet.'), replayed: false }
    }
    if (typeof body.amount !== 'string') return { ...problem('invalid', 'amount must be a string.'), replayed: false }
    const before = decided.get(key)
    if (before !== undefined) {
      if (before.given !== text) return { ...problem('id_conflict', 'Another body.'), replayed: false }
      return { http: before.http === 201 ? 200 : before.http, replayed: true, body: before.body }
    }
    const answer = decideNew(body)
    decided.set(key, { given: text, ...answer })
    return { ...answer, replayed: false }
  }

  function decideNew(body: { id: string; type: string; account: string; amount: string }): {
    http: number
    body: string
  } {
    const account = accounts.get(body.account)
    if (account === undefined) return problem('account_not_found', 'No such account.')
    if (account.status === 'frozen' && body.type === 'debit') return problem('account_frozen', 'Frozen.')
    const change = body.type === 'credit' ? minor(body.amount) : -minor(body.amount)
    if (account.balance + account.overdraft + change < 0n) return problem('insufficient_funds', 'Not enough.')
    account.balance += change
    account.seq++
    const { id, balance, held, seq } = view(account)
    return {
      http: 201,
      body: JSON.stringify({
        id: body.id,
        type: body.type,
        status: 'posted',
        at: '2026-01-01T00:00:00.000Z',
        businessDate: '2026-01-01',
        accounts: [{ id, balance, held, seq }],
      }),
    }
  }

  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload))
  app.addHook('onRequest', async (request, reply) => {
    requests.push(`${request.method} ${request.url}`)
    if (request.url === '/readyz') return
    if (faults.dropped > 0) {
      faults.dropped--
      request.raw.socket.destroy()
      reply.hijack()
    } else if (faults.overloaded > 0) {
      faults.overloaded--
      reply.header('retry-after', '0')
      send(reply, problem('overloaded', 'Full.'))
      return reply
    }
  })
  app.get('/readyz', async () => ({ status: 'ready' }))
  app.get('/v1/assets', async () => ({ assets }))
  app.get('/v1/heads', async () => ({
    heads: [{ partition: 0, pseq: 3, chain: 'ab', at: '2026-01-01T00:00:00.000Z' }],
  }))
  app.get<{ Params: { id: string } }>('/v1/accounts/:id', (request, reply) => {
    const account = accounts.get(request.params.id)
    return account === undefined ? send(reply, problem('not_found', 'No such account.')) : reply.send(view(account))
  })
  app.post<{ Body: { id: string; asset: string; overdraft?: string } }>('/v1/accounts', (request, reply) => {
    const { id, asset, overdraft = '0' } = request.body
    const present = accounts.get(id)
    if (present !== undefined) {
      const alike = present.asset === asset && present.overdraft === minor(overdraft)
      return alike ? reply.send(view(present)) : send(reply, problem('account_exists', 'Exists.'))
    }
    const account: FakeAccount = { id, asset, overdraft: minor(overdraft), balance: 0n, seq: 0, status: 'open' }
    accounts.set(id, account)
    return reply.code(201).send(view(account))
  })
  app.get<{ Params: { id: string }; Querystring: { after?: string; limit?: string; order?: string } }>(
    '/v1/accounts/:id/entries',
    (request, reply) => {
      const account = accounts.get(request.params.id)
      if (account === undefined) return send(reply, problem('not_found', 'No such account.'))
      const { after, limit = '100', order } = request.query
      const seqs = Array.from({ length: account.seq }, (_, index) => index + 1)
      if (order === 'desc') seqs.reverse()
      const start = after === undefined ? 0 : seqs.indexOf(Number(after)) + 1
      const page = seqs.slice(start, start + Number(limit))
      const entries = page.map((seq) => ({
        seq,
        at: '2026-01-01T00:00:00.000Z',
        businessDate: '2026-01-01',
        transaction: `t-${seq}`,
        type: 'credit',
        counterparty: 'house:settlement:default',
        amount: '1.00',
        heldChange: '0.00',
        balance: `${seq}.00`,
        held: '0.00',
        reference: seq === 1 ? 'first' : null,
      }))
      return { entries, next: start + page.length < seqs.length ? String(page.at(-1)) : null }
    },
  )
  app.post<{ Body: unknown }>('/v1/transactions', (request, reply) => {
    const answer = decide(JSON.stringify(request.body))
    if (answer.replayed) reply.header('idempotent-replayed', 'true')
    return send(reply, answer)
  })
  app.get<{ Params: { id: string }; Querystring: { owner: string } }>('/v1/transactions/:id', (request, reply) => {
    const found = decided.get(`${request.query.owner} ${request.params.id}`)
    if (found === undefined) return send(reply, problem('not_found', 'Never seen.'))
    const given = JSON.parse(found.given)
    const posted = found.http === 201
    const transfer = {
      from: 'house:settlement:default',
      to: given.account,
      amount: given.amount,
      asset: 'CZK',
      kind: given.type,
    }
    return {
      ...JSON.parse(found.body),
      transfers: posted ? [transfer] : [],
      now: { state: posted ? 'posted' : 'declined', ...(posted ? { refunded: '0.00' } : {}) },
    }
  })
  app.post<{ Body: NodeJS.ReadableStream }>('/v1/transactions/batch', async (request, reply) => {
    reply.hijack()
    const { raw } = reply
    const cutAfter = faults.cutAfterAnswers.shift() ?? Number.POSITIVE_INFINITY
    const endAfter = faults.endAfterAnswers.shift() ?? Number.POSITIVE_INFINITY
    const silentAfter = faults.silentAfterAnswers.shift() ?? Number.POSITIVE_INFINITY
    raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
    let count = 0
    // Answers of one turn of the event loop go out as one chunk, as the real server does it.
    const write = (text: string) => {
      if (raw.writableCorked === 0) {
        raw.cork()
        setImmediate(() => raw.uncork())
      }
      raw.write(text)
    }
    try {
      for await (const line of createInterface({ input: request.body, crlfDelay: Number.POSITIVE_INFINITY })) {
        const { http, replayed, body } = decide(line)
        if (count >= silentAfter) continue
        const text = `{"index":${count},"http":${http},"replayed":${replayed},"body":${body}}\n`
        if (count < cutAfter && count < endAfter) write(text)
        else if (count === endAfter) raw.end()
        else if (count === cutAfter) {
          if (faults.cutInsideLine) write(text.slice(0, text.length / 2))
          // What was written goes out before the connection is cut.
          setTimeout(() => raw.socket?.destroy(), 20)
        }
        count++
      }
      if (count < silentAfter && count <= cutAfter && count <= endAfter) raw.end(`{"done":true,"count":${count}}\n`)
    } catch {
      raw.destroy()
    }
  })

  await app.listen({ port, host: '127.0.0.1' })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    faults,
    accounts,
    decided,
    requests,
    received,
    close: () => app.close(),
  }
}
