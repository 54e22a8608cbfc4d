// A simulated installation: databases, the process that hosts, clients that send again what was not answered, and the disasters. Keeps a record
// of all that was asked and told.
import type { CatalogKeeper } from '../../actors/catalog-keeper.ts'
import type { Answer } from '../../actors/engine.ts'
import { isFault } from '../../actors/faults.ts'
import type { LaneLimits } from '../../actors/lane-ports.ts'
import { partitionOfCommand } from '../../actors/route.ts'
import { defaultMailboxLimits, type MemoryMailboxLimits } from '../../adapters/memory/mailbox.ts'
import { SimulatedDatabase } from '../../adapters/simulated/database.ts'
import type { Disaster, FaultWeights } from '../../adapters/simulated/faults.ts'
import { disasters } from '../../adapters/simulated/faults.ts'
import type { Party } from '../../adapters/simulated/party.ts'
import type { SeededRandom } from '../../adapters/simulated/random.ts'
import { SimulatedShard } from '../../adapters/simulated/shard.ts'
import { Simulation, type SimulationOptions } from '../../adapters/simulated/simulation.ts'
import { SimulatedStreams } from '../../adapters/simulated/streams.ts'
import { stageLegs } from '../../core/across/joint.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import { calendarOf } from '../../core/business-date.ts'
import type { CatalogChange, CatalogKind } from '../../core/catalog.ts'
import type { Command } from '../../core/command.ts'
import { idKeyOf } from '../../core/identity.ts'
import { ownerOfCommand } from '../../core/owner.ts'
import type { Rules } from '../../core/partition.ts'
import { problems } from '../../schemas/problem.ts'
import { type ClientError, ConnectionError, TimeoutError, UnavailableError } from '../client/errors.ts'
import { type Failed, type RetryPolicy, retried } from '../client/retry.ts'
import type { Operation } from './operation.ts'
import { SimulatedProcess, type Taps } from './process.ts'

export interface WorldOptions {
  readonly seed: number
  readonly faults?: FaultWeights
  readonly startMs?: number
  readonly trace?: SimulationOptions['trace']
  readonly partitions?: number
  readonly workers?: number
  readonly shards?: number
  readonly timeZone?: string
  readonly houseAutoOpen?: boolean
  readonly deadlineMs?: number
  readonly watchdogMs?: number
  readonly limits?: LaneLimits
  readonly mailbox?: MemoryMailboxLimits
  /** Commands are carried by a server of their own, that outlives the process and may lose some. */
  readonly streams?: boolean
  readonly assets?: readonly Asset[]
  readonly retry?: RetryPolicy
  readonly taps?: Taps
  /** An answer leaves the process. */
  readonly onReply?: (operation: Operation, answer: Answer) => void
  /** Another database than the one that keeps its promises: how a broken one is shown to be found. */
  readonly shard?: (partitions: readonly number[], assets: readonly Asset[]) => SimulatedShard
}

/** Making one costs more than a small history. */
const utc = calendarOf('UTC')

/** As `Engine.postAll` sends them. */
const windowCommands = 1024
const clientTimeoutMs = 15_000
const putAgainMs = 50
/** As production, but for the size of a world that starts in milliseconds. */
const defaults = {
  partitions: 2,
  workers: 1,
  shards: 1,
  deadlineMs: 10_000,
  watchdogMs: 10_000,
  limits: { batchCommandsMax: 4096, overlapCommandsMin: 256, residentsMax: 1_000_000 },
  retry: { retriesMax: 1000, delayMs: 100, delayMsMax: 5000 },
}

