// `suanpan serve`: starts a server. Only hands over to the composition root.
import { type Command, exitCodes, type Io, type Options, readArguments } from '../command.ts'
import { readable } from '../host-errors.ts'

const options = {
  'take-over': { type: 'boolean', says: 'end the sessions of a former host that hangs, instead of refusing to start' },
  standby: { type: 'boolean', says: 'wait until the host ends, dies or freezes, then take over from it' },
} as const satisfies Options

export const serve = {
  name: 'serve',
  summary: 'Starts a server; Ctrl-C or SIGTERM stops it in order.',
  usage: ['serve [--take-over | --standby]'],
  about: `Everything else comes from the environment; without any, the ledger is kept in ./data by an embedded Postgres:
  PORT (8080), HOST (127.0.0.1), DATABASE_URL or DATABASE_URLS (comma-separated shards), REDIS_URL, WORKERS,
  PARTITIONS and BUSINESS_TIMEZONE (at creation), DATA_DIR (./data), DEADLINE_MS (10000), HOUSE_AUTO_OPEN, LOG_LEVEL,
  HOST_LOCK (session, or lease behind a pooler), WATCHDOG_MS (3000);
  NAME_FILE reads the value of NAME from a file, for secrets.`,
  options,
  examples: [
    'suanpan serve',
    'PORT=9000 DATA_DIR=/var/lib/suanpan suanpan serve',
    'DATABASE_URL=postgres://suanpan@db/ledger suanpan serve',
  ],
  exits: {
    0: 'stopped in order',
    1: 'another process took the ledger over',
    2: 'wrong arguments or environment',
    3: 'the database cannot be reached or used, or another process hosts the ledger: the text says which',
  },
  async run(argv: readonly string[], io: Io): Promise<number> {
    const { values } = readArguments(serve, argv, [])
    const server = await import('../../serve.ts')
    try {
      await server.serve(io.env, {
        takeOver: values['take-over'] === true,
        standby: values.standby === true,
      })
    } catch (error) {
      throw await readable(error)
    }
    return exitCodes.ok
  },
} satisfies Command
