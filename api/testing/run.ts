// An engine in the process of the test, and a look into its database past it.
import assert from 'node:assert/strict'
import pg from 'pg'
import { verifyLedger } from '../../adapters/postgres/verify.ts'
import { type EngineOptions, type RunningEngine, startEngine } from '../compose.ts'

export interface Run {
  readonly engine: RunningEngine
  /** `message fields` of all that was logged. */
  readonly log: string[]
  readonly quarantined: () => number
  readonly threadsEnded: () => number
}

export async function runEngine(urls: readonly string[], options: Partial<EngineOptions> = {}): Promise<Run> {
  const log: string[] = []
  let quarantined = 0
  let ended = 0
  const engine = await startEngine({
    urls,
    workers: 2,
    partitions: 4,
    deadlineMs: 60_000,
    houseAutoOpen: true,
    segmentRowsMax: 1_000_000,
    residentAccountsMax: 100_000,
    log: (level, message, fields) => log.push(`${level} ${message} ${JSON.stringify(fields)}`),
    onQuarantine: () => quarantined++,
    onThreadEnd: () => ended++,
    ...options,
  })
  running.add(engine)
  return { engine, log, quarantined: () => quarantined, threadsEnded: () => ended }
}

const running = new Set<RunningEngine>()

/** For `after`: a test that failed leaves its engine running, which would keep the process. */
export async function closeEngines(): Promise<void> {
  await Promise.allSettled([...running].map((engine) => engine.close()))
}

export async function rowsOf<T extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<T[]> {
  const client = new pg.Client(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<T>(sql, values)).rows
  } finally {
    await client.end()
  }
}

export async function verifyClean(urls: readonly string[]): Promise<void> {
  const report = await verifyLedger(urls)
  assert.equal(report.finding, undefined)
  assert.equal(report.ok, true)
}

/** Looks again and again until `look` gives true. */
export async function eventually(what: string, look: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const until = performance.now() + ms
  while (!(await look())) {
    if (performance.now() > until) assert.fail(`not in ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Ids of the account's transactions in the order of its entries. */
export async function statementOf(url: string, account: string): Promise<string[]> {
  const rows = await rowsOf<{ transaction: string }>(
    url,
    'SELECT e.transaction FROM suanpan.entries e JOIN suanpan.account a ON a.key = e.key WHERE a.id = $1 ORDER BY e.seq',
    [account],
  )
  return rows.map(({ transaction }) => transaction)
}
