// What every run must stand up to before it may give a figure: the ledger verifies, and it holds exactly what was posted. Throws otherwise.

import { connect } from '../adapters/postgres/connect.ts'
import { verifyLedger } from '../adapters/postgres/verify.ts'

export interface Expected {
  /** Accepted and declined, openings included; undefined: not counted by this run. */
  readonly transactions?: number
  /** Minor units that left the customers' accounts for those of the house. */
  readonly debitedMinor: number
}

/** Returns what was checked, in words. */
export async function checkLedger(urls: readonly string[], expected: Expected): Promise<string> {
  const report = await verifyLedger(urls)
  if (!report.ok) throw new Error(`the ledger is broken after the run: ${JSON.stringify(report.finding)}`)
  if (expected.transactions !== undefined && report.transactions !== expected.transactions) {
    throw new Error(`${expected.transactions} transactions were acknowledged, the journal has ${report.transactions}`)
  }
  let house = 0n
  for (const url of urls) house += await houseBalance(url)
  if (house !== BigInt(expected.debitedMinor)) {
    throw new Error(`${expected.debitedMinor} were debited, the house accounts have ${house}`)
  }
  return `verify clean: ${report.rows} rows, ${report.commits} commits, ${report.accounts} accounts; the house accounts hold the ${expected.debitedMinor} that was debited`
}

async function houseBalance(url: string): Promise<bigint> {
  const client = await connect(url, { name: 'suanpan bench' })
  try {
    const { rows } = await client.query<{ sum: string }>('SELECT coalesce(sum(balance), 0) AS sum FROM suanpan.cell')
    return BigInt(rows[0]?.sum ?? 0)
  } finally {
    await client.end()
  }
}
