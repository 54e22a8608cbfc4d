// A Postgres of the benchmark's own: the embedded one with the very settings that `suanpan serve` uses, in a folder that goes with it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbedded } from '../adapters/embedded/embedded.ts'

export interface BenchDatabase {
  /** The URL of a fresh, empty database. */
  fresh(name: string): Promise<string>
  /** fsync, synchronous_commit, full_page_writes as the server has them. */
  readonly durability: Readonly<Record<string, string>>
  readonly version: string
  stop(): Promise<void>
}

export async function startBenchDatabase(): Promise<BenchDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'suanpan-bench-'))
  const embedded = await startEmbedded({ dataDir: folder })
  const admin = new pg.Client({ connectionString: embedded.url })
  await admin.connect()
  const { rows } = await admin.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')`,
  )
  return {
    durability: Object.fromEntries(rows.map(({ name, setting }) => [name, setting])),
    version: embedded.version,
    fresh: async (name) => {
      await admin.query(`CREATE DATABASE ${name}`)
      const url = new URL(embedded.url)
      url.pathname = `/${name}`
      return url.href
    },
    stop: async () => {
      await admin.end()
      await embedded.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
