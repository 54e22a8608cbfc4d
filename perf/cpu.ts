// CPU time by thread and by Postgres backend, from /proc (Linux only): what is compared where other work on the machine makes the wall clock
// useless. A tick is 10 ms: measure over seconds.
import { readdirSync, readFileSync } from 'node:fs'

export interface CpuTimes {
  /** The thread that runs this code. */
  readonly main: number
  /** Threads named by Node's workers. */
  readonly worker: number
  /** Helpers of the garbage collector, the compiler and the thread pool. */
  readonly helpers: number
  readonly postgres: number
}

const tickUs = 10_000

/** Microseconds since each of them started. */
export function cpuTimes(): CpuTimes {
  const own = { main: 0, worker: 0, helpers: 0 }
  for (const task of readdirSync('/proc/self/task')) {
    const stat = readStat(`/proc/self/task/${task}/stat`)
    if (stat === undefined) continue
    if (Number(task) === process.pid) own.main += stat.us
    // Both carry the name of the process; workers are started later than V8's platform threads, but names tell nothing: their share does.
    else threads.set(task, stat.us)
  }
  for (const [task, us] of threads) {
    if (workerTasks.has(task)) own.worker += us
    else own.helpers += us
  }
  let postgres = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = readStat(`/proc/${pid}/stat`)
    if (stat !== undefined && stat.name === 'postgres' && postgresPids(pid)) postgres += stat.us
  }
  return { ...own, postgres }
}

const threads = new Map<string, number>()
const workerTasks = new Set<string>()

/** Calls `start`; threads that appear meanwhile count as workers. */
export async function noteWorkers<T>(start: () => Promise<T>): Promise<T> {
  const before = new Set(readdirSync('/proc/self/task'))
  const started = await start()
  for (const task of readdirSync('/proc/self/task')) if (!before.has(task)) workerTasks.add(task)
  return started
}

let postmaster: string | undefined

/** Only backends of this Postgres are counted: others may run beside. */
export function countPostgres(pid: number): void {
  postmaster = String(pid)
}

export const parentOf = (pid: number): number => Number(readStat(`/proc/${pid}/stat`)?.parent ?? 0)

function postgresPids(pid: string): boolean {
  if (postmaster === undefined) return false
  return pid === postmaster || readStat(`/proc/${pid}/stat`)?.parent === postmaster
}

function readStat(path: string): { name: string; parent: string; us: number } | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    const close = text.lastIndexOf(')')
    const fields = text.slice(close + 2).split(' ')
    return {
      name: text.slice(text.indexOf('(') + 1, close),
      parent: fields[1] ?? '',
      us: (Number(fields[11]) + Number(fields[12])) * tickUs,
    }
  } catch {
    return undefined
  }
}
