// Many transactions over one NDJSON request that streams both ways, with back-pressure in both directions. When the connection is lost, what has
// no answer yet is sent again in its order over a new request: the ids make that safe. Knows lines and answers, not what is in them.
import type { ClientRequest, IncomingMessage } from 'node:http'
import {
  type ClientError,
  ConnectionError,
  ProtocolError,
  RefusedError,
  TimeoutError,
  UnavailableError,
} from './errors.ts'
import { type BatchOutcome, excerpt, isProblem, lazyReceipt, outcomeOf } from './outcome.ts'
import { pause, pauseMs, type RetryPolicy, retryAfterMsOf } from './retry.ts'
import { faultOf, type Transport } from './transport.ts'

export interface BatchRow {
  /** The transaction's body as JSON text without a line break. */
  readonly json: string
}

export interface BatchAnswer<Row> {
  /** Position in the rows given, from 0. Answers of one owner come in the order of its rows; beyond that the order is the server's. */
  readonly index: number
  readonly row: Row
  readonly outcome: BatchOutcome
  /** It was sent more than once here: `replayed` may then mean an answer that got lost on its first way. */
  readonly resent: boolean
}

export interface BatchOptions {
  /** Rows sent and not yet answered, at most: what is kept to be sent again. */
  readonly inFlightMax: number
  /** A connection that is silent for so long while answers are due counts as lost. */
  readonly silenceMsMax: number
  readonly retry: RetryPolicy
  readonly url: string
  readonly signal?: AbortSignal | undefined
  /** Told before each pause: for a log or a progress line. */
  readonly onRetry?: ((cause: ClientError, waitMs: number) => void) | undefined
}

interface Pending<Row> {
  readonly index: number
  readonly row: Row
  /** Answers that said: not now. */
  attempts: number
  sendings: number
}

/** One request of the batch. Positions on the wire are its own, from 0. */
interface Round<Row> {
  readonly request: ClientRequest
  /** Sent and not answered, by position. */
  readonly sent: Map<number, Pending<Row>>
  sentCount: number
  buffered: string
  flushing: boolean
  /** The socket's buffer is full. */
  full: boolean
  /** No more rows on this request. */
  ended: boolean
}

const writeChars = 64 * 1024
const lineCharsMax = 1024 * 1024

/**
 * Sends the rows and yields one answer for each; pulls no faster than the server and the reader of the answers allow. A row that the server cannot decide
 * now is sent again like a lost one and comes out as `failed` when the retries are used up. Throws when `retriesMax` requests in a row brought
 * no answer; what was yielded until then stands.
 */
