// Postgres and Redis behind TLS and passwords, as managed ones are: the whole way works over URLs, certificates are checked, what is wrong is told
// clearly, and no password is printed by anybody, whatever happens.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbedded } from '../adapters/embedded/embedded.ts'
import { accountForPostgres } from '../adapters/embedded/os-account.ts'
import { throwawayCluster } from '../adapters/embedded/testing/throwaway.ts'
import { freePort } from '../adapters/free-port.ts'
import { noRedis, type TestRedis, testRedis } from '../adapters/redis/testing/test-redis.ts'
import { programArgs } from '../adapters/testing/program.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const run = promisify(execFile)
const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed'
const skip = noOpenssl ?? noRedis
if (noOpenssl !== undefined)
  console.error(`\n!!! SKIPPED: ${noOpenssl} (Debian: apt-get install openssl); TLS is UNTESTED in this run\n`)

const redisPassword = 'redis-s3cret-7f31'
let folder = ''
let otherCa = ''
let ca = ''
let postgres: EmbeddedPostgres
let redis: TestRedis
let removeCluster: () => Promise<void>
let databaseUrl = ''
let postgresPassword = ''
let redisUrl = ''
const servers: TestServer[] = []
/** Everything that anybody printed or answered. */
const printed: string[] = []

async function authority(name: string): Promise<string> {
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  await run('openssl', [...args, '-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)])
  return join(folder, `${name}.pem`)
}

/** A key and a certificate for the loopback that `ca` signed. */
async function certificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const [key, request, cert, extensions] = ['server.key', 'server.csr', 'server.pem', 'server.ext'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string]
  await writeFile(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  await run('openssl', [
    'req',
    '-new',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    key,
    '-out',
    request,
  ])
  await run('openssl', [
    ...[
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      request,
      '-CA',
      ca,
      '-CAkey',
      ca.replace('.pem', '.key'),
      '-CAcreateserial',
    ],
    ...['-extfile', extensions, '-out', cert],
  ])
  return { key, cert }
}

before(async () => {
  if (skip !== undefined) return
  folder = await mkdtemp(join(tmpdir(), 'suanpan-tls-'))
  ;[ca, otherCa] = [await authority('right'), await authority('wrong')]
  const { key, cert } = await certificate()
  const port = await freePort()
  const tlsPort = await freePort()
  redis = await testRedis({
    requirepass: redisPassword,
    'tls-port': String(tlsPort),
    'tls-cert-file': cert,
    'tls-key-file': key,
    'tls-ca-cert-file': ca,
    'tls-auth-clients': 'no',
  })
  redisUrl = `rediss://:${redisPassword}@localhost:${tlsPort}`
  const account = await accountForPostgres()
  const { dataDir, remove } = await throwawayCluster()
  removeCluster = remove
  const ownKey = join(dataDir, 'server.key')
  const ownCert = join(dataDir, 'server.pem')
  await run('cp', [key, ownKey])
  await run('cp', [cert, ownCert])
  if (account !== undefined) await chown(ownKey, account.uid, account.gid)
  postgres = await startEmbedded({
    dataDir,
    port,
    supervise: false,
    settings: { ssl: 'on', ssl_cert_file: ownCert, ssl_key_file: ownKey, shared_buffers: '32MB' },
  })
  const url = new URL(postgres.tcpUrl ?? '')
  postgresPassword = url.password
  assert.ok(postgresPassword.length > 8)
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query('CREATE DATABASE bank')
  await client.end()
  url.hostname = 'localhost'
  url.pathname = '/bank'
  url.searchParams.set('sslmode', 'verify-full')
  url.searchParams.set('sslrootcert', ca)
  databaseUrl = url.href
})
after(async () => {
  for (const server of servers) await server.kill9()
  await redis?.stop()
  await postgres?.stop()
  await removeCluster?.()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

const env = () => ({ REDIS_URL: redisUrl, NODE_EXTRA_CA_CERTS: ca, LOG_LEVEL: 'trace' })

async function fetched(server: TestServer, path: string, body?: object): Promise<number> {
  const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const answer = await fetch(`${server.url}${path}`, init)
  printed.push(await answer.text())
  return answer.status
}

/** What the command line says and how it ends. */
async function suanpan(args: readonly string[], extra: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  const main = programArgs(new URL('./cli/main.ts', import.meta.url), import.meta.url)
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [...main, ...args],
      { env: { ...process.env, ...extra }, timeout: 60_000 },
      (error, stdout, stderr) => {
        printed.push(stdout, stderr)
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr })
      },
    )
  })
}

