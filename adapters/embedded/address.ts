// Where the server listens: on a Unix socket whose directory only the account may enter, and on TCP only where asked for.
import { createHash } from 'node:crypto'
import { chown, lstat, mkdir, mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import type { OsAccount } from './os-account.ts'
import type { Address } from './server.ts'
import type { Settings } from './settings.ts'

const windows = process.platform === 'win32'
const socketPathBytesMax = 103 // Of sun_path on macOS; Linux has 107.
const defaultPort = 5432 // Only part of the socket's name, unless TCP is asked for.

/** In the cluster itself, if the path is not too long for a socket. */
export async function addressFor(
  cluster: string,
  account: OsAccount | undefined,
  password: string,
  tcpPort: number | undefined,
): Promise<Address> {
  const port = tcpPort ?? defaultPort
  if (windows) return { socketDir: undefined, port, password }
  const fits = Buffer.byteLength(join(cluster, `.s.PGSQL.${port}`)) <= socketPathBytesMax
  return { socketDir: fits ? cluster : await shortSocketDir(cluster, account), port, password }
}

/** For a cluster whose path is too long for a socket. Nobody else may have put it there: who holds it is who answers. */
async function shortSocketDir(cluster: string, account: OsAccount | undefined): Promise<string> {
  const uid = account?.uid ?? process.getuid?.() ?? 0
  const usual = `/tmp/suanpan-${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`
  await mkdir(usual, { mode: 0o700 }).then(
    () => account && chown(usual, account.uid, account.gid),
    () => undefined,
  )
  const { uid: owner, mode } = await lstat(usual)
  if (owner === uid && (mode & 0o170777) === 0o040700) return usual
  const own = await mkdtemp('/tmp/suanpan-')
  if (account !== undefined) await chown(own, account.uid, account.gid)
  return own
}

export function listening({ socketDir, port }: Address, tcpPort: number | undefined): Settings {
  return {
    listen_addresses: tcpPort === undefined ? '' : '127.0.0.1',
    port: String(port),
    unix_socket_directories: socketDir === undefined ? '' : `"${socketDir.replaceAll('"', '""')}"`,
    // Root and the account itself: over the socket this is the authentication.
    unix_socket_permissions: '0700',
  }
}

/** Windows has no Unix sockets for Node: there the server listens on a free port, which a server left running has chosen already. */
export async function portWithoutSockets(found: Address | undefined): Promise<number | undefined> {
  if (!windows) return undefined
  return found?.port ?? (await freePort())
}

export async function removeSocketDir(cluster: string, { socketDir }: Address): Promise<void> {
  if (socketDir !== undefined && socketDir !== cluster) await rmdir(socketDir).catch(() => undefined)
}
