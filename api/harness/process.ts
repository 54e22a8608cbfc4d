// One simulated process, composed as `api/compose.ts` composes a real one: the production intake, supervisor, worker hosts and memory mailbox
// over simulated threads, wires and databases.
import type { MessagePort } from 'node:worker_threads'
import { CatalogKeeper } from '../../actors/catalog-keeper.ts'
import type { Answer } from '../../actors/engine.ts'
import { RetryableFault } from '../../actors/faults.ts'
import { Intake } from '../../actors/intake.ts'
import type { LaneLimits } from '../../actors/lane-ports.ts'
import type { MailboxReader, Random } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import type { Reads } from '../../actors/reads.ts'
import { placing } from '../../actors/route.ts'
import { StockKeeper } from '../../actors/stock-keeper.ts'
import { Supervisor } from '../../actors/supervisor.ts'
import { type LaneLedger, WorkerHost } from '../../actors/worker-host.ts'
import type { FromWorker } from '../../actors/worker-protocol.ts'
import { MemoryMailbox, type MemoryMailboxLimits } from '../../adapters/memory/mailbox.ts'
import { MemoryMailboxPort } from '../../adapters/memory/reader.ts'
import type { SimulatedDatabase } from '../../adapters/simulated/database.ts'
import type { Party } from '../../adapters/simulated/party.ts'
import type { Simulation } from '../../adapters/simulated/simulation.ts'
import type { SimulatedStreams } from '../../adapters/simulated/streams.ts'
import {
  StreamsMailbox,
  type StreamsMailboxNews,
  StreamsMailboxPort,
} from '../../adapters/simulated/streams-mailbox.ts'
import { SimulatedThreads, type ThreadStart } from '../../adapters/simulated/threads.ts'
import { wire } from '../../adapters/simulated/wire.ts'
import { dateText } from '../../core/business-date.ts'
import type { Command } from '../../core/command.ts'
import { couponAccounts } from '../../core/house.ts'
import type { Received, Rules } from '../../core/partition.ts'
import { type Entry, entryOf } from '../entry.ts'

export interface ProcessOptions {
  /** Shard of each partition. */
  readonly shardOf: readonly number[]
  readonly workers: number
  readonly deadlineMs: number
  readonly watchdogMs: number
  readonly houseAutoOpen: boolean
  readonly dateOf: Rules['dateOf']
  /** Before the first change of the catalog. */
  readonly assets: Rules['assets']
  readonly limits: LaneLimits
  readonly mailbox: MemoryMailboxLimits
  /** Where commands are carried: in the process where undefined. */
  readonly streams: SimulatedStreams | undefined
}

/** What somebody who watches or meddles may put in between; nothing of it is there in production. */
export interface Taps {
  /** Asked before each command is decided, in the thread: throws to make it fail. */
  readonly beforeDecide?: (received: Received, thread: Party) => void
  readonly ledger?: (ledger: LaneLedger, another: () => LaneLedger) => LaneLedger
  readonly reader?: (reader: MailboxReader) => MailboxReader
  readonly send?: (send: (message: FromWorker) => void) => (message: FromWorker) => void
  /** A partition's frames up to there were given up. */
  readonly trimmed?: (partition: number, position: Position) => void
  readonly quarantined?: (partition: number, id: string) => void
  /** A lane gave up what it was at because of something that was thrown, or because the ledger refused its rows. */
  readonly failed?: (message: string) => void
  /** How a settlement looks at the merchant's cells in other partitions. */
  readonly cellsElsewhere?: (ask: CellsElsewhere) => CellsElsewhere
}

export type CellsElsewhere = Reads['cellsElsewhere']

const everyMs = { expiry: 500, lock: 200, points: 60_000 }
const dueMax = 1000
/** What is lost is said again after a second, then after two, and so on. */
const lostMs = 10_000

export class SimulatedProcess {
  readonly party: Party
  readonly threads: SimulatedThreads
  private readonly simulation: Simulation
  private readonly databases: readonly SimulatedDatabase[]
  private readonly options: ProcessOptions
  private readonly taps: Taps
  private intake: Intake | undefined
  private entry: Entry | undefined
  private supervisor: Supervisor | undefined
  private mailbox: MemoryMailbox | StreamsMailbox | undefined
  private keeper: CatalogKeeper | undefined
  private generation = 0

