// The yardsticks: what Postgres takes from a bare client on this machine, now. One connection, one commit after the other, all durable.
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { openLedger } from '../adapters/postgres/catalog.ts'
import { copyIn } from '../adapters/postgres/copy.ts'
import { tuplesOf } from '../adapters/postgres/tuple-stream.ts'
import { journalColumns } from '../schemas/journal-row.ts'
import { referenceBatches, referenceTable } from './tuples.ts'

export interface Yardstick {
  /** Rows/s of one more round; the table keeps what the rounds before wrote, as a journal does. */
  round(): Promise<number>
  close(): Promise<void>
}

const journal = `suanpan.journal_0001 (${journalColumns.join(', ')})`

/** Reads back the newest `rows` journal rows of a ledger: the very bytes that the engine wrote, in batches of `rowsPerCommit`. */
export async function writtenRows(url: string, rows: number, rowsPerCommit: number): Promise<Buffer[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const stream = client.query(
      copyTo(
        `COPY (SELECT ${journalColumns.join(', ')} FROM suanpan.journal_0001 WHERE kind = 1 LIMIT ${rows}) TO STDOUT (FORMAT binary)`,
      ),
    )
    const batches: Buffer[] = []
    let batch: Buffer[] = []
    for await (const tuples of tuplesOf(stream as AsyncIterable<Buffer>)) {
      for (const tuple of tuples) {
        batch.push(Buffer.from(tuple))
        if (batch.length < rowsPerCommit) continue
        batches.push(Buffer.concat(batch))
        batch = []
      }
    }
    return batches
  } finally {
    await client.end()
  }
}

/** Raw COPY of rows that Suanpan wrote, into the same tables of another ledger. Each round is a part of `batches` that no round before used. */
export async function rawCopy(
  url: string,
  batches: readonly Buffer[],
  rowsPerCommit: number,
  rounds: number,
): Promise<Yardstick> {
  await openLedger([url], { partitions: undefined, timeZone: undefined, defaultPartitions: 8 })
  const share = Math.floor(batches.length / rounds)
  let next = 0
  return yardstick(url, '', (client) => {
    const part = batches.slice(next, next + share)
    next += share
    return timed(client, journal, part, rowsPerCommit)
  })
}

/** The fixed yardstick that does not change with Suanpan's tables. */
export async function referenceCopy(url: string, rowsPerRound: number): Promise<Yardstick> {
  const rows = 10_000
  const make = referenceMaker()
  return yardstick(url, referenceTable, (client) => timed(client, 'ref', make(rowsPerRound / rows, rows), rows))
}

function referenceMaker(): (batches: number, rows: number) => Buffer[] {
  const seqs = new Float64Array(100_000)
  return (batches, rows) => referenceBatches({ batches, rows, seqs, nowMs: Date.now() })
}

async function yardstick(
  url: string,
  setup: string,
  round: (client: pg.Client) => Promise<number>,
): Promise<Yardstick> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  if (setup !== '') await client.query(setup)
  return { round: () => round(client), close: () => client.end() }
}

async function timed(
  client: pg.Client,
  target: string,
  batches: readonly Buffer[],
  rowsPerCommit: number,
): Promise<number> {
  const started = performance.now()
  for (const tuples of batches) await copyIn(client, `BEGIN;COPY ${target} FROM STDIN (FORMAT binary);COMMIT`, tuples)
  return (batches.length * rowsPerCommit * 1000) / (performance.now() - started)
}
