// Brings the tables of a shard to the present version: plain SQL files in `schemas/sql`, applied in order by postgrator.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import { connect, faulting } from './connect.ts'

/** The nearest folder above that holds `package.json`: sources and the emitted copy share the SQL files. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/**
 * Safe to run from several processes at once: an advisory lock makes them wait for each other. All or nothing, and the lock ends with the transaction,
 * because behind a pooler a session's lock would stay with whoever gets the session next.
 */
export async function migrate(url: string): Promise<void> {
  await faulting(async () => {
    const client = await connect(url, { name: 'suanpan migrate' })
    try {
      await client.query('BEGIN')
      await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('suanpan.migrate', 0))`)
      await client.query('CREATE SCHEMA IF NOT EXISTS suanpan')
      await new Postgrator({
        driver: 'pg',
        migrationPattern: join(packageRoot(), 'schemas', 'sql', '*.sql'),
        schemaTable: 'suanpan.schema_version',
        validateChecksums: true,
        execQuery: (query) => client.query(query),
      }).migrate()
      await client.query('COMMIT')
    } finally {
      await client.end()
    }
  })
}
