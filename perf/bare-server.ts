// The yardstick of the HTTP path: a Fastify route of the same shape (schema checked, an answer of the same size) that does nothing else.
import Fastify from 'fastify'

const app = Fastify({ logger: false })

const schema = {
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'type', 'account', 'amount'],
    properties: {
      id: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
      type: { const: 'debit' },
      account: { type: 'string', maxLength: 128 },
      amount: { type: 'string', pattern: '^[0-9.]{1,40}$' },
    },
  },
} as const

app.post<{ Body: { id: string; account: string } }>('/v1/transactions', { schema }, async (request, reply) => {
  const { id, account } = request.body
  reply.code(201).header('content-type', 'application/json; charset=utf-8').header('location', `/v1/transactions/${id}`)
  return `{"id":"${id}","type":"debit","status":"posted","at":"2026-01-01T00:00:00.000Z","businessDate":"2026-01-01","accounts":[{"id":"${account}","balance":"-0.01","held":"0.00","seq":1}]}`
})

process.once('SIGTERM', () => void app.close())
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
