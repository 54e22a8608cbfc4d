// The databases that `serve` would use, for commands that look at them beside it or without it.
import { runningEmbedded, startEmbedded } from '../adapters/embedded/embedded.ts'
import type { Config } from './config.ts'

/** An embedded Postgres that runs is used beside its server; one that does not is started for the time being. */
export async function databases({
  databaseUrls,
  dataDir,
  pgBin,
}: Config): Promise<{ readonly urls: readonly string[]; readonly end: () => Promise<void> }> {
  if (databaseUrls !== undefined) return { urls: databaseUrls, end: () => Promise.resolve() }
  const running = await runningEmbedded(dataDir)
  if (running !== undefined) return { urls: [running], end: () => Promise.resolve() }
  const embedded = await startEmbedded({ dataDir, binDir: pgBin })
  return { urls: [embedded.url], end: () => embedded.stop() }
}
