// Servers as processes of their own, and the load on them: the same requests under the same autocannon for Suanpan and for a bare route.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createHistogram } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

export interface BenchServer {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>
}

/** `entry` prints a line with its URL when it is up. Runs the emitted copy where this file is one. */
export async function startServer(
  entry: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  nodeArgs: readonly string[] = [],
): Promise<BenchServer> {
  const file = fileURLToPath(new URL(entry, import.meta.url))
  const source = existsSync(file) ? file : file.replace(/\.js$/, '.ts')
  const loader = source.endsWith('.ts') ? ['--import', 'tsx'] : []
  // As `npm start` does; the yardstick gets the same.
  const child: ChildProcess = spawn(
    process.execPath,
    ['--max-semi-space-size=64', ...nodeArgs, ...loader, source, ...args],
    {
      env: { ...process.env, PORT: '0', LOG_LEVEL: 'error', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  const endWithUs = (): boolean => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  void exited.then(() => process.removeListener('exit', endWithUs))
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const match = /(http:\/\/\S+)/.exec(output)
      if (match?.[1] !== undefined) resolve(match[1])
    })
    void exited.then(([code]) => reject(new Error(`the server ended with ${String(code)}`)))
  })
  return {
    url,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
    kill9: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

export interface LoadResult {
  readonly perSec: number
  readonly requests: number
  readonly not201: number
}

/**
 * Closed loop: each connection sends its next debit when the last is answered. At the end of its seconds autocannon breaks off what is under
 * way; with `amount` it ends when so many are answered, and nothing is left open.
 */
export async function load(
  url: string,
  options: { connections: number; seconds: number; accounts: number; name: string; amount?: number },
): Promise<LoadResult> {
  let n = 0
  const started = performance.now()
  const result = await autocannon({
    url: `${url}/v1/transactions`,
    connections: options.connections,
    duration: options.seconds,
    ...(options.amount !== undefined && { amount: options.amount }),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    requests: [
      {
        setupRequest: (request) => {
          n++
          request.body = body(`${options.name}-${n}`, Math.floor(Math.random() * options.accounts))
          return request
        },
      },
    ],
  })
  const created = result.statusCodeStats?.['201']?.count ?? 0
  const seconds = options.amount === undefined ? result.duration : (performance.now() - started) / 1000
  return { perSec: created / seconds, requests: result.requests.total, not201: result.requests.total - created }
}

const body = (id: string, account: number): string =>
  `{"id":"${id}","type":"debit","account":"cust-${account}:cash","amount":"0.01"}`

export interface Latency {
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** One connection, one request after the other, on an idle server; measured here, because autocannon counts whole milliseconds. */
export async function idleLatency(url: string, count: number, accounts: number): Promise<Latency> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const histogram = createHistogram()
  try {
    for (let i = -50; i < count; i++) {
      const started = process.hrtime.bigint()
      const status = await post(
        `${url}/v1/transactions`,
        body(`idle-${process.pid}-${i}`, Math.floor(Math.random() * accounts)),
        agent,
      )
      if (status !== 201) throw new Error(`a debit was answered ${status}`)
      if (i >= 0) histogram.record(process.hrtime.bigint() - started)
    }
  } finally {
    agent.destroy()
  }
  const ms = (ns: number): number => Math.round(ns / 1e4) / 100
  return {
    meanMs: ms(histogram.mean),
    p50Ms: ms(histogram.percentile(50)),
    p95Ms: ms(histogram.percentile(95)),
    p99Ms: ms(histogram.percentile(99)),
  }
}

function post(url: string, text: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': text.length } },
      (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}
