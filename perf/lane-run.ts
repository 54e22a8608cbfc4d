// The cost of one lane by itself: CPU of a worker's work on plain debits with a ledger that discards, so that neither Postgres nor the main
// thread is in the figure. What a rebuild of the hot path is compared by: `npm run bench -- lane`.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Lane } from '../actors/lane.ts'
import type { Frame, Head, Ledger, MailboxReader } from '../actors/ports.ts'
import { partitionOf, placing } from '../actors/route.ts'
import { systemClock, systemRandom, systemTimers } from '../adapters/system/system.ts'
import { openedAccount } from '../core/account.ts'
import { builtInAssets } from '../core/asset.ts'
import { calendarOf } from '../core/business-date.ts'
import { ownerOfAccount } from '../core/identity.ts'
import { accountKey } from '../core/partition.ts'
import { encodeFrame, type Stamped } from '../schemas/frame.ts'
import { median } from './statistics.ts'

const partitions = 8
const accounts = 100_000
const perFrame = 128
const batchCommandsMax = 4096
const rounds = 7
const perRound = 200_000

export async function lane(say: (line: string) => void): Promise<unknown> {
  const uniform: Cost[] = []
  const hot: Cost[] = []
  const bench = new LaneBench()
  // One command for each account: what is in memory afterwards and was not before is the accounts, and 2 bytes an id in the filters.
  const before = memoryBytes()
  await bench.activate()
  const bytesPerAccount = Math.round((memoryBytes() - before) / accounts)
  await bench.round(perRound, false)
  for (let i = 0; i < rounds; i++) {
    uniform.push(await bench.round(perRound, false))
    hot.push(await bench.round(perRound, true))
    say(`${JSON.stringify(uniform.at(-1))} ${JSON.stringify(hot.at(-1))}`)
  }
  await bench.stop()
  return { uniform: middle(uniform), hot: middle(hot), residentBytesPerAccount: bytesPerAccount }
}

/** Microseconds a command: on the wall, of CPU in all threads (garbage collection's helpers included). */
interface Cost {
  readonly wallUs: number
  readonly cpuUs: number
}

const middle = (costs: readonly Cost[]): Cost => ({
  wallUs: rounded(median(costs.map(({ wallUs }) => wallUs))),
  cpuUs: rounded(median(costs.map(({ cpuUs }) => cpuUs))),
})
const rounded = (us: number): number => Math.round(us * 100) / 100

/** After a full collection: heap and array buffers. */
function memoryBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

class LaneBench {
  private readonly mailbox = new Frames()
  private readonly lane: Lane
  private readonly ended: Promise<void>
  private answered = 0
  private expected = 0
  private done: () => void = () => undefined
  private tickets = 0
  private readonly frames: number[] = new Array(partitions).fill(0)