export async function* exchange<Row extends BatchRow>(
  transport: Transport,
  rows: AsyncIterable<Row> | Iterable<Row>,
  options: BatchOptions,
): AsyncGenerator<BatchAnswer<Row>, void, undefined> {
  /** Not answered yet, in order; at most `inFlightMax`. */
  const unanswered = new Map<number, Pending<Row>>()
  let round: Round<Row> | undefined
  let sourceEnded = false
  let sourceError: { readonly cause: unknown } | undefined
  let stopped = false
  let wakeFeeder = () => {}
  let wakeReader = () => {}
  const onAbort = () => {
    round?.request.destroy()
    wakeReader()
  }
  options.signal?.addEventListener('abort', onAbort)

  // The feeder is the only one that takes rows; the generator below is the only one that opens requests and removes rows.
  const mayFeed = (): boolean => unanswered.size < options.inFlightMax && !(round?.full ?? false)
  // Woken when a quarter of the window is free, not for each answer: a wake-up costs more than a row.
  const wakeAt = Math.floor(options.inFlightMax * 0.75)
  const feed = async (): Promise<void> => {
    let index = 0
    for await (const row of rows) {
      if (stopped) return
      const pending = { index, row, attempts: 0, sendings: 0 }
      unanswered.set(index++, pending)
      if (round !== undefined && !round.ended) send(round, pending)
      wakeReader()
      while (!stopped && !mayFeed()) {
        await new Promise<void>((resolve) => {
          wakeFeeder = resolve
        })
      }
      if (stopped) return
    }
  }
  const feeding = feed()
    .catch((cause: unknown) => {
      sourceError = { cause }
      round?.request.destroy()
    })
    .finally(() => {
      sourceEnded = true
      if (round !== undefined && sourceError === undefined) end(round)
      wakeReader()
    })

  try {
    for (let failures = 0; ; ) {
      while (unanswered.size === 0 && !sourceEnded && !options.signal?.aborted) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      }
      options.signal?.throwIfAborted()
      if (sourceError !== undefined) throw sourceError.cause
      if (unanswered.size === 0) return

      round = openRound(transport, () => wakeFeeder())
      for (const pending of unanswered.values()) send(round, pending)
      if (sourceEnded) end(round)

      let progressed = false
      let done = false
      let trouble: ClientError | undefined
      let retryAfterMs: number | undefined
      try {
        const response = await responseOf(round, options)
        if (response.statusCode !== 200) {
          retryAfterMs = retryAfterMsOf(response.headers['retry-after'], Date.now())
          throw await refusalOf(response, options)
        }
        for await (const lines of linesOf(response, round, options))
          for (const line of lines) {
            const answer = parseAnswer(line)
            if (answer.kind === 'done') {
              if (!answer.whole) throw new ConnectionError('unknown', `The server at ${options.url} is stopping`)
              if (answer.count !== round.sentCount || round.sent.size > 0)
                throw new ConnectionError('unknown', `The answers ended at ${answer.count} of ${round.sentCount} rows`)
              done = true
              continue
            }
            const pending = round.sent.get(answer.index)
            if (pending === undefined) throw new ProtocolError(`An answer to row ${answer.index}, which is not open`)
            round.sent.delete(answer.index)
            const { outcome } = answer
            if (outcome.status === 'failed' && pending.attempts < options.retry.retriesMax) {
              pending.attempts++
              trouble = new UnavailableError(outcome.problem.status, outcome.problem)
              // Nothing new goes out before the pause; the rest of this request is still read.
              end(round)
              continue
            }
            unanswered.delete(pending.index)
            progressed = true
            if (unanswered.size <= wakeAt) wakeFeeder()
            yield { index: pending.index, row: pending.row, outcome, resent: pending.sendings > 1 }
          }
        if (!done) throw new ConnectionError('unknown', `The answers from ${options.url} ended before their last line`)
      } catch (error) {
        options.signal?.throwIfAborted()
        if (sourceError !== undefined) throw sourceError.cause
        if (!isTransient(error)) throw error
        if (!done) trouble = error
      } finally {
        round.ended = true
        round.request.destroy()
        round = undefined
        wakeFeeder()
      }

      if (trouble === undefined) continue
      failures = progressed ? 0 : failures + 1
      if (failures > options.retry.retriesMax) throw trouble
      const waitMs = pauseMs(options.retry, Math.max(0, failures - 1), retryAfterMs)
      options.onRetry?.(trouble, waitMs)
      await pause(waitMs, options.signal)
    }
  } finally {
    stopped = true
    wakeFeeder()
    options.signal?.removeEventListener('abort', onAbort)
    // A source that is waiting for its own input is not waited for.
    if (sourceEnded) await feeding
  }
}

const isTransient = (error: unknown): error is ClientError =>
  error instanceof ConnectionError || error instanceof TimeoutError || error instanceof UnavailableError

function openRound<Row>(transport: Transport, onDrain: () => void): Round<Row> {
  const request = transport.stream('/v1/transactions/batch', {
    'content-type': 'application/x-ndjson',
    accept: 'application/x-ndjson, application/problem+json',
  })
  const round: Round<Row> = {
    request,
    sent: new Map(),
    sentCount: 0,
    buffered: '',
    flushing: false,
    full: false,
    ended: false,
  }
  request.on('drain', () => {
    round.full = false
    onDrain()
  })
  request.on('close', () => {
    round.full = false
    onDrain()
  })
  // Errors after the response began show on the response; those before are caught by `responseOf`.
  request.on('error', () => {})
  return round
}

/** Rows that come in one turn of the event loop, up to 64 kB, go out in one write. */
function send<Row extends BatchRow>(round: Round<Row>, pending: Pending<Row>): void {
  pending.sendings++
  round.sent.set(round.sentCount++, pending)
  round.buffered += `${pending.row.json}\n`
  if (round.buffered.length >= writeChars) flush(round)
  else if (!round.flushing) {
    round.flushing = true
    setImmediate(() => {
      round.flushing = false
      flush(round)
    })
  }
}

function flush<Row>(round: Round<Row>): void {
  if (round.buffered === '' || round.request.destroyed || round.request.writableEnded) return
  const chunk = round.buffered
  round.buffered = ''
  if (!round.request.write(chunk)) round.full = true
}