test('a certificate that somebody else signed, and a wrong password, are refused and told as that', {
  skip,
  timeout: 120_000,
}, async () => {
  const stranger = new URL(databaseUrl)
  stranger.searchParams.set('sslrootcert', otherCa)
  const wrong = new URL(databaseUrl)
  wrong.password = `${postgresPassword}-no`
  for (const [url, says] of [
    [stranger.href, /certificate/i],
    [wrong.href, /password authentication failed/],
  ] as const) {
    const { code, output } = await suanpan(['serve'], { ...env(), DATABASE_URL: url, PORT: '0' })
    assert.notEqual(code, 0)
    assert.match(output, says)
  }
})

test('commands go through a Redis and a Postgres that speak nothing but TLS to us', {
  skip,
  timeout: 120_000,
}, async () => {
  const server = await startTestServer({ databaseUrl, env: env() })
  servers.push(server)
  assert.equal(await fetched(server, '/v1/accounts', { id: 'c:cash', asset: 'CNY' }), 201)
  const credit = { id: 'first', type: 'credit', account: 'c:cash', amount: '5' }
  assert.equal(await fetched(server, '/v1/transactions', credit), 201)
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/accounts/c:cash', '/v1/heads', '/v1/none'])
    await fetched(server, path)
  const client = new pg.Client(postgres.url)
  await client.connect()
  const { rows } = await client.query<{ name: string; ssl: boolean }>(
    `SELECT a.application_name AS name, s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.datname = 'bank'`,
  )
  await client.end()
  assert.ok(rows.length >= 3, `${rows.length} connections`)
  assert.deepEqual(
    rows.filter(({ ssl }) => !ssl),
    [],
  )
  assert.equal((await suanpan(['verify'], { DATABASE_URL: databaseUrl })).code, 0)
  assert.equal((await suanpan(['shards', 'list'], { DATABASE_URL: databaseUrl })).code, 0)
  // Errors that name their connection.
  await redis.kill9()
  await postgres.stop()
  await fetched(server, '/v1/transactions', { ...credit, id: 'second' })
  await fetched(server, '/v1/accounts/c:cash')
  await fetched(server, '/metrics')
  await server.kill9()
  printed.push(server.output())
  assert.match(server.output(), /"level":"?(warn|error|40|50)/)
})

test('a drill uses nothing of the environment that it is run in', { skip, timeout: 120_000 }, async () => {
  const { code, output } = await suanpan(['drill', '--only', 'connections'], { ...env(), DATABASE_URLS: databaseUrl })
  assert.equal(code, 0, output)
  assert.match(output, /the journal verifies/)
})

test('servers that are not there are told by their address', { skip, timeout: 120_000 }, async () => {
  const { code, output } = await suanpan(['serve'], { ...env(), DATABASE_URL: databaseUrl, PORT: '0' })
  assert.notEqual(code, 0)
  assert.match(output, /localhost/)
})

test('no password was printed by anybody', { skip }, () => {
  const all = printed.join('\n')
  assert.ok(all.length > 5000)
  for (const secret of [postgresPassword, redisPassword]) {
    const at = all.indexOf(secret)
    assert.equal(at, -1, `printed: ${all.slice(Math.max(0, at - 200), at + 40)}`)
  }
})
