// The command line of the benchmarks. Pure: throws a `UsageError` that says what is wrong.
import { parseArgs } from 'node:util'
import { type Size, sizes } from './bench.ts'

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface CommandLine {
  readonly words: readonly string[]
  readonly json: boolean
  readonly all: boolean
  readonly size: Size
  readonly accounts: number | undefined
  readonly rows: number | undefined
  readonly seconds: number | undefined
  readonly only: string | undefined
  readonly out: string | undefined
  readonly databaseUrl: string | undefined
  readonly flames: string | undefined
  readonly help: boolean
}

export function commandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parse(args)
  const size = sizes.find((known) => known === values.size)
  if (size === undefined) throw new UsageError(`--size must be one of ${sizes.join(', ')}, not "${values.size}"`)
  return {
    words: positionals,
    json: values.json,
    all: values.all,
    size,
    accounts: count('accounts', values.accounts),
    rows: count('rows', values.rows),
    seconds: values.seconds === undefined ? undefined : positive('seconds', values.seconds),
    only: values.only,
    out: values.out,
    databaseUrl: values['database-url'],
    flames: values.flames,
    help: values.help,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        size: { type: 'string', default: 'small' },
        accounts: { type: 'string' },
        rows: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        out: { type: 'string' },
        'database-url': { type: 'string' },
        flames: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new UsageError(`--${name} must be a number above 0, not "${text}"`)
  return value
}

/** `50_000_000`, `50M` and `100k` are what people write. */
function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const match = /^(\d+)([kM]?)$/.exec(text.replaceAll('_', ''))
  if (match === null)
    throw new UsageError(`--${name} must be a whole number such as 100000, 100k or 50M, not "${text}"`)
  return positive(name, match[1] ?? '') * (match[2] === 'M' ? 1e6 : match[2] === 'k' ? 1e3 : 1)
}

export const usage = (scenarios: readonly string[]): string => `
npm run bench -- quick [--json]            how far from Postgres and Fastify, in under 45 seconds
npm run bench -- SCENARIO [options]        one of ${scenarios.join(', ')}
npm run bench -- report [--only a,b]       all of them, each in a process of its own; writes perf/report.html and perf/results/
npm run bench -- render FILE.json          the report again, from results
npm run bench -- docs FILE.json            its tables into README.md and docs/performance.md, where they have places for them
npm run bench -- compare A.json B.json [--all]
npm run bench -- across | consumer         transfers across owners; flash sale and orders
npm run bench -- partitions | lane | cost  for those who work on the engine

  --size tiny|small|full   tiny only shows that it works; small is the default
  --accounts N, --rows N, --seconds N      instead of the size's own, where the scenario scales
  --only TEXT              only cases whose name contains it
  --database-url URL       an existing Postgres instead of one of the benchmark's own
  --flames FOLDER          where \`profile\` draws its flame graphs
  --out FILE               where the JSON result goes too
  --json                   JSON on stdout instead of tables
`
