// What a standby says while it waits for the right to host: it lives, and it is not ready. Gives the port free for the server that follows.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { problemBody, problems } from '../schemas/problem.ts'

export interface StandbyAnswers {
  close(): Promise<void>
}

export async function answerAsStandby(port: number, host: string): Promise<StandbyAnswers> {
  const detail = 'This server stands by; another one hosts the ledger.'
  const server = createServer((request, response) => {
    const alive = request.url === '/healthz'
    const http = alive ? 200 : problems.not_ready.http
    response.writeHead(http, {
      'content-type': alive ? 'application/json' : 'application/problem+json',
      connection: 'close',
    })
    response.end(alive ? '{"status":"standby"}' : problemBody('not_ready', { detail, instance: request.url ?? '/' }))
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
