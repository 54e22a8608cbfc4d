// The account Postgres runs under: it refuses to run as root, so root hands it to `postgres` or `nobody`.
import { chown, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EmbeddedPostgresError } from './errors.ts'

export interface OsAccount {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Undefined: as who we are. */
export async function accountForPostgres(): Promise<OsAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find((fields) => fields[0] === name) ?? []
    if (uid !== undefined && gid !== undefined) return { name, uid: Number(uid), gid: Number(gid) }
  }
  throw new EmbeddedPostgresError(
    'not_permitted',
    'Postgres does not run as root, and this machine has neither a user "postgres" nor "nobody": run suanpan as a plain user, or set DATABASE_URL',
  )
}

/** Whether the account may enter the directory and all above it, by their mode bits. */
export async function canEnter(directory: string, account: OsAccount | undefined): Promise<boolean> {
  if (account === undefined) return true
  for (let path = await realpath(directory); ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path)
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (path === dirname(path)) return true
  }
}

/** Gives a directory and all in it to the account. */
export async function handOver(directory: string, account: OsAccount | undefined): Promise<void> {
  if (account === undefined) return
  const below = await readdir(directory, { recursive: true, withFileTypes: true })
  for (const entry of below)
    if (!entry.isSymbolicLink()) await chown(join(entry.path, entry.name), account.uid, account.gid)
  await chown(directory, account.uid, account.gid)
}
