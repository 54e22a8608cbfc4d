// A Postgres for one file of tests: fsync on as in production, gone with the process however that ends.
import pg from 'pg'
import { type EmbeddedPostgres, startEmbedded } from '../embedded.ts'
import { isAlive, waitUntil } from '../processes.ts'
import type { Settings } from '../settings.ts'
import { throwawayCluster } from './throwaway.ts'

export interface TestPostgres {
  /** Of the database `postgres`. */
  readonly url: string
  /** Of the postmaster. */
  readonly pid: number
  /** The URL of a new, empty database. */
  newDatabase(): Promise<string>
  /** Ends Postgres at once, as a lack of memory would; resolves when it is dead. */
  kill9(): Promise<void>
  /** Starts it again over the same data, at the same URL. */
  start(): Promise<void>
  /** Stops it and removes its data. */
  stop(): Promise<void>
}

/** Small: many of them run beside each other. What makes a commit durable stays as it is. */
const smallSettings: Settings = {
  shared_buffers: '32MB',
  min_wal_size: '32MB',
  max_wal_size: '512MB',
  max_connections: '100',
}

export async function testPostgres(settings: Settings = {}): Promise<TestPostgres> {
  const { dataDir, remove } = await throwawayCluster()
  const open = (): Promise<EmbeddedPostgres> =>
    startEmbedded({ dataDir, settings: { ...smallSettings, ...settings }, supervise: false })
  let postgres = await open()
  let databases = 0
  return {
    get url() {
      return postgres.url
    },
    get pid() {
      return postgres.pid
    },
    async newDatabase() {
      const name = `test_${++databases}`
      const client = new pg.Client(postgres.url)
      await client.connect()
      await client.query(`create database ${name}`).finally(() => client.end())
      return postgres.url.replace('/postgres?', `/${name}?`)
    },
    async kill9() {
      const { pid } = postgres
      process.kill(pid, 'SIGKILL')
      await waitUntil(() => !isAlive(pid), 10_000)
    },
    async start() {
      await postgres.stop()
      postgres = await open()
    },
    async stop() {
      await postgres.stop()
      await remove()
    },
  }
}
