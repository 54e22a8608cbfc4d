// The directory with the data: where it lies, whether it is ours, and how it comes into being (whole or not at all).
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Binaries, executable } from './binaries.ts'
import { EmbeddedPostgresError } from './errors.ts'
import { canEnter, handOver, type OsAccount } from './os-account.ts'

/** Stands in a cluster that we made, and only after initdb had succeeded. */
const markerName = 'suanpan-cluster.json'
const includedFile = 'suanpan.conf'
const passwordFile = 'suanpan-password'
const initTimeoutMs = 120_000

export interface Place {
  /** Real path of the data directory. */
  readonly dataDir: string
  /** `<dataDir>/postgres`: the cluster, or a symlink to it where the account Postgres runs under cannot reach the data directory. */
  readonly link: string
  /** Real path of the cluster. Need not exist. */
  readonly cluster: string
}

/**
 * Makes the data directory if it is missing. Where the account cannot enter it (a project in root's own 0700 home), a new cluster goes to
 * `reachableDir` under a name of its own, so that a data directory which was deleted never finds old data again.
 */
export async function placeOf(dataDir: string, reachableDir: string, account: OsAccount | undefined): Promise<Place> {
  await mkdir(dataDir, { recursive: true, mode: account === undefined ? 0o700 : 0o711 })
  const real = await realpath(dataDir)
  const link = join(real, 'postgres')
  const present = await lstat(link).catch(() => undefined)
  if (present?.isSymbolicLink()) {
    const cluster = await realpath(link).catch(() => undefined)
    if (cluster === undefined)
      throw new EmbeddedPostgresError(
        'not_ours',
        `${link} points to a directory that is gone: put it back, or remove the link to begin with an empty ledger`,
      )
    return { dataDir: real, link, cluster }
  }
  if (await canEnter(real, account)) return { dataDir: real, link, cluster: link }
  if (present !== undefined)
    throw new EmbeddedPostgresError(
      'not_permitted',
      `Postgres runs as "${account?.name}", which cannot enter ${real}: let it (chmod o+x on the directories above), or move ${link} to where it can and put a symlink in its place`,
    )
  await mkdir(reachableDir, { recursive: true, mode: 0o711 })
  const name = `postgres-${randomBytes(4).toString('hex')}`
  return { dataDir: real, link, cluster: join(await realpath(reachableDir), name) }
}

/** Major version of the data; undefined if there are none yet. Throws `not_ours` for a directory with something else in it. */
export async function majorOfCluster(place: Place): Promise<number | undefined> {
  const names = await readdir(place.cluster).catch((): string[] => [])
  if (names.length === 0) return undefined
  if (!names.includes(markerName))
    throw new EmbeddedPostgresError(
      'not_ours',
      `${place.link} is not empty and was not made by Suanpan (no ${markerName} in it): move it away, or choose another DATA_DIR`,
    )
  return Number(await readFile(join(place.cluster, 'PG_VERSION'), 'utf8'))
}

export function checkMajor(place: Place, clusterMajor: number, binaries: Binaries): void {
  if (clusterMajor === binaries.major) return
  throw new EmbeddedPostgresError(
    'other_version',
    `the data in ${place.link} were written by Postgres ${clusterMajor}, and ${binaries.directory} is Postgres ${binaries.version}: install Postgres ${clusterMajor} (or name its directory in PG_BIN), or move the data with pg_dump and pg_restore`,
  )
}

/** Makes the cluster beside its place and renames it, so that a crash in between leaves nothing that looks like data. */
export async function createCluster(place: Place, binaries: Binaries, account: OsAccount | undefined): Promise<void> {
  const part = `${place.cluster}.new`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { mode: 0o700 })
  if (account !== undefined) await chown(part, account.uid, account.gid)
  const password = randomBytes(18).toString('base64url')
  await initdb(part, password, binaries, account)
  await writeFile(join(part, passwordFile), password, { mode: 0o600 })
  await writeFile(join(part, 'postgresql.conf'), `\ninclude '${includedFile}'\n`, { flag: 'a' })
  await writeSettings(part, '', account)
  const marker = { format: 1, major: binaries.major, createdAt: new Date().toISOString(), link: place.link }
  await writeFile(join(part, markerName), `${JSON.stringify(marker, undefined, 2)}\n`)
  await handOver(part, account)
  await syncDirectory(part)
  await rm(place.cluster, { recursive: true, force: true }) // Empty: `majorOfCluster` has seen it.
  await rename(part, place.cluster)
  await syncDirectory(dirname(place.cluster))
  if (place.cluster !== place.link) await symlink(place.cluster, place.link)
}

/** Over the socket the mode of its directory is the authentication; the password is for TCP. */
async function initdb(
  directory: string,
  password: string,
  binaries: Binaries,
  account: OsAccount | undefined,
): Promise<void> {
  const passwordPath = `${directory}.password`
  await writeFile(passwordPath, password, { mode: 0o600 })
  if (account !== undefined) await chown(passwordPath, account.uid, account.gid)
  const args = ['-D', directory, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--data-checksums', '--auth-local=trust']
  args.push('--auth-host=scram-sha-256', `--pwfile=${passwordPath}`, '--no-instructions')
  const options = {
    timeout: initTimeoutMs,
    cwd: directory,
    env: postgresEnv,
    ...(account && { uid: account.uid, gid: account.gid }),
  }
  try {
    await promisify(execFile)(join(binaries.directory, executable('initdb')), args, options)
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new EmbeddedPostgresError('init_failed', `initdb failed in ${directory}: ${stderr || String(error)}`, {
      cause: error,
    })
  } finally {
    await rm(passwordPath, { force: true })
  }
}

/** Of the role `postgres`, for connections over TCP. */
export async function passwordOf(cluster: string): Promise<string> {
  return await readFile(join(cluster, passwordFile), 'utf8')
}

/** Nothing of the user's environment reaches Postgres: not PGDATA, PGPORT or a locale. */
export const postgresEnv = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' }

export async function readSettings(cluster: string): Promise<string> {
  return await readFile(join(cluster, includedFile), 'utf8').catch(() => '')
}

export async function writeSettings(cluster: string, text: string, account: OsAccount | undefined): Promise<void> {
  const file = join(cluster, includedFile)
  await writeFile(`${file}.part`, text, { mode: 0o600 })
  if (account !== undefined) await chown(`${file}.part`, account.uid, account.gid)
  await rename(`${file}.part`, file)
}

/**
 * The account the data belong to is the one Postgres runs under, whichever we would choose today. Root's own data (unpacked from a backup)
 * are handed over.
 */
export async function accountOfCluster(
  cluster: string,
  account: OsAccount | undefined,
): Promise<OsAccount | undefined> {
  const { uid, gid } = await stat(cluster)
  if (account === undefined) {
    if (uid === process.getuid?.() || process.platform === 'win32') return undefined
    throw new EmbeddedPostgresError(
      'not_permitted',
      `${cluster} belongs to the user with id ${uid}: run suanpan as that user or as root, or change the owner of the data (chown -R)`,
    )
  }
  if (uid !== 0) return uid === account.uid ? account : { name: `uid ${uid}`, uid, gid }
  await handOver(cluster, account)
  await chmod(cluster, 0o700)
  return account
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}
