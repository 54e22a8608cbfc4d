// Worker threads that end in the midst of transactions across partitions, over HTTP: while a coordinator reserves, while a participant posts, between
// a commit and what leaves after it. Clients notice nothing but a wait.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import { createServer } from './http/server.ts'
import { listen } from './http/testing/start.ts'
import { AcrossLoad, transitIsEmpty } from './testing/across-load.ts'
import { HttpPosts } from './testing/http-posts.ts'
import { closeEngines, eventually, runEngine, verifyClean } from './testing/run.ts'
import { Seeded } from './testing/seeded.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const rounds = Number(process.env.ROUNDS ?? 24)
const clients = 16

let postgres: TestPostgres
let marks = ''
let app: FastifyInstance | undefined
before(async () => {
  postgres = await testPostgres()
  marks = await mkdtemp(join(tmpdir(), 'sabotage-'))
  process.env.SABOTAGE_DIR = marks
})
after(async () => {
  await app?.close()
  await closeEngines()
  await postgres.stop()
  await rm(marks, { recursive: true, force: true })
})

test(`a thread ends under load across owners, ${rounds} times (SEED=${seed}): whole or absent, first answers again, transit back to zero`, {
  timeout: 120_000,
}, async () => {
  const url = await postgres.newDatabase()
  const sabotage = new URL('./testing/sabotage.mjs', import.meta.url).href
  const run = await runEngine([url], { sabotage, partitions: 8 })
  const { engine } = run
  const log = { error: (fields: object) => void run.log.push(JSON.stringify(fields)), warn: () => undefined }
  app = await createServer({ engine, reads: engine.reads, registry: new Registry(), log, version: 'test' })
  const posts = new HttpPosts(`http://127.0.0.1:${await listen(app)}`, 64)
  const random = new Seeded(seed)
  const load = new AcrossLoad(seed, 12)
  await load.open(posts)
  let ended = false
  const working = Promise.all(Array.from({ length: clients }, () => load.client(posts, () => !ended)))
  try {
    for (let round = 0; round < rounds; round++) {
      const [threads, posted] = [run.threadsEnded(), load.posted]
      await eventually('load', () => load.posted > posted + 20)
      // At the transfer itself, some commands and messages later, or at any point of a batch or commit.
      const how = ['exit.once.0', `later.once.${1 + random.below(40)}`, `soon.once.${random.below(12)}`][round % 3]
      await load.transferAs(posts, `fault.${how}-${round}`)
      await eventually(`a thread ends (${how})`, () => run.threadsEnded() > threads)
      await eventually('every partition is hosted again', () => engine.health().down.length === 0)
      await pause(random.below(20))
    }
  } finally {
    ended = true
    await working
  }
  assert.deepEqual(load.unanswered, [])
  assert.equal(run.quarantined(), 0)
  await load.sendAllAgain(posts)
  await transitIsEmpty(posts)
  await load.check(async (id) => await posts.get(`/v1/accounts/${id}`))
  posts.close()
  await engine.close()
  await verifyClean([url])
  console.log(`seed ${seed}: ${load.posted} posted, ${load.declined} declined, ${run.threadsEnded()} threads ended`)
})
