// `POST /v1/transactions/batch`: many transactions in one request, as a JSON array, as MessagePack, or as a stream of lines. Each item is
// answered as the single call would be; a bad item fails alone.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import { type ArrayPorts, postItems } from './array-batch.ts'
import { itemText } from './batch-item.ts'
import { batchBytesMax, Packed, parseBatchBodies } from './body-parsers.ts'
import type { Log } from './errors.ts'
import { type Intake, notReady } from './intake.ts'
import { readJsonItems } from './json-items.ts'
import type { HttpMetrics } from './metrics.ts'
import { packAnswer, packArray, readPackedItems } from './msgpack.ts'
import { answerStream, type StreamPorts } from './ndjson.ts'
import { problemAnswers } from './operation.ts'
import { Problem } from './problem.ts'
import { answer, answerProblem } from './reply.ts'

/** Items of a batch that is held whole in memory. */
const arrayItemsMax = 10_000

interface BatchPorts {
  readonly engine: Engine
  readonly intake: Intake
  readonly metrics: HttpMetrics
  readonly log: Log
  /** Lines of one stream in flight. */
  readonly streamWindow: number
}

/** Its body parsers are its own: give it a scope. */
export function batchRoute(app: FastifyInstance, ports: BatchPorts): void {
  parseBatchBodies(app)
  const stream: StreamPorts = {
    engine: ports.engine,
    intake: ports.intake,
    window: ports.streamWindow,
    onItem: (http) => ports.metrics.batchItem(http),
  }
  app.post(
    '/v1/transactions/batch',
    { bodyLimit: batchBytesMax, schema, validatorCompiler: () => () => true },
    async (request, reply) => {
      if (request.body instanceof Readable) await lineStream(request, reply, stream, ports.log)
      else await arrayBatch(request, reply, stream)
    },
  )
}

async function lineStream(request: FastifyRequest, reply: FastifyReply, ports: StreamPorts, log: Log): Promise<void> {
  if (!ports.intake.isOpen()) return answerProblem(reply, notReady)
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, ['content-type', 'application/x-ndjson; charset=utf-8', 'x-request-id', request.id])
  raw.flushHeaders()
  try {
    await answerStream(request.raw, raw, ports)
  } catch (error) {
    // Half an answer is out: breaking off is the only way to say that it is not whole.
    log.error({ err: error, requestId: request.id }, 'stream failed')
    raw.destroy()
  }
}

async function arrayBatch(request: FastifyRequest, reply: FastifyReply, ports: ArrayPorts): Promise<void> {
  const { body } = request
  const packed = body instanceof Packed
  const items = packed
    ? readPackedItems(body.bytes, arrayItemsMax)
    : // Without a body no parser ran.
      readJsonItems(Buffer.isBuffer(body) ? body : Buffer.alloc(0), arrayItemsMax)
  if (items instanceof Problem) return answerProblem(reply, items)
  if (!ports.intake.isOpen()) return answerProblem(reply, notReady)
  if (packed && !prefersJson(request.headers.accept)) {
    answerBytes(reply, packArray(await postItems(items, ports, packAnswer)))
  } else {
    const texts = await postItems(items, ports, itemText)
    answer(reply, 200, `[${texts.join(',')}]`)
  }
}

function answerBytes({ raw, request }: FastifyReply, bytes: Uint8Array): void {
  if (raw.destroyed) return
  raw.writeHead(200, [
    'content-type',
    'application/msgpack',
    'content-length',
    String(bytes.length),
    'x-request-id',
    request.id,
  ])
  raw.end(bytes)
}

const prefersJson = (accept = ''): boolean => accept.includes('application/json') && !accept.includes('msgpack')

const itemsSchema = Type.Array(Type.Ref('TransactionBody#'), { maxItems: arrayItemsMax })
const answersSchema = Type.Array(Type.Ref('BatchItem#'))

const schema = {
  operationId: 'postBatch',
  summary: 'Post many transactions in one request',
  description: `A JSON or MessagePack array of at most ${arrayItemsMax} transactions, or NDJSON: one a line, any number, streamed both ways. Each item is answered as the single call would be, in order; NDJSON ends with \`{"done":true,"count":n}\` (\`"done":false\`: the server stopped reading because it closes).`,
  tags: ['transactions'],
  body: {
    content: {
      'application/json': { schema: itemsSchema },
      'application/x-ndjson': { schema: Type.Ref('TransactionBody#') },
      'application/msgpack': { schema: itemsSchema },
    },
  },
  response: {
    200: {
      description: 'The batch was read.',
      content: {
        'application/json': { schema: answersSchema },
        'application/x-ndjson': { schema: Type.Union([Type.Ref('BatchItem#'), Type.Ref('BatchEnd#')]) },
        'application/msgpack': { schema: answersSchema },
      },
    },
    ...problemAnswers(400, 413, 415, 503),
  },
}