export class World {
  readonly simulation: Simulation
  readonly databases: readonly SimulatedDatabase[]
  readonly shardOf: readonly number[]
  readonly operations: Operation[] = []
  readonly streams: SimulatedStreams | undefined
  readonly houseAutoOpen: boolean
  readonly dateOf: Rules['dateOf']
  /** Before the first change of the catalog. */
  readonly assets: Rules['assets']
  private readonly options: WorldOptions
  private readonly clients: Party
  private readonly random: SeededRandom
  private readonly clientRandom: SeededRandom
  private started = 0
  /** Operations that are not settled. */
  private open = 0
  private segment = 1
  private skewMs = 0
  private disastersLeft = 0
  /** Those alive, the oldest first: one that was taken over may not have noticed yet. */
  private readonly processes = new Set<SimulatedProcess>()

  constructor(options: WorldOptions) {
    this.options = options
    const { seed, faults, startMs, trace, partitions = defaults.partitions, shards = defaults.shards } = options
    this.simulation = new Simulation({
      seed,
      ...(faults === undefined ? {} : { faults }),
      ...(startMs === undefined ? {} : { startMs }),
      ...(trace === undefined ? {} : { trace }),
    })
    this.random = this.simulation.random.fork('disasters')
    this.clientRandom = this.simulation.random.fork('clients')
    this.clients = this.simulation.party('client')
    this.shardOf = Array.from({ length: partitions }, (_, partition) => partition % shards)
    this.streams = options.streams === true ? new SimulatedStreams(this.simulation.random.fork('streams')) : undefined
    this.houseAutoOpen = options.houseAutoOpen ?? true
    this.dateOf = options.timeZone === undefined ? utc : calendarOf(options.timeZone)
    const assets = options.assets ?? builtInAssets
    this.assets = new Map(assets.map((asset) => [asset.code, asset]))
    const { shard = (own, known) => new SimulatedShard(own, known) } = options
    this.databases = Array.from({ length: shards }, (_, number) => {
      const own = [...this.shardOf.keys()].filter((partition) => this.shardOf[partition] === number)
      return new SimulatedDatabase(this.simulation, shard(own, assets), `pg${number}`)
    })
  }

  // ---- processes ----------------------------------------------------------------------------------------------------------------

  private newProcess(): SimulatedProcess {
    const { deadlineMs, watchdogMs, workers, limits, mailbox, taps } = this.options
    const process = new SimulatedProcess(
      this.simulation,
      this.databases,
      `p${++this.started}`,
      {
        shardOf: this.shardOf,
        workers: workers ?? defaults.workers,
        deadlineMs: deadlineMs ?? defaults.deadlineMs,
        watchdogMs: watchdogMs ?? defaults.watchdogMs,
        houseAutoOpen: this.houseAutoOpen,
        dateOf: this.dateOf,
        assets: this.assets,
        limits: limits ?? defaults.limits,
        mailbox: mailbox ?? defaultMailboxLimits,
        streams: this.streams,
      },
      taps ?? {},
    )
    process.party.skewMs = this.skewMs
    return process
  }

  start(force = false): void {
    const process = this.newProcess()
    this.processes.add(process)
    process.start(force).catch((error: unknown) => this.simulation.fail(error))
    process.party.onDeath(() => {
      this.simulation.faults.trouble()
      this.processes.delete(process)
      // Somebody restarts what has ended, unless another is there already.
      this.clients.later(this.random.between(1, 200), () => {
        if (this.processes.size === 0) this.start()
      })
    })
  }

  /** Where a client's request goes: the newest that is ready, else the newest that listens. */
  get process(): SimulatedProcess | undefined {
    const alive = [...this.processes]
    return alive.findLast(({ ready }) => ready) ?? alive.findLast(({ listens }) => listens) ?? alive.at(-1)
  }

  /** kill -9; a new process starts a little later. */
  crash(): void {
    this.process?.kill()
  }

  crashThread(): void {
    this.random.pick([...(this.process?.threads.running ?? [])])?.kill('killed')
  }

  get ready(): boolean {
    return this.process?.ready === true
  }

  get settled(): boolean {
    return this.open === 0
  }