  constructor(
    simulation: Simulation,
    databases: readonly SimulatedDatabase[],
    name: string,
    options: ProcessOptions,
    taps: Taps,
  ) {
    this.simulation = simulation
    this.databases = databases
    this.options = options
    this.taps = taps
    this.party = simulation.party(name)
    this.threads = new SimulatedThreads(simulation, this.party, (start) => this.enter(start))
  }

  /** Resolves when every partition is hosted. `force`: ends the session of a host that hangs. */
  async start(force: boolean): Promise<void> {
    const { party, options, databases } = this
    this.simulation.trace.note(party.name, force ? 'starts and takes over' : 'starts')
    for (const database of databases) while (!database.lock(party, force)) await party.wait(everyMs.lock)
    for (const database of databases) void this.keepLock(database)
    const generations = await Promise.all(databases.map((database) => this.highestGeneration(database)))
    const mailbox = await this.openMailbox(Math.max(...generations))
    this.generation = mailbox.generation
    const intake = new Intake(
      { partitions: options.shardOf.length, generation: mailbox.generation, deadlineMs: options.deadlineMs },
      mailbox,
      party.clock,
      party.timers,
    )
    const supervisor = new Supervisor(
      {
        clock: party.clock,
        timers: party.timers,
        threads: this.threads,
        intake,
        deliveredTo: (partition) => mailbox.deliveredTo(partition),
        mayHost: (shard) => databases[shard]?.lockedBy === party,
        news: {
          committed: () => undefined,
          threadStarted: () => undefined,
          threadEnded: () => undefined,
          quarantined: (partition, _position, id) => {
            this.simulation.trace.note(party.name, `quarantine of ${id}`)
            this.taps.quarantined?.(partition, id)
          },
          historyLost: () => undefined,
          lost: (partitions) => this.dethrone(`lost ${partitions.join(' ')}`),
          log: (level, message, fields) => {
            if (level !== 'info') this.simulation.trace.note(party.name, `${message} ${JSON.stringify(fields)}`)
            if (fields.code === 'other' || fields.code === 'rows_refused') this.taps.failed?.(String(fields.message))
          },
        },
      },
      { workers: options.workers, shardOf: [...options.shardOf], watchdogMs: options.watchdogMs },
    )
    this.mailbox = mailbox
    this.intake = intake
    this.entry = this.entryTo(intake)
    this.supervisor = supervisor
    await supervisor.start()
    await supervisor.whenHosted()
    intake.accept(true)
    this.keepStock(intake)
    this.keeper = this.keepCatalog(intake)
    this.keeper?.start()
    this.simulation.trace.note(party.name, 'accepts')
    for (const database of databases) {
      void this.expire(database)
      void this.expirePoints(database)
    }
  }

  private async openMailbox(consumedGeneration: number): Promise<MemoryMailbox | StreamsMailbox> {
    const { streams, mailbox, shardOf } = this.options
    if (streams === undefined) return new MemoryMailbox(consumedGeneration + 1, mailbox)
    const news: StreamsMailboxNews = {
      reachable: (reachable) => {
        for (const partition of shardOf.keys()) {
          this.intake?.setDown(partition, reachable ? undefined : 'The mailbox cannot be reached.', 'mailbox')
        }
      },
      superseded: () => this.dethrone('another process has opened the mailbox'),
    }
    return await StreamsMailbox.start(this.simulation, streams, this.party, news, {
      partitions: shardOf.length,
      consumedGeneration,
      commandsMax: mailbox.partitionCommandsMax,
    })
  }

  private entryTo(intake: Intake): Entry {
    const { databases, party, taps } = this
    const cellsElsewhere: CellsElsewhere = async (id, partition) => {
      const answers = await Promise.all(
        databases.map((database) =>
          database.ask(party, () =>
            database.shard.accountsNamed(id).filter((cell) => cell.partition !== partition && cell.key < 0),
          ),
        ),
      )
      const sums: Record<string, string> = {}
      for (const cells of answers) {
        if (cells === undefined) throw new RetryableFault('unavailable', 'the connection ended')
        for (const { asset, balance } of cells) sums[asset.code] = String(BigInt(sums[asset.code] ?? 0) + balance)
      }
      return sums
    }
    return entryOf(intake, { cellsElsewhere: taps.cellsElsewhere?.(cellsElsewhere) ?? cellsElsewhere }, party.timers)
  }

