// `suanpan verify`: finds the database that `serve` would use, recomputes the ledger, and prints what it found.
import { type VerifyReport, verifyLedger } from '../adapters/postgres/verify.ts'
import { type Environment, readConfig } from './config.ts'
import { databases } from './databases.ts'

/** Exit code: 0 all is well, 1 something is off. Throws if the database cannot be read at all. */
export async function verify(env: Environment, options: { readonly json: boolean }): Promise<number> {
  const config = readConfig(env)
  const started = performance.now()
  const { urls, end } = await databases(config)
  try {
    const report = await verifyLedger(urls)
    const seconds = (performance.now() - started) / 1000
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : text(report, seconds))
    return report.ok ? 0 : 1
  } finally {
    await end()
  }
}

function text(report: VerifyReport, seconds: number): string {
  const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}`
  const { finding } = report
  const summary = `${count(report.transactions, 'transactions')}, ${count(report.rows, 'rows')} in ${count(report.commits, 'commits')}, ${count(report.accounts, 'accounts')}, ${count(report.openHolds, 'open holds')}`
  if (finding === undefined) {
    return `ok: numbering, balances, conservation, holds and the hash chain of ${report.partitions} partitions\n${summary} (${seconds.toFixed(1)} s)\n`
  }
  const where = `shard ${finding.shard}, partition ${finding.partition}${finding.pseq === undefined ? '' : `, row ${finding.pseq}`}`
  return `BROKEN at ${where}\n${finding.rule}: ${finding.detail}\n`
}
