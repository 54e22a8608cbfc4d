// What the operating system knows of processes: whether one lives, since when, and who works in a directory.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from './errors.ts'

const linux = process.platform === 'linux'

/** A zombie (its parent, often a container's pid 1, does not reap) counts as dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
  return !linux || statFields(pid)?.[0] !== 'Z'
}

/**
 * When the process began, in the units of its system: with the pid it names a process for as long as the machine is up.
 * Undefined where it cannot be told.
 */
export function startedAt(pid: number): string | undefined {
  if (linux) return statFields(pid)?.[19]
  if (process.platform === 'win32') return undefined
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5000 }).trim()
  } catch {
    return undefined
  }
}

/** Names this boot of this machine, and the namespace in which our pids mean something; empty where unknown. */
export function surroundings(): { readonly boot: string; readonly pidNamespace: string } {
  if (!linux) return { boot: '', pidNamespace: '' }
  return {
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? '',
    pidNamespace: attempt(() => readlinkSync('/proc/self/ns/pid')) ?? '',
  }
}

/**
 * Processes whose working directory this is: Postgres and all of its children stay in their data directory. `directory` is a real path.
 * Undefined where the system does not tell.
 */
export function processesIn(directory: string): readonly number[] | undefined {
  if (!linux) return undefined
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && attempt(() => readlinkSync(`/proc/${name}/cwd`)) === directory)
    .map(Number)
}

/** Looks every few milliseconds until the condition holds; false when the time is up first. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const until = performance.now() + timeoutMs
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 50)) {
    if (await condition()) return true
    if (performance.now() >= until) return false
    await sleep(pauseMs)
  }
}

/** Fields of /proc/<pid>/stat from the third on: the second is a name that may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
