// Reads bodies: JSON as its value, a batch as bytes, NDJSON as the stream itself. A body that cannot be read becomes a `Problem` in its
// place, so that it is answered like any other mistake and the connection lives on (a parser's error would make Fastify close it).
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalid, Problem, ProblemError } from './problem.ts'

export const singleBytesMax = 64 * 1024
export const batchBytesMax = 32 * 1024 * 1024

/** The only parser of everything but batches. */
export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    done(encodingError(request), parseJson(bytes as Buffer))
  })
}

/** The bytes of a body in MessagePack. */
export class Packed {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

/** For batches: arrays as their bytes, to be cut into items first. */
export function parseBatchBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    done(encodingError(request), bytes)
  })
  app.addContentTypeParser('application/msgpack', { parseAs: 'buffer' }, (request, bytes, done) => {
    done(encodingError(request), new Packed(bytes as Buffer))
  })
  app.addContentTypeParser('application/x-ndjson', (request, payload, done) => {
    done(encodingError(request), payload)
  })
}

/** The value of UTF-8 JSON text; never throws. `__proto__` becomes a plain own property, which no schema knows. */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return brokenUtf8
  return parseJsonText(bytes.toString('utf8'))
}

/** Expects well-formed text; never throws. */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text.trim() === '' ? emptyBody : brokenJson
  }
}

export const brokenUtf8 = invalid(undefined, 'The text is not valid UTF-8.')
const brokenJson = invalid(undefined, 'The text is not valid JSON.')
export const emptyBody = invalid(undefined, 'A JSON object is expected, not an empty body.')

const compressed = new Problem('unsupported_media_type', 'Compressed bodies are not supported.', 'content-encoding')

function encodingError(request: FastifyRequest): Error | null {
  const encoding = request.headers['content-encoding']
  return encoding === undefined || encoding === 'identity' ? null : new ProblemError(compressed)
}
