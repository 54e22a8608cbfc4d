// A second Postgres that follows an embedded one by streaming replication, on the same machine: what drills and tests promote. Made as the manual says
// ("Making a Base Backup Using the Low Level API"), because the binaries from npm come without pg_basebackup.
import { copyFile, mkdir, readdir, realpath, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbedded } from './embedded.ts'
import { systemCode } from './errors.ts'
import { handOver } from './os-account.ts'

export interface StandbyOptions {
  readonly primary: EmbeddedPostgres
  /** Where the primary's data lie. */
  readonly primaryDataDir: string
  /** Of the standby; it must not exist. */
  readonly dataDir: string
}

/** Resolves when it follows and answers reads. Promote it with `pg_promote()`; until then it is read-only. */
export async function startStandby({ primary, primaryDataDir, dataDir }: StandbyOptions): Promise<EmbeddedPostgres> {
  const source = await realpath(join(primaryDataDir, 'postgres'))
  const cluster = join(dataDir, 'postgres')
  await mkdir(dataDir, { mode: 0o711 })
  const client = new pg.Client(primary.url)
  // A primary that ends is told by the query.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(`SELECT pg_backup_start('standby', true)`)
    await copyCluster(source, cluster)
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)')
    await writeFile(join(cluster, 'backup_label'), rows[0]?.labelfile ?? '', { mode: 0o600 })
    await writeFile(join(cluster, 'standby.signal'), '', { mode: 0o600 })
  } finally {
    await client.end()
  }
  const { uid, gid } = await stat(source)
  await handOver(cluster, { name: 'of the primary', uid, gid })
  const { searchParams } = new URL(primary.url)
  return await startEmbedded({
    dataDir,
    supervise: false,
    settings: {
      hot_standby: 'on',
      primary_conninfo: `host=${searchParams.get('host')} port=${searchParams.get('port')} user=postgres`,
    },
  })
}

/** Of the running server alone, or of its log, which comes over the replication connection. */
const leftOut = /^(postmaster\.(pid|opts)|\.s\.PGSQL\..*|pg_wal\/.*|(.*\/)?pgsql_tmp.*|.*\.part)$/

/** The files may change and vanish while they are copied: the log from the start of the backup on mends that. */
async function copyCluster(source: string, target: string): Promise<void> {
  await mkdir(target, { mode: 0o700 })
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const path = relative(source, join(entry.parentPath, entry.name))
    if (leftOut.test(path)) continue
    if (entry.isDirectory()) await mkdir(join(target, path), { mode: 0o700 })
    else if (entry.isFile()) await copyFile(join(source, path), join(target, path)).catch(unlessGone)
  }
}

function unlessGone(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error
}
