// The databases that `serve` would use, for commands that look at them beside it or without it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TerminalFault } from '../actors/faults.ts'
import { runningEmbedded, startEmbedded } from '../adapters/embedded/embedded.ts'
import type { Config } from './config.ts'

/**
 * An embedded Postgres that runs is used beside its server; one that does not is started for the time being. Where there is none, none is
 * made: who looks at a ledger from the wrong folder is told so.
 */
export async function databases({
  databaseUrls,
  dataDir,
  pgBin,
}: Config): Promise<{ readonly urls: readonly string[]; readonly end: () => Promise<void> }> {
  if (databaseUrls !== undefined) return { urls: databaseUrls, end: () => Promise.resolve() }
  const running = await runningEmbedded(dataDir)
  if (running !== undefined) return { urls: [running], end: () => Promise.resolve() }
  if (!existsSync(join(dataDir, 'postgres')))
    throw new TerminalFault(
      'wrong_ledger',
      `there is no ledger in ${dataDir}: name it by DATA_DIR, DATABASE_URL or DATABASE_URLS, as for "suanpan serve"`,
    )
  const embedded = await startEmbedded({ dataDir, binDir: pgBin })
  return { urls: [embedded.url], end: () => embedded.stop() }
}
