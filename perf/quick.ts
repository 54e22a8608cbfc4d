// The quick benchmark: in under 45 seconds on two cores, how far the engine is from what Postgres and Fastify give on this machine, now.
// Rounds of the engine and of the yardsticks take turns, so that a noisy neighbour hits them alike; each figure is a median.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { verifyLedger } from '../adapters/postgres/verify.ts'
import { defaultPartitions } from '../api/compose.ts'
import { startBenchDatabase } from './database.ts'
import { startEngineRun } from './engine-run.ts'
import { machine } from './environment.ts'
import { idleLatency, type Latency, load, startServer } from './http-run.ts'
import { rawCopyBeside, referenceCopy } from './limits.ts'
import { median } from './statistics.ts'

const accounts = 100_000
const rounds = 3
const perRound = 80_000
const httpSeconds = 2
/** Few enough that the warm-up activates all of them: what is measured is posting, not the first look at a cold account. */
const httpAccounts = 1000

export interface QuickResult {
  readonly [figure: string]: unknown
}

export async function quick(say: (line: string) => void): Promise<QuickResult> {
  const started = performance.now()
  const database = await startBenchDatabase()
  try {
    const engineUrl = await database.fresh('engine')
    const rawUrl = await database.fresh('raw')
    const referenceUrl = await database.fresh('reference')

    say(`engine: ${accounts} accounts, ${defaultPartitions} partitions, 1 worker`)
    const run = await startEngineRun({ url: engineUrl, accounts, workers: 1, partitions: defaultPartitions })
    // The first round warms the compilers up.
    await run.round(perRound, false)
    run.batches()
    const raw = await rawCopyBeside(engineUrl, rawUrl, 4096)
    await raw.round()
    const reference = await referenceCopy(referenceUrl, perRound)
    const uniform: number[] = []
    const hot: number[] = []
    const rawRates: number[] = []
    const referenceRates: number[] = []
    for (let i = 0; i < rounds; i++) {
      uniform.push(await run.round(perRound, false))
      rawRates.push(await raw.round())
      referenceRates.push(await reference.round())
      hot.push(await run.round(perRound, true))
      // Not a figure: the rows of one account are easier to copy. They stand in the way of the next round, as the engine's do.
      if (i + 1 < rounds) await raw.round()
    }
    const { commits, commands } = run.batches()
    await raw.close()
    await reference.close()
    await run.close()
    const rowFacts = await factsOfRows(engineUrl)
    say(`verify: ${rowFacts.rows} rows`)
    const verified = await verifyLedger([engineUrl])
    if (!verified.ok) throw new Error(`the ledger is broken after the run: ${JSON.stringify(verified.finding)}`)

    say('http: 64 connections')
    const http = await httpPart(engineUrl)
    const rawRows = median(rawRates)
    const rawTx = rawRows / rowFacts.rowsPerTx
    const batch = median(uniform)
    const result = {
      rawCopyTxPerSec: Math.round(rawTx),
      rawCopyRowsPerSec: Math.round(rawRows),
      rowsPerTx: rowFacts.rowsPerTx,
      bytesPerTx: rowFacts.bytesPerTx,
      indexEntriesPerTx: rowFacts.indexEntriesPerTx,
      referenceCopyRowsPerSec: Math.round(median(referenceRates)),
      engineBatchTxPerSec: Math.round(batch),
      engineHotTxPerSec: Math.round(median(hot)),
      bareFastifyReqPerSec: Math.round(http.bare),
      httpTxPerSec: Math.round(http.suanpan),
      latencyIdle: http.idle,
      ratios: {
        batchToRawCopy: ratio(batch, rawTx),
        batchToReference: ratio(batch, median(referenceRates)),
        hotToUniform: ratio(median(hot), batch),
        httpToBareFastify: ratio(http.suanpan, http.bare),
      },
      // What the medians are of: `bench -- compare` tells noise by it.
      rounds: {
        rawCopyRowsPerSec: rawRates.map(Math.round),
        referenceCopyRowsPerSec: referenceRates.map(Math.round),
        engineBatchTxPerSec: uniform.map(Math.round),
        engineHotTxPerSec: hot.map(Math.round),
        bareFastifyReqPerSec: http.bareRates.map(Math.round),
        httpTxPerSec: http.rates.map(Math.round),
      },
      commandsPerCommit: Math.round(commands / Math.max(1, commits)),
      verified: { rows: verified.rows, commits: verified.commits, ok: verified.ok },
      durability: database.durability,
      postgres: database.version,
      accounts,
      httpAccounts,
      partitions: defaultPartitions,
      workers: 1,
      machine: machine(),
      seconds: Math.round((performance.now() - started) / 100) / 10,
    }
    return result
  } finally {
    await database.stop()
  }
}

interface HttpPart {
  readonly bare: number
  readonly suanpan: number
  readonly bareRates: readonly number[]
  readonly rates: readonly number[]
  readonly idle: Latency
}

/** Both servers run at once, each alone under load in turn. */
async function httpPart(url: string): Promise<HttpPart> {
  const bare = await startServer('./bare-server.js', [], {})
  const suanpan = await startServer('../api/cli/main.js', ['serve'], { DATABASE_URL: url, WORKERS: '1' })
  try {
    const options = { connections: 64, accounts: httpAccounts, seconds: httpSeconds }
    // The server's and autocannon's compilers are busy in the first seconds, the longer the more code there is.
    await load(suanpan.url, { ...options, seconds: 5, name: 'warm' })
    await load(bare.url, { ...options, seconds: 2, name: 'warm' })
    const bareRates: number[] = []
    const rates: number[] = []
    for (let i = 0; i < 2; i++) {
      bareRates.push((await load(bare.url, { ...options, name: `b${i}` })).perSec)
      const loaded = await load(suanpan.url, { ...options, name: `s${i}` })
      if (loaded.not201 > 64) throw new Error(`${loaded.not201} of ${loaded.requests} requests were not answered 201`)
      rates.push(loaded.perSec)
    }
    await pause(200)
    const idle = await idleLatency(suanpan.url, 300, httpAccounts)
    return { bare: median(bareRates), suanpan: median(rates), bareRates, rates, idle }
  } finally {
    await suanpan.stop()
    await bare.stop()
  }
}

/** What a plain debit costs the database: rows, bytes of the stored tuple, index entries. */
async function factsOfRows(
  url: string,
): Promise<{ rows: number; rowsPerTx: number; bytesPerTx: number; indexEntriesPerTx: number }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ rows: string; transactions: string; bytes: string; entries: string }>(
      `SELECT count(*) AS rows, count(*) FILTER (WHERE leg = 0) AS transactions, avg(pg_column_size(j.*)) AS bytes,
              avg(1 + (from_key > 0)::int + (to_key > 0)::int + (link IS NOT NULL)::int) AS entries
         FROM suanpan.journal_0001 j WHERE kind = 1`,
    )
    const [row] = rows
    const count = Number(row?.rows ?? 0)
    const rowsPerTx = count / Math.max(1, Number(row?.transactions ?? 0))
    return {
      rows: count,
      rowsPerTx,
      bytesPerTx: Math.round(Number(row?.bytes ?? 0) * rowsPerTx),
      indexEntriesPerTx: Number(row?.entries ?? 0) * rowsPerTx,
    }
  } finally {
    await client.end()
  }
}

const ratio = (a: number, b: number): number => Math.round((a / b) * 100) / 100
