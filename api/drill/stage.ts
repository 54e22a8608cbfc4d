// What a drill plays on: a Postgres, a Redis if there is one, a server and now and then a standby, all of its own and in one folder that goes with
// it. Starts, kills and freezes them; knows nothing of the load.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, realpath, rename, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Redis } from 'ioredis'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/embedded/embedded.ts'
import { isAlive, waitUntil } from '../../adapters/embedded/processes.ts'
import { startStandby } from '../../adapters/embedded/standby.ts'
import { freePort } from '../../adapters/free-port.ts'
import { systemClock, systemTimers } from '../../adapters/system/system.ts'
import { SmallDisk } from './small-disk.ts'

export interface Server {
  readonly url: string
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
}

const startMs = 60_000
/** How long it goes on under load before a fault of two steps takes the second one. */
const underLoadMs = 300
const addressName = 'primary'
const isSource = import.meta.url.endsWith('.ts')

export class Stage {
  private readonly dir: string
  private readonly env: Readonly<Record<string, string>>
  private readonly children = new Set<ChildProcess>()
  private postgres: EmbeddedPostgres
  /** Of a fault that is under way. */
  private standby: EmbeddedPostgres | undefined
  private redis: ChildProcess | undefined
  private readonly redisPort: number | undefined
  /** Where clients go now. */
  server: Server | undefined

  /** Number of the primary's data directory: each that is promoted has the next. */
  private primary = 0

  private constructor(
    dir: string,
    postgres: EmbeddedPostgres,
    redisPort: number | undefined,
    env: Record<string, string>,
  ) {
    this.dir = dir
    this.postgres = postgres
    this.redisPort = redisPort
    this.env = env
  }

