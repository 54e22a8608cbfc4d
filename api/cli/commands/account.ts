// `suanpan account`: one account as it stands, or its entries.
import { type Account, createClient, type Entry } from '../../client/client.ts'
import {
  type Command,
  countOf,
  exitCodes,
  type Io,
  type Options,
  readArguments,
  Stop,
  UsageError,
  urlOf,
  urlOption,
} from '../command.ts'
import { count, paint, table } from '../terminal.ts'

const entriesDefault = 20

const options = {
  asset: { type: 'string', value: 'CODE', says: 'which balance of a house account' },
  entries: {
    type: 'boolean',
    short: 'e',
    says: `its entries, the newest ${entriesDefault} unless --limit says otherwise`,
  },
  limit: { type: 'string', value: 'N', says: 'how many entries' },
  oldest: { type: 'boolean', says: 'entries from the first one on, instead of from the last one back' },
  json: { type: 'boolean', says: 'as JSON; entries as one object a line' },
  ...urlOption,
} as const satisfies Options

export const account = {
  name: 'account',
  summary: 'Shows an account, or its entries.',
  usage: ['account ID [--asset CODE] [--json]', 'account ID --entries [--limit N] [--oldest] [--json]'],
  about: 'Committed state only: what is shown cannot be taken back by a crash.',
  options,
  examples: [
    'suanpan account cust-42:cash',
    'suanpan account house:settlement:alipay --asset CNY',
    'suanpan account cust-42:cash --entries --limit 50',
    'suanpan account cust-42:cash --entries --oldest --limit 1000000 --json > entries.ndjson',
  ],
  exits: {
    0: 'shown',
    1: 'there is no such account, or the question is refused or not understood at all: the text says which',
    2: 'wrong arguments',
    3: 'the server cannot be reached',
  },
  run,
} satisfies Command

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = readArguments(account, argv, ['ID'])
  const [id = ''] = positionals
  const limit = countOf(account, 'limit', values.limit)
  for (const name of ['limit', 'oldest'] as const)
    if (values[name] !== undefined && values.entries !== true)
      throw new UsageError(`--${name} goes with --entries`, account)
  const client = createClient({ url: urlOf(account, values.url, io.env), retry: { retriesMax: 2 } })
  const asset = values.asset === undefined ? {} : { asset: values.asset }
  try {
    const found = await client.accounts.get(id, asset)
    if (found === undefined) throw new Stop(exitCodes.no, `There is no account ${id}.`)
    if (values.entries !== true) {
      io.stdout.write(values.json === true ? `${JSON.stringify(found)}\n` : `${accountLines(found, io).join('\n')}\n`)
      return exitCodes.ok
    }
    const order = values.oldest === true ? 'asc' : 'desc'
    const wanted = limit ?? entriesDefault
    const entries = client.entries(id, { ...asset, order, limit: Math.min(wanted, 1000) })
    await print(first(entries, wanted), values.json === true, io)
    return exitCodes.ok
  } finally {
    client.close()
  }
}

function accountLines(found: Account, io: Io): string[] {
  const amount = (name: string, value: string) => [name, value, found.asset]
  const amounts = table(
    [
      amount('balance', found.balance),
      amount('held', found.held),
      amount('available', found.available),
      amount('overdraft', found.overdraft),
    ],
    new Set([1]),
  )
  const facts = table(
    [
      ['status', found.status],
      ...(found.normal === 'debit' ? [['normal', found.normal]] : []),
      ['entries', count(found.seq)],
      ['version', count(found.version)],
      ['as of', found.asOf],
      ...(found.metadata === undefined ? [] : [['metadata', JSON.stringify(found.metadata)]]),
    ],
    new Set(),
  )
  return [paint(io.stdout, io.env, 'bold', found.id), ...[...amounts, ...facts].map((line) => `  ${line}`)]
}

async function* first<T>(items: AsyncIterable<T>, wanted: number): AsyncGenerator<T, void, undefined> {
  let taken = 0
  for await (const item of items) {
    yield item
    if (++taken >= wanted) return
  }
}

/** Entries printed together, so that columns are aligned without reading everything first. */
const blockRows = 1000

/** Until the reader has seen enough. */
async function print(entries: AsyncIterable<Entry>, json: boolean, io: Io): Promise<void> {
  if (json) {
    for await (const entry of entries) if (!(await write(io, `${JSON.stringify(entry)}\n`))) return
    return
  }
  let block: string[][] = []
  const flush = async (): Promise<boolean> => {
    const [head = '', ...lines] = table([heading, ...block], new Set([0, 3, 4, 5, 6]))
    block = []
    return await write(io, `${paint(io.stdout, io.env, 'dim', head)}\n${lines.map((line) => `${line}\n`).join('')}`)
  }
  for await (const entry of entries) {
    block.push(cellsOf(entry))
    if (block.length === blockRows && !(await flush())) return
  }
  if (block.length > 0) await flush()
  else await write(io, 'no entries\n')
}

const heading = [
  'seq',
  'date',
  'type',
  'amount',
  'held',
  'balance',
  'all held',
  'counterparty',
  'transaction',
  'reference',
]

const cellsOf = (entry: Entry): string[] => [
  String(entry.seq),
  entry.businessDate,
  entry.type,
  zeroAsDash(entry.amount),
  zeroAsDash(entry.heldChange),
  entry.balance,
  zeroAsDash(entry.held),
  entry.counterparty ?? '',
  entry.transaction,
  entry.reference ?? '',
]

const zeroAsDash = (amount: string): string => (/[1-9]/.test(amount) ? amount : '-')

/** False: nobody reads any more (`| head`). */
const write = (io: Io, text: string): Promise<boolean> =>
  new Promise((resolve) => io.stdout.write(text, (error) => resolve(error === undefined || error === null)))
