// A PgBouncer in front of a test's Postgres, as many have it: a session for each transaction, and few of them.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountForPostgres } from '../embedded/os-account.ts'
import { freePort } from '../free-port.ts'

export const noPooler =
  spawnSync('pgbouncer', ['--version']).status === 0
    ? undefined
    : 'pgbouncer is not installed (Debian: apt-get install pgbouncer)'

export interface TestPooler {
  /** The way through it to the database of a URL. */
  through(url: string): string
  stop(): Promise<void>
}

/** `url`: of any database of the server. */
export async function testPooler(url: string): Promise<TestPooler> {
  const target = new URL(url)
  const dir = await mkdtemp(join(tmpdir(), 'suanpan-pooler-'))
  const port = await freePort()
  const file = join(dir, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]
* = host=${target.searchParams.get('host')} port=${target.searchParams.get('port')} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 12
max_client_conn = 200
`,
  )
  // It refuses to run as root, as Postgres does.
  const account = await accountForPostgres()
  await chmod(dir, 0o755)
  if (account !== undefined) await chown(file, account.uid, account.gid)
  const child = spawn('pgbouncer', [file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  })
  const endWithUs = (): boolean => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  const exited = once(child, 'exit')
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('process up')) resolve()
    })
    void exited.then(() => reject(new Error(`pgbouncer ended:\n${said}`)))
  })
  return {
    through: (to) =>
      `postgresql://postgres@127.0.0.1:${port}${new URL(to).pathname}?sslmode=disable&pooler=transaction`,
    stop: async () => {
      process.removeListener('exit', endWithUs)
      child.kill('SIGTERM')
      await exited
      await rm(dir, { recursive: true, force: true })
    },
  }
}
