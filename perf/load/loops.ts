// The two ways to load a server. A closed loop sends the next request when the last is answered: it finds the highest rate, and says little of latency,
// because a slow server is asked less. An open loop sends at a fixed rate whatever the server does, and counts from the moment a request was due.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Connection } from './connection.ts'

export interface Load {
  readonly url: string
  readonly connections: number
  /** The bytes of the next request; undefined ends a closed loop before its time. */
  readonly next: () => Buffer | string | undefined
  /** Looks at each body; what it throws ends the load. */
  readonly check?: (body: Buffer) => void
}

export interface Loaded {
  /** Answers by HTTP status. */
  readonly statuses: ReadonlyMap<number, number>
  /** From the first request to the last answer. */
  readonly seconds: number
  /** From the end of the load to the last answer: what was still under way. */
  readonly drainMs: number
  /** Nanoseconds a request. */
  readonly latency: RecordableHistogram
}

export async function closedLoop(load: Load & { readonly seconds: number }): Promise<Loaded> {
  const connections = await openAll(load)
  const latency = createHistogram()
  const statuses = new Map<number, number>()
  const started = process.hrtime.bigint()
  const deadline = started + BigInt(Math.round(load.seconds * 1e9))
  try {
    await Promise.all(
      connections.map(
        (connection) =>
          new Promise<void>((resolve, reject) => {
            const again = (): void => {
              const sent = process.hrtime.bigint()
              const request = sent < deadline ? load.next() : undefined
              if (request === undefined) {
                resolve()
                return
              }
              connection.send(
                request,
                ({ status, body }) => {
                  latency.record(process.hrtime.bigint() - sent)
                  statuses.set(status, (statuses.get(status) ?? 0) + 1)
                  try {
                    if (body !== undefined) load.check?.(body)
                    again()
                  } catch (error) {
                    reject(error)
                  }
                },
                reject,
              )
            }
            again()
          }),
      ),
    )
  } finally {
    for (const connection of connections) connection.close()
  }
  const ended = process.hrtime.bigint()
  const drainMs = Math.max(0, Number(ended - deadline) / 1e6)
  return { statuses, latency, seconds: Number(ended - started) / 1e9, drainMs }
}

export interface OpenLoaded extends Loaded {
  /** Nanoseconds after its moment that this client noticed a request was due: so much of the latencies is its own. */
  readonly lateness: RecordableHistogram
  /** Requests that were due while every connection was busy. */
  readonly queuedMost: number
}

/**
 * Requests are due at equal distances. One that finds every connection busy waits here, and the wait counts: leaving it out (coordinated
 * omission) would hide exactly the moments that matter. The clock is looked at every millisecond; what that adds is in `lateness`.
 */
export async function openLoop(
  load: Load & { readonly seconds: number; readonly ratePerSec: number },
): Promise<OpenLoaded> {
  const connections = await openAll(load)
  const latency = createHistogram()
  const lateness = createHistogram()
  const statuses = new Map<number, number>()
  const total = Math.floor(load.seconds * load.ratePerSec)
  const spacingNs = 1e9 / load.ratePerSec
  const free = [...connections]
  const started = process.hrtime.bigint()
  let due = 0
  let sent = 0
  let answered = 0
  let queuedMost = 0
  try {
    await new Promise<void>((resolve, reject) => {
      const dueAt = (n: number): bigint => started + BigInt(Math.round(n * spacingNs))
      const pump = (): void => {
        for (;;) {
          const connection = sent < due ? free.pop() : undefined
          if (connection === undefined) break
          const wasDue = dueAt(sent)
          sent++
          connection.send(
            load.next() ?? '',
            ({ status }) => {
              const answeredAt = process.hrtime.bigint()
              latency.record(atLeastOne(answeredAt - wasDue))
              statuses.set(status, (statuses.get(status) ?? 0) + 1)
              answered++
              free.push(connection)
              pump()
              if (answered === total) resolve()
            },
            reject,
          )
        }
        queuedMost = Math.max(queuedMost, due - sent)
      }
      const tick = (): void => {
        const now = process.hrtime.bigint()
        const dueNow = Math.min(total, Math.floor(Number(now - started) / spacingNs) + 1)
        for (; due < dueNow; due++) lateness.record(atLeastOne(now - dueAt(due)))
        pump()
        if (due < total) setTimeout(tick, 1)
      }
      tick()
    })
  } finally {
    for (const connection of connections) connection.close()
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  return { statuses, latency, lateness, queuedMost, seconds, drainMs: (seconds - load.seconds) * 1000 }
}

const atLeastOne = (ns: bigint): bigint => (ns > 0n ? ns : 1n)

async function openAll({ url, connections, check }: Load): Promise<Connection[]> {
  return await Promise.all(Array.from({ length: connections }, () => Connection.open(url, check !== undefined)))
}

/** Answers that are as they should be; throws if there was any other, because then the rate is not of the work that was meant. */
export function answersOf({ statuses }: Loaded, wanted = 201): number {
  for (const [status, count] of statuses) {
    if (status !== wanted) throw new Error(`${count} requests were answered ${status} instead of ${wanted}`)
  }
  return statuses.get(wanted) ?? 0
}

export interface Latency {
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function latencyOf(histogram: RecordableHistogram): Latency {
  const ms = (ns: number): number => Math.round(ns / 1e4) / 100
  return {
    meanMs: ms(histogram.mean),
    p50Ms: ms(histogram.percentile(50)),
    p95Ms: ms(histogram.percentile(95)),
    p99Ms: ms(histogram.percentile(99)),
    maxMs: ms(histogram.max),
  }
}
