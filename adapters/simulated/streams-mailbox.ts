// The mailbox of a process over simulated streams: appends with numbers that make a repeat harmless, opens the next generation when the server
// is another or lacks something, and readers that follow from one generation to the next.
import { Arrivals } from '../../actors/arrivals.ts'
import type { Appended, Frame, MailboxReader, MailboxWriter, NewFrame } from '../../actors/ports.ts'
import type { Position } from '../../actors/position.ts'
import type { Party } from './party.ts'
import type { Simulation } from './simulation.ts'
import type { NumberedFrame, SimulatedStreams } from './streams.ts'
import type { WireEnd } from './wire.ts'

export interface StreamsMailboxNews {
  /** Out of reach, or within it again. */
  reachable(reachable: boolean): void
  /** Another process has opened the mailbox. */
  superseded(): void
}

/** Where the streams are, as the writer last saw it: nothing is read from another server. */
interface StreamsState {
  readonly generation: number
  readonly runId: number
}

interface Outgoing {
  readonly frame: NewFrame
  readonly settle: (outcome: Appended) => void
}

interface Flight {
  readonly out: readonly Outgoing[]
  readonly frames: readonly NumberedFrame[]
}

type ToReader = StreamsState
type FromReader =
  | { readonly kind: 'trim'; readonly partition: number; readonly position: Position }
  | { readonly kind: 'taken'; readonly partition: number; readonly position: Position }

const retryMs = 20
const lookEveryMs = 1000
/** A call that was given up may still arrive, so much later. */
const lateMsMax = 200
const partitionCommandsMaxDefault = 32_768

export class StreamsMailbox implements MailboxWriter {
  private readonly simulation: Simulation
  private readonly server: SimulatedStreams
  private readonly party: Party
  private readonly news: StreamsMailboxNews
  private readonly partitions: number
  private readonly commandsMax: number
  private state: StreamsState = { generation: 0, runId: 0 }
  private queue: Outgoing[] = []
  private flight: Flight | undefined
  /** Last number that was acknowledged, by partition, in this generation. */
  private ends = new Map<number, number>()
  private readonly delivered = new Map<number, Position>()
  private readonly readers = new Set<WireEnd>()
  private listener: (partitions: readonly number[], generation: number) => void = () => undefined
  private rooms: (() => void)[] = []
  private unreachable = false

  private constructor(
    simulation: Simulation,
    server: SimulatedStreams,
    party: Party,
    news: StreamsMailboxNews,
    partitions: number,
    commandsMax: number,
  ) {
    this.simulation = simulation
    this.server = server
    this.party = party
    this.news = news
    this.partitions = partitions
    this.commandsMax = commandsMax
  }

  /** Opens the generation of this process, above all that was consumed. */
  static async start(
    simulation: Simulation,
    server: SimulatedStreams,
    party: Party,
    news: StreamsMailboxNews,
    options: { readonly partitions: number; readonly consumedGeneration: number; readonly commandsMax?: number },
  ): Promise<StreamsMailbox> {
    const { partitions, consumedGeneration, commandsMax = partitionCommandsMaxDefault } = options
    const mailbox = new StreamsMailbox(simulation, server, party, news, partitions, commandsMax)
    while (server.isDown) await party.wait(retryMs)
    mailbox.state = { generation: server.open(party.name, consumedGeneration), runId: server.runId }
    mailbox.lookAgain()
    return mailbox
  }

  get generation(): number {
    return this.state.generation
  }

  append<F extends NewFrame>(frames: readonly F[], settled: (frame: F, outcome: Appended) => void): void {
    for (const frame of frames) this.queue.push({ frame, settle: (outcome) => settled(frame, outcome) })
    this.pump()
  }

  onGeneration(listener: (partitions: readonly number[], generation: number) => void): void {
    this.listener = listener
  }

  room(_partition: number): Promise<void> {
    return new Promise((resolve) => this.rooms.push(resolve))
  }

  deliveredTo(partition: number): Position {
    return this.delivered.get(partition) ?? { generation: 0, high: 0, low: 0, index: 0 }
  }

  // ---- writing ------------------------------------------------------------------------------------------------------------------

