// `suanpan shards`: shows the shards, adds one, moves a partition. Only hands over to the composition root.
import type { ShardsView } from '../../shards.ts'
import { type Command, exitCodes, type Io, type Options, readArguments, UsageError } from '../command.ts'
import { readable } from '../host-errors.ts'
import { count, paint, table } from '../terminal.ts'

const options = {
  to: { type: 'string', value: 'SHARD', says: 'move: number of the shard that the partition goes to' },
  'no-wait': { type: 'boolean', says: 'move: only ask for it; "suanpan shards list" shows how far it is' },
  json: { type: 'boolean', says: 'as JSON' },
} as const satisfies Options

export const shards = {
  name: 'shards',
  summary: 'Shows the shards of a ledger, adds one, moves partitions between them while the service runs.',
  usage: ['shards list [--json]', 'shards add URL', 'shards move PARTITION --to SHARD [--no-wait]'],
  about: `Speaks with the catalog, the first database of "suanpan serve" (DATABASE_URL, DATABASE_URLS or DATA_DIR), which the
service watches. A shard that was added is remembered there with its URL, password included, readable by the owner of
the tables only. A partition that moves stands still for some tenths of a second; its callers wait. Without a service
the command moves it.`,
  options,
  examples: ['suanpan shards list', 'suanpan shards add postgres://suanpan@db2/ledger', 'suanpan shards move 3 --to 1'],
  exits: {
    0: 'done as asked',
    2: 'wrong arguments or environment',
    3: 'a database cannot be reached or used, or what was asked for is not possible: the text says which',
  },
  async run(argv: readonly string[], io: Io): Promise<number> {
    const [action, ...rest] = argv
    if (action === undefined) throw new UsageError('say what to do: list, add or move', shards)
    try {
      if (action === 'list') return await list(rest, io)
      if (action === 'add') return await add(rest, io)
      if (action === 'move') return await move(rest, io)
    } catch (error) {
      throw await readable(error)
    }
    throw new UsageError(`there is no "shards ${action}": list, add or move`, shards)
  },
} satisfies Command

async function list(argv: readonly string[], io: Io): Promise<number> {
  const { values } = readArguments(shards, argv, [])
  const { listShards, withShards } = await import('../../shards.ts')
  const view = await withShards(io.env, listShards)
  io.stdout.write(values.json === true ? `${JSON.stringify(view)}\n` : `${linesOf(view, io).join('\n')}\n`)
  return exitCodes.ok
}

async function add(argv: readonly string[], io: Io): Promise<number> {
  const { positionals } = readArguments(shards, argv, ['URL'])
  const [url = ''] = positionals
  if (!/^postgres(ql)?:\/\//.test(url)) throw new UsageError('URL must begin with postgres:// or postgresql://', shards)
  const { addShard, withShards } = await import('../../shards.ts')
  const number = await withShards(io.env, (given) => addShard(given, url))
  io.stdout.write(
    `shard ${number} is part of the ledger; move partitions to it: suanpan shards move PARTITION --to ${number}\n`,
  )
  return exitCodes.ok
}

async function move(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = readArguments(shards, argv, ['PARTITION'])
  const partition = numberOf('PARTITION', positionals[0])
  if (values.to === undefined) throw new UsageError('--to SHARD is missing', shards)
  const to = numberOf('--to', values.to)
  const { moveShard, withShards } = await import('../../shards.ts')
  const wait = values['no-wait'] !== true
  const moved = await withShards(io.env, (given) =>
    moveShard(given, partition, to, {
      wait,
      news: ({ state, rows, error }) =>
        io.stderr.write(
          `${state}${rows === 0 ? '' : `, ${count(rows)} rows`}${error === undefined ? '' : `: ${error}`}\n`,
        ),
    }),
  )
  io.stdout.write(
    wait
      ? `partition ${partition} is on shard ${to}: ${count(moved?.rows ?? 0)} rows, it stood still for ${moved?.stoppedMs ?? 0} ms\n`
      : `asked for: partition ${partition} to shard ${to}\n`,
  )
  return exitCodes.ok
}

function numberOf(name: string, text: string | undefined): number {
  if (text === undefined || !/^(0|[1-9]\d{0,3})$/.test(text))
    throw new UsageError(`${name} must be a number, not ${JSON.stringify(text)}`, shards)
  return Number(text)
}

function linesOf({ shards, moves }: ShardsView, io: Io): string[] {
  const rows = shards.map(({ shard, url, partitions, rows, bytes }) => [
    String(shard),
    partitions.join(' ') || '-',
    rows === undefined ? paint(io.stdout, io.env, 'red', 'away') : count(rows),
    bytes === undefined ? '' : `${count(Math.round(bytes / 1e6))} MB`,
    url,
  ])
  const asked = moves.map(
    ({ partition, from, to, state, rows, error }) =>
      `partition ${partition}: ${from} -> ${to}, ${state}${rows === 0 ? '' : `, ${count(rows)} rows`}${error === undefined ? '' : ` (${error})`}`,
  )
  return [
    ...table([['shard', 'partitions', 'rows', 'size', 'database'], ...rows], new Set([0, 2, 3])),
    ...(asked.length === 0 ? [] : ['', ...asked]),
  ]
}
