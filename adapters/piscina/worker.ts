// The entry of a worker thread, a composition root: brings the adapters to a WorkerHost and runs it as one long piscina task.
import { type MessagePort, threadId } from 'node:worker_threads'
import { InHand } from '../../actors/in-hand.ts'
import { placing } from '../../actors/route.ts'
import { WorkerHost } from '../../actors/worker-host.ts'
import type { FromWorker, ToWorker } from '../../actors/worker-protocol.ts'
import type { Asset } from '../../core/asset.ts'
import { calendarOf } from '../../core/business-date.ts'
import type { Received } from '../../core/partition.ts'
import type { MemoryReaderSettings } from '../memory/protocol.ts'
import { MemoryMailboxPort } from '../memory/reader.ts'
import { PostgresLedger } from '../postgres/ledger.ts'
import type { RedisReaderSettings } from '../redis/protocol.ts'
import { type ReaderLog, RedisMailboxPort } from '../redis/reader.ts'
import { systemClock, systemRandom, systemTimers } from '../system/system.ts'

/** All that a worker needs to know; plain data. */
export interface WorkerSettings {
  /** Names this process in `pg_stat_activity` and in the journal. */
  readonly processName: string
  readonly shardUrls: readonly string[]
  /** Before the first change of the catalog; the partitions know those that came since. */
  readonly assets: readonly Asset[]
  readonly timeZone: string
  readonly houseAutoOpen: boolean
  readonly mailbox: ReaderSettings
  readonly partitions: number
  readonly batchCommandsMax: number
  readonly overlapCommandsMin: number
  readonly residentsMax: number
  readonly idFilterBytesMax: number | undefined
  /** A module whose `beforeDecide(received)` is called for every command: how tests make a thread fail. */
  readonly sabotage?: string | undefined
}

export type ReaderSettings = MemoryReaderSettings | RedisReaderSettings

export interface WorkerStart {
  readonly control: MessagePort
  readonly mailbox: MessagePort
  readonly settings: WorkerSettings
  readonly inHand: SharedArrayBuffer
}

export default async function run({ control, mailbox, settings, inHand }: WorkerStart): Promise<void> {
  const assets = new Map(settings.assets.map((asset) => [asset.code, asset]))
  const rules = {
    assets,
    dateOf: calendarOf(settings.timeZone),
    houseAutoOpen: settings.houseAutoOpen,
    partitionOf: placing(settings.partitions),
  }
  const send = sendingTogether(control)
  const mailboxPort = readerPort(mailbox, settings.mailbox, (message, fields) =>
    send({ kind: 'log', level: 'warn', message, fields }),
  )
  const urls = [...settings.shardUrls]
  const beforeDecide = await sabotageFrom(settings.sabotage)
  const host = new WorkerHost(
    {
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      ledger: (shard) =>
        new PostgresLedger({
          url: urls[shard] ?? '',
          name: `${settings.processName} t${threadId} s${shard}`,
          assets,
        }),
      addShard: (shard, url) => {
        urls[shard] = url
      },
      mailbox: () => mailboxPort.reader(),
      send,
      inHand: new InHand(inHand),
      ...(beforeDecide === undefined ? {} : { beforeDecide }),
    },
    {
      batchCommandsMax: settings.batchCommandsMax,
      overlapCommandsMin: settings.overlapCommandsMin,
      residentsMax: settings.residentsMax,
      idFilterBytesMax: settings.idFilterBytesMax ?? Number.POSITIVE_INFINITY,
    },
    rules,
  )
  control.on('message', (message: ToWorker) => host.hear(message))
  control.postMessage({ kind: 'started', threadId })
  await host.run()
  mailboxPort.end()
  control.close()
}

function readerPort(port: MessagePort, settings: ReaderSettings, log: ReaderLog): MemoryMailboxPort | RedisMailboxPort {
  if (settings.kind === 'memory') return new MemoryMailboxPort(port, settings.generation)
  return new RedisMailboxPort(port, settings, log)
}

/** What is said in one go (the answers of a commit, its figures) is one message: each costs either thread several microseconds. */
function sendingTogether(control: MessagePort): (message: FromWorker) => void {
  let outgoing: FromWorker[] = []
  const flush = (): void => {
    const messages = outgoing
    outgoing = []
    control.postMessage(messages)
  }
  return (message) => {
    if (outgoing.length === 0) queueMicrotask(flush)
    outgoing.push(message)
  }
}

async function sabotageFrom(module: string | undefined): Promise<((received: Received) => void) | undefined> {
  if (module === undefined) return undefined
  const loaded = (await import(module)) as { beforeDecide: (received: Received) => void }
  return loaded.beforeDecide
}
