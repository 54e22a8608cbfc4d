// Data directories for tests: gone with the process that made them, however it ends, and any Postgres in them too.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Binaries, findBinaries } from '../binaries.ts'
import { createCluster } from '../cluster.ts'
import { systemCode } from '../errors.ts'
import { accountForPostgres, canEnter, type OsAccount } from '../os-account.ts'
import { isAlive } from '../processes.ts'

export interface Throwaway {
  readonly dataDir: string
  remove(): Promise<void>
}

const prefix = 'suanpan-test-'
const run = promisify(execFile)

export async function throwawayDir(): Promise<Throwaway> {
  const account = await accountForPostgres()
  const root = await rootFor(account)
  await removeAbandoned(root)
  const dataDir = await mkdtemp(join(root, `${prefix}${process.pid}-`))
  const watchdog = watch(dataDir)
  if (account !== undefined) await chmod(dataDir, 0o711)
  return {
    dataDir,
    remove: async () => {
      await rm(dataDir, { recursive: true, force: true })
      watchdog.end()
    },
  }
}

/** The same with a cluster in it: a copy of one that is made once on this machine, which takes a tenth of the time. */
export async function throwawayCluster(): Promise<Throwaway> {
  const account = await accountForPostgres()
  const root = await rootFor(account)
  const copyDir = join(root, `suanpan-binaries-${process.getuid?.() ?? ''}`)
  const from = await template(root, await findBinaries({ account, copyDir }), account)
  const throwaway = await throwawayDir()
  await run('cp', ['-a', from, join(throwaway.dataDir, 'postgres')])
  return throwaway
}

/** Within reach of the account Postgres runs under. */
async function rootFor(account: OsAccount | undefined): Promise<string> {
  return await realpath((await canEnter(tmpdir(), account)) ? tmpdir() : '/tmp')
}

async function template(root: string, binaries: Binaries, account: OsAccount | undefined): Promise<string> {
  const path = join(root, `suanpan-template-${binaries.version}-${account?.uid ?? process.getuid?.() ?? ''}-1`)
  if ((await stat(path).catch(() => undefined)) !== undefined) return path
  const own = join(root, `${prefix}${process.pid}-template-${randomBytes(4).toString('hex')}`)
  await createCluster({ dataDir: dirname(own), link: own, cluster: own }, binaries, account)
  try {
    await rename(own, path)
  } catch (error) {
    await rm(own, { recursive: true, force: true })
    if (!['EEXIST', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error
  }
  return path
}

const cleanUp = `pid=$(head -n 1 "$1/postgres/postmaster.pid" 2>/dev/null)
# An old pid may be another process's by now: Postgres works in its data directory.
if [ -d /proc/self ] && ! [ "/proc/$pid/cwd" -ef "$1/postgres" ]; then pid=; fi
if [ -n "$pid" ]; then
  kill -QUIT "$pid"
  for i in $(seq 100); do [ -e "$1/postgres/postmaster.pid" ] || break; sleep 0.05; done
fi 2>/dev/null
rm -rf "$1"`

/** A shell that waits until its input ends, which is when this process is gone, SIGKILL included. */
function watch(dataDir: string): { end(): void } {
  const shell = spawn('/bin/sh', ['-c', `cat >/dev/null; ${cleanUp}`, 'sh', dataDir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref()
  return { end: () => shell.stdin.end() }
}

/** What is left of runs whose watchdog was killed too. */
async function removeAbandoned(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1])
    if (!(pid > 0) || isAlive(pid)) continue
    // Another user's may not be removed by us.
    await run('/bin/sh', ['-c', cleanUp, 'sh', join(root, name)], { cwd: '/' }).catch(() => undefined)
  }
}
