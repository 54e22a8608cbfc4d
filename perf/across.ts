// Transfers between owners of different partitions against simple debits, in rounds that take turns; and how long one takes at 1,000 a second.
import { createHistogram } from 'node:perf_hooks'
import { partitionOf } from '../actors/route.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import type { Command } from '../core/command.ts'
import { startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'
import { accountId } from './load/commands.ts'
import { median } from './statistics.ts'

const accounts = 20_000
const partitions = 8
const perRound = 20_000
const rounds = 3
const perSecond = 1000
const seconds = 8

export async function across(say: (line: string) => void): Promise<unknown> {
  const database = await startBenchDatabase()
  try {
    const url = await database.fresh('across')
    const run = await startEngineRun({ url, accounts, workers: 1, partitions })
    const place = (n: number): number => partitionOf(accountId(n).split(':')[0] ?? '', partitions)
    const any = (): number => Math.floor(Math.random() * accounts)
    let number = 0
    const transfer = (): Command => {
      const from = any()
      let to = any()
      while (place(to) === place(from)) to = any()
      return { type: 'transfer', id: `x${number++}`, from: accountId(from), to: accountId(to), amount: '0.01' }
    }
    const round = async (count: number): Promise<number> => {
      const commands = Array.from({ length: count }, transfer)
      const started = performance.now()
      await run.post(commands)
      return (count * 1000) / (performance.now() - started)
    }
    await run.round(perRound, false)
    await round(perRound)
    const debits: number[] = []
    const transfers: number[] = []
    for (let i = 0; i < rounds; i++) {
      debits.push(await run.round(perRound, false))
      transfers.push(await round(perRound))
      say(`debits ${Math.round(debits.at(-1) ?? 0)}/s, transfers across ${Math.round(transfers.at(-1) ?? 0)}/s`)
    }
    const latency = await openLoop(transfer, run.engine.submit)
    await run.close()
    const { ok, finding } = await verifyLedger([url])
    if (!ok) throw new Error(`the ledger is broken after the run: ${JSON.stringify(finding)}`)
    return {
      debitsPerSec: Math.round(median(debits)),
      acrossPerSec: Math.round(median(transfers)),
      ratio: Number((median(transfers) / median(debits)).toFixed(2)),
      at1000PerSec: latency,
    }
  } finally {
    await database.stop()
  }
}

/** Sent by the clock, whatever is still under way: a slow answer does not slow down what comes. */
async function openLoop(
  next: () => Command,
  submit: (command: Command, reply: (answer: { readonly http: number }) => void) => void,
): Promise<Readonly<Record<string, number>>> {
  const histogram = createHistogram()
  const total = perSecond * seconds
  let sent = 0
  let answered = 0
  const started = performance.now()
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - started) * perSecond) / 1000))
      for (; sent < due; sent++) {
        // From the moment it was due, not from when this timer came round.
        const dueAt = started + (sent * 1000) / perSecond
        submit(next(), ({ http }) => {
          if (http !== 201) reject(new Error(`a transfer was answered ${http}`))
          if (sent > perSecond) histogram.record(Math.max(1, Math.round((performance.now() - dueAt) * 1000)))
          if (++answered === total) {
            clearInterval(timer)
            resolve()
          }
        })
      }
    }, 1)
  })
  const ms = (percentile: number): number => Number((histogram.percentile(percentile) / 1000).toFixed(1))
  return { p50Ms: ms(50), p95Ms: ms(95), p99Ms: ms(99), maxMs: Number((histogram.max / 1000).toFixed(1)) }
}
