// What `serve` and `verify` throw with a text for people (wrong configuration, no database, another host), as an end without a stack.
import { exitCodes, Stop } from './command.ts'

/** The same error, or a `Stop` for one that is meant to be read. Loads the server's modules, which have been loaded by then. */
export async function readable(error: unknown): Promise<unknown> {
  const [{ ConfigError }, { isFault }, { EmbeddedPostgresError }] = await Promise.all([
    import('../config.ts'),
    import('../../actors/faults.ts'),
    import('../../adapters/embedded/errors.ts'),
  ])
  if (error instanceof ConfigError) return new Stop(exitCodes.usage, error.message)
  if (isFault(error) || error instanceof EmbeddedPostgresError) return new Stop(exitCodes.unreachable, error.message)
  return error
}
