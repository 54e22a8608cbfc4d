// What a command of the command line is, how its arguments are read, and what the exit codes mean. What a mistake in the arguments
// prints is made here, so that every command says it the same way.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { ClientError } from '../client/errors.ts'
import type { RetryPolicy } from '../client/retry.ts'

export const exitCodes = {
  /** Done as asked: every row is in the ledger, the ledger verifies. */
  ok: 0,
  /** Done, and the answer is no: rows were not posted, the account or transaction does not exist, the ledger does not verify. */
  no: 1,
  /** The arguments or the mapping file are wrong; nothing was done. */
  usage: 2,
  /** The server (of `serve` and `verify`: the database) cannot be reached, or the connection was lost for good. Run the same again. */
  unreachable: 3,
  /** The rows themselves stop it (they do not map, accounts or assets are missing); no transaction was sent. */
  stopped: 4,
  /** Something that should not happen. */
  bug: 70,
} as const

export const exitCodesHelp = `Exit codes:
  0  done as asked: every row is in the ledger
  1  done, and the answer is no: rows declined or skipped, no such account, the ledger does not verify
  2  wrong arguments or mapping file
  3  the server (serve, verify: the database) cannot be reached, or was lost for good: run the same again, nothing is
     posted twice
  4  stopped before any transaction was sent: rows do not map, accounts or assets are missing`

export interface Io {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
  readonly env: NodeJS.ProcessEnv
  /** How long `post` stays with a server that is away; tests are in a hurry. */
  readonly retry?: RetryPolicy
}

/** An option as `parseArgs` takes it, and what the help says of it. */
interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** Name of its value in the help. */
  readonly value?: string
  readonly says: string
}

export type Options = { readonly [name: string]: Option }

export interface Command {
  readonly name: string
  readonly summary: string
  /** Each way to call it, without the program's name. */
  readonly usage: readonly string[]
  readonly about: string
  readonly options: Options
  readonly examples: readonly string[]
  /** What its exit codes mean, where it says less or other than `exitCodesHelp`. */
  readonly exits?: Readonly<Record<number, string>>
  /** Arguments after the command's name; the result is the exit code. */
  run(argv: readonly string[], io: Io): Promise<number>
}

/** A mistake in the arguments: printed with the usage of its command, exit code 2. */
export class UsageError extends Error {
  readonly command: Command | undefined
  constructor(message: string, command?: Command) {
    super(message)
    this.name = 'UsageError'
    this.command = command
  }
}

/** Anything else that ends a command with a sentence and an exit code of its own. */
export class Stop extends Error {
  readonly exitCode: number
  constructor(exitCode: number, message: string) {
    super(message)
    this.name = 'Stop'
    this.exitCode = exitCode
  }
}

/** Trouble with the server: whether running the same again can help. */
export const exitCodeOf = (error: ClientError): number =>
  error.code === 'protocol_broken' || error.code === 'refused' ? exitCodes.no : exitCodes.unreachable

const help: Options = { help: { type: 'boolean', short: 'h', says: 'show this help' } }

type Values<O extends Options> = {
  readonly [Name in keyof O]?: O[Name]['type'] extends 'boolean' ? boolean : string
}

/** Reads the arguments of a command; throws `UsageError` with the nearest right spelling. `names` of the positional arguments, all required. */
export function readArguments<O extends Options>(
  command: Command & { readonly options: O },
  argv: readonly string[],
  names: readonly string[],
): { readonly values: Values<O>; readonly positionals: readonly string[] } {
  const options: Options = { ...command.options, ...help }
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...argv], options: options as ParseArgsConfig['options'] & {}, allowPositionals: true })
  } catch (error) {
    throw new UsageError(sayMistake(error, options), command)
  }
  const { values, positionals } = parsed
  const missing = names[positionals.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing`, command)
  const extra = positionals[names.length]
  if (extra !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(extra)}`, command)
  return { values: values as Values<O>, positionals }
}

function sayMistake(error: unknown, options: Options): string {
  const message = error instanceof Error ? error.message : String(error)
  const code = (error as NodeJS.ErrnoException).code
  const named = /'(--?[^' =]+)/.exec(message)?.[1]
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && named !== undefined) {
    const near = nearest(named.replace(/^-+/, ''), Object.keys(options))
    return `there is no option ${named}${near === undefined ? '' : `; did you mean --${near}?`}`
  }
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') {
    const name = /--([a-z-]+)/.exec(message)?.[1]
    const option = name === undefined ? undefined : options[name]
    if (option?.type === 'string') {
      const dashed = message.includes('ambiguous') ? ` (one that begins with a dash: --${name}=-..)` : ''
      return `--${name} needs a value: --${name} ${option.value ?? 'VALUE'}${dashed}`
    }
    if (option?.type === 'boolean') return `--${name} takes no value`
  }
  return message
}

/** A whole number above zero. */
export function countOf(command: Command, name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]{0,14}$/.test(text))
    throw new UsageError(`--${name} must be a whole number above zero, not ${JSON.stringify(text)}`, command)
  return Number(text)
}

const urlDefault = 'http://127.0.0.1:8080'

export const urlOption = {
  url: { type: 'string', value: 'URL', says: `the server (default: SUANPAN_URL or ${urlDefault})` },
} as const satisfies Options

/** `--url`, else SUANPAN_URL, else the default. */
export function urlOf(command: Command, given: string | undefined, env: NodeJS.ProcessEnv): string {
  const url = given ?? (env.SUANPAN_URL || urlDefault)
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError(
      `${given === undefined ? 'SUANPAN_URL' : '--url'} is not an http or https URL: ${url}`,
      command,
    )
  return url
}

export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...help }).map(([name, option]) => [
    `  ${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.value === undefined ? '' : ` ${option.value}`}`,
    option.says,
  ])
  const width = Math.max(...options.map(([left = '']) => left.length))
  return [
    `${command.summary}`,
    '',
    ...usageLines(command),
    '',
    command.about,
    '',
    'Options:',
    ...options.map(
      ([left = '', right = '']) => `${left.padEnd(width)}  ${right.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`,
    ),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
    ...exitLines(command.exits),
    '',
  ].join('\n')
}

const exitLines = (exits: Command['exits']): string[] =>
  exits === undefined
    ? [exitCodesHelp]
    : ['Exit codes:', ...Object.entries(exits).map(([code, says]) => `  ${code}  ${says}`)]

export const usageLines = (command: Command): string[] =>
  command.usage.map((usage, index) => `${index === 0 ? 'Usage:' : '      '} suanpan ${usage}`)

/** The candidate with the fewest edits, if they are few for its length; among equals the one that begins alike. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance: number = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    let alike = 0
    while (alike < word.length && word[alike] === candidate[alike]) alike++
    const distance = editDistance(word, candidate) - alike / 1000
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : replaced
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
