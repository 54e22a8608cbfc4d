// A whole server as a process of its own, for tests that kill it: `suanpan serve` from source on a free port and a database of the test's.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestPostgres, testPostgres } from '../../adapters/embedded/testing/test-postgres.ts'
import { programArgs } from '../../adapters/testing/program.ts'

export interface TestServer {
  readonly url: string
  readonly pid: number
  /** What it printed so far: its log and whatever else. */
  output(): string
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
  /** SIGSTOP, SIGCONT. */
  freeze(): void
  thaw(): void
  readonly exited: Promise<number | null>
}

export interface TestServerOptions {
  /** Of an existing database; undefined: a cluster and a database of its own, which end with `stop`. */
  readonly databaseUrl?: string
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

const main = programArgs(new URL('../cli/main.ts', import.meta.url), import.meta.url)
const startMs = 60_000
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Resolves when /readyz says yes; rejects with the output if it ends before. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const own: TestPostgres | undefined = options.databaseUrl === undefined ? await testPostgres() : undefined
  const databaseUrl = options.databaseUrl ?? (await own?.newDatabase()) ?? ''
  const child = spawn(process.execPath, [...main, 'serve', ...(options.args ?? [])], {
    env: { ...process.env, PORT: '0', DATABASE_URL: databaseUrl, LOG_LEVEL: 'info', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let output = ''
  const heard = new Set<() => void>()
  const listen = (chunk: Buffer): void => {
    output += chunk.toString()
    for (const look of heard) look()
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const exited = once(child, 'exit').then(([code]) => {
    children.delete(child)
    return code as number | null
  })
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server was not up in ${startMs} ms:\n${output}`)), startMs)
      const look = (): void => {
        const match = /Suanpan serves at (\S+)/.exec(output)
        if (match?.[1] === undefined) return
        clearTimeout(timer)
        heard.delete(look)
        resolve(match[1])
      }
      heard.add(look)
      void exited.then((code) => {
        clearTimeout(timer)
        reject(new Error(`the server ended with ${code}:\n${output}`))
      })
    })
    const end = async (signal: NodeJS.Signals): Promise<number | null> => {
      child.kill(signal)
      const code = await exited
      await own?.stop()
      return code
    }
    return {
      url,
      pid: child.pid ?? 0,
      output: () => output,
      exited,
      kill9: async () => {
        child.kill('SIGKILL')
        await exited
      },
      stop: () => end('SIGTERM'),
      freeze: () => child.kill('SIGSTOP'),
      thaw: () => child.kill('SIGCONT'),
    }
  } catch (error) {
    child.kill('SIGKILL')
    await own?.stop()
    throw error
  }
}
