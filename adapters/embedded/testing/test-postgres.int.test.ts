import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import pg from 'pg'
import { programArgs } from '../../testing/program.ts'
import { isAlive, waitUntil } from '../processes.ts'
import { testPostgres } from './test-postgres.ts'

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  return await client
    .query(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end())
}

test('a test Postgres gives empty databases and keeps what was committed over kill -9', async () => {
  const postgres = await testPostgres()
  const [one, two] = [await postgres.newDatabase(), await postgres.newDatabase()]
  await query(one, 'create table kept as select 1 as n')
  await assert.rejects(query(two, 'select n from kept'), /does not exist/)
  const before = postgres.pid
  await postgres.kill9()
  await assert.rejects(query(one, 'select 1'))
  await postgres.start()
  assert.notEqual(postgres.pid, before)
  assert.deepEqual(await query(one, 'select n from kept'), [{ n: 1 }])
  await postgres.stop()
  assert.equal(isAlive(postgres.pid), false)
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const)
  test(`nothing of a test Postgres is left when its process ends by ${signal}`, async () => {
    const [helper, ...loader] = programArgs(
      new URL('./test-postgres.ts', import.meta.url),
      import.meta.url,
    ).toReversed()
    const script = `const { testPostgres } = await import('${helper}')
      const { pid, url } = await testPostgres()
      console.log(JSON.stringify({ pid, dir: new URL(url).searchParams.get('host') }))
      setInterval(() => undefined, 1e6)`
    const args = [...loader.toReversed(), '--input-type=module', '-e', script]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(child.stdout, 'data')
    const { pid, dir } = JSON.parse(line)
    child.kill(signal)
    assert.ok(await waitUntil(() => !isAlive(pid) && !existsSync(dir), 15_000))
  })
