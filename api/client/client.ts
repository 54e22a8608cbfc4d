// The typed client of a Suanpan server. Outcomes are values (see `Outcome`), trouble on the way is thrown (see `errors.ts`) after bounded retries with the
// same ids, which never post twice. Keeps connections alive: make one client and `close()` it at the end.
import { type BatchAnswer, type BatchRow, exchange } from './batch.ts'
import { type CatalogCalls, catalogCalls } from './catalog.ts'
import type {
  Account,
  AccountChange,
  Asset,
  ChainHead,
  Entry,
  OpenAccountRequest,
  QueuedTransaction,
  Receipt,
  SuanpanProblem,
  TransactionNow,
  TransactionRequest,
  TransferView,
} from './contract.ts'
import {
  type ClientError,
  ConnectionError,
  ProtocolError,
  RefusedError,
  TimeoutError,
  UnavailableError,
} from './errors.ts'
import { type Each, excerpt, isProblem, type Outcome, outcomeOf } from './outcome.ts'
import { defaultRetry, type RetryPolicy } from './retry.ts'
import { type Call, createTransport, isRetryable, type Reply, withoutPassword } from './transport.ts'

export type { BatchAnswer, BatchRow } from './batch.ts'
export type { CatalogCalls, PutOutcome } from './catalog.ts'
export type * from './contract.ts'
export * from './errors.ts'
export type { BatchOutcome, Outcome } from './outcome.ts'
export type { RetryPolicy } from './retry.ts'

