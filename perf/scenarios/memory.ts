// What an account costs that is in memory: the live bytes of the worker thread after its garbage is collected, before and after more accounts became
// active. Every id costs the id filter something too; what as many ids cost without new accounts is measured and taken off.
import { BroadcastChannel } from 'node:worker_threads'
import { defaultPartitions } from '../../api/compose.ts'
import type { Command } from '../../core/command.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { residentBytes } from '../cpu.ts'
import { type EngineRun, startEngineRun } from '../engine-run.ts'
import { debits, opening } from '../load/commands.ts'
import { figure } from '../measurement.ts'
import { type Probed, probeChannel, probeModule } from '../memory-probe.ts'

const warmAccounts = 1000

export const memory: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 2000, small: 200_000, full: 1_000_000 })
  const database = await bench.database()
  const url = await database.fresh('memory')
  const run = await startEngineRun({
    url,
    accounts: warmAccounts,
    residents: accounts * 2,
    workers: 1,
    partitions: defaultPartitions,
    probe: probeModule,
  })
  const channel = new BroadcastChannel(probeChannel)
  let posted = 0
  try {
    const post = async (commands: readonly Command[]): Promise<void> => {
      for (let at = 0; at < commands.length; at += 100_000) await run.post(commands.slice(at, at + 100_000))
      posted += commands.filter(({ type }) => type === 'debit').length
    }
    const inTurn = (): (() => number) => {
      let n = 0
      return () => warmAccounts + (n++ % accounts)
    }
    await post(debits(inTurn())('none', 0))
    const before = await probe(run, channel, 'before')
    posted++
    const rssBefore = residentBytes(process.pid) ?? 0
    bench.say(`memory: ${accounts} accounts become active`)
    await run.engine.postAll(Array.from({ length: accounts }, (_, n) => opening(warmAccounts + n, 'more')))
    await post(debits(inTurn())('first', accounts))
    const active = await probe(run, channel, 'active')
    posted++
    const rss = (residentBytes(process.pid) ?? 0) - rssBefore
    bench.say('memory: as many ids without new accounts')
    await post(debits(inTurn())('again', accounts * 2))
    const again = await probe(run, channel, 'again')
    posted++
    const grown = (a: Probed, b: Probed): number => b.heapBytes + b.bufferBytes - a.heapBytes - a.bufferBytes
    const ids = grown(active, again)
    await run.close()
    const verified = await checkLedger([url], { debitedMinor: posted })
    return resultOf({
      verified: [verified],
      cases: [
        {
          name: `active accounts: ${accounts}`,
          setup: { accounts, partitions: defaultPartitions, workers: 1 },
          figures: {
            'live bytes': figure('bytes/account', [(grown(before, active) - ids) / accounts]),
            'with two ids each in the filter': figure('bytes/account', [grown(before, active) / accounts]),
            'of it in buffers': figure('bytes/account', [(active.bufferBytes - before.bufferBytes) / accounts]),
            'growth of RSS': figure('bytes/account', [rss / accounts]),
            'an id': figure('bytes', [ids / (accounts * 2)]),
          },
        },
      ],
      notes: [
        'Live bytes: heap and buffers of the worker thread after two full collections. RSS holds what was not yet given back, of all threads.',
      ],
    })
  } finally {
    channel.close()
  }
}

/** Posts a debit that the probe in the worker answers to. */
async function probe(run: EngineRun, channel: BroadcastChannel, name: string): Promise<Probed> {
  const id = `probe-${name}`
  const heard = new Promise<Probed>((resolve) => {
    channel.onmessage = (event) => {
      const { data } = event as unknown as { readonly data: Probed }
      if (data.id === id) resolve(data)
    }
  })
  const [debit] = debits(() => 0)('probe', 1)
  if (debit !== undefined) await run.post([{ ...debit, id }])
  return await heard
}
