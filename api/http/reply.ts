// Writes an answer that is ready text: status, the few headers, one write. It goes past `reply.send`, which would look for serializers,
// hooks and types that such an answer has no use for.
import type { FastifyReply } from 'fastify'
import type { Answer } from '../../actors/engine.ts'
import type { Command } from '../../core/command.ts'
import { instanceOf } from '../../schemas/answer.ts'
import type { Problem } from './problem.ts'

const jsonType = 'application/json; charset=utf-8'
export const problemType = 'application/problem+json'

/** `extra`: more headers, as names and values in turn. */
export function answer(reply: FastifyReply, http: number, body: string, extra?: readonly string[]): void {
  const { raw } = reply
  // The client has gone, or the server gave the answer up.
  if (raw.writableEnded || raw.destroyed) return
  const headers = [
    'content-type',
    http < 400 ? jsonType : problemType,
    'content-length',
    String(Buffer.byteLength(body)),
    'x-request-id',
    reply.request.id,
  ]
  if (extra !== undefined) headers.push(...extra)
  raw.writeHead(http, headers)
  raw.end(body)
}

const replayedHeader = ['idempotent-replayed', 'true'] as const
const retryHeader = ['retry-after', '1'] as const

/** The engine's answer to a command. */
export function answerOfEngine(reply: FastifyReply, { http, replayed, body }: Answer, command: Command): void {
  if (http === 201) answer(reply, http, body, ['location', instanceOf(command)])
  else if (replayed) answer(reply, http, body, replayedHeader)
  else if (http === 429 || http === 503) answer(reply, http, body, retryHeader)
  else answer(reply, http, body)
}

export function answerProblem(reply: FastifyReply, problem: Problem): void {
  answer(
    reply,
    problem.http,
    problem.body(pathOf(reply.request.raw.url)),
    problem.http === 503 ? retryHeader : undefined,
  )
}

/** Without the query: what a problem names as its instance. */
export function pathOf(url: string | undefined): string {
  if (url === undefined) return '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}
