// `suanpan post`: sends a file of transactions. Everything that can be known beforehand is checked before the first one goes out; what is sent has ids
// of the file's own, so that the same command can be run again after any trouble.
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Client, ClientError, createClient } from '../../client/client.ts'
import { withoutPassword } from '../../client/transport.ts'
import {
  type Command,
  countOf,
  exitCodeOf,
  exitCodes,
  type Io,
  type Options,
  readArguments,
  Stop,
  UsageError,
  urlOf,
  urlOption,
} from '../command.ts'
import { Demand, openAccounts, shortfallOf } from '../post/demand.ts'
import { type Mapping, MappingError, parseMapping } from '../post/mapping.ts'
import { readRows, UnreadableFile } from '../post/rows.ts'
import { type Again, appendRow, rowsOf, type Sending, sendAll } from '../post/send.ts'
import { Spool, SpoolError } from '../post/spool.ts'
import { BadRows, Tally } from '../post/tally.ts'
import { duration, startProgress } from '../progress.ts'
import { count, counted } from '../terminal.ts'

const options = {
  mapping: { type: 'string', short: 'm', value: 'FILE', says: 'the file is CSV, and this JSON file says how it maps' },
  'dry-run': {
    type: 'boolean',
    short: 'n',
    says: 'read and check the whole file, show the first transactions, send nothing',
  },
  limit: { type: 'string', value: 'N', says: 'only the first N rows' },
  'skip-bad': { type: 'boolean', says: 'leave rows out that do not map, instead of stopping before anything is sent' },
  'retry-declined': {
    type: 'string',
    value: 'SUFFIX',
    says: 'send rows that an earlier run saw declined again, as <id>SUFFIX (and if that was\ndeclined too, as <id>SUFFIXSUFFIX). Keep to one SUFFIX for a file: under another\none a row that was posted meanwhile would be posted again',
  },
  ...urlOption,
} as const satisfies Options

export const post = {
  name: 'post',
  summary: 'Sends a file of transactions to a server: NDJSON, or CSV with a mapping.',
  usage: ['post FILE [--mapping FILE] [options]', 'post - < FILE'],
  about: `Reads FILE (- for standard input), one transaction a row, and checks all rows, accounts and assets before the
first one is sent. Missing accounts are opened if the mapping says "open". Ids come from the file, so running the
same again posts nothing twice; it goes on where an earlier run was cut off. What passes through is kept in an
unnamed temporary file (TMPDIR) until the end. The mapping format: examples/czech-bank/README.md.`,
  options,
  examples: [
    'suanpan post payments.ndjson',
    'suanpan post trans.asc --mapping mapping.json --dry-run',
    'suanpan post trans.asc --mapping mapping.json --url http://ledger:8080',
    'suanpan post trans.asc --mapping mapping.json --retry-declined .2',
    'zcat payments.ndjson.gz | suanpan post -',
  ],
  async run(argv: readonly string[], io: Io): Promise<number> {
    try {
      return await run(argv, io)
    } catch (error) {
      if (error instanceof SpoolError) throw new Stop(exitCodes.stopped, `${error.message}\nNo transaction was sent.`)
      throw error
    }
  },
} satisfies Command