  private keepCatalog(intake: Intake): CatalogKeeper | undefined {
    const [first] = this.databases
    if (first === undefined) return undefined
    const { shardOf, deadlineMs } = this.options
    return new CatalogKeeper(
      {
        store: first.catalogStore(this.party),
        submit: (command, reply) => intake.submit(command, reply, true),
        timers: this.party.timers,
        changed: () => undefined,
      },
      shardOf.length,
      deadlineMs,
      [...first.catalog],
    )
  }

  /** Of every campaign: see `actors/stock-keeper.ts`. */
  private keepStock(intake: Intake): void {
    const { databases, party } = this
    const stock = new StockKeeper(
      {
        submit: (command, reply) => intake.submit(command, reply, true),
        moving: async (campaign) => {
          const { moving } = couponAccounts(campaign)
          const sums = await Promise.all(
            databases.map((database) => database.ask(party, () => sumOf(database.shard.accountsNamed(moving)))),
          )
          if (sums.includes(undefined)) throw new RetryableFault('unavailable', 'the connection ended')
          return sums.reduce<number>((sum, one) => sum + Number(one), 0)
        },
        resend: (claim) => intake.resend(claim),
        giveUp: (claim, detail) => intake.giveUp(claim, detail),
      },
      this.options.shardOf.length,
      party.name,
    )
    intake.onStockElsewhere = (claim) => stock.park(claim)
  }

  private async highestGeneration(database: SimulatedDatabase): Promise<number> {
    for (;;) {
      const highest = await database.ask(this.party, () =>
        Math.max(...[...database.shard.heads.values()].map(({ position }) => position.generation)),
      )
      if (highest !== undefined) return highest
      await this.party.wait(everyMs.lock)
    }
  }

  /** The lock may be lost with its connection; whoever took it meanwhile is the host. */
  private async keepLock(database: SimulatedDatabase): Promise<void> {
    for (;;) {
      await this.party.wait(everyMs.lock)
      if (database.lockedBy === this.party) continue
      if (database.lockedBy?.alive === true) return this.dethrone('another process holds the lock')
      database.lock(this.party)
    }
  }

  private dethrone(why: string): void {
    this.simulation.trace.note(this.party.name, `is dethroned: ${why}`)
    this.kill()
  }

  /** Holds that ran out while nobody asked for their account. */
  private async expire(database: SimulatedDatabase): Promise<void> {
    for (;;) {
      await this.party.wait(everyMs.expiry)
      const accounts = await database.ask(this.party, () =>
        database.shard.accountsWithDueHolds(this.party.clock.now(), dueMax),
      )
      await this.postAll((accounts ?? []).map((account) => ({ type: 'expire', id: '!expire', account })))
    }
  }

  /** Points whose last day is over. */
  private async expirePoints(database: SimulatedDatabase): Promise<void> {
    for (;;) {
      await this.party.wait(everyMs.points)
      const today = this.options.dateOf(this.party.clock.now())
      const owners = await database.ask(this.party, () => database.shard.ownersWithDueLots(today, dueMax))
      const id = `!points.expire:${dateText(today)}`
      await this.postAll((owners ?? []).map((owner) => ({ type: 'points.expire', id, owner })))
    }
  }

  private async postAll(commands: readonly Command[]): Promise<void> {
    await Promise.all(
      commands.map((command) => new Promise<void>((resolve) => this.intake?.submit(command, () => resolve(), true))),
    )
  }

  // ---- a worker thread: what `adapters/piscina/worker.ts` does ------------------------------------------------------------------

