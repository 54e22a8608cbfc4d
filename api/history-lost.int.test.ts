// A standby that followed only for a while is promoted: what was committed after that is gone. The partitions whose commits are missing stop and say so,
// nothing is passed over in silence, and those that lost nothing go on.
import assert from 'node:assert/strict'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { partitionOf } from '../actors/route.ts'
import { type EmbeddedPostgres, startEmbedded } from '../adapters/embedded/embedded.ts'
import { isAlive, waitUntil } from '../adapters/embedded/processes.ts'
import { startStandby } from '../adapters/embedded/standby.ts'
import { type Throwaway, throwawayCluster, throwawayDir } from '../adapters/embedded/testing/throwaway.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { eventually, rowsOf, verifyClean } from './testing/run.ts'
import { startTestServer, type TestServer } from './testing/test-server.ts'

const partitions = 2
const small = { shared_buffers: '32MB', max_connections: '100' }

let places: readonly Throwaway[] = []
let links = ''
let primary: EmbeddedPostgres
let standby: EmbeddedPostgres
let server: TestServer
before(async () => {
  places = [await throwawayCluster(), await throwawayDir()]
  links = await mkdtemp(join(tmpdir(), 'suanpan-links-'))
  primary = await startEmbedded({ dataDir: dataDir(0), settings: small, supervise: false })
})
after(async () => {
  await server?.kill9()
  await primary?.stop()
  await standby?.stop()
  for (const { remove } of places) await remove()
  await rm(links, { recursive: true, force: true })
})

const dataDir = (which: 0 | 1): string => join(places[which]?.dataDir ?? '', ...(which === 0 ? [] : ['data']))
const hostOf = (url: string): string => new URL(url).searchParams.get('host') ?? ''
/** Where the server looks for its database: a link, as a name or a floating address is elsewhere. */
const address = (): string => join(links, 'primary')
const addressUrl = (): string => {
  const url = new URL(primary.url)
  url.searchParams.set('host', address())
  return url.href
}
const pointTo = async ({ url }: EmbeddedPostgres): Promise<void> => {
  await rm(address(), { force: true })
  await symlink(hostOf(url), address())
}

test('a promoted standby that misses commits: their partition stops with history_lost, the other goes on', {
  timeout: 120_000,
}, async () => {
  await pointTo(primary)
  const env = { PARTITIONS: String(partitions), WORKERS: '1', LOG_LEVEL: 'warn', DEADLINE_MS: '3000' }
  server = await startTestServer({ databaseUrl: addressUrl(), env })
  const posts = new HttpPosts(server.url, 8)
  const ownerIn = (partition: number): string => {
    const owner = Array.from({ length: 50 }, (_, i) => `owner${i}`).find(
      (name) => partitionOf(name, partitions) === partition,
    )
    return `${owner}:cash`
  }
  const [losing, keeping] = [ownerIn(0), ownerIn(1)]
  const credit = (id: string, account: string) =>
    posts.post('/v1/transactions', JSON.stringify({ id, type: 'credit', account, amount: '1' }))
  const posted = async (id: string, account: string): Promise<void> => {
    const answer = await credit(id, account)
    assert.equal(answer?.status, 201, answer?.body)
  }
  await posts.put('/v1/assets/CNY', '{"scale":2}')
  for (const id of [losing, keeping]) await posts.post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' }))

  standby = await startStandby({ primary, primaryDataDir: dataDir(0), dataDir: dataDir(1) })
  for (const account of [losing, keeping]) await posted('seen-by-both', account)
  const [{ lsn } = { lsn: '' }] = await rowsOf<{ lsn: string }>(primary.url, 'SELECT pg_current_wal_lsn() AS lsn')
  await eventually('the standby has followed', async () => {
    const [row] = await rowsOf<{ has: boolean }>(standby.url, 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS has', [
      lsn,
    ])
    return row?.has === true
  })
  // From here on it hears nothing.
  await rowsOf(standby.url, `ALTER SYSTEM SET primary_conninfo = ''`)
  await rowsOf(standby.url, 'SELECT pg_reload_conf()')
  await eventually('the standby is cut off', async () => {
    return (await rowsOf(primary.url, 'SELECT FROM pg_stat_replication')).length === 0
  })
  for (let i = 0; i < 5; i++) await posted(`missed-${i}`, losing)

  process.kill(primary.pid, 'SIGKILL')
  await waitUntil(() => !isAlive(primary.pid), 10_000)
  await primary.stop()
  await rowsOf(standby.url, 'SELECT pg_promote()')
  await pointTo(standby)

  const metrics = async (): Promise<string> => (await posts.getAny('/metrics')).body
  await eventually('the partition stops and says so', async () =>
    /^suanpan_partitions_history_lost 1$/m.test(await metrics()),
  )
  const line = server
    .output()
    .split('\n')
    .find((text) => text.includes('the database lost what was committed'))
  assert.ok(line !== undefined)
  const { partition, seen, found } = JSON.parse(line) as Record<string, number>
  assert.equal(partition, 0)
  assert.equal((seen ?? 0) - (found ?? 0), 5)
  const refused = await credit('after', losing)
  assert.deepEqual([refused?.status, JSON.parse(refused?.body ?? '{}').code], [503, 'shard_unavailable'])
  await eventually('the other partition goes on', async () => (await credit('after', keeping))?.status !== 503)
  const again = await credit('seen-by-both', keeping)
  assert.deepEqual([again?.status, again?.replayed], [200, true])
  const missing = await credit('missed-0', losing)
  assert.equal(missing?.status, 503, 'a lost transaction must not be posted a second time as if it were new')
  posts.close()
  await server.kill9()
  await verifyClean([standby.url])
})
