// One process at a time uses a data directory. Not a lock on rows or accounts: those have their actors.
//
// A directory of claims, one file a process, and one rule: put down your claim, then look; who sees no other live claim owns the data.
// Two can never both see none, because each looks after writing. A dead process's claim may be removed by anybody at any time, since its
// name is never used again: so there is no moment at which a stale lock is taken from under a new owner, as with one lock file.
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError } from './errors.ts'
import { isAlive, startedAt, surroundings, waitUntil } from './processes.ts'

/**
 * ```
 * trying -> owned -> (released: no file)
 *    \-> (withdrawn: no file)
 * ```
 */
interface Claim {
  readonly status: 'trying' | 'owned'
  readonly pid: number
  readonly startedAt: string | undefined
  readonly boot: string
  readonly pidNamespace: string
  readonly host: string
  readonly since: string
}

export interface OwnerLock {
  release(): Promise<void>
}

const contestTriesMax = 20

/** Asked about a claim out of another container of this machine, whose process ids mean nothing here. */
export interface Elsewhere {
  serverAnswers(): Promise<boolean>
  /** Time for a server that is just starting. */
  readonly waitMs: number
}

/**
 * Resolves when this process owns the directory; throws `in_use` if another (or this one, before) does. The owner
 * of a claim from elsewhere is taken to live if the data's Postgres answers.
 */
export async function lockForOwner(path: string, elsewhere: Elsewhere): Promise<OwnerLock> {
  await mkdir(path, { recursive: true })
  const name = `${process.pid}-${randomBytes(6).toString('hex')}`
  for (let tries = 1; ; tries++) {
    await putClaim(path, name, 'trying')
    let rival: Claim | undefined
    try {
      rival = await liveRival(path, name, elsewhere)
      if (rival === undefined) {
        await putClaim(path, name, 'owned')
        return { release: () => removeClaim(path, name) }
      }
    } catch (error) {
      await removeClaim(path, name)
      throw error
    }
    await removeClaim(path, name)
    if (rival.status === 'owned' || tries === contestTriesMax) throw inUse(path, rival)
    // Two starts at the same moment have seen each other: both step back, and one comes first.
    await sleep(5 + Math.random() * 50 * tries)
  }
}

function inUse(path: string, rival: Claim): EmbeddedPostgresError {
  const who = rival.pid === process.pid ? 'this process' : `process ${rival.pid} on ${rival.host}`
  return new EmbeddedPostgresError(
    'in_use',
    `the data are in use by ${who} since ${rival.since} (${path}): stop it, or give this one a DATA_DIR of its own`,
  )
}

async function liveRival(path: string, own: string, elsewhere: Elsewhere): Promise<Claim | undefined> {
  let rival: Claim | undefined
  for (const name of await readdir(path)) {
    if (name === own || name.endsWith('.part')) continue
    const claim = await readClaim(path, name)
    if (claim !== undefined && (await lives(claim, elsewhere))) rival = rival?.status === 'owned' ? rival : claim
    else await removeClaim(path, name)
  }
  return rival
}

async function lives(claim: Claim, elsewhere: Elsewhere): Promise<boolean> {
  const here = surroundings()
  if (claim.boot !== here.boot) return false
  if (claim.pidNamespace !== here.pidNamespace) return await waitUntil(elsewhere.serverAnswers, elsewhere.waitMs)
  return isAlive(claim.pid) && startedAt(claim.pid) === claim.startedAt
}

/** Undefined if it is gone, or was never whole: a claim appears whole (by rename) unless the machine lost power. */
async function readClaim(path: string, name: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(join(path, name), 'utf8'))
  } catch {
    return undefined
  }
}

async function putClaim(path: string, name: string, status: Claim['status']): Promise<void> {
  const claim: Claim = {
    status,
    pid: process.pid,
    startedAt: startedAt(process.pid),
    ...surroundings(),
    host: hostname(),
    since: new Date().toISOString(),
  }
  const file = join(path, name)
  await writeFile(`${file}.part`, `${JSON.stringify(claim, undefined, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.part`, file)
}

async function removeClaim(path: string, name: string): Promise<void> {
  await unlink(join(path, name)).catch(() => undefined)
}