  private pump(): void {
    if (this.flight !== undefined || this.queue.length === 0) return
    const next = new Map(this.ends)
    const out = this.queue
    this.queue = []
    const frames = out.map(({ frame }) => {
      const sequence = (next.get(frame.partition) ?? 0) + 1
      next.set(frame.partition, sequence)
      return { ...frame, sequence }
    })
    this.flight = { out, frames }
    void this.fly(this.flight)
  }

  /** Sent as it is until it is known what became of it. */
  private async fly(flight: Flight): Promise<void> {
    const simulation = this.simulation
    const { server, party } = this
    const { generation } = this.state
    for (;;) {
      await party.wait(simulation.delayMs('query'))
      if (server.isDown) {
        await this.away()
        continue
      }
      if (server.runId !== this.state.runId) return this.turn('another server')
      if (simulation.faults.strikes('mailbox_late')) {
        // The connection is given up; what was sent on it may arrive at any time.
        const late = simulation.random.fraction() * lateMsMax
        simulation.time.after(late, () => {
          if (!server.isDown && this.flight === flight)
            server.append(party.name, generation, flight.frames, this.commandsMax)
        })
        await party.wait(retryMs)
        continue
      }
      const reply = server.append(party.name, generation, flight.frames, this.commandsMax)
      simulation.trace.note(
        party.name,
        `appends ${flight.frames.map(({ partition, sequence }) => `${partition}:${sequence}`).join(' ')}: ${reply.kind === 'ok' ? [...reply.last].map(([partition, last]) => `${partition}:${last}`).join(' ') : reply.kind}`,
      )
      await party.wait(simulation.delayMs('query'))
      if (simulation.faults.strikes('mailbox_unanswered')) {
        await party.wait(retryMs)
        continue
      }
      if (reply.kind === 'gone') return this.news.superseded()
      if (reply.kind === 'gap') return this.turn('a gap')
      this.settle(flight, reply.last)
      return
    }
  }

  private settle({ out, frames }: Flight, last: ReadonlyMap<number, number>): void {
    this.back()
    this.flight = undefined
    for (const [partition, end] of last) this.ends.set(partition, end)
    const { generation } = this.state
    for (const [i, { settle }] of out.entries()) {
      const frame = frames[i]
      if (frame === undefined) continue
      const stands = frame.sequence <= (last.get(frame.partition) ?? 0)
      settle(stands ? { generation, high: frame.sequence, low: 0 } : 'full')
    }
    this.pump()
  }

  /** History is another, or may be: what is under way belongs to a generation that is over. */
  private turn(why: string): void {
    const { server, party, simulation } = this
    this.back()
    // Whoever was frozen meanwhile takes nothing from the process that came after.
    if (!server.isOf(party.name, this.state.generation)) {
      this.news.superseded()
      return
    }
    const generation = server.open(party.name, this.state.generation)
    this.state = { generation, runId: server.runId }
    simulation.trace.note(party.name, `opens generation ${generation}: ${why}`)
    const { flight } = this
    this.flight = undefined
    this.ends = new Map()
    this.listener(
      Array.from({ length: this.partitions }, (_, partition) => partition),
      generation,
    )
    for (const reader of this.readers) reader.postMessage({ ...this.state } satisfies ToReader)
    for (const { settle } of flight?.out ?? []) settle('lost')
    this.giveRoom()
    this.pump()
  }

  /** In case something was lost while nothing is appended. */
  private lookAgain(): void {
    this.party.timers.after(lookEveryMs, () => {
      if (this.flight === undefined && !this.server.isDown) {
        if (!this.server.isOf(this.party.name, this.state.generation)) this.news.superseded()
        else if (this.server.runId !== this.state.runId) this.turn('another server')
        else if (!this.server.holds(this.state.generation, this.ends)) this.turn('a gap')
      }
      this.giveRoom()
      this.lookAgain()
    })
  }

  private async away(): Promise<void> {
    if (!this.unreachable) this.news.reachable(false)
    this.unreachable = true
    await this.party.wait(retryMs)
  }

  private back(): void {
    if (this.unreachable) this.news.reachable(true)
    this.unreachable = false
  }

  private giveRoom(): void {
    const { rooms } = this
    this.rooms = []
    for (const resolve of rooms) resolve()
  }

