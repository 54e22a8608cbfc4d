// `suanpan verify`: recomputes the ledger from its journal. Only hands over to the composition root.
import { type Command, type Io, type Options, readArguments } from '../command.ts'
import { readable } from '../host-errors.ts'

const options = {
  json: { type: 'boolean', says: 'the result as JSON' },
} as const satisfies Options

export const verify = {
  name: 'verify',
  summary: 'Recomputes the hash chain and every balance from the journal.',
  usage: ['verify [--json]'],
  about: `Reads the database itself (DATABASE_URL, DATABASE_URLS or DATA_DIR, as "suanpan serve" does), not the server.
Exit code 1 if anything differs.`,
  options,
  examples: ['suanpan verify', 'DATABASE_URL=postgres://suanpan@db/ledger suanpan verify --json'],
  exits: {
    0: 'the ledger verifies',
    1: 'it does not: the first place that is off is printed',
    2: 'wrong arguments or environment',
    3: 'the database cannot be reached',
  },
  async run(argv: readonly string[], io: Io): Promise<number> {
    const { values } = readArguments(verify, argv, [])
    const ledger = await import('../../verify.ts')
    try {
      return await ledger.verify(io.env, { json: values.json === true })
    } catch (error) {
      throw await readable(error)
    }
  },
} satisfies Command