function end<Row>(round: Round<Row>): void {
  if (round.ended) return
  round.ended = true
  flush(round)
  round.request.end()
}

function responseOf<Row>(round: Round<Row>, options: BatchOptions): Promise<IncomingMessage> {
  const { request } = round
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(silent(options)), options.silenceMsMax)
    request.once('response', (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    request.once('error', (error) => {
      clearTimeout(timer)
      reject(faultOf(error, options.url, request.reusedSocket))
    })
    request.once('close', () => {
      clearTimeout(timer)
      reject(new ConnectionError('unknown', `The connection to ${options.url} was closed`))
    })
  })
}

const silent = (options: BatchOptions): TimeoutError =>
  new TimeoutError(`${options.url} has been silent for ${options.silenceMsMax} ms`)

async function refusalOf(response: IncomingMessage, options: BatchOptions): Promise<Error> {
  const http = response.statusCode ?? 0
  let text = ''
  response.setEncoding('utf8')
  try {
    for await (const piece of response) {
      text += piece
      if (text.length > lineCharsMax) break
    }
  } catch (error) {
    return faultOf(error as Error, options.url, false)
  }
  const body = parseJson(text)
  if (isProblem(body)) return body.retryable ? new UnavailableError(http, body) : new RefusedError(body)
  if (http === 429 || (http >= 502 && http <= 504)) return new UnavailableError(http, undefined)
  return new ProtocolError(`HTTP ${http} to a batch: ${excerpt(text)}`)
}

/** The whole lines of the response, as many at a time as have come. Throws `ConnectionError` where it breaks off and `TimeoutError` where it falls silent with answers due. */
async function* linesOf<Row>(
  response: IncomingMessage,
  round: Round<Row>,
  options: BatchOptions,
): AsyncGenerator<readonly string[], void, undefined> {
  response.setEncoding('utf8')
  const pieces = response[Symbol.asyncIterator]() as AsyncIterator<string>
  let rest = ''
  for (;;) {
    const piece = await nextPiece(pieces, response, round, options)
    if (piece === undefined) return
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    yield lines
    if (rest.length > lineCharsMax) throw new ProtocolError(`An answer line above ${lineCharsMax} characters`)
  }
}

async function nextPiece<Row>(
  pieces: AsyncIterator<string>,
  response: IncomingMessage,
  round: Round<Row>,
  options: BatchOptions,
): Promise<string | undefined> {
  // Only time spent waiting for the server counts, and only while it owes an answer.
  const timer = setInterval(() => {
    if (round.sent.size > 0 || round.ended) response.destroy(silent(options))
  }, options.silenceMsMax)
  try {
    const next = await pieces.next()
    return next.done === true ? undefined : next.value
  } catch (error) {
    throw faultOf(error as Error, options.url, false)
  } finally {
    clearInterval(timer)
  }
}

type AnswerLine =
  /** `whole`: the server has read all that we sent; else it is stopping. */
  | { readonly kind: 'done'; readonly whole: boolean; readonly count: number }
  | { readonly kind: 'answer'; readonly index: number; readonly outcome: BatchOutcome }

/**
 * A receipt of the server's own rendering (fixed key order) is recognised by its beginning and parsed only if somebody reads it: 0.5 us a line instead of 4 us,
 * which is half of what a row costs a client that only counts.
 */
const plainReceipt =
  /^\{"index":(\d{1,15}),"http":20[01],"replayed":(true|false),"body":(?=\{"id":"[^"\\]*","type":"[^"\\]*","status":"(posted|pending)",.*\}\}$)/

function parseAnswer(line: string): AnswerLine {
  const plain = plainReceipt.exec(line)
  if (plain !== null) {
    const [head, index, replayed, status] = plain
    const body = line.slice(head.length, -1)
    return { kind: 'answer', index: Number(index), outcome: lazyReceipt(status, replayed === 'true', body) }
  }
  const parsed = parseJson(line) as
    | { done?: unknown; count?: unknown; index?: unknown; http?: unknown; replayed?: unknown; body?: unknown }
    | undefined
    | null
  if (typeof parsed?.done === 'boolean' && typeof parsed.count === 'number')
    return { kind: 'done', whole: parsed.done, count: parsed.count }
  if (typeof parsed?.index !== 'number' || typeof parsed.http !== 'number')
    throw new ProtocolError(`Not an answer line: ${excerpt(line)}`)
  return {
    kind: 'answer',
    index: parsed.index,
    outcome: outcomeOf(parsed.http, parsed.replayed === true, parsed.body),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
