// The limit that the engine is held against: a bare client that COPYs rows which are already encoded, and does nothing else.
import pg from 'pg'
import { copyIn } from '../adapters/postgres/copy.ts'

/** Measures rows/s of `COPY target` with `rowsPerCommit` tuples a transaction, one connection, one commit after the other. */
export async function copyRate(url: string, target: string, batches: readonly Buffer[], rowsPerCommit: number): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const started = performance.now()
    for (const tuples of batches) await copyIn(client, `BEGIN;COPY ${target} FROM STDIN (FORMAT binary);COMMIT`, tuples)
    return (batches.length * rowsPerCommit * 1000) / (performance.now() - started)
  } finally {
    await client.end()
  }
}