  /** Nothing is on its way between partitions either. */
  get quiet(): boolean {
    return (
      this.settled &&
      this.databases.every(({ shard }) =>
        [...shard.heads.keys()].every((partition) => {
          const { joints, links } = shard.across(partition)
          return joints.length === 0 && links.every(({ outbox }) => outbox.length === 0)
        }),
      )
    )
  }

  // ---- clients ------------------------------------------------------------------------------------------------------------------

  partitionOf(command: Command): number {
    return partitionOfCommand(command, this.shardOf.length)
  }

  shardOfPartition(partition: number): SimulatedShard {
    const database = this.databases[this.shardOf[partition] ?? 0]
    if (database === undefined) throw new Error(`partition ${partition} has no shard`)
    return database.shard
  }

  /** Sends a command until it is answered, as the typed client does. */
  call(command: Command): { readonly operation: Operation; readonly done: Promise<Answer> } {
    const operation = this.begin(command)
    if (this.simulation.faults.strikes('client_twice')) void this.once(operation)
    return { operation, done: this.retry(operation) }
  }

  private begin(command: Command): Operation {
    const operation: Operation = {
      number: this.operations.length + 1,
      command,
      idKey: idKeyOf(ownerOfCommand(command), command.id),
      partition: this.partitionOf(command),
      invokedAt: this.simulation.time.elapsed(),
      invokedTime: this.simulation.time.now() + this.skewMs,
      answers: [],
      tries: 0,
      settledAt: undefined,
      answer: undefined,
      error: undefined,
    }
    this.operations.push(operation)
    this.open++
    return operation
  }

  private async retry(operation: Operation): Promise<Answer> {
    try {
      const answer = await retried(this.options.retry ?? defaults.retry, () => this.once(operation), {
        mayRepeat: () => true,
        pause: (ms) => this.clients.wait(ms),
        fraction: () => this.clientRandom.fraction(),
      })
      this.settle(operation, answer)
      return answer
    } catch (error) {
      operation.error = error
      this.open--
      throw error
    }
  }

  private settle(operation: Operation, answer: Answer): void {
    operation.settledAt = this.simulation.time.elapsed()
    operation.answer = answer
    this.open--
  }

  /** Many over one connection: they arrive in this order and wait for room. What gets no answer this way is called one by one. */
  stream(commands: readonly Command[]): Promise<Answer[]> {
    const { simulation, clients } = this
    const operations = commands.map((command) => this.begin(command))
    const answers: Answer[] = new Array(commands.length)
    let left = commands.length
    return new Promise((resolve, reject) => {
      if (left === 0) resolve(answers)
      const give = (index: number, answer: Answer): void => {
        answers[index] = answer
        if (--left === 0) resolve(answers)
      }
      const again = (index: number, operation: Operation): void => {
        this.retry(operation).then((answer) => give(index, answer), reject)
      }
      const send = (from: number): void => {
        const until = Math.min(commands.length, from + windowCommands)
        const { process } = this
        const waiting = new Map<number, Operation>()
        for (let i = from; i < until; i++) {
          const operation = operations[i]
          if (operation !== undefined) waiting.set(i, operation)
        }
        const broken = (): void => {
          forget()
          for (const [index, operation] of waiting) again(index, operation)
          waiting.clear()
        }
        const forget = process?.party.onDeath(broken) ?? (() => undefined)
        if (process?.listens !== true) {
          broken()
          return
        }
        for (const [index, operation] of waiting) {
          operation.tries++
          process.submit(
            operation.command,
            (answer) => {
              this.options.onReply?.(operation, answer)
              if (!waiting.delete(index)) return
              if (waiting.size === 0) forget()
              this.heard(operation, answer)
              if ('error' in tried(answer)) again(index, operation)
              else {
                this.settle(operation, answer)
                give(index, answer)
              }
            },
            true,
          )
        }
        if (until < commands.length) clients.timers.after(0, () => send(until))
      }
      clients.later(simulation.delayMs('request'), () => send(0))
    })
  }