  private async enter({ party, control, inHand }: ThreadStart): Promise<void> {
    const { simulation, options, taps, databases } = this
    const [near, far] = wire(simulation, this.party, party)
    party.onDeath(() => this.party.timers.soon(() => near.close()))
    const mailbox = this.mailbox
    const { generation } = this
    if (mailbox === undefined) throw new Error('threads start when the mailbox is open')
    const port =
      mailbox instanceof StreamsMailbox && options.streams !== undefined
        ? new StreamsMailboxPort(simulation, options.streams, party, far, mailbox.connect(near))
        : new MemoryMailboxPort(far as unknown as MessagePort, generation)
    if (mailbox instanceof MemoryMailbox) mailbox.connect(near as unknown as MessagePort)
    const random: Random = simulation.random.fork(party.name)
    const send = spoilingPackets(simulation, party, (message) => control.postMessage(message))
    let ledgers = 0
    const { beforeDecide } = taps
    const host = new WorkerHost(
      {
        clock: party.clock,
        timers: party.timers,
        random,
        addShard: () => undefined,
        ledger: (shard) => {
          const database = databases[shard]
          if (database === undefined) throw new Error(`there is no shard ${shard}`)
          const connect = (): LaneLedger => database.connect(party, `${party.name}/${++ledgers}`)
          const ledger = connect()
          return taps.ledger?.(ledger, connect) ?? ledger
        },
        mailbox: () => {
          const reader = watched(port.reader(), taps.trimmed)
          return taps.reader?.(reader) ?? reader
        },
        send: taps.send?.(send) ?? send,
        inHand,
        ...(beforeDecide && { beforeDecide: (received) => beforeDecide(received, party) }),
      },
      options.limits,
      {
        assets: options.assets,
        dateOf: options.dateOf,
        houseAutoOpen: options.houseAutoOpen,
        partitionOf: placing(options.shardOf.length),
      },
    )
    control.on('message', (message) => host.hear(message))
    await host.run()
  }

  // ---- from outside -------------------------------------------------------------------------------------------------------------

  /** Takes requests, though it may answer that it is not ready. */
  get listens(): boolean {
    return this.party.alive && this.intake !== undefined
  }

  get ready(): boolean {
    return this.party.alive && this.intake?.isAccepting === true && this.supervisor?.ready() === true
  }

  /** Commands that clients wait for. */
  get waiting(): number {
    return this.intake?.waiting ?? 0
  }

  submit(command: Command, reply: (answer: Answer) => void, waits = false): void {
    this.entry?.submit(command, reply, waits)
  }

  /** Undefined before the process has started. */
  get catalog(): CatalogKeeper | undefined {
    return this.keeper
  }

  switchSegment(shard: number, segment: number): void {
    this.supervisor?.switchSegment(shard, segment)
  }

  segmentClosed(shard: number, segment: number): void {
    this.supervisor?.segmentClosed(shard, segment)
  }

  kill(): void {
    this.simulation.trace.note(this.party.name, 'dies')
    this.party.kill()
    for (const database of this.databases) if (database.lockedBy === this.party) database.lockedBy = undefined
  }
}

/** Numbers and marks must make good whatever happens to packets between the worker and the mailbox. */
function spoilingPackets(
  { faults, random }: Simulation,
  party: Party,
  send: (message: FromWorker) => void,
): (message: FromWorker) => void {
  return (message) => {
    if (message.kind !== 'packets') return send(message)
    const packets = message.packets.flatMap((packet) => {
      if (faults.strikes('packet_lost')) {
        faults.trouble(lostMs)
        return []
      }
      if (faults.strikes('packet_late')) {
        party.later(random.between(1, 300), () => send({ ...message, packets: [packet] }))
        return []
      }
      return faults.strikes('packet_twice') ? [packet, packet] : [packet]
    })
    if (packets.length > 0) send({ ...message, packets })
  }
}

const sumOf = (accounts: readonly { readonly balance: bigint }[]): bigint =>
  accounts.reduce((sum, { balance }) => sum + balance, 0n)

function watched(reader: MailboxReader, trimmed: Taps['trimmed']): MailboxReader {
  if (trimmed === undefined) return reader
  return changedReader(reader, {
    trim: (partition, position) => {
      trimmed(partition, position)
      reader.trim(partition, position)
    },
  })
}

/** The same reader, but for some of its methods. */
export const changedReader = (reader: MailboxReader, changes: Partial<MailboxReader>): MailboxReader => ({
  get waitingCommands() {
    return reader.waitingCommands
  },
  open: (partition, after) => reader.open(partition, after),
  close: (partition) => reader.close(partition),
  take: (commandsMax) => reader.take(commandsMax),
  whenFrames: (callback, commandsMin) => reader.whenFrames(callback, commandsMin),
  trim: (partition, position) => reader.trim(partition, position),
  ...changes,
})
