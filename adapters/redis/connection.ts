// Connections to Redis: one place for options, time-outs, what the server says of itself, and what its errors mean. A connection that fails is
// replaced, never repaired: ioredis neither reconnects nor repeats a command, because whoever sent it must first look whether history changed.
import { isIP } from 'node:net'
import type { Redis } from 'ioredis'
import { RetryableFault, TerminalFault } from '../../actors/faults.ts'

const connectMs = 3000
const oldest = [6, 2] as const

export interface RedisServer {
  readonly version: string
  /** Of this run of this process; undefined where the account may not ask. */
  readonly runId: string | undefined
  /** Of this line of replication. */
  readonly replId: string | undefined
  readonly isReplica: boolean
  readonly maxmemory: number
  readonly maxmemoryPolicy: string
}

export interface RedisConnection {
  readonly redis: Redis
  readonly server: RedisServer
}

export interface ConnectOptions {
  /** In `CLIENT LIST`; no spaces. */
  readonly name: string
  /** A reply that takes longer is not waited for. */
  readonly replyMs: number
  /** Node of a cluster that holds the slot, instead of the URL's. */
  readonly node?: RedisNode | undefined
}

export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** A connection that is up, to a server that may be written to. Throws a fault with a text for people; none holds a secret. */
export async function connectRedis(url: string, options: ConnectOptions): Promise<RedisConnection> {
  // Only who has a Redis pays for its client: a tenth of the CPU of a start, on the main thread and on each worker.
  const { Redis } = await import('ioredis')
  const redis = new Redis({
    ...optionsOf(url, options.node),
    connectionName: options.name,
    connectTimeout: connectMs,
    commandTimeout: options.replyMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: null,
    lazyConnect: true,
    disableClientInfo: true,
    protocol: 2,
  })
  let failure: unknown
  redis.on('error', (error: unknown) => {
    failure ??= error
  })
  try {
    await redis.connect()
    const server = await serverOf(redis)
    if (server.isReplica) throw new RetryableFault('unavailable', 'it is a replica, which takes no commands')
    return { redis, server }
  } catch (error) {
    cut(redis)
    throw faultOf(url, failure ?? error)
  }
}

/** At once: what was written and has not left yet never does. */
export function cut(redis: Redis): void {
  redis.disconnect()
  redis.stream?.destroy()
}

function optionsOf(url: string, node: RedisNode | undefined) {
  const parsed = new URL(url)
  const own = parsed.hostname === '' ? '127.0.0.1' : parsed.hostname.replace(/^\[|\]$/g, '')
  // A cluster leaves the host out where it is the same.
  const host = node === undefined || node.host === '' ? own : node.host
  const db = Number(parsed.pathname.slice(1) || '0')
  if (!Number.isInteger(db))
    throw new TerminalFault('other', `${shownUrl(url)}: the path must be the number of a database`)
  return {
    host,
    port: node?.port ?? Number(parsed.port || '6379'),
    db,
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(parsed.protocol === 'rediss:' ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
  }
}

async function serverOf(redis: Redis): Promise<RedisServer> {
  let info = ''
  try {
    info = await redis.info()
  } catch (error) {
    // An account without INFO: that history changed is then noticed by what is missing from it.
    if (!messageOf(error).startsWith('NOPERM')) throw error
  }
  const fact = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
  if (fact('loading') === '1') throw new RetryableFault('unavailable', 'it is loading its data')
  const version = fact('redis_version') ?? ''
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (version !== '' && (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))) {
    throw new TerminalFault(
      'other',
      `its version is ${version}; Redis ${oldest.join('.')} or later, or Valkey, is needed`,
    )
  }
  return {
    version,
    runId: fact('run_id'),
    replId: fact('master_replid'),
    isReplica: fact('role') === 'slave',
    maxmemory: Number(fact('maxmemory') ?? 0),
    maxmemoryPolicy: fact('maxmemory_policy') ?? '',
  }
}

/** The URL without its password: fit for logs and messages. */
export const shownUrl = (url: string): string => url.replace(/(:\/\/[^:@/]*):[^@]*@/, '$1:***@')

/** With a text for people and without what ioredis hangs onto it. */
export function faultOf(url: string, error: unknown): RetryableFault | TerminalFault {
  const text = messageOf(error)
  const message = `Redis at ${shownUrl(url)}: ${meaningOf(text)}`
  const isTerminal = error instanceof TerminalFault || /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password)/.test(text)
  return isTerminal ? new TerminalFault('other', message) : new RetryableFault('unavailable', message)
}

function meaningOf(text: string): string {
  if (/^(WRONGPASS|ERR invalid password)/.test(text)) return 'user name or password is wrong'
  if (text.startsWith('NOAUTH')) return 'it asks for a password; put it into the URL'
  if (text.includes('ECONNREFUSED')) return 'nothing listens there'
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'the host name is not known'
  if (/ETIMEDOUT|timed out/.test(text)) return 'it does not answer'
  return text
}

/** ioredis hangs the arguments of the command onto its errors, passwords and frames among them: only the text goes on. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Where a cluster says that the slot is; undefined if it says something else. */
export function movedTo(message: string): RedisNode | undefined {
  const match = /^(?:MOVED|ASK) \d+ (.*):(\d+)$/.exec(message)
  return match === null ? undefined : { host: match[1] ?? '', port: Number(match[2]) }
}

/** The server is there and writes nothing: out of memory, out of disk, out of replicas. */
export const isRefusal = (message: string): boolean => /\b(OOM|MISCONF|NOREPLICAS)\b/.test(message)
