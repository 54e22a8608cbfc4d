// The yardstick of the HTTP path: a Fastify route of the same shape (schema checked, an answer of the same size) that does nothing else.
import Fastify from 'fastify'
import { answerHeaders, type DebitBody, debitSchema, postedText } from './bare-route.ts'

const app = Fastify({ logger: false })

app.post<{ Body: DebitBody }>('/v1/transactions', { schema: debitSchema }, async (request, reply) => {
  const { id, account } = request.body
  reply.code(201).headers(answerHeaders(id))
  return postedText(id, account, '2026-01-01T00:00:00.000Z', '-0.01', 1)
})

process.once('SIGTERM', () => void app.close())
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
