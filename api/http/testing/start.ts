// A server over fakes, for tests: injected into or listening on a port of its own.
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { createServer, type ServerOptions } from '../server.ts'
import { FakeEngine } from './fake-engine.ts'
import { FakeReads } from './fake-reads.ts'

export interface Started {
  readonly app: FastifyInstance
  readonly engine: FakeEngine
  readonly reads: FakeReads
  readonly registry: Registry
  readonly logged: { readonly fields: object; readonly message: string }[]
}

export async function start(settings: Pick<ServerOptions, 'streamWindow' | 'closeGraceMs'> = {}): Promise<Started> {
  const engine = new FakeEngine()
  const reads = new FakeReads()
  const registry = new Registry()
  const logged: { fields: object; message: string }[] = []
  const log = {
    error: (fields: object, message: string) => void logged.push({ fields, message }),
    warn: (fields: object, message: string) => void logged.push({ fields, message }),
  }
  const app = await createServer({
    engine,
    reads,
    registry,
    log,
    version: '0.0.0-test',
    ...settings,
  })
  return { app, engine, reads, registry, logged }
}

/** Port of a server that listens on 127.0.0.1 from now on. */
export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}
