import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { Spool } from './spool.ts'

async function all(spool: Spool): Promise<string[]> {
  const lines: string[] = []
  for await (const line of spool.lines()) lines.push(line)
  return lines
}

test('lines come back as they went in, whatever falls on a buffer boundary, and again', async () => {
  const spool = await Spool.create()
  const lines = Array.from({ length: 20_000 }, (_, n) => `${n} ${'č茶𝄞'.repeat(n % 17)}`)
  for (const line of lines) await spool.append(line)
  assert.equal(spool.count, lines.length)
  assert.deepEqual(await all(spool), lines)
  assert.deepEqual(await all(spool), lines)
  await spool.close()
})

test('an empty spool has no lines', async () => {
  const spool = await Spool.create()
  assert.deepEqual(await all(spool), [])
  await spool.close()
})

test('nothing is left in the folder for temporary files, not even while it is open', {
  skip: process.platform === 'win32',
}, async () => {
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('suanpan-')).length
  const before = left()
  const spool = await Spool.create()
  await spool.append('secret')
  assert.equal(left(), before)
  await spool.close()
})