const shownMax = 5
/** More patient than a single call: a server that restarts is waited for, for half a minute or more. */
const retry = { retriesMax: 12, delayMs: 200, delayMsMax: 5_000 }

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = readArguments(post, argv, ['FILE'])
  const file = positionals[0] ?? ''
  const limit = countOf(post, 'limit', values.limit) ?? Number.POSITIVE_INFINITY
  const suffix = values['retry-declined']
  if (suffix !== undefined && !/^[A-Za-z0-9._:-]{1,32}$/.test(suffix))
    throw new UsageError('--retry-declined needs a suffix of 1 to 32 characters of A-Z a-z 0-9 . _ : -', post)
  const url = urlOf(post, values.url, io.env)
  const mapping = values.mapping === undefined ? undefined : await mappingOf(values.mapping)

  const rows = await Spool.create()
  const demand = await Demand.create()
  try {
    const bad = await read(file, mapping, limit, rows, demand, io)
    if (bad.count > 0) {
      io.stderr.write(
        `${counted(bad.count, 'row')} of ${nameOf(file)} ${bad.count === 1 ? 'does' : 'do'} not map:\n${bad.text}\n`,
      )
      if (values['skip-bad'] !== true)
        throw new Stop(exitCodes.stopped, 'Nothing was sent (--skip-bad leaves such rows out).')
    }
    if (rows.count === 0) throw new Stop(exitCodes.stopped, `${nameOf(file)} has no rows to send.`)
    if (values['dry-run'] === true) return await show(file, rows, io, bad.count)
    const client = createClient({ url, retry: io.retry ?? retry })
    try {
      await requireServer(client, url)
      await prepare(client, demand, mapping, io)
      const left = await send(client, file, rows, suffix, io)
      return left + bad.count > 0 ? exitCodes.no : exitCodes.ok
    } finally {
      client.close()
    }
  } finally {
    await Promise.all([rows.close(), demand.close()])
  }
}

const nameOf = (file: string): string => (file === '-' ? 'standard input' : basename(file))

async function mappingOf(path: string): Promise<Mapping> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`cannot read the mapping ${path}: ${reasonOf(error)}`, post)
  })
  try {
    return parseMapping(text)
  } catch (error) {
    if (error instanceof MappingError) throw new Stop(exitCodes.usage, `${path}: ${error.message}`)
    throw error
  }
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
}
const reasonOf = (error: NodeJS.ErrnoException): string => reasons[error.code ?? ''] ?? error.message

/** Puts every good row into `rows` as `line, tab, JSON` and what it asks for into `demand`. */
async function read(file: string, mapping: Mapping | undefined, limit: number, rows: Spool, demand: Demand, io: Io) {
  const bad = new BadRows()
  const bytes =
    file === '-' ? (io.stdin as AsyncIterable<Uint8Array>) : createReadStream(file, { highWaterMark: 256 * 1024 })
  try {
    for await (const row of readRows(bytes, mapping)) {
      if (row.kind === 'bad') bad.add(row.line, row.field, row.detail)
      else {
        const waits = [appendRow(rows, row), demand.add(row.command, row.line)]
        if (waits[0] !== undefined) await waits[0]
        if (waits[1] !== undefined) await waits[1]
      }
      if (rows.count + bad.count >= limit) break
    }
    await demand.settle()
  } catch (error) {
    if (error instanceof MappingError)
      throw new Stop(exitCodes.usage, `the mapping does not fit ${nameOf(file)}: ${error.message}`)
    if (error instanceof UnreadableFile) throw new Stop(exitCodes.stopped, `${nameOf(file)}: ${error.message}`)
    if ((error as NodeJS.ErrnoException).syscall !== undefined)
      throw new UsageError(`cannot read ${file}: ${reasonOf(error as NodeJS.ErrnoException)}`, post)
    throw error
  }
  return bad
}

async function show(file: string, rows: Spool, io: Io, badCount: number): Promise<number> {
  let shown = 0
  for await (const { json } of rowsOf(rows)) {
    if (shown++ === shownMax) break
    io.stdout.write(`${json}\n`)
  }
  io.stderr.write(`${counted(rows.count, 'row')} of ${nameOf(file)} would be sent; this was a dry run.\n`)
  return badCount > 0 ? exitCodes.no : exitCodes.ok
}

async function requireServer(client: Client, url: string): Promise<void> {
  const state = await client.ready()
  const shown = withoutPassword(url)
  if (state === 'unreachable')
    throw new Stop(
      exitCodes.unreachable,
      `Nothing answers at ${shown}. Start a server with "suanpan serve", or name it with --url.`,
    )
  if (state === 'not_ready')
    throw new Stop(
      exitCodes.unreachable,
      `What answers at ${shown} does not say that it is ready to take traffic (GET /readyz): wait for it, or check --url.`,
    )
}

