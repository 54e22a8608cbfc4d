// The server's main: configuration, database, engine, HTTP, and an orderly end. A composition root.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { type EmbeddedPostgres, startEmbedded } from '../adapters/embedded/embedded.ts'
import { shownUrl } from '../adapters/postgres/connect.ts'
import { type RunningEngine, startEngine } from './compose.ts'
import { type Config, ConfigError, type Environment, readConfig } from './config.ts'
import { engineMetrics } from './engine-metrics.ts'
import { createServer } from './http/server.ts'
import { answerAsStandby, type StandbyAnswers } from './standby.ts'

export interface ServeOptions {
  /** Ends the sessions of a former host that hangs, instead of refusing to start. */
  readonly takeOver?: boolean
  /** Waits for the right to host instead of refusing to start. */
  readonly standby?: boolean
  /** Ends the wait. */
  readonly signal?: AbortSignal
  /** For drills: a module whose `beforeDecide` runs in the worker threads. */
  readonly sabotage?: string
}

export interface Serving {
  readonly url: string
  readonly engine: RunningEngine
  close(): Promise<void>
}

/** SIGTERM has so long: not ready, stop intake, drain, commit, release. */
const closeMs = 9500

/** Serves until a signal ends the process. Throws ConfigError or a fault with a text for people. */
export async function serve(env: Environment, options: ServeOptions = {}): Promise<void> {
  const config = readConfig(env)
  // On stderr: stdout belongs to people.
  const log = pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  )
  const waiting = new AbortController()
  const endWait = (): void => waiting.abort()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, endWait)
  const serving = await startServing(config, log, { ...options, signal: waiting.signal }).catch((error: unknown) => {
    // A standby that was told to end before its time came has nothing to put in order.
    if (waiting.signal.aborted) return undefined
    throw error
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, endWait)
  if (serving === undefined) return
  process.stdout.write(welcome(serving))
  closeWithGrace({ delay: closeMs, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal({ err }, 'the server ends after an error')
    else log.info({ signal }, 'the server stops')
    await serving.close()
    log.info('the server has stopped')
  })
  void serving.engine.dethroned.then((why) => {
    log.fatal({ why }, 'another process took over; this one ends')
    process.exit(1)
  })
}

/** Starts everything and listens. What was started is stopped again if a later step fails. */
export async function startServing(config: Config, log: pino.Logger, options: ServeOptions = {}): Promise<Serving> {
  const ends: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse())
      await end().catch((err: unknown) => log.error({ err }, 'a part did not stop in order'))
  }
  if (options.standby === true && config.databaseUrls === undefined) {
    throw new ConfigError([
      'serve --standby needs DATABASE_URL or DATABASE_URLS: the embedded Postgres belongs to one process',
    ])
  }
  let standby: StandbyAnswers | undefined
  let isWaiting = false
  const onStandby = (): void => {
    if (isWaiting) return
    isWaiting = true
    answerAsStandby(config.port, config.host).then(
      (answers) => {
        standby = answers
      },
      (err: unknown) => log.warn({ err }, 'the standby does not answer on its port'),
    )
  }
  ends.push(async () => await standby?.close())
  try {
    const urls = config.databaseUrls ?? [await startDatabase(config, log, ends)]
    const registry = new Registry()
    collectDefaultMetrics({ register: registry, prefix: 'suanpan_process_' })
    const metrics = engineMetrics(registry)
    const engine = await startEngine({
      urls,
      redisUrl: config.redisUrl,
      mailboxNews: metrics.mailbox,
      workers: config.workers,
      partitions: config.partitions,
      timeZone: config.businessTimezone,
      deadlineMs: config.deadlineMs,
      houseAutoOpen: config.houseAutoOpen,
      segmentRowsMax: config.segmentRowsMax,
      residentAccountsMax: config.residentAccountsMax,
      idFilterBytesMax: config.idFilterBytesMax,
      takeOver: options.takeOver ?? false,
      standby: options.standby ?? false,
      hostLock: config.hostLock,
      watchdogMs: config.watchdogMs,
      onStandby,
      sabotage: options.sabotage,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      log: (level, message, fields) => log[level](fields, message),
      onCommit: metrics.committed,
      onQuarantine: metrics.quarantined,
      onThreadEnd: metrics.threadEnded,
    })
    ends.push(() => engine.close())
    metrics.watch(engine)
    const app = await createServer({ engine, reads: engine.reads, registry, log, version: packageVersion() })
    ends.push(() => app.close())
    await standby?.close()
    const url = await app.listen({ port: config.port, host: config.host })
    const { id, partitions, timeZone, created } = engine.ledger
    log.info(
      { ledger: id, partitions, timeZone, created, workers: config.workers, shards: urls.map(shownUrl), url },
      'serving',
    )
    return { url, engine, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startDatabase(config: Config, log: pino.Logger, ends: (() => Promise<void>)[]): Promise<string> {
  const embedded: EmbeddedPostgres = await startEmbedded({
    dataDir: config.dataDir,
    binDir: config.pgBin,
    log: (message, fields) => log.info({ part: 'postgres', ...fields }, message),
  })
  ends.push(() => embedded.stop())
  log.info({ version: embedded.version, adopted: embedded.adopted, dataDir: config.dataDir }, 'embedded Postgres is up')
  return embedded.url
}

function welcome({ url, engine }: Serving): string {
  const { partitions, created } = engine.ledger
  return `
Suanpan serves at ${url} (${created ? 'a new ledger' : 'an existing ledger'} of ${partitions} partitions; API: ${url}/docs)
Try it from another terminal:

  curl -s ${url}/v1/transactions -H 'content-type: application/json' \\
    -d '{"id":"welcome-1","type":"credit","account":"cust-42:points","asset":"POINTS","amount":"100"}'
  curl -s ${url}/v1/accounts/cust-42:points

`
}

/** From the nearest package.json above: sources and the emitted copy share it. */
export function packageVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version
    } catch (error) {
      if (dirname(folder) === folder) throw error
      folder = dirname(folder)
    }
  }
}
