// Single transactions: the hot route, and reading one back.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { Reads, TransactionView } from '../../actors/reads.ts'
import { AnyTransactionId, Owner } from '../../schemas/http/fields.ts'
import type { Intake } from './intake.ts'
import { idempotencyKey, problemAnswers, replayedAnswer, textAnswer } from './operation.ts'
import { Problem, refuse } from './problem.ts'
import { answer, answerOfEngine, answerProblem } from './reply.ts'

export function transactionRoutes(instance: FastifyInstance, engine: Engine, reads: Reads, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post(
    '/v1/transactions',
    {
      schema: {
        operationId: 'postTransaction',
        summary: 'Post a transaction',
        tags: ['transactions'],
        headers: idempotencyKey,
        body: Type.Ref('TransactionBody#'),
        response: {
          201: textAnswer('Decided and durable.', 'Transaction', { location: 'Path of the transaction.' }),
          200: replayedAnswer,
          ...problemAnswers(400, 409, 413, 415, 422, 429, 500, 501, 503),
        },
      },
      // `readTransaction` looks at `type` first and then runs the one compiled check of that type.
      validatorCompiler: () => () => true,
    },
    (request, reply) => {
      const key = request.headers['idempotency-key']
      const command = intake.take(request.body, key as string | undefined)
      if (command instanceof Problem) {
        answerProblem(reply, command)
        return
      }
      engine.submit(command, (given) => answerOfEngine(reply, given, command))
    },
  )

  app.get(
    '/v1/transactions/:id',
    {
      schema: {
        operationId: 'getTransaction',
        summary: 'Read a transaction: its first answer, its transfers and what became of it',
        tags: ['transactions'],
        params: Type.Object({ id: AnyTransactionId }),
        querystring: Type.Object({ owner: Owner }, { additionalProperties: false }),
        response: { 200: textAnswer('The transaction.', 'TransactionView'), ...problemAnswers(400, 404, 500, 503) },
      },
    },
    async ({ params, query }, reply) => {
      const view = await reads.transaction(query.owner, params.id)
      if (view === undefined) refuse('not_found', `${query.owner} has no transaction ${params.id}.`)
      answer(reply, 200, viewText(view))
    },
  )
}

/** The members of the first answer as they were sent, then `transfers` and `now`. */
function viewText({ body, transfers, now }: TransactionView): string {
  return `${body.slice(0, -1)},"transfers":${JSON.stringify(transfers)},"now":${JSON.stringify(now)}}`
}
