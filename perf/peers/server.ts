// A rival behind HTTP: the bare route with a rival's debit in it. `server.ts NAME`; DATABASE_URL, REDIS_URL and POOL from the environment.
import Fastify from 'fastify'
import { formatMinor, parseAmount } from '../../core/money.ts'
import { answerHeaders, type DebitBody, debitSchema, postedText } from '../bare-route.ts'
import { type PeerName, peerNames, peers } from './peers.ts'

const name = peerNames.find((known) => known === process.argv[2])
if (name === undefined) throw new Error(`there is no rival "${process.argv[2]}"`)
const { DATABASE_URL: url = '', REDIS_URL: redisUrl, POOL } = process.env
const peer = await peers[name satisfies PeerName]({
  url,
  redisUrl,
  pool: POOL === undefined ? undefined : Number(POOL),
})

const app = Fastify({ logger: false })

app.post<{ Body: DebitBody }>('/v1/transactions', { schema: debitSchema }, async (request, reply) => {
  const { id, account, amount } = request.body
  const minor = parseAmount(amount, 2)
  if (typeof minor === 'string') {
    reply.code(422)
    return { code: minor }
  }
  const outcome = await peer.debit({ id, account, amountMinor: Number(minor) })
  if ('seq' in outcome) {
    reply.code(outcome.kind === 'posted' ? 201 : 200).headers(answerHeaders(id))
    return postedText(id, account, new Date().toISOString(), formatMinor(outcome.balance, 2), outcome.seq)
  }
  reply.code(outcome.kind === 'id_conflict' ? 409 : 422)
  return { code: outcome.kind }
})

process.once('SIGTERM', () => void app.close().then(() => peer.close()))
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`)
