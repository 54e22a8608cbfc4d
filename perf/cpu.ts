// Where the CPU time goes: by thread of Node processes and by kind of Postgres process, from /proc. On two cores this is the figure behind
// all others: what a transaction costs bounds what can be posted. Linux only; elsewhere the parts are empty.
import { readdirSync, readFileSync } from 'node:fs'

/** Seconds of CPU time by part. */
export type CpuTimes = Readonly<Record<string, number>>

export interface CpuSources {
  /** A Suanpan process, its threads told apart; undefined: none. */
  readonly server?: number | undefined
  /** A single-threaded process that makes the load, where that is not the server itself. */
  readonly client?: number | undefined
  readonly postmaster?: number | undefined
  readonly redis?: number | undefined
}

/**
 * Threads that Node 20 starts with a process, in the order of their ids: the main thread, V8's scheduler and four helpers (they collect garbage
 * and compile), the inspector's, four of libuv. Worker threads come later. Their names are all `node`, so that the order must do.
 */
const runtimeThreads = 10

export function readCpu(sources: CpuSources): CpuTimes {
  const times: Record<string, number> = {}
  const add = (part: string, seconds: number): void => {
    times[part] = (times[part] ?? 0) + seconds
  }
  if (sources.server !== undefined) {
    for (const [i, tid] of threadsOf(sources.server).entries()) {
      const part = i === 0 ? 'main' : i <= runtimeThreads ? 'gc' : 'worker'
      add(part, onCpu(`/proc/${sources.server}/task/${tid}`))
    }
  }
  if (sources.client !== undefined) {
    for (const tid of threadsOf(sources.client)) add('client', onCpu(`/proc/${sources.client}/task/${tid}`))
  }
  if (sources.redis !== undefined) {
    for (const tid of threadsOf(sources.redis)) add('redis', onCpu(`/proc/${sources.redis}/task/${tid}`))
  }
  if (sources.postmaster !== undefined) readPostgres(sources.postmaster, add)
  return times
}

/** Backends that ended in between are in the postmaster's account of its children. */
function readPostgres(postmaster: number, add: (part: string, seconds: number) => void): void {
  const own = statOf(`/proc/${postmaster}/stat`)
  add('backends', own.childrenSeconds)
  for (const pid of childrenOf(postmaster)) add(postgresPart(textOf(`/proc/${pid}/cmdline`)), onCpu(`/proc/${pid}`))
}

/** Process ids. */
export const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(`/proc/${name}/stat`).parent === parent)
    .map(Number)

const background = /^postgres: (walwriter|checkpointer|background writer|autovacuum|logical|io worker)/

const postgresPart = (title: string): string => (background.test(title) ? 'postgres background' : 'backends')

/** Microseconds a transaction by part, without parts that took nothing. */
export function cpuPerTx(before: CpuTimes, after: CpuTimes, transactions: number): Record<string, number> {
  const parts: Record<string, number> = {}
  for (const [part, seconds] of Object.entries(after)) {
    const micros = ((seconds - (before[part] ?? 0)) * 1e6) / transactions
    if (micros > 0) parts[part] = micros
  }
  return parts
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}

/** Nanoseconds on a CPU are the first number of schedstat: finer than the ticks of stat, and tasks that are gone read as 0. */
const onCpu = (task: string): number => Number(textOf(`${task}/schedstat`).split(' ')[0] ?? 0) / 1e9

/** Ticks of /proc are 1/100 s on every Linux that Node runs on. */
const ticksPerSecond = 100

function statOf(path: string): { parent: number; childrenSeconds: number } {
  // The second field is the name in brackets, which may hold anything.
  const fields = textOf(path).split(') ').pop()?.split(' ') ?? []
  return {
    parent: Number(fields[1] ?? 0),
    childrenSeconds: (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / ticksPerSecond,
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Resident memory of a process; undefined where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  const match = /VmRSS:\s+(\d+) kB/.exec(textOf(`/proc/${pid}/status`))
  return match?.[1] === undefined ? undefined : Number(match[1]) * 1024
}

/** Adds the parts of one more round. */
export function addRound(rounds: Record<string, number[]>, parts: Readonly<Record<string, number>>): void {
  for (const [part, value] of Object.entries(parts)) {
    const known = rounds[part]
    if (known === undefined) rounds[part] = [value]
    else known.push(value)
  }
}
