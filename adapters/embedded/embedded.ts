// The database that comes with `npm install`: real Postgres binaries over a data directory of ours, started and stopped with the process.
// A server that outlived its killed owner is found again and used. Does not know what is stored in it.
//
//   <dataDir>/postgres        the cluster (PGDATA), or a symlink to it; also holds the Unix socket
//   <dataDir>/postgres.log    what Postgres prints
//   <dataDir>/suanpan.lock/   who owns the data
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { addressFor, listening, portWithoutSockets, removeSocketDir } from './address.ts'
import { findBinaries } from './binaries.ts'
import {
  accountOfCluster,
  checkMajor,
  createCluster,
  majorOfCluster,
  type Place,
  passwordOf,
  placeOf,
  readSettings,
  writeSettings,
} from './cluster.ts'
import { keepRunning, type Log } from './keeper.ts'
import { accountForPostgres, type OsAccount } from './os-account.ts'
import { lockForOwner } from './owner-lock.ts'
import { waitUntil } from './processes.ts'
import { ask, launch, leftover, type RunningServer, recordedServer, stopServer, urlOf } from './server.ts'
import { defaultSettings, type Settings, settingsFile } from './settings.ts'

export interface EmbeddedOptions {
  readonly dataDir: string
  readonly log?: Log
  /** Listen on 127.0.0.1 too, for tools that know no Unix socket: `tcpUrl` holds the password. */
  readonly port?: number
  /** Postgres settings that go before the stated ones. */
  readonly settings?: Settings
  /** A directory with `postgres` and `initdb` to use instead of those that are found (`PG_BIN`). */
  readonly binDir?: string | undefined
  /** Start Postgres again when it dies; default yes. */
  readonly supervise?: boolean
  /** Until it accepts connections, recovery after a crash included. */
  readonly startTimeoutMs?: number
  /** Of a fast shutdown, and again of the immediate one that follows if it is not enough. */
  readonly stopTimeoutMs?: number
  /** Where data and binaries go if the account that root hands Postgres to cannot reach the project. */
  readonly reachableDir?: string
}

export interface EmbeddedPostgres {
  /** Of the database `postgres`, as its superuser; stays the same when Postgres is started again. */
  readonly url: string
  readonly tcpUrl: string | undefined
  /** Of the postmaster, at this moment. */
  readonly pid: number
  /** It was running already, left behind by an owner that was killed. */
  readonly adopted: boolean
  readonly version: string
  /** Stops Postgres, then gives the data free. Repeated calls wait for the first. */
  stop(): Promise<void>
}

/** How long a server that is starting, or stopping, is given before it counts as not there. */
const beginningMs = 30_000

/** Throws `EmbeddedPostgresError`. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const chosen = await accountForPostgres()
  const reachableDir = options.reachableDir ?? '/var/lib/suanpan'
  const place = await placeOf(options.dataDir, reachableDir, chosen)
  const lock = await lockForOwner(join(place.dataDir, 'suanpan.lock'), {
    serverAnswers: () => answers(place.cluster),
    waitMs: 3000,
  })
  try {
    return await startOwned(options, place, chosen, reachableDir, () => lock.release())
  } catch (error) {
    await lock.release()
    throw error
  }
}

/**
 * The URL of the Postgres that runs over this data directory, whoever started it; undefined if none does. Takes nothing over: for reading
 * beside a server.
 */
export async function runningEmbedded(dataDir: string): Promise<string | undefined> {
  const cluster = await realpath(join(dataDir, 'postgres')).catch(() => undefined)
  if (cluster === undefined) return undefined
  let url: string | undefined
  await waitUntil(async () => {
    const recorded = await recordedServer(cluster)
    if (recorded === undefined) return true
    const address = { ...recorded.address, password: await passwordOf(cluster) }
    const answer = await ask(address)
    if (typeof answer === 'object' && answer.dataDirectory === cluster) url = urlOf(address)
    return answer !== 'starting'
  }, beginningMs)
  return url
}

async function answers(cluster: string): Promise<boolean> {
  const recorded = await recordedServer(cluster)
  return recorded !== undefined && (await ask(recorded.address)) !== 'refused'
}

async function startOwned(
  options: EmbeddedOptions,
  place: Place,
  chosen: OsAccount | undefined,
  reachableDir: string,
  release: () => Promise<void>,
): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => undefined)
  const startTimeoutMs = options.startTimeoutMs ?? 120_000
  const stopTimeoutMs = options.stopTimeoutMs ?? 6000
  const { cluster } = place

  const major = await majorOfCluster(place)
  const account = major === undefined ? chosen : await accountOfCluster(cluster, chosen)
  const copyDir = account === undefined ? place.dataDir : reachableDir
  const binaries = await findBinaries({ account, binDir: options.binDir, copyDir, major })
  if (binaries.passedOver.length > 0)
    log('using other Postgres binaries than those from npm', {
      directory: binaries.directory,
      passedOver: binaries.passedOver,
    })
  if (major === undefined) {
    log('making a new Postgres cluster', { directory: cluster, version: binaries.version })
    await createCluster(place, binaries, account)
  } else checkMajor(place, major, binaries)

  const password = await passwordOf(cluster)
  const halt = (pid: number): Promise<void> => stopServer({ cluster, pid, binaries, timeoutMs: stopTimeoutMs })
  const found = await leftover(cluster, password, startTimeoutMs)
  const port = options.port ?? (await portWithoutSockets(found?.address))
  const address = await addressFor(cluster, account, password, port)
  const settings = settingsFile(
    { ...defaultSettings(), ...listening(address, port), ...options.settings },
    `${binaries.directory} ${binaries.version}`,
  )
  const adopted = found !== undefined && settings === (await readSettings(cluster))
  if (found !== undefined && !adopted) {
    log('stopping a Postgres that was left running with other settings', { pid: found.pid })
    await halt(found.pid)
  }

  const logFile = join(place.dataDir, 'postgres.log')
  const start = (): Promise<RunningServer> =>
    launch({ cluster, binaries, account, address, logFile, timeoutMs: startTimeoutMs })
  await writeSettings(cluster, settings, account)
  const first = adopted ? found : await start()
  log(adopted ? 'took over a running Postgres' : 'started Postgres', { pid: first.pid, version: binaries.version })

  const keeper = keepRunning(first, {
    log,
    halt,
    restart: async () => (await leftover(cluster, password, startTimeoutMs)) ?? (await start()),
    supervise: options.supervise ?? true,
  })
  let stopped: Promise<void> | undefined
  return {
    url: urlOf(address),
    tcpUrl: port === undefined ? undefined : urlOf({ ...address, socketDir: undefined }),
    adopted,
    version: binaries.version,
    get pid() {
      return keeper.pid
    },
    stop: () => {
      stopped ??= keeper
        .stop()
        .finally(() => removeSocketDir(cluster, address))
        .finally(release)
      return stopped
    },
  }
}
