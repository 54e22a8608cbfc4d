// A real redis-server for one file of tests: own port, own directory, gone with the process however that ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../../free-port.ts'

/** Why tests that need it are skipped; undefined where it is installed. */
export const noRedis: string | undefined =
  spawnSync('redis-server', ['--version']).status === 0
    ? undefined
    : 'redis-server is not installed (Debian: apt-get install redis-server); everything about the Redis mailbox is UNTESTED in this run'

if (noRedis !== undefined) console.error(`\n!!! SKIPPED: ${noRedis}\n`)

export interface TestRedis {
  readonly url: string
  readonly port: number
  /** Sends a command as redis-cli would. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>
  /** Ends it at once; what it had is lost unless `appendonly` is set. Resolves when it is dead. */
  kill9(): Promise<void>
  /** Starts it again at the same port, over the same directory. */
  start(): Promise<void>
  /** Stops its clock: it accepts connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

/** Ends the server when the input ends, which is when this process is gone, SIGKILL included. */
const keeper =
  'redis-server "$@" >/dev/null & pid=$!; echo $pid; cat >/dev/null; kill -CONT $pid; kill -9 $pid; wait $pid'

export async function testRedis(settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'suanpan-redis-'))
  const port = await freePort()
  const options = { save: '', appendonly: 'no', ...settings }
  const args = Object.entries({ port: String(port), bind: '127.0.0.1', dir: directory, ...options })
  const { requirepass } = settings
  let shell: ChildProcess | undefined
  let pid = 0
  let client: Redis | undefined

  const connected = async (): Promise<Redis> => {
    if (client !== undefined) return client
    const options = { port, host: '127.0.0.1', retryStrategy: null, lazyConnect: true, protocol: 2 as const }
    const one = new Redis({ ...options, ...(requirepass === undefined ? {} : { password: requirepass }) })
    one.on('error', () => undefined)
    one.once('close', () => {
      client = undefined
    })
    await one.connect()
    client = one
    return one
  }
  const start = async (): Promise<void> => {
    shell = spawn('/bin/sh', ['-c', keeper, 'sh', ...args.flatMap(([key, value]) => [`--${key}`, value])], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const { stdout } = shell
    pid = await new Promise<number>((resolve) => stdout?.once('data', (line) => resolve(Number(String(line)))))
    const late = performance.now() + 10_000
    for (;;) {
      try {
        await (await connected()).call('PING')
        return
      } catch (error) {
        if (performance.now() > late) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  const end = async (): Promise<void> => {
    client?.disconnect()
    client = undefined
    const ending = shell
    shell = undefined
    if (ending === undefined || ending.exitCode !== null) return
    const ended = new Promise((resolve) => ending.once('exit', resolve))
    ending.stdin?.end()
    await ended
  }
  await start()
  return {
    port,
    url: `redis://${requirepass === undefined ? '' : `:${requirepass}@`}127.0.0.1:${port}`,
    call: async (command, ...args) => (await connected()).call(command, ...args),
    kill9: end,
    start,
    freeze: () => process.kill(pid, 'SIGSTOP'),
    thaw: () => process.kill(pid, 'SIGCONT'),
    stop: async () => {
      await end()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
