// Streams for a command that runs inside a test: what it prints is kept as text.
import { Readable, Writable } from 'node:stream'
import type { RetryPolicy } from '../../client/retry.ts'
import type { Io } from '../command.ts'
import { run } from '../run.ts'

class Captured extends Writable {
  text = ''
  isTTY?: boolean

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk
    done()
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

const hasty: RetryPolicy = { retriesMax: 4, delayMs: 1, delayMsMax: 2 }

/** `suanpan ...argv` in this process; it gives up early on a server that is away unless told otherwise. */
export async function runCaptured(
  argv: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; tty?: boolean; retry?: RetryPolicy } = {},
): Promise<Ran> {
  const { env = {}, input = '', tty = false, retry = hasty } = options
  const stdout = new Captured()
  const stderr = new Captured()
  if (tty) {
    stdout.isTTY = true
    stderr.isTTY = true
  }
  const io: Io = { stdin: Readable.from([Buffer.from(input)]), stdout, stderr, env, retry }
  const code = await run(argv, io)
  return { code, out: stdout.text, err: stderr.text }
}
