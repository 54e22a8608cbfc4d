// Connections to a shard: one place for time-outs, names and the parsing of types. A connection that fails is replaced, never repaired.
import pg from 'pg'
import { RetryableFault } from '../../actors/faults.ts'
import { faultOf } from './faults.ts'

const connectMs = 5000

export interface ConnectOptions {
  /** At most 63 characters; hosts are found again by it. */
  readonly name: string
  /** Server settings for this session. */
  readonly settings?: Readonly<Record<string, string>>
  /** Sends queries without waiting for the answers of those before; such a connection refuses COPY. */
  readonly pipeline?: boolean
}

/** A connection that is up. Throws a fault. Errors on an idle connection end it silently: the next query on it fails. */
export async function connect(url: string, options: ConnectOptions): Promise<pg.Client> {
  const client = new (clientOf(url))({
    ...urlOptions(url),
    ...sessionSettings(url, { TimeZone: 'UTC', DateStyle: 'ISO', ...options.settings }),
    application_name: options.name,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    pipeline: options.pipeline ?? false,
  } as pg.ClientConfig)
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    client.end().catch(() => undefined)
    const fault = faultOf(error)
    fault.message = `${shownUrl(url)}: ${fault.message === '' ? 'no connection' : fault.message}`
    throw fault
  }
}

/**
 * Whether the URL leads to a pooler that gives a session to each transaction (`?pooler=transaction`). Nothing of a session may be relied on there:
 * no setting, no prepared statement, no lock beyond the transaction.
 */
export const isPooled = (url: string): boolean => /[?&]pooler=transaction(?:&|$)/.test(url)

/** Settings of the session, where there is one. */
export const sessionSettings = (url: string, settings: Readonly<Record<string, string>>): pg.ClientConfig =>
  isPooled(url)
    ? {}
    : {
        options: Object.entries(settings)
          .map(([key, value]) => `-c ${key}=${value}`)
          .join(' '),
      }

/** What a pool or a caller makes connections with. */
export const clientOf = (url: string): typeof pg.Client => (isPooled(url) ? Unnamed : pg.Client)

/** Leaves out the names of prepared statements: the next transaction meets another session, which does not know them. */
class Unnamed extends pg.Client {
  // The overloads of `pg` are many; what is given on is what was given, but for the name.
  override query(...given: unknown[]): never {
    const [first, ...rest] = given
    const hasName = typeof first === 'object' && first !== null && 'name' in first && !('submit' in first)
    const query = super.query as (...args: unknown[]) => never
    return query.call(this, hasName ? { ...first, name: undefined } : first, ...rest)
  }
}

/**
 * The URL for `pg`, with sslmode as libpq means it (`require` encrypts and verifies only against a given root, `verify-full` verifies the name
 * too), and what PGSSLMODE, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY say where the URL is silent: pg itself reads the first of these only.
 */
export function urlOptions(url: string, env: NodeJS.ProcessEnv = process.env): pg.ClientConfig {
  const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
  if (query.has('ssl') || query.has('uselibpqcompat')) return { connectionString: url }
  const added = new URLSearchParams()
  for (const [name, variable] of sslParameters) {
    const value = env[variable]
    if (!query.has(name) && value !== undefined && value !== '') added.set(name, value)
  }
  const mode = query.get('sslmode') ?? added.get('sslmode')
  // Certificates alone ask for TLS.
  if (mode === null && (query.has('sslrootcert') || added.has('sslrootcert'))) added.set('sslmode', 'require')
  if (mode === 'disable' || (mode === null && !added.has('sslmode'))) return { connectionString: url }
  if (mode !== 'no-verify') added.set('uselibpqcompat', 'true')
  return { connectionString: `${url}${url.includes('?') ? '&' : '?'}${added}` }
}

const sslParameters = [
  ['sslmode', 'PGSSLMODE'],
  ['sslrootcert', 'PGSSLROOTCERT'],
  ['sslcert', 'PGSSLCERT'],
  ['sslkey', 'PGSSLKEY'],
] as const

/** The URL without its password: fit for logs and messages. */
export function shownUrl(url: string): string {
  // Up to the last @ before the path: a password that is not encoded may hold one.
  return url
    .replace(/^([a-z]+:\/\/[^:@/?]*):[^/?]*@/i, '$1:***@')
    .replace(/([?&](?:password|sslpassword)=)[^&]*/gi, '$1***')
}

/** Ends a connection at once, whatever it is doing: the server rolls back what was not committed. */
export function destroy(client: pg.Client | undefined): void {
  if (client === undefined) return
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
  stream.destroy()
  client.end().catch(() => undefined)
}

/** Runs `work`; whatever it throws becomes a fault. */
export async function faulting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error)
  }
}

/** Rejects after `ms` with an `unavailable` fault, so that a server that hangs without closing its connection is noticed. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new RetryableFault('unavailable', `${what} took more than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
