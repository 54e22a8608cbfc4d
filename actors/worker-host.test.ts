// What the lanes of one thread share.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedLedger } from '../adapters/simulated/ledger.ts'
import { SeededRandom } from '../adapters/simulated/random.ts'
import { SimulatedShard } from '../adapters/simulated/shard.ts'
import { VirtualTime } from '../adapters/simulated/time.ts'
import { calendarOf } from '../core/business-date.ts'
import { InHand, inHandBytes } from './in-hand.ts'
import type { PastIds } from './ports.ts'
import { placing } from './route.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'
import { WorkerHost } from './worker-host.ts'

/** Has one closed segment, whose filters have the given size; nothing of it is read. */
class LongLedger extends SimulatedLedger {
  kept: boolean | undefined
  readonly told: number[] = []
  private readonly filterBytes: number

  constructor(filterBytes: number) {
    super(new SimulatedShard(1))
    this.filterBytes = filterBytes
  }

  override async pastIds(_partitions: readonly number[], into: PastIds): Promise<void> {
    this.kept = into.keeps(1, this.filterBytes)
  }

  override segmentClosed(segment: number): void {
    this.told.push(segment)
  }
}

async function hosting(ledgers: readonly LongLedger[], idFilterBytesMax: number) {
  const time = new VirtualTime()
  const host = new WorkerHost(
    {
      clock: time,
      timers: time,
      random: new SeededRandom(7),
      ledger: (shard) => ledgers[shard] ?? assert.fail(),
      addShard: () => undefined,
      mailbox: () => new FakeMailbox(),
      send: () => undefined,
      inHand: new InHand(new SharedArrayBuffer(inHandBytes)),
    },
    { batchCommandsMax: 100, residentsMax: 100, idFilterBytesMax },
    { assets: new Map(), dateOf: calendarOf('UTC'), houseAutoOpen: true, partitionOf: placing(1) },
  )
  const ended = host.run()
  for (const shard of ledgers.keys()) host.hear({ kind: 'host', shard, partitions: [0], suspects: [], seen: [] })
  for (let turn = 0; turn < 100 && ledgers.some(({ kept }) => kept === undefined); turn++)
    await new Promise((resolve) => setImmediate(resolve))
  const stop = async (): Promise<void> => {
    host.hear({ kind: 'stop' })
    await ended
  }
  return { host, stop }
}

test('the memory for filters is divided among the lanes of the thread', async () => {
  const alone = [new LongLedger(600_000)]
  const together = [new LongLedger(600_000), new LongLedger(300_000)]
  for (const ledgers of [alone, together]) await (await hosting(ledgers, 1_000_000)).stop()
  assert.deepEqual(
    [alone, together].map((ledgers) => ledgers.map(({ kept }) => kept)),
    [[true], [false, true]],
  )
})

test('a segment that closed is told to the ledger of its shard alone', async () => {
  const ledgers = [new LongLedger(1), new LongLedger(1)]
  const { host, stop } = await hosting(ledgers, 1_000_000)
  host.hear({ kind: 'segment_closed', shard: 1, segment: 4 })
  await stop()
  assert.deepEqual(
    ledgers.map(({ told }) => told),
    [[], [4]],
  )
})
