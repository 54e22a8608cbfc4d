// The Postgres that is measured on: the embedded one with the very settings that `suanpan serve` uses, in a folder that goes with it, or one
// that the user names. One whose commits are not durable is refused: its figures would be of another product.
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbedded } from '../adapters/embedded/embedded.ts'

export interface BenchDatabase {
  /** The URL of a fresh, empty database. */
  fresh(name: string): Promise<string>
  drop(name: string): Promise<void>
  /** fsync, synchronous_commit, full_page_writes and what else a figure depends on, as the server has them. */
  readonly durability: Readonly<Record<string, string>>
  readonly version: string
  /** Of the postmaster, if it runs on this machine under our eyes. */
  readonly pid: number | undefined
  stop(): Promise<void>
}

export interface BenchDatabaseOptions {
  /** Of an existing server, as a role that may create databases. */
  readonly url?: string | undefined
  /** Of the embedded one, before the stated ones. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Without these `committed` does not mean durable. */
const durable = ['fsync', 'synchronous_commit', 'full_page_writes'] as const
const stated = [...durable, 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'wal_compression']

export async function startBenchDatabase(options: BenchDatabaseOptions = {}): Promise<BenchDatabase> {
  const server = options.url === undefined ? await ownServer(options.settings) : foreignServer(options.url)
  const admin = new pg.Client({ connectionString: server.url })
  try {
    await admin.connect()
    const { rows } = await admin.query<{ name: string; setting: string; version: string }>(
      `SELECT name, current_setting(name) AS setting, current_setting('server_version') AS version
         FROM pg_settings WHERE name = ANY ($1)`,
      [stated],
    )
    const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
    refuseUnlessDurable(settings)
    const created = new Set<string>()
    const drop = async (name: string): Promise<void> => {
      await admin.query(`DROP DATABASE IF EXISTS ${databaseName(name)} WITH (FORCE)`)
      created.delete(name)
    }
    return {
      durability: settings,
      version: rows[0]?.version ?? 'unknown',
      pid: server.pid,
      fresh: async (name) => {
        await drop(name)
        await admin.query(`CREATE DATABASE ${databaseName(name)}`)
        created.add(name)
        return withDatabase(server.url, databaseName(name))
      },
      drop,
      stop: async () => {
        if (server.pid === undefined) for (const name of [...created]) await drop(name)
        await admin.end()
        await server.stop()
      },
    }
  } catch (error) {
    await admin.end().catch(() => undefined)
    await server.stop()
    throw error
  }
}

export function refuseUnlessDurable(settings: Readonly<Record<string, string>>): void {
  const off = durable.filter((name) => settings[name] === 'off')
  if (off.length > 0) {
    throw new Error(`${off.join(' and ')} is off: commits are not durable here, so there are no figures to give`)
  }
}

const databaseName = (name: string): string => `suanpan_bench_${name}`

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}

interface Server {
  readonly url: string
  readonly pid: number | undefined
  stop(): Promise<void>
}

async function ownServer(settings: Readonly<Record<string, string>> | undefined): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'suanpan-bench-'))
  // The account that root hands Postgres to must come through, or the data would go elsewhere and stay there.
  await chmod(folder, 0o711)
  const embedded = await startEmbedded({ dataDir: folder, ...(settings !== undefined && { settings }) })
  return {
    url: embedded.url,
    pid: embedded.pid,
    stop: async () => {
      await embedded.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const foreignServer = (url: string): Server => ({ url, pid: undefined, stop: async () => undefined })
