import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  // A folder of its own: the usual one is everybody's.
  const { TMPDIR } = process.env
  const folder = mkdtempSync(join(tmpdir(), 'spool-'))
  process.env.TMPDIR = folder
  try {
    const spool = await Spool.create()
    await spool.append('secret')
    assert.deepEqual(readdirSync(folder), [])
    await spool.close()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    rmSync(folder, { recursive: true })
  }
})