export interface ClientOptions {
  /** `http://127.0.0.1:8080`; a path is kept as a prefix. */
  readonly url: string
  /** For one call, of which the server takes up to 10 s; in a batch for silence while answers are due. */
  readonly timeoutMs?: number
  readonly connectionsMax?: number
  /** Rows of a batch that are sent and not answered, at most. */
  readonly inFlightMax?: number
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  readonly retry?: Partial<RetryPolicy>
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface BatchCallOptions extends CallOptions {
  /** Told before each pause after a lost connection or an overloaded server. */
  readonly onRetry?: (cause: ClientError, waitMs: number) => void
}

interface Wrong {
  readonly problem: SuanpanProblem
}

/** `exists`: the code is taken with other properties. `pending`: durable, but some shard that cannot be reached does not know it yet. */
export type PutAssetOutcome =
  | Each<'created' | 'alike' | 'pending', { readonly asset: Asset }>
  | Each<'exists' | 'refused', Wrong>

/** `exists`: with another asset, overdraft or normal side. */
export type OpenAccountOutcome =
  | Each<'created' | 'alike', { readonly account: Account }>
  | Each<'exists' | 'refused', Wrong>

/** `stale`: the account no longer has the version given as `ifVersion`. */
export type ChangeAccountOutcome =
  | Each<'changed', { readonly account: Account }>
  | Each<'declined' | 'stale' | 'not_found' | 'refused', Wrong>

/** The first answer, what it moved, and what became of it since. */
export type TransactionView = (Receipt | SuanpanProblem) & {
  readonly transfers: readonly TransferView[]
  readonly now: TransactionNow
}

export interface PageOptions extends CallOptions {
  /** Rows a page: 100, at most 1,000. */
  readonly limit?: number
}

export interface EntriesOptions extends PageOptions {
  /** Needed only for a house account that has several. */
  readonly asset?: string
  /** Cursor; for non-house accounts a plain seq will do. */
  readonly after?: string
  readonly order?: 'asc' | 'desc'
}

export interface Client extends CatalogCalls {
  readonly assets: {
    /** Assets are immutable: the same again is `alike`, anything else `exists`. */
    put(code: string, asset: { scale: number; autoOpen?: boolean }, options?: CallOptions): Promise<PutAssetOutcome>
    list(options?: CallOptions): Promise<readonly Asset[]>
  }
  readonly accounts: {
    /** Safe to repeat. */
    open(request: OpenAccountRequest, options?: CallOptions): Promise<OpenAccountOutcome>
    /** Undefined: there is no such account. Committed state only. */
    get(id: string, options?: CallOptions & { asset?: string }): Promise<Account | undefined>
    /** Sent again only where it is certain that nothing was done: a late repeat could undo somebody else's change. */
    patch(
      id: string,
      change: AccountChange,
      options?: CallOptions & { ifVersion?: number },
    ): Promise<ChangeAccountOutcome>
    /** Every account of the owner, page by page as it is read. */
    list(owner: string, options?: PageOptions): AsyncGenerator<Account, void, undefined>
  }
  readonly transactions: {
    /** Sends the same id again until there is an answer or the retries are used up: then `UnavailableError`, `ConnectionError` or `TimeoutError`. */
    post(request: TransactionRequest, options?: CallOptions): Promise<Outcome>
    /**
     * As `post`, but the server may answer as soon as the transaction is queued in Redis: `queued` is not applied, `get` tells what became
     * of it. Where its mailbox is in memory this is `post`.
     */
    queue(
      request: TransactionRequest,
      options?: CallOptions,
    ): Promise<Outcome | Each<'queued', { readonly queued: QueuedTransaction }>>
    /** Undefined: never seen. A queued one is waited for up to `waitSeconds` (at most 30). */
    get(
      owner: string,
      id: string,
      options?: CallOptions & { readonly waitSeconds?: number },
    ): Promise<TransactionView | QueuedTransaction | undefined>
  }
  /** Many transactions, streamed both ways; see `exchange`. Break out of the loop to stop: what was sent may still be carried out. */
  batch<Request extends TransactionRequest>(
    requests: AsyncIterable<Request> | Iterable<Request>,
    options?: BatchCallOptions,
  ): AsyncGenerator<BatchAnswer<Request>, void, undefined>
  /** `batch` for rows that are JSON text already; `Row` may carry more, such as a line number. */
  batchJson<Row extends BatchRow>(
    rows: AsyncIterable<Row> | Iterable<Row>,
    options?: BatchCallOptions,
  ): AsyncGenerator<BatchAnswer<Row>, void, undefined>
  /** The account's entries, page by page as they are read. Throws `RefusedError` `not_found` where there is no such account. */
  entries(account: string, options?: EntriesOptions): AsyncGenerator<Entry, void, undefined>
  heads(options?: CallOptions): Promise<readonly ChainHead[]>
  /** One question without retries: may it take traffic? */
  ready(options?: CallOptions): Promise<'ready' | 'not_ready' | 'unreachable'>
  /** Ends kept connections. */
  close(): void
}

export function createClient(options: ClientOptions): Client {
  const retry: RetryPolicy = { ...defaultRetry, ...options.retry }
  const { url, timeoutMs = 15_000, connectionsMax = 64, inFlightMax = 10_000, headers = {} } = options
  const transport = createTransport({ url, timeoutMs, connectionsMax, headers, retry })

  const send = (method: Call['method'], path: string, body: unknown, signal: AbortSignal | undefined): Promise<Reply> =>
    transport.call({
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      retry: 'idempotent',
      signal,
    })

  async function get<T>(path: string, options: CallOptions | undefined): Promise<T> {
    return found<T>(await send('GET', path, undefined, options?.signal))
  }

  async function getOrNone<T>(path: string, options: CallOptions | undefined): Promise<T | undefined> {
    const reply = await send('GET', path, undefined, options?.signal)
    return reply.http === 404 && isProblem(reply.body) ? undefined : found<T>(reply)
  }

  async function* pages<T>(
    path: string,
    member: 'accounts' | 'entries',
    query: Record<string, string | number | undefined>,
    options: CallOptions | undefined,
  ): AsyncGenerator<T, void, undefined> {
    for (let { after } = query; ; ) {
      const page = await get<{ readonly next: string | null } & Record<typeof member, readonly T[]>>(
        path + queryOf({ ...query, after }),
        options,
      )
      if (!Array.isArray(page[member])) throw new ProtocolError(`A page without ${member}: ${excerpt(page)}`)
      yield* page[member]
      if (page.next === null || page.next === undefined) return
      after = page.next
    }
  }

  const exchangeRows = <Row extends BatchRow>(
    rows: AsyncIterable<Row> | Iterable<Row>,
    { signal, onRetry }: BatchCallOptions = {},
  ) =>
    exchange(transport, rows, {
      inFlightMax,
      silenceMsMax: 2 * timeoutMs,
      retry,
      url: withoutPassword(url),
      signal,
      onRetry,
    })

  async function* batch<Request extends TransactionRequest>(
    requests: AsyncIterable<Request> | Iterable<Request>,
    options?: BatchCallOptions,
  ): AsyncGenerator<BatchAnswer<Request>, void, undefined> {
    for await (const answer of exchangeRows(serialized(requests), options)) yield { ...answer, row: answer.row.request }
  }

  return {
    assets: {
      async put(code, { scale, autoOpen = false }, options) {
        const reply = await send('PUT', `/v1/assets/${segment(code)}`, { scale, autoOpen }, options?.signal)
        if (isProblem(reply.body)) return { status: reply.http === 409 ? 'exists' : 'refused', problem: reply.body }
        const status = reply.http === 201 ? 'created' : reply.http === 202 ? 'pending' : 'alike'
        return { status, asset: found<Asset>(reply) }
      },
      async list(options) {
        return (await get<{ readonly assets: readonly Asset[] }>('/v1/assets', options)).assets
      },
    },
    accounts: {
      async open(request, options) {
        const reply = await send('POST', '/v1/accounts', request, options?.signal)
        if (isProblem(reply.body)) return { status: reply.http === 409 ? 'exists' : 'refused', problem: reply.body }
        return { status: reply.http === 201 ? 'created' : 'alike', account: found<Account>(reply) }
      },
      get: (id, options) =>
        getOrNone<Account>(`/v1/accounts/${segment(id)}${queryOf({ asset: options?.asset })}`, options),
      async patch(id, change, options) {
        const reply = await transport.call({
          method: 'PATCH',
          path: `/v1/accounts/${segment(id)}`,
          body: JSON.stringify(change),
          ...(options?.ifVersion === undefined ? {} : { headers: { 'if-match': `"${options.ifVersion}"` } }),
          retry: 'no_effect',
          signal: options?.signal,
        })
        if (!isProblem(reply.body)) return { status: 'changed', account: found<Account>(reply) }
        return { status: changeStatuses[reply.http] ?? 'refused', problem: reply.body }
      },
      list: (owner, options) => pages<Account>('/v1/accounts', 'accounts', { owner, limit: options?.limit }, options),
    },
    transactions: {
      async post(request, options) {
        return settledOutcome(await send('POST', '/v1/transactions', request, options?.signal))
      },
      async queue(request, options) {
        const reply = await transport.call({
          method: 'POST',
          path: '/v1/transactions',
          body: JSON.stringify(request),
          headers: { prefer: 'respond-async' },
          retry: 'idempotent',
          signal: options?.signal,
        })
        if (reply.http === 202) return { status: 'queued', queued: found<QueuedTransaction>(reply) }
        return settledOutcome(reply)
      },
      get: (owner, id, options) =>
        getOrNone<TransactionView | QueuedTransaction>(
          `/v1/transactions/${segment(id)}${queryOf({ owner, wait: options?.waitSeconds })}`,
          options,
        ),
    },
    ...catalogCalls({
      put: (path, body) => send('PUT', path, body, undefined),
      get: (path) => get(path, undefined),
      getOrNone: (path) => getOrNone(path, undefined),
    }),
    batch,
    batchJson: exchangeRows,
    entries(account, { asset, after, limit, order, ...rest } = {}) {
      return pages<Entry>(`/v1/accounts/${segment(account)}/entries`, 'entries', { asset, after, limit, order }, rest)
    },
    async heads(options) {
      return (await get<{ readonly heads: readonly ChainHead[] }>('/v1/heads', options)).heads
    },
    async ready(options) {
      try {
        const reply = await transport.call({ method: 'GET', path: '/readyz', retry: 'never', signal: options?.signal })
        return reply.http === 200 ? 'ready' : 'not_ready'
      } catch (error) {
        if (error instanceof UnavailableError) return 'not_ready'
        if (error instanceof ConnectionError || error instanceof TimeoutError) return 'unreachable'
        throw error
      }
    },
    close: () => transport.close(),
  }
}

const changeStatuses: { readonly [http: number]: 'declined' | 'stale' | 'not_found' } = {
  404: 'not_found',
  412: 'stale',
  422: 'declined',
}

/** `call` has thrown for everything retryable already. */
function settledOutcome(reply: Reply): Outcome {
  const outcome = outcomeOf(reply.http, reply.headers['idempotent-replayed'] === 'true', reply.body)
  if (outcome.status === 'failed') throw new UnavailableError(reply.http, outcome.problem)
  return outcome
}

/** The body of an answer that must be a success; a problem is thrown as `RefusedError`. */
function found<T>(reply: Reply): T {
  if (reply.http >= 200 && reply.http < 300 && typeof reply.body === 'object') return reply.body as T
  if (isProblem(reply.body) && !isRetryable(reply)) throw new RefusedError(reply.body)
  throw new ProtocolError(`HTTP ${reply.http}: ${excerpt(reply.body)}`)
}

async function* serialized<Request extends TransactionRequest>(
  requests: AsyncIterable<Request> | Iterable<Request>,
): AsyncGenerator<BatchRow & { readonly request: Request }, void, undefined> {
  for await (const request of requests) yield { json: JSON.stringify(request), request }
}

/** An id as a path segment; colons stay readable. */
const segment = (id: string): string => encodeURIComponent(id).replaceAll('%3A', ':')

function queryOf(members: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(members)) if (value !== undefined) query.set(name, String(value))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
