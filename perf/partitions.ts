// How the number of partitions changes the rates: what the default was chosen by.
import { startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'
import { load, startServer } from './http-run.ts'
import { median } from './statistics.ts'

const counts = [8, 16, 64]
const accounts = 100_000
const perRound = 100_000
const rounds = 3

export async function partitions(say: (line: string) => void): Promise<unknown> {
  const database = await startBenchDatabase()
  try {
    const table = []
    for (const count of counts) {
      const url = await database.fresh(`p${count}`)
      const run = await startEngineRun({ url, accounts, workers: 1, partitions: count })
      await run.round(perRound, false)
      const uniform: number[] = []
      const hot: number[] = []
      for (let i = 0; i < rounds; i++) {
        uniform.push(await run.round(perRound, false))
        hot.push(await run.round(perRound, true))
      }
      await run.close()
      const server = await startServer('../api/cli/main.js', ['serve'], { DATABASE_URL: url, WORKERS: '1' })
      const http: number[] = []
      await load(server.url, { connections: 64, seconds: 1, accounts, name: 'warm' })
      for (let i = 0; i < rounds; i++) {
        http.push((await load(server.url, { connections: 64, seconds: 2, accounts, name: `p${i}` })).perSec)
      }
      await server.stop()
      const row = {
        partitions: count,
        batchTxPerSec: Math.round(median(uniform)),
        hotTxPerSec: Math.round(median(hot)),
        httpTxPerSec: Math.round(median(http)),
      }
      say(JSON.stringify(row))
      table.push(row)
    }
    return table
  } finally {
    await database.stop()
  }
}
