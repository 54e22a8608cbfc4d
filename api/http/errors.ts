// Whatever goes wrong outside a handler's own words becomes a problem, too: Fastify's errors, routes and methods that are not there, faults
// of the database, and what is not HTTP at all.
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isFault, RetryableFault } from '../../actors/faults.ts'
import { invalid, Problem, ProblemError } from './problem.ts'
import { pathOf, problemType } from './reply.ts'
import { newRequestId } from './request-id.ts'

/** What this needs of pino. */
export interface Log {
  error(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Fastify's codes that have a word of their own here; other errors of the 4xx kind are `invalid`. */
const problemOfCode: Readonly<Record<string, Problem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: new Problem('payload_too_large', 'The body is longer than this resource takes.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: new Problem(
    'unsupported_media_type',
    'Send the header content-type: application/json (batches also take application/x-ndjson and application/msgpack).',
    'content-type',
  ),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: invalid('content-length', 'The body is not as long as content-length says.'),
  FST_ERR_BAD_URL: invalid(undefined, 'The path is not a valid one: look at its percent-encoding.'),
  FST_ERR_MAX_PARAM_LENGTH: invalid(undefined, 'The path has a part that is too long.'),
}

/** For `setErrorHandler` and `frameworkErrors`. */
export function errorHandler(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error)
    if (problem.http === 500 || problem.code === 'shard_unavailable') {
      const url = pathOf(request.raw.url)
      log.error({ err: error, requestId: request.id, method: request.method, url }, 'request failed')
    }
    sendProblem(request, reply, problem)
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  if (isFault(error)) return error instanceof RetryableFault ? unavailable : fault
  const { code, statusCode } = Object(error) as Partial<FastifyError>
  const known = code === undefined ? undefined : problemOfCode[code]
  if (known !== undefined) return known
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? malformed : fault
}

const unavailable = new Problem('shard_unavailable', 'The database did not answer.')
const fault = new Problem('fault', 'The operators find the reason in the log, under the x-request-id of this answer.')
const malformed = invalid(undefined, 'The request could not be read.')

/** For answers that Fastify itself has begun: keeps the headers that it has set, such as `allow`. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): void {
  readRest(request.raw, reply)
  if (problem.http === 503) reply.header('retry-after', '1')
  reply
    .code(problem.http)
    .header('x-request-id', request.id)
    .header('content-type', problemType)
    // As bytes: to a string Fastify would add a charset, which this type does not have.
    .send(Buffer.from(problem.body(pathOf(request.raw.url))))
}

/** A body that nobody wants may go on for so long. */
const restMs = 30_000

/**
 * Reads what is still to come of a body into nothing, and lets the connection live. Fastify would close it: on unread bytes that is a reset,
 * under which the answer is lost to a client that sends its whole body before it reads.
 */
function readRest(body: IncomingMessage, reply: FastifyReply): void {
  if (body.complete) return
  const { raw } = reply
  // Not where the client wants it closed, or the server closes.
  if (reply.hasHeader('connection') && raw.shouldKeepAlive && !raw.hasHeader('connection'))
    reply.header('connection', 'keep-alive')
  body.resume()
  const timer = setTimeout(() => body.destroy(), restMs).unref()
  body.once('close', () => clearTimeout(timer))
}

/** A route that exists: its path as a pattern and its methods. */
export interface KnownRoute {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/** `/v1/accounts/:id` -> what paths it takes. */
export const routePattern = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[A-Za-z]+/g, '[^/]+')
      .replaceAll('*', '.*')}$`,
  )

/** 405 with `Allow` where the path exists with other methods, else 404. */
export function notFoundHandler(routes: ReadonlyMap<string, KnownRoute>) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const path = pathOf(request.raw.url)
    const allowed = new Set<string>()
    for (const { pattern, methods } of routes.values()) {
      if (pattern.test(path)) for (const method of methods) allowed.add(method)
    }
    if (allowed.size === 0) {
      sendProblem(request, reply, noSuchPath)
      return
    }
    const allow = [...allowed].sort().join(', ')
    reply.header('allow', allow)
    sendProblem(request, reply, new Problem('method_not_allowed', `This resource has ${allow}.`))
  }
}

const noSuchPath = new Problem('not_found', 'There is nothing at this path.')

/** RFC 9112 wants 400; Node's own would be an answer without a body and a request id. */
export const noHost = invalid('host', 'The Host header is missing.')

/** For what Node's parser refuses. The socket is closed: where the next request would begin is not known. */
export function clientErrorHandler(error: Error & { readonly code?: string }, socket: Socket): void {
  // An answer that has begun would be garbled by another one.
  const { _httpMessage: begun } = socket as Socket & {
    readonly _httpMessage?: { readonly headersSent: boolean } | null
  }
  if (error.code === 'ECONNRESET' || !socket.writable || begun?.headersSent === true) {
    socket.destroy()
    return
  }
  const problem = error.code === 'HPE_HEADER_OVERFLOW' ? headersTooLarge : notHttp
  const body = problem.body('/')
  const lines = [
    `HTTP/1.1 ${problem.http} ${STATUS_CODES[problem.http]}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${newRequestId()}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

const headersTooLarge = new Problem('payload_too_large', 'The headers are too long.')
const notHttp = invalid(undefined, 'This is not a valid HTTP/1.1 request.')
