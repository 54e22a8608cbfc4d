// What the machine gives a bare client, to hold every other figure against: flushes, commits of one row, COPY by rows a commit, a bare HTTP route.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { copyIn } from '../../adapters/postgres/copy.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { startServer } from '../http-run.ts'
import { answersOf, closedLoop, latencyOf } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { type Case, figure } from '../measurement.ts'
import { referenceBatches, referenceTable } from '../tuples.ts'
import { uniform } from '../zipf.ts'

export const limits: Scenario = async (bench) => {
  const database = await bench.database()
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const seconds = bench.sized({ tiny: 0.1, small: 0.7, full: 3 })
  const rowsPerCommit = bench.sized({
    tiny: [1, 100],
    small: [1, 64, 1024, 10_000],
    full: [1, 16, 64, 256, 1024, 4096, 10_000],
  })
  const client = new pg.Client({ connectionString: await database.fresh('limits') })
  await client.connect()
  await client.query(referenceTable)
  const bare = await startServer('./bare-server.js', [], {})
  const flushes: number[] = []
  const flushMs: number[] = []
  const copies = new Map(rowsPerCommit.map((rows) => [rows, [] as number[]]))
  const http: number[] = []
  const httpP50: number[] = []
  const seqs = new Float64Array(100_000)
  let written = 0
  try {
    for (let i = 0; i < rounds; i++) {
      bench.say(`limits: round ${i + 1} of ${rounds}`)
      const flushed = flushRate(seconds)
      flushes.push(flushed)
      flushMs.push(1000 / flushed)
      for (const [rows, rates] of copies) {
        // Made beforehand: enough for the time, as far as memory allows. A commit of one row takes as long as a flush.
        const batches = referenceBatches({
          batches: Math.ceil(bench.sized({ tiny: 100, small: 200_000, full: 600_000 }) / Math.max(rows, 25)),
          rows,
          seqs,
          nowMs: Date.now(),
        })
        const started = performance.now()
        let commits = 0
        for (const tuples of batches) {
          if (performance.now() - started > seconds * 1000) break
          await copyIn(client, 'BEGIN;COPY ref FROM STDIN (FORMAT binary);COMMIT', tuples)
          commits++
        }
        written += commits * rows
        rates.push((commits * rows * 1000) / (performance.now() - started))
      }
      const loaded = await closedLoop({
        url: bare.url,
        connections: 64,
        seconds,
        next: singleDebits('b', uniform(1000, 1)),
      })
      http.push(answersOf(loaded) / loaded.seconds)
      httpP50.push(latencyOf(loaded.latency).p50Ms)
    }
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM ref')
    if (Number(rows[0]?.count) !== written)
      throw new Error(`${written} rows were committed, the table has ${rows[0]?.count}`)
  } finally {
    await client.end()
    await bare.stop()
  }
  const cases: Case[] = [
    {
      name: 'flush of a file',
      setup: { bytes: 8192 },
      figures: { 'flushes/s': figure('flushes/s', flushes), 'ms each': figure('ms', flushMs) },
    },
    ...[...copies].map(
      ([rows, rates]): Case => ({
        name: `COPY, ${rows} rows a commit`,
        setup: { 'rows a commit': rows, connections: 1, accounts: seqs.length, distribution: 'uniform, random ids' },
        figures: {
          'rows/s': figure('rows/s', rates),
          'commits/s': figure(
            'commits/s',
            rates.map((rate) => rate / rows),
          ),
        },
      }),
    ),
    {
      name: 'bare Fastify',
      setup: { connections: 64 },
      figures: { 'requests/s': figure('req/s', http), 'p50 ms': figure('ms', httpP50) },
    },
  ]
  return resultOf({ verified: [`${written} rows committed, ${written} in the table`], cases })
}

/** Writes of a page at the end of a file, each flushed: what a commit alone costs the disk. */
function flushRate(seconds: number): number {
  const path = join(tmpdir(), `suanpan-flush-${process.pid}`)
  const file = openSync(path, 'w')
  const page = Buffer.alloc(8192, 1)
  try {
    const started = performance.now()
    let flushes = 0
    while (performance.now() - started < seconds * 1000) {
      writeSync(file, page)
      fdatasyncSync(file)
      flushes++
    }
    return (flushes * 1000) / (performance.now() - started)
  } finally {
    closeSync(file)
    void rm(path, { force: true })
  }
}
