// The settings of the embedded Postgres, in one place and each with its reason: a journal that only grows, written by COPY in large commits,
// on a small machine that it shares with the workers.
import { totalmem } from 'node:os'

export type Settings = Readonly<Record<string, string>>

const mebibyte = 2 ** 20

export function defaultSettings(memoryBytes = memoryOfMachine()): Settings {
  return {
    // An answer means durable: these three are the promise. They are Postgres's defaults too, but not left to chance.
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',

    // Enough for the indexes of the open segment; the journal's own pages are written once and rarely read. The rest is the workers'.
    shared_buffers: `${Math.round(Math.min(Math.max(memoryBytes / 8 / mebibyte, 64), 1024))}MB`,
    // Checkpoints by time, not by volume: each is followed by whole pages in the log for every index page touched again. A row of the
    // journal with two index entries is 260 bytes of log: 4 GB are a minute at 250,000 rows a second, and are replayed in some tens of seconds after a power cut.
    max_wal_size: '4GB',
    // Log files are renamed and written again instead of made anew.
    min_wal_size: '512MB',
    checkpoint_timeout: '10min',
    checkpoint_completion_target: '0.9',
    // A COPY into new pages logs no whole pages, and the binaries from npm know only pglz, the slow compression.
    wal_compression: 'off',

    // Two connections for commits and some for reads of up to 64 workers, and a few for people.
    max_connections: '250',
    // Small statements that run for ever: compiling them never pays.
    jit: 'off',
    // Reports must not take the cores of the actors, and a container's 64 MB of /dev/shm do not bear parallel queries.
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    // Builds the indexes of a segment that is closed.
    maintenance_work_mem: '128MB',
    // Freezes the segments and cleans the few rows that are updated at each commit.
    autovacuum: 'on',
    // A backend whose client was killed ends, and lets go of its locks, also while it waits for one.
    ...(process.platform === 'linux' && { client_connection_check_interval: '1s' }),

    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    // A failed statement and the line of a failed COPY hold money and names: neither goes to the log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    lc_messages: 'C',
  }
}

/** The file that `postgresql.conf` includes. `program` tells one build from another: a server of another build is started anew. */
export function settingsFile(settings: Settings, program: string): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`)
  return `# Written by Suanpan at each start, for ${program}. Your own settings: ALTER SYSTEM, which wins over these.\n${lines.join('\n')}\n`
}

/** A container's limit where there is one. */
function memoryOfMachine(): number {
  const limit = process.constrainedMemory() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