/** After it every account and asset of the file exists, or it has thrown and no transaction was sent. */
async function prepare(client: Client, demand: Demand, mapping: Mapping | undefined, io: Io): Promise<void> {
  const asking = await startProgress(io, 'checking', demand.accounts.count, 'accounts')
  const short = await shortfallOf(demand, client, mapping?.open?.asset, (done) => asking.update(done)).finally(() =>
    asking.stop(),
  )
  try {
    const open = mapping?.open
    const wrong = [
      ...short.assets,
      ...listed(short.mismatched, short.mismatchedCount),
      ...(open === undefined && short.missingCount > 0
        ? [`${counted(short.missingCount, 'account')} missing:`, ...listed(short.missing, short.missingCount)]
        : []),
    ]
    if (wrong.length > 0) {
      const hint = open === undefined && short.missingCount > 0 ? ' A mapping with "open" opens missing accounts.' : ''
      throw new Stop(exitCodes.stopped, `${wrong.join('\n')}\nNothing was sent.${hint}`)
    }
    if (open === undefined || short.missingCount === 0) return
    const opening = await startProgress(io, 'opening', short.missingCount, 'accounts')
    const refusal = await openAccounts(short.toOpen, open, client, (done) => opening.update(done)).finally(() =>
      opening.stop(),
    )
    if (refusal !== undefined)
      throw new Stop(exitCodes.stopped, `An account cannot be opened. ${refusal}\nNo transaction was sent.`)
    io.stderr.write(`${counted(short.missingCount, 'account')} opened (${open.asset}, overdraft ${open.overdraft})\n`)
  } finally {
    await short.toOpen.close()
  }
}

const listed = (first: readonly string[], total: number): string[] => [
  ...first.map((text) => `  ${text}`),
  ...(total > first.length ? [`  and ${count(total - first.length)} more`] : []),
]

/** Rows that are not in the ledger after it. Prints the summary even when the connection is lost for good. */
async function send(client: Client, file: string, rows: Spool, suffix: string | undefined, io: Io): Promise<number> {
  const startedAt = performance.now()
  const tally = new Tally()
  const rounds: Again[] = []
  const progress = await startProgress(io, 'posting', rows.count, 'rows')
  const sending: Sending = {
    client,
    tally,
    suffix,
    onAnswer: () => progress.update(tally.answered),
    onRetry: (cause, waitMs) => progress.note(`${cause.message}; going on in ${(waitMs / 1000).toFixed(1)} s`),
  }
  let lost: ClientError | SpoolError | undefined
  try {
    await sendAll(rows, sending, (round) => rounds.push(round))
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof SpoolError)) throw error
    lost = error
  } finally {
    progress.stop()
  }
  io.stdout.write(`${summaryOf(file, tally, rounds, performance.now() - startedAt, io).join('\n')}\n`)
  if (lost === undefined) return tally.left
  const open = counted(rows.count - tally.answered, 'row')
  throw new Stop(
    lost instanceof SpoolError ? exitCodes.unreachable : exitCodeOf(lost),
    `${lost.message}\n${open} without an answer. Run the same again: nothing is posted twice.`,
  )
}

function summaryOf(file: string, tally: Tally, rounds: readonly Again[], tookMs: number, io: Io): string[] {
  const rate = count(Math.round((tally.answered / Math.max(tookMs, 1)) * 1000))
  const time = tookMs < 10_000 ? `${(tookMs / 1000).toFixed(1)} s` : duration(Math.round(tookMs / 1000))
  return [
    `${counted(tally.answered, 'row')} of ${nameOf(file)} in ${time} (${rate}/s)`,
    ...tally.lines(io),
    ...rounds.map(
      ({ suffixes, rows, posted, replayed }) =>
        `${counted(rows, 'declined row')} sent again as <id>${suffixes}: ${count(posted)} posted, ${count(replayed)} replayed`,
    ),
  ]
}
