// The HTTP way in: joins routes, body parsers, errors and metrics into one Fastify instance. It listens, drains and ends when its owner
// says so; it owns neither the engine nor the reads.
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import type { Engine } from '../../actors/engine.ts'
import type { Reads } from '../../actors/reads.ts'
import { accountRoutes } from './accounts.ts'
import { assetRoutes } from './assets.ts'
import { batchRoute } from './batch.ts'
import { parseJsonBodies, singleBytesMax } from './body-parsers.ts'
import { campaignRoutes } from './campaigns.ts'
import { validatorCompiler } from './check.ts'
import { collectOpenApi, pages } from './docs.ts'
import {
  clientErrorHandler,
  errorHandler,
  type KnownRoute,
  type Log,
  noHost,
  notFoundHandler,
  routePattern,
  sendProblem,
} from './errors.ts'
import { EngineIntake } from './intake.ts'
import { type HttpMetrics, httpMetrics } from './metrics.ts'
import { opsRoutes } from './ops.ts'
import { pointsRoutes } from './points.ts'
import { programRoutes } from './programs.ts'
import { requestIdOf } from './request-id.ts'
import { slowLog } from './slow-log.ts'
import { transactionRoutes } from './transactions.ts'

export interface ServerOptions {
  readonly engine: Engine
  readonly reads: Reads
  /** The HTTP metrics are added to it; `/metrics` serves all of it. */
  readonly registry: Registry
  /** Only what fails or is slow is logged. A pino instance fits. */
  readonly log: Log
  /** Of the program, for the OpenAPI document. */
  readonly version: string
  /** Lines of one NDJSON stream between being read and being answered. */
  readonly streamWindow?: number
  /** After this `close()` cuts the connections that are still busy. */
  readonly closeGraceMs?: number
}

/** Percent-encoded, an id of 128 characters takes 384; ids of the server's own are longer. */
const paramCharsMax = 1_024
/** Two batches of a lane: one is being decided while the other commits. With half of it a stream ran at 0.73 of the engine's own rate, not at 0.82. */
const streamWindowDefault = 8_192
/** Leaves the rest of the 10 s that a stop may take to the engine. */
const closeGraceMsDefault = 5_000

/** Ready to listen or to be injected into. `close()` refuses new commands, lets streams end and waits for the answers under way. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { engine, reads, registry, log, version } = options
  const intake = new EngineIntake(engine)
  const metrics = httpMetrics(registry, slowLog(log))
  const onError = errorHandler(log)
  const app: FastifyInstance = Fastify({
    // A logger would make a child and two listeners a request; what fails is logged in `onError`.
    logger: false,
    genReqId: requestIdOf,
    bodyLimit: singleBytesMax,
    routerOptions: { maxParamLength: paramCharsMax },
    // Answered by the routes, as a problem (`not_ready`).
    return503OnClosing: false,
    frameworkErrors: onError,
    clientErrorHandler,
    http: { requireHostHeader: false },
  })
  // Only `100-continue` is known; of the others a server may make nothing (RFC 9110), where Node would answer 417 without a body.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.setErrorHandler(onError)
  app.setValidatorCompiler(validatorCompiler)
  // Answers are text already; response schemas are for the document only.
  app.setSerializerCompiler(() => JSON.stringify)
  watchRoutes(app, metrics)
  parseJsonBodies(app)
  app.addHook('preClose', async () => {
    intake.close()
    // A client that never ends its request, or never reads its answer, must not keep the process.
    setTimeout(() => app.server.closeAllConnections(), options.closeGraceMs ?? closeGraceMsDefault).unref()
  })

  await collectOpenApi(app, version)
  transactionRoutes(app, engine, reads, intake)
  accountRoutes(app, engine, reads, intake)
  assetRoutes(app, engine, intake)
  programRoutes(app, engine, intake)
  campaignRoutes(app, engine, reads, intake)
  pointsRoutes(app, reads)
  opsRoutes(app, engine, reads, intake, registry)
  await app.register(async (scope) => {
    const streamWindow = options.streamWindow ?? streamWindowDefault
    batchRoute(scope, { engine, intake, metrics, log, streamWindow })
  })
  await app.register(pages)
  await app.ready()
  return app
}

const isHostMissing = ({ raw }: FastifyRequest): boolean => raw.headers.host === undefined && raw.httpVersion === '1.1'

/** Gives each route its meter and its request id header, and knows which paths and methods there are. */
function watchRoutes(app: FastifyInstance, metrics: HttpMetrics): void {
  const routes = new Map<string, KnownRoute>()
  app.addHook('onRoute', (route) => {
    const methods = [route.method].flat()
    const known = routes.get(route.url) ?? { pattern: routePattern(route.url), methods: new Set() }
    routes.set(route.url, known)
    for (const method of methods) known.methods.add(method)
    const meter = metrics.route(methods.join(','), route.url)
    const before = route.onRequest === undefined ? [] : [route.onRequest].flat()
    route.onRequest = [
      (request, reply, done) => {
        meter.start(reply.raw, request.id)
        reply.header('x-request-id', request.id)
        if (isHostMissing(request)) sendProblem(request, reply, noHost)
        else done()
      },
      ...before,
    ]
  })
  const unmatched = metrics.route('', 'unmatched')
  const notFound = notFoundHandler(routes)
  app.setNotFoundHandler((request, reply) => {
    unmatched.start(reply.raw, request.id)
    notFound(request, reply)
  })
}