  /** `env`: what the servers get beside the drill's own settings. */
  static async set(withRedis: boolean, env: Record<string, string> = {}): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), 'suanpan-drill-'))
    // The account that root hands Postgres to must come through.
    await chmod(dir, 0o711)
    const postgres = await startEmbedded({ dataDir: join(dir, dataName(0)), supervise: false })
    const stage = new Stage(dir, postgres, withRedis ? await freePort() : undefined, env)
    try {
      await stage.pointToPrimary()
      await stage.startRedis()
      stage.server = await stage.startServer()
      return stage
    } catch (error) {
      await stage.end(Promise.resolve())
      throw error
    }
  }

  /** Of the primary, whichever Postgres that is. */
  get databaseUrl(): string {
    const url = new URL(this.postgres.url)
    if (url.searchParams.has('host')) url.searchParams.set('host', join(this.dir, addressName))
    return url.href
  }

  private get dataDir(): string {
    return join(this.dir, dataName(this.primary))
  }

  /** The directory in which servers look for the socket is a link: what a name or a floating address is elsewhere. */
  private async pointToPrimary(): Promise<void> {
    const socketDir = new URL(this.postgres.url).searchParams.get('host')
    if (socketDir === null) return
    const link = join(this.dir, addressName)
    await symlink(socketDir, `${link}.new`)
    await rename(`${link}.new`, link)
  }

  async startServer(args: readonly string[] = []): Promise<Server> {
    const program = fileURLToPath(new URL(isSource ? './server.ts' : './server.js', import.meta.url))
    const child = spawn(process.execPath, [...(isSource ? ['--import', 'tsx'] : []), program, ...args], {
      env: {
        ...besidesSettings(process.env),
        PORT: '0',
        DATABASE_URL: this.databaseUrl,
        REDIS_URL: this.redisPort === undefined ? '' : `redis://127.0.0.1:${this.redisPort}`,
        WORKERS: '2',
        LOG_LEVEL: 'warn',
        WATCHDOG_MS: '1000',
        DRILL_DIR: this.dir,
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.children.add(child)
    const exited = once(child, 'exit').then(() => this.children.delete(child))
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-4000)
    })
    let url: string | undefined
    child.stdout.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-4000)
      url ??= /Suanpan serves at (\S+)/.exec(said)?.[1]
    })
    const isUp = await waitUntil(() => url !== undefined || hasEnded(child), startMs)
    if (!isUp || url === undefined) throw new Error(`a server of the drill did not start:\n${said}`)
    return { url, child, exited }
  }

  async killServer(): Promise<void> {
    const { server } = this
    server?.child.kill('SIGKILL')
    await server?.exited
    this.server = await this.startServer()
  }

  /** The present server is frozen; a standby takes over, and the first one wakes up after that. */
  async freezeServer(): Promise<void> {
    const first = this.server
    const standby = this.startServer(['--standby'])
    first?.child.kill('SIGSTOP')
    this.server = await standby
    first?.child.kill('SIGCONT')
    await first?.exited
  }

  async killPostgres(): Promise<void> {
    await this.endPostgres()
    this.postgres = await startEmbedded({ dataDir: this.dataDir, supervise: false })
  }

  /** SIGKILL; resolves when none of its processes is left. */
  private async endPostgres(): Promise<void> {
    const { pid } = this.postgres
    process.kill(pid, 'SIGKILL')
    await waitUntil(() => !isAlive(pid), 10_000)
    await this.postgres.stop()
  }

  /** Postgres dies after its synchronous standby has followed it for a while, and that takes its place for good. */
  async promoteStandby(): Promise<void> {
    const former = this.dataDir
    const next = join(this.dir, dataName(this.primary + 1))
    const standby = await startStandby({ primary: this.postgres, primaryDataDir: former, dataDir: next })
    this.standby = standby
    await this.sql(`ALTER SYSTEM SET synchronous_standby_names = '*'`, 'SELECT pg_reload_conf()')
    const isSynchronous = async (): Promise<boolean> =>
      (await this.sql(`SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`)).length > 0
    if (!(await waitUntil(isSynchronous, 20_000))) throw new Error('the standby of the drill does not follow')
    await pause(underLoadMs)
    await this.endPostgres()
    this.postgres = standby
    this.standby = undefined
    this.primary++
    await this.sqlAt(standby.url, 'SELECT pg_promote()')
    await this.pointToPrimary()
    await rm(former, { recursive: true, force: true })
  }

  /** The table that grows and its indexes lie on a disk that is full until nothing could be committed for so long. */
  async fillDisk(ms: number): Promise<void> {
    const { uid, gid } = await stat(await realpath(join(this.dataDir, 'postgres')))
    const disk = await SmallDisk.mount(join(this.dir, 'disk'), uid, gid)
    try {
      await this.sql(`CREATE TABLESPACE small LOCATION '${disk.dir}'`)
      await this.moveSegment('small')
      await disk.fill()
      await this.whenStuck(ms)
      await disk.free()
      await this.moveSegment('pg_default')
      await this.sql('DROP TABLESPACE small')
    } finally {
      await disk.unmount()
    }
  }

  /** Resolves when nothing was committed for so long: a full disk is met by whoever needs the next page of it. */
  private async whenStuck(ms: number): Promise<void> {
    let standing = ''
    let since = systemClock.elapsed()
    const isStuck = async (): Promise<boolean> => {
      const heads = JSON.stringify(await this.sql('SELECT partition, pseq FROM suanpan.partition ORDER BY partition'))
      if (heads !== standing) {
        standing = heads
        since = systemClock.elapsed()
      }
      return systemClock.elapsed() - since >= ms
    }
    if (!(await waitUntil(isStuck, 20_000))) throw new Error('commits go on with a full disk')
  }

  /** Postgres ends when its log finds no room (PANIC), and is started again when there is some. */
  async fillLogDisk(): Promise<void> {
    const log = join(await realpath(join(this.dataDir, 'postgres')), 'pg_wal')
    const { uid, gid } = await stat(log)
    const disk = await SmallDisk.mount(join(this.dir, 'log'), uid, gid)
    try {
      await this.whileStopped(() => moveFolder(log, join(disk.dir, 'pg_wal'), true))
      await pause(underLoadMs)
      await disk.fill()
      const { pid } = this.postgres
      // The log goes on in a file that there is no room for.
      void this.sql('SELECT pg_switch_wal()', 'SELECT txid_current()', 'SELECT pg_switch_wal()').catch(() => undefined)
      if (!(await waitUntil(() => !isAlive(pid), 20_000))) throw new Error('Postgres goes on without room for its log')
      await disk.free()
    } finally {
      await this.whileStopped(() => moveFolder(join(disk.dir, 'pg_wal'), log, false))
      await disk.unmount()
    }
  }

  private async whileStopped(work: () => Promise<void>): Promise<void> {
    await this.postgres.stop()
    await work()
    this.postgres = await startEmbedded({ dataDir: this.dataDir, supervise: false })
  }

  private async moveSegment(tablespace: string): Promise<void> {
    const [newest] = await this.sql<{ name: string }>(
      'SELECT suanpan.segment_table(max(segment)) AS name FROM suanpan.segment',
    )
    const indexes = await this.sql<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'suanpan.${newest?.name}'::regclass`,
    )
    const to = `SET TABLESPACE ${tablespace}`
    // In one: commits wait for the table meanwhile.
    await this.sql(
      `BEGIN; ALTER TABLE suanpan.${newest?.name} ${to}; ${indexes.map(({ name }) => `ALTER INDEX ${name} ${to}; `).join('')}COMMIT`,
    )
  }

  async cutConnections(): Promise<void> {
    await this.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
    )
  }

  private sql<Row extends pg.QueryResultRow>(...statements: readonly string[]): Promise<Row[]> {
    return this.sqlAt<Row>(this.databaseUrl, ...statements)
  }

  /** One after the other; gives the rows of the last. */
  private async sqlAt<Row extends pg.QueryResultRow>(url: string, ...statements: readonly string[]): Promise<Row[]> {
    const client = new pg.Client(url)
    // A server that ends under a query: that rejects.
    client.on('error', () => undefined)
    await client.connect()
    try {
      let rows: Row[] = []
      for (const statement of statements) ({ rows } = await client.query<Row>(statement))
      return rows
    } finally {
      await client.end()
    }
  }

  async killRedis(): Promise<void> {
    const ended = this.redis === undefined ? undefined : once(this.redis, 'exit')
    this.redis?.kill('SIGKILL')
    await ended
    await this.startRedis()
  }

  async pauseRedis(ms: number): Promise<void> {
    this.redis?.kill('SIGSTOP')
    await pause(ms)
    this.redis?.kill('SIGCONT')
  }

  async flushRedis(): Promise<void> {
    await this.toRedis((client) => client.flushall())
  }

  /** It refuses writes for so long, as one does whose memory is full and that may not evict. */
  async fillRedis(ms: number): Promise<void> {
    await this.toRedis(async (client) => {
      await client.config('SET', 'maxmemory-policy', 'noeviction')
      await client.config('SET', 'maxmemory', '1mb')
      await pause(ms)
      await client.config('SET', 'maxmemory', '0')
    })
  }

  private async toRedis(ask: (client: Redis) => Promise<unknown>): Promise<void> {
    const { Redis } = await import('ioredis')
    const client = new Redis({ port: this.redisPort ?? 0, host: '127.0.0.1' })
    await ask(client)
    client.disconnect()
  }

  private async startRedis(): Promise<void> {
    if (this.redisPort === undefined) return
    const options = [
      '--port',
      String(this.redisPort),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.dir,
      '--appendonly',
      'yes',
      '--save',
      '',
    ]
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.redis = child
    this.children.add(child)
    child.once('exit', () => this.children.delete(child))
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-4000)
    })
    const isReady = (): boolean => said.includes('Ready to accept connections')
    await waitUntil(() => isReady() || hasEnded(child), 20_000)
    if (!isReady()) throw new Error(`redis-server did not start:\n${said}`)
  }

  /** `fault`: under way at most. It mends what it broke, for which it needs Postgres; then that ends, and what the fault has started meanwhile. */
  async end(fault: Promise<unknown>): Promise<void> {
    this.endChildren()
    await fault.catch(() => undefined)
    this.endChildren()
    await Promise.all([this.postgres.stop(), this.standby?.stop()])
    await rm(this.dir, { recursive: true, force: true })
  }

  private endChildren(): void {
    for (const child of this.children) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
    }
  }
}

/** The servers are the drill's own: what the environment says of the user's (databases, ports, locks) is not for them. */
const besidesSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => /^(PATH|HOME|TMPDIR|LANG|TZ|NODE_.*)$/.test(name)))

/** With all that is in it and its owner; a link leads from its old place to the new one, if it is to be found there. */
async function moveFolder(from: string, to: string, leaveLink: boolean): Promise<void> {
  await rm(to, { force: true })
  await promisify(execFile)('mv', [from, to])
  if (leaveLink) await symlink(to, from)
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null
const dataName = (primary: number): string => `data-${primary}`
const pause = (ms: number): Promise<void> => new Promise((resolve) => systemTimers.after(ms, resolve))
