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

/** Reads back the first `rows` debits of a ledger: the very bytes that the engine wrote, in batches of `rowsPerCommit`; a rest is left out. */
export async function writtenRows(url: string, rows: number, rowsPerCommit: number): Promise<Buffer[]> {
  const client = await connected(url)
  try {
    const batches: Buffer[] = []
    for await (const batch of rowsOf(client, `kind = 1 LIMIT ${rows}`, rowsPerCommit)) {
      if (batch.rows === rowsPerCommit) batches.push(batch.tuples)
    }
    return batches
  } finally {
    await client.end()
  }
}

interface Written {
  readonly tuples: Buffer
  readonly rows: number
}

async function* rowsOf(client: pg.Client, where: string, rowsPerCommit: number): AsyncGenerator<Written> {
  const stream = client.query(
    copyTo(
      `COPY (SELECT ${journalColumns.join(', ')} FROM suanpan.journal_0001 WHERE ${where}) TO STDOUT (FORMAT binary)`,
    ),
  )
  let batch: Buffer[] = []
  const all = (): Written => ({ tuples: Buffer.concat(batch), rows: batch.length })
  for await (const tuples of tuplesOf(stream as AsyncIterable<Buffer>)) {
    for (const tuple of tuples) {
      batch.push(Buffer.from(tuple))
      if (batch.length < rowsPerCommit) continue
      yield all()
      batch = []
    }
  }
  if (batch.length > 0) yield all()
}

/**
 * Raw COPY of rows that an engine writes, into the same tables of another ledger. Each round takes all that the engine wrote since the one before, so
 * that both tables, and the trees of their indexes, are as large: a row costs more the more there are. Only while the engine rests.
 */
export async function rawCopyBeside(engineUrl: string, url: string, rowsPerCommit: number): Promise<Yardstick> {
  await openLedger([url], { partitions: undefined, timeZone: undefined, defaultPartitions: 8 })
  const engine = await connected(engineUrl)
  let read: readonly string[] = []
  return yardstick(
    url,
    '',
    async (client) => {
      const { rows: heads } = await engine.query<{ pseq: string }>(
        'SELECT pseq FROM suanpan.partition ORDER BY partition',
      )
      const since = heads.map((_, partition) => read[partition] ?? '0')
      read = heads.map(({ pseq }) => pseq)
      let rows = 0
      let ms = 0
      let lot: Written[] = []
      const copy = async (): Promise<void> => {
        const started = performance.now()
        for (const { tuples } of lot) await copyCommit(client, journal, tuples)
        ms += performance.now() - started
        for (const batch of lot) rows += batch.rows
        lot = []
      }
      const isNew = `pseq > ('{${since.join(',')}}'::bigint[])[partition + 1]`
      // Reading rests while a lot is copied.
      for await (const batch of rowsOf(engine, isNew, rowsPerCommit)) if (lot.push(batch) === lotBatches) await copy()
      await copy()
      return (rows * 1000) / ms
    },
    () => engine.end(),
  )
}

/** Kept in memory at a time. */
const lotBatches = 50

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
  closeToo: () => Promise<void> = async () => undefined,
): Promise<Yardstick> {
  const client = await connected(url)
  if (setup !== '') await client.query(setup)
  return {
    round: () => round(client),
    close: async () => {
      await client.end()
      await closeToo()
    },
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

async function timed(
  client: pg.Client,
  target: string,
  batches: readonly Buffer[],
  rowsPerCommit: number,
): Promise<number> {
  const started = performance.now()
  for (const tuples of batches) await copyCommit(client, target, tuples)
  return (batches.length * rowsPerCommit * 1000) / (performance.now() - started)
}

const copyCommit = (client: pg.Client, target: string, tuples: Buffer): Promise<void> =>
  copyIn(client, `BEGIN;COPY ${target} FROM STDIN (FORMAT binary);COMMIT`, tuples)
