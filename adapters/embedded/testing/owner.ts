// A process that owns a data directory, for tests that kill it: `owner.ts <dataDir> [copy]`. Prints one line when it has started; with `copy`
// it then commits rows without end and prints the number of each commit after Postgres has acknowledged it.
import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { startEmbedded } from '../embedded.ts'

const [, , dataDir = '', mode] = process.argv
const rowsPerCommit = 500

const postgres = await startEmbedded({ dataDir })
process.stdout.write(`${JSON.stringify({ pid: postgres.pid, adopted: postgres.adopted, url: postgres.url })}\n`)

if (mode === 'copy') {
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query('create table acknowledged (commit int)')
  for (let commit = 1; ; commit++) {
    const stream = client.query(copyFrom('copy acknowledged from stdin'))
    stream.end(`${commit}\n`.repeat(rowsPerCommit))
    await once(stream, 'finish')
    process.stdout.write(`${commit}\n`)
  }
}
setInterval(() => undefined, 2 ** 30)
