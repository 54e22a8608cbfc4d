// The statement of points by lot.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Reads } from '../../actors/reads.ts'
import { Owner } from '../../schemas/http/fields.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { answer } from './reply.ts'

export function pointsRoutes(instance: FastifyInstance, reads: Reads): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.get(
    '/v1/points',
    {
      schema: {
        operationId: 'getPoints',
        summary: 'Read the points of an owner by lot, those that expire first first',
        tags: ['accounts'],
        querystring: Type.Object({ owner: Owner }, { additionalProperties: false }),
        response: {
          200: textAnswer('The points; no programs where there never were any.', 'Points'),
          ...problemAnswers(400, 500, 503),
        },
      },
    },
    async ({ query }, reply) => answer(reply, 200, JSON.stringify(await reads.points(query.owner))),
  )
}
