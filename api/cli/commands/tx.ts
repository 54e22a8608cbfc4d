// `suanpan tx`: what became of one transaction.
import { createClient, type TransactionView } from '../../client/client.ts'
import {
  type Command,
  exitCodes,
  type Io,
  type Options,
  readArguments,
  Stop,
  UsageError,
  urlOf,
  urlOption,
} from '../command.ts'
import { paint, table } from '../terminal.ts'

const options = {
  owner: {
    type: 'string',
    short: 'o',
    value: 'OWNER',
    says: 'whose transaction it is; an id is unique for its owner only',
  },
  json: { type: 'boolean', says: 'as JSON' },
  ...urlOption,
} as const satisfies Options

export const tx = {
  name: 'tx',
  summary: 'Shows a transaction: its first answer, what it moved, what became of it since.',
  usage: ['tx ID --owner OWNER [--json]'],
  about: 'The owner is the part of the account id before the colon.',
  options,
  examples: ['suanpan tx pay-20260301-0001 --owner cust-42'],
  exits: {
    0: 'shown',
    1: 'there is no such transaction, or the question is refused or not understood at all: the text says which',
    2: 'wrong arguments',
    3: 'the server cannot be reached',
  },
  run,
} satisfies Command

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = readArguments(tx, argv, ['ID'])
  const [id = ''] = positionals
  const { owner } = values
  if (owner === undefined) throw new UsageError('--owner OWNER is missing: an id is unique for its owner only', tx)
  const client = createClient({ url: urlOf(tx, values.url, io.env), retry: { retriesMax: 2 } })
  try {
    const found = await client.transactions.get(owner, id)
    if (found === undefined) throw new Stop(exitCodes.no, `${owner} has no transaction ${id}.`)
    if (found.status === 'queued') {
      const text = values.json === true ? JSON.stringify(found) : `${id} of ${owner} is queued: nothing is applied yet.`
      io.stdout.write(`${text}\n`)
      return exitCodes.ok
    }
    io.stdout.write(
      values.json === true ? `${JSON.stringify(found)}\n` : `${linesOf(found, id, owner, io).join('\n')}\n`,
    )
    return exitCodes.ok
  } finally {
    client.close()
  }
}

function linesOf(found: TransactionView, id: string, owner: string, io: Io): string[] {
  const bold = (text: string) => paint(io.stdout, io.env, 'bold', text)
  const facts: string[][] = []
  if ('code' in found) {
    facts.push(['status', 'declined'], ['code', found.code], ['detail', found.detail])
  } else {
    facts.push(['type', found.type], ['status', found.status], ['at', found.at], ['business date', found.businessDate])
  }
  facts.push(['now', found.now.state])
  for (const name of ['captured', 'remaining', 'refunded'] as const) {
    const amount = found.now[name]
    if (amount !== undefined) facts.push([name, amount])
  }
  const moved = table(
    found.transfers.map(({ from, to, amount, asset, kind }) => [amount, asset, kind, `${from} -> ${to}`]),
    new Set([0]),
  )
  const after =
    'accounts' in found
      ? table(
          found.accounts.map(({ id, balance, held, seq }) => [
            id,
            balance,
            /[1-9]/.test(held) ? `held ${held}` : '',
            `entry ${seq}`,
          ]),
          new Set([1]),
        )
      : []
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`)
  return [
    bold(`${id} of ${owner}`),
    ...indented(table(facts, new Set())),
    ...(moved.length === 0 ? [] : [bold('moved'), ...indented(moved)]),
    ...(after.length === 0 ? [] : [bold('accounts after it'), ...indented(after)]),
  ]
}
