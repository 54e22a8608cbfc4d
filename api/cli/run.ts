// From the arguments to an exit code: finds the command, prints help and mistakes. Loads only the command that runs.
import { existsSync, readFileSync } from 'node:fs'
import { ClientError } from '../client/errors.ts'
import {
  type Command,
  exitCodeOf,
  exitCodes,
  exitCodesHelp,
  helpOf,
  type Io,
  nearest,
  Stop,
  UsageError,
  usageLines,
} from './command.ts'
import { paint } from './terminal.ts'

const commands: { readonly [name: string]: { readonly says: string; readonly load: () => Promise<Command> } } = {
  serve: { says: 'start a server', load: async () => (await import('./commands/serve.ts')).serve },
  post: {
    says: 'send a file of transactions (NDJSON, or CSV with a mapping)',
    load: async () => (await import('./commands/post.ts')).post,
  },
  account: {
    says: 'show an account or its entries',
    load: async () => (await import('./commands/account.ts')).account,
  },
  tx: { says: 'show a transaction', load: async () => (await import('./commands/tx.ts')).tx },
  shards: {
    says: 'show the shards, add one, move partitions',
    load: async () => (await import('./commands/shards.ts')).shards,
  },
  drill: {
    says: 'break a service of its own and count what was lost',
    load: async () => (await import('./commands/drill.ts')).drill,
  },
  verify: {
    says: 'recompute the ledger from its journal',
    load: async () => (await import('./commands/verify.ts')).verify,
  },
}

/** `argv` without node and script. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    const error_ = paint(io.stderr, io.env, 'red', 'error:')
    if (error instanceof UsageError) {
      io.stderr.write(`${error_} ${error.message}\n\n${usageOf(error.command)}`)
      return exitCodes.usage
    }
    if (error instanceof Stop) {
      io.stderr.write(`${error_} ${error.message}\n`)
      return error.exitCode
    }
    if (error instanceof ClientError) {
      io.stderr.write(`${error_} ${error.message}\n`)
      return exitCodeOf(error)
    }
    io.stderr.write(`${error_} ${error instanceof Error ? error.stack : String(error)}\n`)
    return exitCodes.bug
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv
  if (first === '--version' || first === '-v') return say(io, `${versionOf(new URL('.', import.meta.url))}\n`)
  if (first === '--help' || first === '-h') return say(io, overview())
  if (first === undefined) throw new UsageError('a command is missing')
  const name = first === 'help' ? rest[0] : first
  if (name === undefined) return say(io, overview())
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (found === undefined) {
    const near = nearest(name, Object.keys(commands))
    const what = name.startsWith('-') ? 'option' : 'command'
    throw new UsageError(`there is no ${what} ${name}${near === undefined ? '' : `; did you mean "suanpan ${near}"?`}`)
  }
  const command = await found.load()
  if (first === 'help' || asksForHelp(rest)) return say(io, helpOf(command))
  return await command.run(rest, io)
}

function say(io: Io, text: string): number {
  io.stdout.write(text)
  return exitCodes.ok
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).some((argument) => argument === '--help' || argument === '-h')
}

const overview = (): string =>
  [
    'suanpan: an actor-model transaction processor',
    '',
    'Usage: suanpan COMMAND [options]',
    '',
    'Commands:',
    ...Object.entries(commands).map(([name, { says }]) => `  ${name.padEnd(8)}  ${says}`),
    '',
    '"suanpan COMMAND --help" explains one of them; "suanpan --version" says which this is.',
    '',
    exitCodesHelp,
    '',
  ].join('\n')

const usageOf = (command: Command | undefined): string =>
  command === undefined
    ? `Usage: suanpan COMMAND [options], where COMMAND is one of ${Object.keys(commands).join(', ')}\nTry: suanpan --help\n`
    : `${usageLines(command).join('\n')}\nTry: suanpan ${command.name} --help\n`

/** Of the package.json above this file, from the sources as from `dist`. */
function versionOf(folder: URL): string {
  const file = new URL('package.json', folder)
  if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  const parent = new URL('..', folder)
  return parent.href === folder.href ? 'unknown' : versionOf(parent)
}
