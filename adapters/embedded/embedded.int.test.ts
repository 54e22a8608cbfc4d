import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import pg from 'pg'
import { freePort } from '../free-port.ts'
import { programArgs } from '../testing/program.ts'
import { type EmbeddedOptions, type EmbeddedPostgres, runningEmbedded, startEmbedded } from './embedded.ts'
import { EmbeddedPostgresError } from './errors.ts'
import { accountForPostgres } from './os-account.ts'
import { isAlive, processesIn, waitUntil } from './processes.ts'
import { type Throwaway, throwawayCluster, throwawayDir } from './testing/throwaway.ts'

const open = new Set<{ stop(): Promise<void> }>()
const directories = new Set<Throwaway>()
const isRoot = process.getuid?.() === 0

after(async () => {
  for (const postgres of open) await postgres.stop()
  for (const directory of directories) await directory.remove()
})

async function newDir(): Promise<string> {
  const directory = await throwawayDir()
  directories.add(directory)
  return directory.dataDir
}

async function newCluster(): Promise<string> {
  const directory = await throwawayCluster()
  directories.add(directory)
  return directory.dataDir
}

async function start(dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbedded({ dataDir, settings: { shared_buffers: '32MB' }, ...options })
  open.add(postgres)
  return postgres
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  return await client
    .query(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end())
}

const fails = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EmbeddedPostgresError, String(error))
  assert.equal(error.code, code)
  assert.match(error.message, text)
  return true
}

interface Owner {
  readonly child: ChildProcess
  readonly pid: number
  readonly url: string
  readonly adopted: boolean
  /** All lines after the first, so far. */
  readonly lines: string[]
}

