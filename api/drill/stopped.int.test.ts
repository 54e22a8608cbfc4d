// A drill that is stopped before its time, at the moments that leave the most behind.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitUntil } from '../../adapters/embedded/processes.ts'
import { faultNames, runDrill } from './drill.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1e9)

/** When a drill in this folder is stopped. */
const moments: readonly { readonly what: string; readonly only: string; readonly isNow: (stage: string) => boolean }[] =
  [
    { what: 'while it begins', only: 'none', isNow: existsSync },
    { what: 'while its disk is full', only: 'disk full', isNow: (stage) => isFull(join(stage, 'disk')) },
    {
      what: 'while its standby starts',
      only: 'promoted',
      isNow: (stage) => existsSync(join(stage, 'data-1', 'postgres', 'postmaster.pid')),
    },
  ]

function isFull(disk: string): boolean {
  if (!existsSync(disk)) return false
  const { type, bfree } = statfsSync(disk)
  const tmpfs = 0x01021994
  return type === tmpfs && bfree === 0
}

for (const { what, only, isNow } of moments) {
  test(`stopped ${what}, it leaves nothing behind`, { timeout: 120_000 }, async (t) => {
    if ((await faultNames({ only })).length === 0) {
      t.skip(`NOT TESTED here: ${only} (takes the right to mount)`)
      return
    }
    const dir = await mkdtemp(join(tmpdir(), 'suanpan-stopped-'))
    // The account that root hands Postgres to must come through.
    await chmod(dir, 0o711)
    const before = process.env.TMPDIR
    process.env.TMPDIR = dir
    t.after(async () => {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
      await rm(dir, { recursive: true, force: true })
    })
    const stopped = new AbortController()
    const why = new Error('stopped by the test')
    const ended = runDrill({ seed, only, signal: stopped.signal }).then(
      () => 'ran to its end',
      (error: unknown) => error,
    )
    const came = await waitUntil(() => readdirSync(dir).some((name) => isNow(join(dir, name))), 60_000)
    stopped.abort(why)
    assert.equal(await ended, why)
    assert.ok(came, 'it never came to that')
    // What the drill's servers are started with may keep a cache there.
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('suanpan-')),
      [],
    )
    assert.deepEqual(processesOf(dir), [])
    if (existsSync('/proc/mounts')) assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(dir))
  })
}

/** Command lines that name the folder; of the processes that this system shows. */
function processesOf(dir: string): string[] {
  if (!existsSync('/proc/self/cmdline')) return []
  return readdirSync('/proc').flatMap((pid) => {
    const file = `/proc/${pid}/cmdline`
    if (!/^\d+$/.test(pid) || !existsSync(file)) return []
    const line = readFileSync(file, 'utf8').replaceAll('\0', ' ')
    return line.includes(dir) ? [line] : []
  })
}