  constructor() {
    const assets = new Map(builtInAssets.map((asset) => [asset.code, asset]))
    this.lane = new Lane(
      {
        clock: systemClock,
        timers: systemTimers,
        random: systemRandom,
        ledger: new DiscardingLedger(assets.get('CNY') ?? { code: 'CNY', scale: 2, autoOpen: false }),
        mailbox: this.mailbox,
        answers: {
          answers: (_tickets, https, _replayed, _bodies) => {
            for (let i = 0; i < https.length; i++) if (https[i] !== 201) throw new Error(`an answer is ${https[i]}`)
            this.answered += https.length
            if (this.answered >= this.expected) this.done()
          },
        },
        packets: { packets: () => undefined },
        news: {
          hosted: () => undefined,
          lost: () => undefined,
          released: () => undefined,
          historyLost: () => undefined,
          turned: () => undefined,
          trouble: () => undefined,
          committed: () => undefined,
          quarantined: () => undefined,
          log: (level, message, fields) => process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}\n`),
        },
      },
      { batchCommandsMax, residentsMax: 1_000_000 },
      { assets, dateOf: calendarOf('UTC'), houseAutoOpen: true, partitionOf: placing(partitions) },
    )
    this.lane.host(
      Array.from({ length: partitions }, (_, partition) => partition),
      new Map(),
    )
    this.ended = this.lane.run()
  }

  async activate(): Promise<void> {
    await this.run(this.framesOf(accounts, (i) => i))
  }

  async round(count: number, hot: boolean): Promise<Cost> {
    return await this.run(this.framesOf(count, () => (hot ? 0 : Math.floor(systemRandom.fraction() * accounts))))
  }

  private async run(frames: readonly Frame[]): Promise<Cost> {
    const count = this.tickets - this.answered
    this.expected = this.answered + count
    const over = new Promise<void>((resolve) => {
      this.done = resolve
    })
    const cpu = process.cpuUsage()
    const started = performance.now()
    this.mailbox.put(frames)
    await over
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    return { wallUs: rounded((ms * 1000) / count), cpuUs: rounded((user + system) / count) }
  }

  private framesOf(count: number, numberOf: (i: number) => number): Frame[] {
    const gathered: Stamped[][] = Array.from({ length: partitions }, () => [])
    const frames: Frame[] = []
    const close = (partition: number): void => {
      const high = (this.frames[partition] ?? 0) + 1
      this.frames[partition] = high
      frames.push({ partition, generation: 1, high, low: 0, bytes: encodeFrame(gathered[partition] ?? []) })
      gathered[partition] = []
    }
    for (let i = 0; i < count; i++) {
      const account = `cust-${numberOf(i)}:cash`
      const partition = partitionOf(ownerOfAccount(account), partitions)
      this.tickets++
      const command = {
        type: 'debit',
        id: `r-${this.tickets}`,
        account,
        amount: '0.01',
        to: 'house:settlement:default',
      } as const
      gathered[partition]?.push({ command, ticket: this.tickets, stampedAt: systemClock.now() })
      if (gathered[partition]?.length === perFrame) close(partition)
    }
    for (const [partition, list] of gathered.entries()) if (list.length > 0) close(partition)
    return frames
  }

  async stop(): Promise<void> {
    this.lane.stop()
    await this.ended
  }
}

class Frames implements MailboxReader {
  private frames: Frame[] = []
  private wake: (() => void) | undefined
  waitingCommands = 0

  put(frames: readonly Frame[]): void {
    this.frames.push(...frames)
    this.wake?.()
  }

  open(): void {}
  close(): void {}
  trim(): void {}

  take(commandsMax: number): readonly Frame[] {
    return this.frames.splice(0, commandsMax / perFrame)
  }

  whenFrames(callback: () => void): void {
    this.wake = callback
    if (this.frames.length > 0) callback()
  }
}

/** Knows every account that it is asked for, and keeps nothing. */
class DiscardingLedger implements Ledger {
  private readonly asset
  private readonly opened = new Map<number, number>()

  constructor(asset: (typeof builtInAssets)[number]) {
    this.asset = asset
  }

  async takeOver(partitions: readonly number[]): Promise<readonly Head[]> {
    return partitions.map((partition) => ({
      partition,
      epoch: 1,
      position: { generation: 1, high: 0, low: 0, index: 0 },
      attempt: undefined,
      pseq: 0,
      accountsOpened: 1_000_000,
      time: 0,
      chain: new Uint8Array(32),
      segment: 1,
      catalog: { version: 0, changes: [] },
      links: [],
      joints: [],
    }))
  }

  async load(needs: Parameters<Ledger['load']>[0]): ReturnType<Ledger['load']> {
    return new Map(
      [...needs].map(([partition, { accounts: ids }]) => [
        partition,
        {
          accounts: ids.map((id) => {
            const n = (this.opened.get(partition) ?? 0) + 1
            this.opened.set(partition, n)
            return { ...openedAccount(accountKey(partition, n, id), id, this.asset, 'credit', 10n ** 12n), version: 1 }
          }),
          transactions: [],
        },
      ]),
    )
  }

  async commit(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }

  async pastIds(): Promise<void> {}

  async oldIds(): ReturnType<Ledger['oldIds']> {
    return new Map()
  }
  async close(): Promise<void> {}
}
