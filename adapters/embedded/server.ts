// The Postgres process over a cluster: started, found again, waited for, stopped. Does not know who owns the data (`owner-lock.ts` does).
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Binaries, executable } from './binaries.ts'
import { postgresEnv } from './cluster.ts'
import { EmbeddedPostgresError } from './errors.ts'
import type { OsAccount } from './os-account.ts'
import { isAlive, processesIn, waitUntil } from './processes.ts'

/** Where a server listens. */
export interface Address {
  /** Undefined where there are no Unix sockets (Windows). */
  readonly socketDir: string | undefined
  /** Of the socket's name, and of TCP if it listens there. */
  readonly port: number
  readonly password?: string
}

export interface RunningServer {
  readonly pid: number
  readonly address: Address
}

const connectTimeoutMs = 2000
const logBytesMax = 20 * 2 ** 20
const logLinesShown = 8
const blockedPauseMs = 50

/** Accepted by `pg`, by libpq and by `new URL`. Says all that the environment (PGPORT, PGSSLMODE, ..) would otherwise decide. */
export function urlOf(address: Address, database = 'postgres'): string {
  if (address.socketDir === undefined)
    return `postgresql://postgres:${address.password}@127.0.0.1:${address.port}/${database}?sslmode=disable`
  const host = encodeURIComponent(address.socketDir).replaceAll('%2F', '/')
  return `postgresql:///${database}?host=${host}&port=${address.port}&user=postgres&sslmode=disable`
}

/** What the server says when one connects: its data directory, `refused` (nobody listens, or it hangs), or that it is not ready yet. */
export async function ask(address: Address): Promise<{ readonly dataDirectory: string } | 'refused' | 'starting'> {
  const client = new pg.Client({
    connectionString: urlOf(address),
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
  })
  client.on('error', () => undefined) // The connection is for one question; its end says nothing new.
  try {
    await client.connect()
    const { rows } = await client.query('show data_directory')
    return { dataDirectory: rows[0].data_directory }
  } catch (error) {
    // cannot_connect_now: starting up, recovering or shutting down.
    return error instanceof pg.DatabaseError && error.code === '57P03' ? 'starting' : 'refused'
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** What `postmaster.pid` says; the process need not live. Undefined if there is no such file, or not enough in it yet. */
export async function recordedServer(cluster: string): Promise<RunningServer | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  // https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h: pid, directory, start, port, socket directory, ..
  const [pid, , , port, socketDir] = text.split('\n')
  if (!Number(pid) || !Number(port) || socketDir === undefined) return undefined
  return { pid: Number(pid), address: { socketDir: socketDir === '' ? undefined : socketDir, port: Number(port) } }
}

/**
 * The server that a killed owner left behind, once it accepts connections. Undefined when there is none: then no process works on the
 * cluster any more. A server that does not answer is shut down hard; its log is durable.
 */
export async function leftover(
  cluster: string,
  password: string,
  timeoutMs: number,
): Promise<RunningServer | undefined> {
  let answered = false
  let server: RunningServer | undefined
  const look = async (): Promise<boolean> => {
    const inside = processesIn(cluster)
    const recorded = await recordedServer(cluster)
    const lives = recorded !== undefined && (inside?.includes(recorded.pid) ?? isAlive(recorded.pid))
    if (!lives) {
      return inside === undefined || inside.length === 0 // Children of a killed postmaster notice and leave.
    }
    const address = { ...recorded.address, password }
    const answer = await ask(address)
    answered ||= answer !== 'refused'
    if (typeof answer === 'string' || answer.dataDirectory !== cluster) return false
    server = { pid: recorded.pid, address }
    return true
  }
  if (await waitUntil(look, Math.min(timeoutMs, 10_000))) return server
  if (answered && (await waitUntil(look, timeoutMs))) return server
  if (answered) throw startTimeout(cluster, timeoutMs)
  const recorded = await recordedServer(cluster)
  if (recorded !== undefined && processesIn(cluster)?.includes(recorded.pid)) {
    process.kill(recorded.pid, 'SIGQUIT')
    if (await waitUntil(look, 10_000)) return server
  }
  throw new EmbeddedPostgresError(
    'start_failed',
    `a Postgres left by an earlier process (pid ${recorded?.pid}) still holds ${cluster} and does not answer: end it (kill -QUIT) and start again`,
  )
}

export interface Launch {
  readonly cluster: string
  readonly binaries: Binaries
  readonly account: OsAccount | undefined
  readonly address: Address
  readonly logFile: string
  readonly timeoutMs: number
}

/** Starts Postgres and resolves when it accepts connections. */
export async function launch(options: Launch): Promise<RunningServer> {
  const { cluster, address, logFile, timeoutMs } = options
  const until = performance.now() + timeoutMs
  for (;;) {
    await removeStaleLocks(cluster, address)
    const logStart = await rotate(logFile)
    const child = await spawnPostgres(options)
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null
    let ready = false
    await waitUntil(async () => {
      ready = typeof (await ask(address)) === 'object'
      return ready || ended()
    }, until - performance.now())
    if (ready && child.pid !== undefined) return { pid: child.pid, address }
    if (!ended()) throw startTimeout(cluster, timeoutMs)
    const said = (await readFile(logFile)).subarray(logStart).toString().trim().split('\n').slice(-logLinesShown)
    // The last children of a killed postmaster have not left yet.
    const blocked = said.some((line) => line.includes('pre-existing shared memory block'))
    if (!blocked || performance.now() > until)
      throw new EmbeddedPostgresError('start_failed', `Postgres did not start (${logFile}):\n${said.join('\n')}`)
    await sleep(blockedPauseMs)
  }
}

/**
 * The pids in the lock files of a killed server may be other processes' by now, or a zombie's, and Postgres would refuse to start for them.
 * Safe only where the system shows that nobody works on the cluster; elsewhere Postgres's own checks must do.
 */
async function removeStaleLocks(cluster: string, { socketDir, port }: Address): Promise<void> {
  if (processesIn(cluster)?.length !== 0) return
  await rm(join(cluster, 'postmaster.pid'), { force: true })
  if (socketDir !== undefined) await rm(join(socketDir, `.s.PGSQL.${port}.lock`), { force: true })
}

/** Keeps the log bounded; resolves to where the next start's lines begin. */
async function rotate(logFile: string): Promise<number> {
  const { size } = await stat(logFile).catch(() => ({ size: 0 }))
  if (size <= logBytesMax) return size
  await rename(logFile, `${logFile}.1`)
  return 0
}

/** In a session of its own: Ctrl-C in the terminal must not stop Postgres before the last commits are written. */
async function spawnPostgres({ cluster, binaries, account, logFile }: Launch): Promise<ChildProcess> {
  const log = await open(logFile, 'a', 0o600)
  try {
    const child = spawn(join(binaries.directory, executable('postgres')), ['-D', cluster], {
      cwd: cluster,
      env: postgresEnv,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...(account && { uid: account.uid, gid: account.gid }),
    })
    await once(child, 'spawn')
    child.unref()
    return child
  } catch (error) {
    const text = `cannot run Postgres in ${binaries.directory}: ${error}`
    throw new EmbeddedPostgresError('start_failed', text, { cause: error })
  } finally {
    await log.close()
  }
}

function startTimeout(cluster: string, timeoutMs: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'start_timeout',
    `Postgres is not ready after ${timeoutMs / 1000} s; it may still be recovering and is left running (log beside ${cluster}): start again later, the running one is used then`,
  )
}