/** Another process that owns the data, with the stated settings. */
async function owner(dataDir: string, mode = ''): Promise<Owner> {
  const script = programArgs(new URL('./testing/owner.ts', import.meta.url), import.meta.url)
  const child = spawn(process.execPath, [...script, dataDir, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(reader, 'line')
  return { child, lines, ...JSON.parse(lines.shift() ?? '') }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('an empty directory becomes a cluster with the stated settings, and keeps its data between starts', async () => {
  const dataDir = await newDir()
  const first = await startEmbedded({ dataDir })
  open.add(first)
  assert.equal(first.adopted, false)
  const [settings] = await query(
    first.url,
    `select current_setting('fsync') fsync, current_setting('full_page_writes') fpw, current_setting('synchronous_commit') sync,
       current_setting('data_checksums') checksums, current_setting('server_encoding') encoding, current_setting('jit') jit,
       current_setting('max_connections') connections, current_setting('listen_addresses') tcp,
       (select datcollate from pg_database where datname = 'postgres') collate`,
  )
  assert.deepEqual(settings, {
    fsync: 'on',
    fpw: 'on',
    sync: 'on',
    checksums: 'on',
    encoding: 'UTF8',
    jit: 'off',
    connections: '250',
    tcp: '',
    collate: 'C',
  })
  await query(first.url, 'create table kept as select 42 as n')
  await first.stop()
  assert.equal(isAlive(first.pid), false)
  assert.deepEqual(await readdir(join(dataDir, 'suanpan.lock')), [])

  const second = await start(dataDir)
  assert.deepEqual(await query(second.url, 'select n from kept'), [{ n: 42 }])
  assert.equal(second.url, first.url)
  await second.stop()
  await second.stop()
})

test('a server whose owner was killed is adopted, and stopped by its new owner', async () => {
  const dataDir = await newCluster()
  const killed = await owner(dataDir)
  await query(killed.url, 'create table kept as select 1 as n')
  await kill(killed.child)
  assert.equal(isAlive(killed.pid), true)

  const heir = await startEmbedded({ dataDir })
  open.add(heir)
  assert.equal(heir.adopted, true)
  assert.equal(heir.pid, killed.pid)
  assert.deepEqual(await query(heir.url, 'select n from kept'), [{ n: 1 }])
  await heir.stop()
  assert.equal(isAlive(killed.pid), false)
  assert.deepEqual(processesIn(join(dataDir, 'postgres')) ?? [], [])
})

test('a server left behind with other settings is started anew', async () => {
  const dataDir = await newCluster()
  const killed = await owner(dataDir)
  await kill(killed.child)
  const heir = await start(dataDir, { settings: { work_mem: '7MB' } })
  assert.equal(heir.adopted, false)
  assert.notEqual(heir.pid, killed.pid)
  assert.deepEqual(await query(heir.url, 'show work_mem'), [{ work_mem: '7MB' }])
  await heir.stop()
})

test('a second process is refused while the first lives, and does no harm', async () => {
  const dataDir = await newCluster()
  const first = await owner(dataDir)
  await assert.rejects(start(dataDir), fails('in_use', new RegExp(`process ${first.child.pid} .*DATA_DIR`)))
  assert.deepEqual(await query(first.url, 'select 1 as n'), [{ n: 1 }])
  assert.equal(await runningEmbedded(dataDir), first.url)
  await kill(first.child)
  await (await start(dataDir)).stop()
  assert.equal(await runningEmbedded(dataDir), undefined)
})

test('Postgres killed under a living owner comes back at the same URL with its data', async () => {
  const dataDir = await newCluster()
  const messages: string[] = []
  const postgres = await start(dataDir, { log: (message) => messages.push(message) })
  await query(postgres.url, 'create table kept as select 1 as n')
  const before = postgres.pid
  process.kill(before, 'SIGKILL')
  assert.ok(await waitUntil(() => postgres.pid !== before, 20_000))
  assert.deepEqual(await query(postgres.url, 'select n from kept'), [{ n: 1 }])
  assert.deepEqual(messages, ['started Postgres', 'Postgres died and is started again', 'started Postgres'])
  await postgres.stop()
})

test('rows acknowledged before a SIGKILL of owner and Postgres in the middle of a COPY are there afterwards', async () => {
  const dataDir = await newCluster()
  const killed = await owner(dataDir, 'copy')
  assert.ok(await waitUntil(() => killed.lines.length > 100, 30_000))
  process.kill(killed.pid, 'SIGKILL')
  await kill(killed.child)
  const acknowledged = Number(killed.lines.at(-1))

  const heir = await start(dataDir)
  assert.equal(heir.adopted, false)
  const [found] = await query(
    heir.url,
    `select count(*)::int n, max(commit) last, bool_and(rows = 500) whole
     from (select commit, count(*) rows from acknowledged group by commit) c`,
  )
  assert.equal(found?.n, found?.last, 'no commit is missing')
  assert.equal(found?.whole, true)
  assert.ok(Number(found?.last) >= acknowledged, `${found?.last} commits found, ${acknowledged} acknowledged`)
  await heir.stop()
})

test('data of another major version are refused and left alone', async () => {
  const dataDir = await newCluster()
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '12\n')
  await assert.rejects(start(dataDir), fails('other_version', /Postgres 12.*pg_dump/))
  assert.equal(await readFile(join(dataDir, 'postgres', 'PG_VERSION'), 'utf8'), '12\n')
})

test('a directory that holds something else is refused and left alone', async () => {
  const dataDir = await newDir()
  await mkdir(join(dataDir, 'postgres'))
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '18\n')
  await assert.rejects(start(dataDir), fails('not_ours', /not made by Suanpan/))
  assert.deepEqual(await readdir(join(dataDir, 'postgres')), ['PG_VERSION'])
})

test('a cluster that was left half made is made again', async () => {
  const dataDir = await newDir()
  await mkdir(join(dataDir, 'postgres.new'))
  await writeFile(join(dataDir, 'postgres.new', 'PG_VERSION'), '18\n')
  await mkdir(join(dataDir, 'postgres'))
  const postgres = await start(dataDir)
  assert.deepEqual(await query(postgres.url, 'select 1 as n'), [{ n: 1 }])
  await postgres.stop()
  assert.deepEqual((await readdir(dataDir)).sort(), ['postgres', 'postgres.log', 'suanpan.lock'])
})

test('a pid file that names another living process does not hold up a start', async () => {
  const dataDir = await newCluster()
  const killed = await start(dataDir, { supervise: false })
  process.kill(killed.pid, 'SIGKILL')
  await killed.stop()
  const account = await accountForPostgres()
  const bystander = spawn('sleep', ['1000'], { cwd: '/', ...(account && { uid: account.uid, gid: account.gid }) })
  await once(bystander, 'spawn')
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
  const text = await readFile(pidFile, 'utf8')
  await writeFile(pidFile, text.replace(String(killed.pid), String(bystander.pid)))
  const heir = await start(dataDir)
  assert.equal(heir.adopted, false)
  assert.equal(bystander.exitCode ?? bystander.signalCode, null)
  await heir.stop()
  await kill(bystander)
})

test('a setting Postgres does not take fails with what Postgres said, and the data are free again', async () => {
  const dataDir = await newCluster()
  await assert.rejects(
    start(dataDir, { settings: { shared_buffers: 'plenty' } }),
    fails('start_failed', /invalid value for parameter "shared_buffers"/),
  )
  await (await start(dataDir)).stop()
})

test('a path too long for a socket gets one elsewhere that only the account can enter', async () => {
  const long = join(await newDir(), 'x'.repeat(90))
  const postgres = await start(long)
  assert.match(postgres.url, /host=\/tmp\/suanpan-/)
  assert.deepEqual(await query(postgres.url, 'select 1 as n'), [{ n: 1 }])
  await postgres.stop()
})

test('TCP is off unless asked for, and wants the password', async () => {
  const dataDir = await newCluster()
  const port = await freePort()
  const postgres = await start(dataDir, { port })
  assert.deepEqual(await query(postgres.tcpUrl ?? '', 'select 1 as n'), [{ n: 1 }])
  await assert.rejects(query(`postgresql://postgres:wrong@127.0.0.1:${port}/postgres`, 'select 1'), /password/)
  await postgres.stop()
})

test('root below its own closed home: the data lie within reach and a link shows where', {
  skip: !isRoot,
}, async () => {
  const home = await newDir()
  const dataDir = join(home, 'home', 'data')
  await mkdir(join(home, 'home'), { mode: 0o700 })
  const reachableDir = join(home, 'reachable')
  const first = await start(dataDir, { reachableDir })
  await query(first.url, 'create table kept as select 1 as n')
  await first.stop()
  assert.match(await readlink(join(dataDir, 'postgres')), new RegExp(`^${reachableDir}/postgres-`))
  const second = await start(dataDir, { reachableDir })
  assert.deepEqual(await query(second.url, 'select n from kept'), [{ n: 1 }])
  await second.stop()
})
