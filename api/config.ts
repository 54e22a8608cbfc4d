// Reads the environment, once, for the whole process: all problems together, a frozen object when there are none. Opens nothing but the files
// that `*_FILE` variables name.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { isPooled } from '../adapters/postgres/connect.ts'

export interface Config {
  readonly port: number
  readonly host: string
  /** One per shard; undefined: the embedded Postgres. */
  readonly databaseUrls: readonly string[] | undefined
  /** Undefined: the mailbox in memory. */
  readonly redisUrl: string | undefined
  readonly workers: number
  /** Fixed when the ledger is created; undefined: the default then, any afterwards. */
  readonly partitions: number | undefined
  readonly dataDir: string
  /** Directory of Postgres binaries to use for the embedded database instead of those that are found. */
  readonly pgBin: string | undefined
  /** Fixed when the ledger is created; undefined: UTC then, any afterwards. */
  readonly businessTimezone: string | undefined
  /** How long a caller waits before the answer is `outcome_unknown`. */
  readonly deadlineMs: number
  readonly houseAutoOpen: boolean
  readonly logLevel: LogLevel
  /** Rows after which the open segment of the journal is closed. */
  readonly segmentRowsMax: number
  /** How one process at a time has the right to host: a session lock, or a lease where a pooler hides sessions. */
  readonly hostLock: 'session' | 'lease'
  /** A worker thread that is silent for so long is ended. */
  readonly watchdogMs: number
  /** Accounts that one worker keeps in memory. */
  readonly residentAccountsMax: number
  /** Of the filters over ids that one worker keeps in memory; those of open segments are kept beyond it. */
  readonly idFilterBytesMax: number
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export type Environment = Readonly<Record<string, string | undefined>>

/** Each problem names its variable and what is allowed; none holds a URL, which may hold a password. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`wrong configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

const shardsMax = 64
const workersMax = 64
const postgresProtocols = ['postgresql:', 'postgres:']
const redisProtocols = ['redis:', 'rediss:']

/** Throws `ConfigError`. An empty string counts as unset. */
export function readConfig(env: Environment = process.env): Config {
  const problems: string[] = []
  const reader = { env, problem: (text: string) => problems.push(text) }
  const config: Config = {
    port: integer(reader, 'PORT', 0, 65_535) ?? 8080,
    host: text(reader, 'HOST', /^\S+$/, 'a host name or address') ?? '127.0.0.1',
    databaseUrls: databaseUrls(reader),
    redisUrl: url(reader, 'REDIS_URL', secret(reader, 'REDIS_URL'), redisProtocols),
    workers: integer(reader, 'WORKERS', 1, workersMax) ?? defaultWorkers(),
    partitions: integer(reader, 'PARTITIONS', 1, 1024),
    dataDir: value(reader, 'DATA_DIR') ?? './data',
    pgBin: value(reader, 'PG_BIN'),
    businessTimezone: timezone(reader, 'BUSINESS_TIMEZONE'),
    deadlineMs: integer(reader, 'DEADLINE_MS', 1, 600_000) ?? 10_000,
    houseAutoOpen: oneOf(reader, 'HOUSE_AUTO_OPEN', ['true', 'false']) !== 'false',
    logLevel: oneOf(reader, 'LOG_LEVEL', logLevels) ?? 'info',
    segmentRowsMax: integer(reader, 'SEGMENT_ROWS_MAX', 1, 1_000_000_000) ?? 8_000_000,
    hostLock: 'session',
    watchdogMs: integer(reader, 'WATCHDOG_MS', 500, 600_000) ?? 3000,
    residentAccountsMax: integer(reader, 'RESIDENT_ACCOUNTS_MAX', 1, 100_000_000) ?? 1_000_000,
    idFilterBytesMax: (integer(reader, 'ID_FILTER_MB_MAX', 0, 1_000_000) ?? 1024) * 1024 * 1024,
  }
  const hostLock = hostLockFor(reader, config.databaseUrls)
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze({ ...config, hostLock })
}

/** Behind a pooler there is no session that could hold a lock. */
function hostLockFor(reader: Reader, urls: readonly string[] | undefined): Config['hostLock'] {
  const given = oneOf(reader, 'HOST_LOCK', ['session', 'lease'])
  const pooled = urls?.some(isPooled) === true
  if (pooled && given === 'session')
    reader.problem('HOST_LOCK must be lease, or left out, where a URL says pooler=transaction')
  return pooled ? 'lease' : (given ?? 'session')
}

/** One core is left to the API and Postgres. */
const defaultWorkers = (): number => Math.min(Math.max(availableParallelism() - 1, 1), workersMax)

interface Reader {
  readonly env: Environment
  readonly problem: (text: string) => void
}

function value({ env }: Reader, name: string): string | undefined {
  const given = env[name]
  return given === undefined || given === '' ? undefined : given
}

function integer(reader: Reader, name: string, min: number, max: number): number | undefined {
  const given = value(reader, name)
  if (given === undefined) return undefined
  const number = /^(0|[1-9]\d{0,14})$/.test(given) ? Number(given) : Number.NaN
  if (number >= min && number <= max) return number
  reader.problem(`${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(given)}`)
  return undefined
}

function oneOf<T extends string>(reader: Reader, name: string, allowed: readonly T[]): T | undefined {
  const given = value(reader, name)
  if (given === undefined) return undefined
  const found = allowed.find((word) => word === given)
  if (found === undefined) reader.problem(`${name} must be one of ${allowed.join(', ')}, not ${JSON.stringify(given)}`)
  return found
}

function text(reader: Reader, name: string, pattern: RegExp, meaning: string): string | undefined {
  const given = value(reader, name)
  if (given === undefined || pattern.test(given)) return given
  reader.problem(`${name} must be ${meaning}, not ${JSON.stringify(given)}`)
  return undefined
}

function timezone(reader: Reader, name: string): string | undefined {
  const given = value(reader, name)
  if (given === undefined) return undefined
  try {
    // Newer Node takes offsets such as +08:00 too: a ledger must read its own zone on any.
    if (!/^[A-Za-z]/.test(given)) throw new RangeError('an offset')
    new Intl.DateTimeFormat('en', { timeZone: given })
    return given
  } catch {
    reader.problem(`${name} must be a time zone of the IANA list, such as Asia/Shanghai, not ${JSON.stringify(given)}`)
    return undefined
  }
}

/** The variable, or the content of the file that `<name>_FILE` names. */
function secret(reader: Reader, name: string): string | undefined {
  const given = value(reader, name)
  const file = value(reader, `${name}_FILE`)
  if (file === undefined) return given
  if (given !== undefined) {
    reader.problem(`${name} and ${name}_FILE are both given: leave one out`)
    return undefined
  }
  try {
    const content = readFileSync(file, 'utf8').trim()
    if (content !== '') return content
    reader.problem(`${name}_FILE: ${file} is empty`)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : 'unknown error'
    reader.problem(`${name}_FILE: ${file} cannot be read (${reason})`)
  }
  return undefined
}

function databaseUrls(reader: Reader): readonly string[] | undefined {
  const one = secret(reader, 'DATABASE_URL')
  const many = secret(reader, 'DATABASE_URLS')
  if (one !== undefined && many !== undefined) {
    reader.problem('DATABASE_URL and DATABASE_URLS are both given: leave one out')
    return undefined
  }
  if (one !== undefined) {
    const checked = url(reader, 'DATABASE_URL', one, postgresProtocols)
    return checked === undefined ? undefined : Object.freeze([checked])
  }
  if (many === undefined) return undefined
  const urls = many.split(',').map((entry) => entry.trim())
  if (urls.length > shardsMax) reader.problem(`DATABASE_URLS must hold at most ${shardsMax} URLs, not ${urls.length}`)
  if (new Set(urls).size < urls.length) reader.problem('DATABASE_URLS must not name a database twice')
  urls.forEach((entry, index) => {
    url(reader, `DATABASE_URLS (URL ${index + 1})`, entry, postgresProtocols)
  })
  return Object.freeze(urls)
}

function url(
  reader: Reader,
  name: string,
  given: string | undefined,
  protocols: readonly string[],
): string | undefined {
  if (given === undefined) return undefined
  // libpq and pg take `user@/database?host=/socket`, which the URL standard does not.
  const standard = given.replace('@/', '@socket/')
  if (URL.canParse(standard) && protocols.includes(new URL(standard).protocol)) return given
  reader.problem(`${name} must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`)
  return undefined
}
