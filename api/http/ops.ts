// What operators and machines ask: alive, ready, metrics, chain heads.
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Engine } from '../../actors/engine.ts'
import type { Reads } from '../../actors/reads.ts'
import { type Intake, notReady } from './intake.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { Problem } from './problem.ts'
import { answer, answerProblem } from './reply.ts'

/** A database that takes longer to say that it is there is not. */
const pingMs = 1_000

export function opsRoutes(
  app: FastifyInstance,
  engine: Engine,
  reads: Reads,
  intake: Intake,
  registry: Registry,
): void {
  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'health',
        summary: 'The process is alive',
        tags: ['operations'],
        response: { 200: textAnswer('Alive.', 'Status') },
      },
    },
    (_request, reply) => answer(reply, 200, ok),
  )

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'readiness',
        summary: 'It may take traffic',
        tags: ['operations'],
        response: { 200: textAnswer('Ready.', 'Status'), ...problemAnswers(503) },
      },
    },
    async (_request, reply) => {
      const trouble = engine.mailboxTrouble()
      if (!intake.isOpen()) answerProblem(reply, notReady)
      else if (trouble !== undefined) answerProblem(reply, new Problem('not_ready', trouble))
      else if (await answersWithin(reads.ping(), pingMs)) answer(reply, 200, ok)
      else answerProblem(reply, databaseSilent)
    },
  )

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Metrics for Prometheus',
        tags: ['operations'],
        response: {
          200: { description: 'Text format 0.0.4.', content: { 'text/plain': { schema: { type: 'string' } } } },
        },
      },
    },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )

  app.get(
    '/v1/heads',
    {
      schema: {
        operationId: 'listHeads',
        summary: 'The chain head of each partition',
        tags: ['operations'],
        response: { 200: textAnswer('The heads.', 'Heads'), ...problemAnswers(500, 503) },
      },
    },
    async (_request, reply) => answer(reply, 200, JSON.stringify({ heads: await reads.heads() })),
  )
}

const ok = '{"status":"ok"}'
const databaseSilent = new Problem('not_ready', 'A database does not answer.')

/** False after `ms`, and if it rejects; never rejects. */
async function answersWithin(asked: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  const answered = asked.then(
    () => true,
    () => false,
  )
  const outcome = await Promise.race([answered, late])
  clearTimeout(timer)
  return outcome
}