  /** Until every partition knows it, whatever dies meanwhile. Rejects with what `check` throws. */
  async putCatalog(
    kind: CatalogKind,
    code: string,
    body: string,
    check: (standing: CatalogChange | undefined) => void,
  ): Promise<void> {
    for (;;) {
      if (await this.putOnce(kind, code, body, check)) return
      await this.clients.wait(putAgainMs)
    }
  }

  /** False: not known everywhere, or nobody answered. */
  private putOnce(...given: Parameters<CatalogKeeper['put']>): Promise<boolean> {
    const { process, clients } = this
    const { catalog } = process ?? {}
    if (process === undefined || catalog === undefined) return Promise.resolve(false)
    return new Promise((resolve, reject) => {
      const forget = process.party.onDeath(() => clients.later(0, () => resolve(false)))
      catalog.put(...given).then(
        ({ outcome, pending }) => {
          forget()
          if (outcome === 'full') reject(new Error('the catalog is full'))
          else resolve(pending.length === 0)
        },
        (error: unknown) => {
          forget()
          if (isFault(error)) resolve(false)
          else reject(error)
        },
      )
    })
  }

  /** A client's pause. */
  pause(ms: number): Promise<void> {
    return this.clients.wait(ms)
  }

  /** One request over one connection. */
  private once(operation: Operation): Promise<{ readonly value: Answer } | Failed> {
    const { simulation, clients } = this
    const { faults } = simulation
    operation.tries++
    return new Promise((resolve) => {
      const give = (result: { readonly value: Answer } | Failed): void => {
        resolve(result)
      }
      const lost = (error: ClientError): void => give({ error })
      clients.later(simulation.delayMs('request'), () => {
        const { process } = this
        if (process?.listens !== true) return give({ error: nobody })
        const cut = faults.strikes('client_cut') ? (simulation.random.chance(0.5) ? 'request' : 'answer') : undefined
        const broken = (): void => lost(new ConnectionError('unknown', 'the connection was lost'))
        if (cut === 'request') return broken()
        const cancelTimeout = clients.timers.after(clientTimeoutMs, () => lost(new TimeoutError('no answer came')))
        const forget = process.party.onDeath(() => clients.later(simulation.delayMs('request'), broken))
        process.party.later(0, () =>
          process.submit(operation.command, (answer) => {
            this.options.onReply?.(operation, answer)
            clients.later(simulation.delayMs('request'), () => {
              cancelTimeout()
              forget()
              if (cut === 'answer') broken()
              else {
                this.heard(operation, answer)
                give(tried(answer))
              }
            })
          }),
        )
      })
    })
  }

  private heard(operation: Operation, answer: Answer): void {
    const { simulation } = this
    operation.answers.push({ at: simulation.time.elapsed(), answer })
    simulation.trace.note(
      'client',
      `#${operation.number} ${operation.command.type} ${operation.command.id}: ${answer.http} ${answer.body}`,
    )
  }

  // ---- disasters ----------------------------------------------------------------------------------------------------------------

  /** From now on they come, each kind in its own time, until the faults are stopped or there were so many. */
  letLoose(most = Number.POSITIVE_INFINITY): void {
    this.disastersLeft = most
    for (const kind of Object.keys(disasters) as Disaster[]) this.plan(kind)
  }

  private plan(kind: Disaster): void {
    const { faults, time } = this.simulation
    const ms = faults.nextMs(kind)
    if (ms === undefined) return
    time.after(ms, () => {
      if (!faults.active || this.disastersLeft <= 0) return
      this.disastersLeft--
      faults.note(kind)
      this.simulation.trace.note('disaster', kind)
      this.strike(kind)
      this.plan(kind)
    })
  }

