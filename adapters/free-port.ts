import { once } from 'node:events'
import { createServer } from 'node:net'

/** A TCP port of the loopback that nobody listens on now. Somebody else may take it before it is used: whoever listens says so. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (typeof address !== 'object' || address === null) throw new Error('the loopback gave no port')
  return address.port
}