export interface StopOptions {
  readonly cluster: string
  readonly pid: number
  readonly binaries: Binaries
  readonly timeoutMs: number
}

/**
 * Fast shutdown: open transactions are rolled back, a checkpoint is written. If that takes too long, immediate shutdown: the log is durable
 * and the next start replays it.
 */
export async function stopServer({ cluster, pid, binaries, timeoutMs }: StopOptions): Promise<void> {
  const gone = (): boolean => !isAlive(pid)
  if (gone()) return
  await requestStop(pid, 'SIGINT', cluster, binaries)
  if (await waitUntil(gone, timeoutMs)) return
  await requestStop(pid, 'SIGQUIT', cluster, binaries)
  if (await waitUntil(gone, timeoutMs)) return
  throw new EmbeddedPostgresError('stop_failed', `Postgres (pid ${pid}, ${cluster}) does not stop: see its log`)
}

async function requestStop(
  pid: number,
  signal: 'SIGINT' | 'SIGQUIT',
  cluster: string,
  binaries: Binaries,
): Promise<void> {
  if (process.platform === 'win32') {
    // Windows has no signals; Postgres listens on a pipe that pg_ctl knows.
    const args = ['stop', '-D', cluster, '-W', '-m', signal === 'SIGINT' ? 'fast' : 'immediate']
    await promisify(execFile)(join(binaries.directory, executable('pg_ctl')), args, { timeout: 10_000 })
    return
  }
  try {
    process.kill(pid, signal)
  } catch {
    // Gone by itself in between; whether it is gone is looked at next.
  }
}