  // ---- readers ------------------------------------------------------------------------------------------------------------------

  /** Connects a worker thread. */
  connect(port: WireEnd): StreamsState {
    this.readers.add(port)
    port.on('message', (message: FromReader) => {
      if (message.kind === 'taken') this.delivered.set(message.partition, message.position)
      else {
        this.server.trim(message.partition, message.position)
        this.giveRoom()
      }
    })
    port.on('close', () => this.readers.delete(port))
    return this.state
  }
}

interface Opened {
  position: Position
  readonly arrivals: Arrivals
}

/** The worker's end: one per thread; reads for all its lanes. */
export class StreamsMailboxPort {
  private readonly simulation: Simulation
  private readonly server: SimulatedStreams
  private readonly party: Party
  private readonly port: WireEnd
  private state: StreamsState
  private readonly opened = new Map<number, Opened>()
  private reading = false

  constructor(simulation: Simulation, server: SimulatedStreams, party: Party, port: WireEnd, state: StreamsState) {
    this.simulation = simulation
    this.server = server
    this.party = party
    this.port = port
    this.state = state
    port.on('message', (next: ToReader) => {
      this.state = next
      this.goOn()
    })
    party.onDeath(server.watch(() => this.goOn()))
  }

  reader(): MailboxReader {
    const arrivals = new Arrivals()
    return {
      get waitingCommands() {
        return arrivals.waitingCommands
      },
      open: (partition, after) => {
        arrivals.forget(partition)
        this.opened.set(partition, { position: after, arrivals })
        this.port.postMessage({ kind: 'trim', partition, position: after } satisfies FromReader)
        this.goOn()
      },
      close: (partition) => {
        arrivals.forget(partition)
        this.opened.delete(partition)
      },
      take: (commandsMax) => this.taken(arrivals.take(commandsMax)),
      whenFrames: (callback, commandsMin) => arrivals.whenFrames(callback, commandsMin),
      trim: (partition, position) => this.port.postMessage({ kind: 'trim', partition, position } satisfies FromReader),
    }
  }

  private taken(frames: readonly Frame[]): readonly Frame[] {
    for (const { partition, generation, high } of frames) {
      const position = { generation, high, low: 0, index: Number.MAX_SAFE_INTEGER }
      this.port.postMessage({ kind: 'taken', partition, position } satisfies FromReader)
    }
    return frames
  }

  private goOn(): void {
    if (this.reading || !this.party.alive) return
    this.reading = true
    const slow = this.simulation.faults.strikes('message_slow') ? this.simulation.random.fraction() * lateMsMax : 0
    this.party.later(this.simulation.delayMs('query') + slow, () => {
      this.reading = false
      this.read()
    })
  }

  private read(): void {
    const server = this.server
    if (server.isDown) {
      this.party.timers.after(retryMs, () => this.goOn())
      return
    }
    if (server.runId !== this.state.runId) return
    for (const [partition, one] of this.opened) this.readOne(partition, one)
    for (const arrivals of new Set([...this.opened.values()].map((one) => one.arrivals))) arrivals.ring()
  }

  private readOne(partition: number, one: Opened): void {
    const { server, state, simulation } = this
    for (;;) {
      const { generation } = one.position
      // A frame that was consumed in part comes again; the lane knows where it stopped.
      const from = { ...one.position, high: one.position.high - (one.position.index > 0 ? 1 : 0), index: 0 }
      for (const { sequence, bytes, commands } of server.read(partition, from)) {
        simulation.trace.note(this.party.name, `reads ${partition}:${generation}-${sequence}`)
        one.arrivals.put({ partition, generation, high: sequence, low: 0, bytes, commands })
        one.position = { generation, high: sequence, low: 0, index: 0 }
      }
      one.position = { ...one.position, index: 0 }
      if (generation >= state.generation) return
      // Sealed and read to its end.
      const next = generation + 1
      one.position = { generation: next, high: 0, low: 0, index: 0 }
      one.arrivals.put({ partition, generation: next, high: 0, low: 0, bytes: noBytes, commands: 0 })
    }
  }
}

const noBytes = new Uint8Array(0)
