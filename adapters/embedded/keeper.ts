// Keeps a Postgres up until it is told to stop: nothing else would start a postmaster again that was killed (out of memory, by mistake).
// Its clients see lost connections meanwhile and recover as from any restart.
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './processes.ts'
import type { RunningServer } from './server.ts'

export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void

export interface KeeperPorts {
  readonly log: Log
  readonly supervise: boolean
  restart(): Promise<RunningServer>
  halt(pid: number): Promise<void>
}

export interface Keeper {
  readonly pid: number
  stop(): Promise<void>
}

const lookEveryMs = 100
/** After each death in a row; the last repeats. */
const pausesMs = [0, 200, 1000, 5000]
/** A server that lived this long has recovered: its next death is a first one. */
const steadyMs = 60_000

/** Looks for the pid instead of waiting for an `exit`: an adopted server is nobody's child here. */
export function keepRunning(first: RunningServer, { log, supervise, restart, halt }: KeeperPorts): Keeper {
  const stopping = new AbortController()
  let server = first
  let startedAtMs = performance.now()
  let deaths = 0
  let restarting: Promise<void> | undefined

  const bringBack = async (): Promise<void> => {
    log('Postgres died and is started again', { pid: server.pid })
    if (performance.now() - startedAtMs > steadyMs) deaths = 0
    while (!stopping.signal.aborted) {
      try {
        await sleep(pausesMs[Math.min(deaths++, pausesMs.length - 1)], undefined, { signal: stopping.signal })
        server = await restart()
        startedAtMs = performance.now()
        log('started Postgres', { pid: server.pid })
        return
      } catch (error) {
        if (!stopping.signal.aborted) log('Postgres does not start', { error: String(error), deaths })
      }
    }
  }
  const look = (): void => {
    if (restarting !== undefined || isAlive(server.pid)) return
    restarting = bringBack().finally(() => {
      restarting = undefined
    })
  }
  const timer = supervise ? setInterval(look, lookEveryMs).unref() : undefined

  return {
    get pid() {
      return server.pid
    },
    async stop() {
      stopping.abort()
      clearInterval(timer)
      await restarting
      await halt(server.pid)
    },
  }
}