  strike(kind: Disaster): void {
    const { random, process } = this
    switch (kind) {
      case 'thread_dies':
        this.crashThread()
        return
      case 'thread_freezes': {
        const thread = random.pick([...(process?.threads.running ?? [])])
        if (thread !== undefined) this.freeze(thread.party, random.between(1, random.chance(0.2) ? 20_000 : 800))
        return
      }
      case 'process_dies':
        this.crash()
        return
      case 'process_freezes':
        this.freezeProcess()
        return
      case 'shard_down': {
        const database = random.pick(this.databases)
        if (database === undefined || database.isDown) return
        database.goDown()
        this.last(random.between(1, 1500), () => database.comeUp())
        return
      }
      case 'disk_full': {
        const database = random.pick(this.databases)
        if (database === undefined) return
        database.diskIsFull = true
        this.last(random.between(1, 1500), () => {
          database.diskIsFull = false
        })
        return
      }
      case 'mailbox_loses_tail':
        this.streams?.failOver()
        return
      case 'mailbox_down': {
        const { streams } = this
        if (streams === undefined) return
        streams.isDown = true
        this.last(random.between(1, 1500), () => {
          streams.isDown = false
        })
        return
      }
      case 'clock_jumps':
        this.skewMs += random.between(-3_600_000, 3_600_000)
        for (const { party } of this.processes) party.skewMs = this.skewMs
        return
      case 'segment_switches':
        for (const [number, { shard }] of this.databases.entries())
          for (const segment of shard.closeSegments()) process?.segmentClosed(number, segment)
        this.segment++
        for (const shard of this.databases.keys()) process?.switchSegment(shard, this.segment)
        return
    }
  }

  private freeze(party: Party, ms: number): void {
    if (!party.running) return
    party.freeze()
    this.last(ms, () => {
      this.simulation.trace.note(party.name, 'wakes up')
      party.thaw()
    })
  }

  /** A fault that lasts for so long. */
  private last(ms: number, end: () => void): void {
    this.simulation.faults.trouble(ms)
    this.clients.later(ms, end)
  }

  private freezeProcess(): void {
    const { random, process } = this
    // Two at a time are enough: more would only wait for each other.
    if (process === undefined || this.processes.size > 2) return
    this.freeze(process.party, random.between(1, 5000))
    if (random.chance(0.3)) return
    this.clients.later(random.between(1, 500), () => {
      if (process.party.alive && !process.party.running) this.start(true)
    })
  }

  /** Nothing goes wrong any more, and what is broken is repaired. */
  calm(): void {
    const { faults, trace } = this.simulation
    faults.stop()
    faults.trouble()
    trace.note('disaster', 'no more')
    for (const database of this.databases) {
      database.comeUp()
      database.diskIsFull = false
    }
    if (this.streams !== undefined) this.streams.isDown = false
    for (const { party, threads } of this.processes) {
      party.thaw()
      for (const thread of threads.running) thread.party.thaw()
    }
  }

  /** Whether the command's id is decided, or begun with other partitions: then another body is a conflict already. */
  isTaken({ partition, idKey }: Operation): boolean {
    return this.shardOfPartition(partition)
      .rowsOf(idKey)
      .some((one) => one.partition === partition && one.row.leg < 2 * stageLegs)
  }

  /** Whether the command's id stands in the journal. */
  stands({ partition, idKey }: Operation): boolean {
    return this.shardOfPartition(partition).has(partition, idKey)
  }
}

/** Made once: the stack of an error costs more than the try. */
const nobody = new ConnectionError('none', 'nobody listens')

/** What the client makes of an answer: a value, or something to be sent again. */
function tried(answer: Answer): { readonly value: Answer } | Failed {
  if (answer.http !== 429 && answer.http < 500) return { value: answer }
  const problem = JSON.parse(answer.body) as ConstructorParameters<typeof UnavailableError>[1] & object
  if (!problems[problem.code].retryable) return { value: answer }
  const retryAfterMs = answer.http === 429 || answer.http === 503 ? 1000 : undefined
  return { error: new UnavailableError(answer.http, problem), retryAfterMs }
}
