// Single transactions: the hot route, and reading one back.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { Reads, TransactionView } from '../../actors/reads.ts'
import { instanceOf } from '../../schemas/answer.ts'
import { AnyTransactionId, Owner, Wait } from '../../schemas/http/fields.ts'
import type { Intake } from './intake.ts'
import { idempotencyKey, problemAnswers, replayedAnswer, textAnswer } from './operation.ts'
import { Problem, refuse } from './problem.ts'
import { answer, answerOfEngine, answerProblem } from './reply.ts'

export function transactionRoutes(instance: FastifyInstance, engine: Engine, reads: Reads, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  /** A server that stops lets nobody wait. */
  async function decidedWithin(ms: number, owner: string, id: string): Promise<void> {
    let goOn: () => void = () => undefined
    const closing = new Promise<void>((resolve) => {
      goOn = intake.onClosing(resolve)
    })
    await Promise.race([engine.later?.decided(owner, id, ms), closing])
    goOn()
  }

  app.post(
    '/v1/transactions',
    {
      schema: {
        operationId: 'postTransaction',
        summary: 'Post a transaction',
        tags: ['transactions'],
        headers: Type.Object({ ...idempotencyKey.properties, ...prefer.properties }),
        body: Type.Ref('TransactionBody#'),
        response: {
          201: textAnswer('Decided and durable.', 'Transaction', { location: 'Path of the transaction.' }),
          202: queuedAnswer,
          200: replayedAnswer,
          ...problemAnswers(400, 409, 413, 415, 422, 429, 500, 503),
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
      const { prefer } = request.headers
      if (prefer === undefined || engine.later === undefined || !respondsAsync(prefer)) {
        engine.submit(command, (given) => answerOfEngine(reply, given, command))
        return
      }
      engine.later.submit(command, (given) => {
        if (given.http === 202) answer(reply, 202, given.body, queuedHeaders(instanceOf(command)))
        else answerOfEngine(reply, given, command)
      })
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
        querystring: Type.Object({ owner: Owner, wait: Type.Optional(Wait) }, { additionalProperties: false }),
        response: {
          200: textAnswer('The transaction.', 'TransactionView'),
          202: queuedAnswer,
          ...problemAnswers(400, 404, 500, 503),
        },
      },
    },
    async ({ params, query }, reply) => {
      const { owner, wait } = query
      // Before the ledger is read: it may be decided between the two, and then it stands there.
      const queued = engine.later?.find(owner, params.id)
      // While its database is away, a queued one is known to wait.
      const read = (): Promise<TransactionView | undefined> =>
        reads.transaction(owner, params.id).catch((error: unknown) => {
          if (queued === undefined) throw error
          return undefined
        })
      let view = await read()
      if (view === undefined && queued !== undefined && wait !== undefined) {
        await decidedWithin(Number(wait) * 1000, owner, params.id)
        view = await read()
      }
      if (view !== undefined) answer(reply, 200, viewText(view))
      else if (queued !== undefined) answer(reply, 202, queued.body)
      else refuse('not_found', `${owner} has no transaction ${params.id}.`)
    },
  )
}

const prefer = Type.Object({
  prefer: Type.Optional(
    Type.String({
      description:
        '`respond-async` (RFC 7240): answer 202 as soon as the command is queued in Redis. Queued is not applied. Ignored where the mailbox is in memory.',
    }),
  ),
})

const queuedAnswer = textAnswer('Queued, not applied: ask its `Location` what became of it.', 'Queued', {
  location: 'Path of the transaction.',
  'preference-applied': '`respond-async`',
})

const queuedHeaders = (location: string): string[] => ['location', location, 'preference-applied', 'respond-async']

/** Of a header that may name many preferences, each with parameters. */
const respondsAsync = (prefer: string | readonly string[]): boolean =>
  String(prefer)
    .split(',')
    .some((preference) => /^\s*respond-async\s*(;|$)/i.test(preference))

/** The members of the first answer as they were sent, then `transfers` and `now`. */
function viewText({ body, transfers, now }: TransactionView): string {
  return `${body.slice(0, -1)},"transfers":${JSON.stringify(transfers)},"now":${JSON.stringify(now)}}`
}
