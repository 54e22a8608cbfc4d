// Statements of an account that has very many entries: pages at its start, middle and end over HTTP, and all of it page by page.
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { fillLedger } from '../fill.ts'
import { startServer } from '../http-run.ts'
import { accountId } from '../load/commands.ts'
import { Connection, getBytes } from '../load/connection.ts'
import { closedLoop, latencyOf } from '../load/loops.ts'
import { type Case, figure } from '../measurement.ts'

interface Page {
  readonly entries: readonly { readonly seq: number; readonly balance: string }[]
  readonly next: string | null
}

export const reads: Scenario = async (bench) => {
  const rows = bench.rows ?? bench.sized({ tiny: 2000, small: 500_000, full: 5_000_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.1, small: 1, full: 5 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const walked = Math.min(rows, bench.sized({ tiny: 2000, small: 50_000, full: 500_000 }))
  const database = await bench.database()
  const url = await database.fresh('reads')
  bench.say(`reads: one account with ${rows} entries`)
  await fillLedger(url, { accounts: 1, rows, segmentRowsMax: 2_000_000, say: bench.say })
  const server = await startServer('../api/cli/main.js', ['serve'], { DATABASE_URL: url, WORKERS: '1' })
  const path = `/v1/accounts/${accountId(0)}/entries`
  const places = { start: 0, middle: Math.floor(rows / 2), end: Math.max(0, rows - 100) }
  const measured = new Map(
    Object.keys(places).map((place) => [place, { rates: [] as number[], p50: [] as number[], p99: [] as number[] }]),
  )
  const walks: number[] = []
  try {
    for (let i = 0; i < rounds; i++) {
      bench.say(`reads: round ${i + 1} of ${rounds}`)
      for (const [place, after] of Object.entries(places)) {
        const request = getBytes(`${path}?limit=100&after=${after}`)
        const loaded = await closedLoop({
          url: server.url,
          connections: 8,
          seconds,
          next: () => request,
          check: (body) => mustBePage(body, after, Math.min(100, rows - after)),
        })
        const into = measured.get(place)
        const latency = latencyOf(loaded.latency)
        into?.rates.push((loaded.statuses.get(200) ?? 0) / loaded.seconds)
        into?.p50.push(latency.p50Ms)
        into?.p99.push(latency.p99Ms)
      }
      walks.push(await walk(server.url, path, walked))
    }
  } finally {
    await server.stop()
  }
  const verified = await checkLedger([url], { debitedMinor: rows })
  const setup = { entries: rows, connections: 8, 'page (entries)': 100 }
  const cases: Case[] = [
    ...[...measured].map(
      ([place, { rates, p50, p99 }]): Case => ({
        name: `page at the ${place}`,
        setup,
        figures: { 'pages/s': figure('pages/s', rates), 'p50 ms': figure('ms', p50), 'p99 ms': figure('ms', p99) },
      }),
    ),
    {
      name: 'page after page',
      setup: { entries: walked, connections: 1, 'page (entries)': 1000 },
      figures: { 'entries/s': figure('entries/s', walks) },
    },
  ]
  return resultOf({ verified: [`every page held the entries after its cursor, in order; ${verified}`], cases })
}

function mustBePage(body: Buffer, after: number, count: number): void {
  const text = body.toString('latin1')
  const first = /"seq":(\d+)/.exec(text)?.[1]
  if (Number(first) !== after + 1)
    throw new Error(`the page after ${after} begins with ${first}: ${text.slice(0, 200)}`)
  if (count > 0 && !text.includes(`"seq":${after + count},`))
    throw new Error(`the page after ${after} does not reach ${after + count}`)
}

/** Entries/s from the first page to the last, each asked for by the cursor of the one before. */
async function walk(url: string, path: string, entries: number): Promise<number> {
  const connection = await Connection.open(url, true)
  const started = performance.now()
  let seen = 0
  let cursor = '0'
  while (seen < entries) {
    const { status, body } = await connection.request(
      getBytes(`${path}?limit=1000&after=${encodeURIComponent(cursor)}`),
    )
    if (status !== 200 || body === undefined) throw new Error(`a page was answered ${status}`)
    const page = JSON.parse(body.toString()) as Page
    for (const { seq } of page.entries) if (seq !== ++seen) throw new Error(`entry ${seen} is missing`)
    if (page.next === null) break
    cursor = page.next
  }
  connection.close()
  return (seen * 1000) / (performance.now() - started)
}
