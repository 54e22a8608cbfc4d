// What a drill plays on: a Postgres, a Redis if there is one, a server and now and then a standby, all of its own and in one folder that goes with
// it. Starts, kills and freezes them; knows nothing of the load.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbedded } from '../../adapters/embedded/embedded.ts'
import { isAlive, waitUntil } from '../../adapters/embedded/processes.ts'
import { freePort } from '../../adapters/free-port.ts'
import { systemTimers } from '../../adapters/system/system.ts'

export interface Server {
  readonly url: string
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
}

const startMs = 60_000
const isSource = import.meta.url.endsWith('.ts')

export class Stage {
  private readonly dir: string
  private readonly env: Readonly<Record<string, string>>
  private readonly children = new Set<ChildProcess>()
  private postgres: EmbeddedPostgres
  private redis: ChildProcess | undefined
  private readonly redisPort: number | undefined
  /** Where clients go now. */
  server: Server | undefined

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
    const postgres = await startEmbedded({ dataDir: join(dir, 'data'), supervise: false })
    const stage = new Stage(dir, postgres, withRedis ? await freePort() : undefined, env)
    await stage.startRedis()
    stage.server = await stage.startServer()
    return stage
  }

  get databaseUrl(): string {
    return this.postgres.url
  }

  get hasRedis(): boolean {
    return this.redisPort !== undefined
  }

  async startServer(args: readonly string[] = []): Promise<Server> {
    const program = fileURLToPath(new URL(isSource ? './server.ts' : './server.js', import.meta.url))
    const child = spawn(process.execPath, [...(isSource ? ['--import', 'tsx'] : []), program, ...args], {
      env: {
        ...process.env,
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
    const isUp = await waitUntil(() => url !== undefined || child.exitCode !== null, startMs)
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
    const { pid } = this.postgres
    process.kill(pid, 'SIGKILL')
    await waitUntil(() => !isAlive(pid), 10_000)
    await this.postgres.stop()
    this.postgres = await startEmbedded({ dataDir: join(this.dir, 'data'), supervise: false })
  }

  async cutConnections(): Promise<void> {
    const client = new pg.Client(this.databaseUrl)
    await client.connect()
    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL',
    )
    await client.end()
  }

  async killRedis(): Promise<void> {
    const ended = this.redis === undefined ? undefined : once(this.redis, 'exit')
    this.redis?.kill('SIGKILL')
    await ended
    await this.startRedis()
  }

  async pauseRedis(ms: number): Promise<void> {
    this.redis?.kill('SIGSTOP')
    await new Promise<void>((resolve) => systemTimers.after(ms, resolve))
    this.redis?.kill('SIGCONT')
  }

  async flushRedis(): Promise<void> {
    const { Redis } = await import('ioredis')
    const client = new Redis({ port: this.redisPort ?? 0, host: '127.0.0.1' })
    await client.flushall()
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
    if (!(await waitUntil(() => said.includes('Ready to accept connections'), 20_000)))
      throw new Error(`redis-server did not start:\n${said}`)
  }

  async end(): Promise<void> {
    for (const child of this.children) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
    }
    await this.postgres.stop()
    await rm(this.dir, { recursive: true, force: true })
  }
}
