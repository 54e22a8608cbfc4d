import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { EmbeddedPostgresError } from './errors.ts'
import { lockForOwner, type OwnerLock } from './owner-lock.ts'
import { startedAt, surroundings } from './processes.ts'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'suanpan-lock-'))
})
after(() => rm(directory, { recursive: true }))

const nobodyAnswers = { serverAnswers: async () => false, waitMs: 30 }
const inUse = (error: unknown): boolean => error instanceof EmbeddedPostgresError && error.code === 'in_use'

const here = {
  status: 'owned',
  pid: process.pid,
  startedAt: startedAt(process.pid),
  ...surroundings(),
  host: 'h',
  since: '2026-01-01T00:00:00Z',
}

const claims = [
  ['a living process', here, 'refused'],
  ['a dead process', { ...here, pid: 2 ** 22 + 1 }, 'taken over'],
  ['a process whose pid another one has now', { ...here, startedAt: '1' }, 'taken over'],
  ['an earlier boot', { ...here, boot: 'earlier' }, 'taken over'],
] as const
for (const [name, claim, outcome] of claims)
  test(`a claim of ${name} is ${outcome}`, { skip: process.platform !== 'linux' }, async () => {
    const path = join(directory, name.replaceAll(' ', '-'))
    await (await lockForOwner(path, nobodyAnswers)).release()
    await writeFile(join(path, 'other'), JSON.stringify(claim))
    const attempt = lockForOwner(path, nobodyAnswers)
    if (outcome === 'refused') await assert.rejects(attempt, inUse)
    else {
      const lock = await attempt
      assert.equal((await readdir(path)).length, 1)
      await lock.release()
    }
  })

test('a claim out of another container holds exactly while its Postgres answers', async () => {
  const path = join(directory, 'container')
  await (await lockForOwner(path, nobodyAnswers)).release()
  await writeFile(join(path, 'other'), JSON.stringify({ ...here, pidNamespace: 'pid:[1]' }))
  await assert.rejects(lockForOwner(path, { serverAnswers: async () => true, waitMs: 30 }), inUse)
  await (await lockForOwner(path, nobodyAnswers)).release()
})

test('a claim that a power cut left empty is taken over', async () => {
  const path = join(directory, 'empty')
  await (await lockForOwner(path, nobodyAnswers)).release()
  await writeFile(join(path, 'other'), '')
  await (await lockForOwner(path, nobodyAnswers)).release()
  assert.deepEqual(await readdir(path), [])
})

test('of many that start at once exactly one owns the data', async () => {
  const path = join(directory, 'crowd')
  const attempts = await Promise.allSettled(Array.from({ length: 10 }, () => lockForOwner(path, nobodyAnswers)))
  const owners = attempts.flatMap((attempt): OwnerLock[] => (attempt.status === 'fulfilled' ? [attempt.value] : []))
  assert.equal(owners.length, 1)
  for (const attempt of attempts) if (attempt.status === 'rejected') assert.ok(inUse(attempt.reason))
  for (const lock of owners) await lock.release()
  assert.deepEqual(await readdir(path), [])
})
