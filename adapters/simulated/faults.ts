// What can go wrong in a simulation, how often by default, and the switches. Kinds per operation are drawn at each one; kinds of disaster come
// at random moments, `everyMs` of virtual time apart on average.
import type { SeededRandom } from './random.ts'

/** A chance at each operation. */
export const operationFaults = {
  /** The connection ends before the commit arrives, or in the middle of its COPY: nothing stands. */
  commit_cut: 0.03,
  /** The commit stands, but its answer never comes. */
  commit_unanswered: 0.03,
  /** The connection of a commit ends whose rows were copied while the one before was under way. */
  staged_cut: 0.05,
  /** Somebody holds a lock, or the disk is slow: a commit takes up to three seconds. */
  commit_slow: 0.02,
  /** An activation, a take-over or the ids of the past cannot be read. */
  read_fails: 0.04,
  /** A message between threads takes up to 50 ms instead of microseconds. */
  message_slow: 0.02,
  /** A call to the streams server is given up, and arrives later. */
  mailbox_late: 0.02,
  /** Frames are appended, but the reply never comes: they are sent again. */
  mailbox_unanswered: 0.02,
  /** A packet to another partition is lost on its way to the mailbox. */
  packet_lost: 0.12,
  /** A packet goes to the mailbox twice. */
  packet_twice: 0.12,
  /** A packet goes to the mailbox up to 300 ms later, behind others that left after it. */
  packet_late: 0.12,
  /** A client's request or its answer is lost with the connection. */
  client_cut: 0.02,
  /** A client sends the same request twice at a time. */
  client_twice: 0.03,
} as const

/** Mean virtual milliseconds between two of them. */
export const disasters = {
  /** A worker thread ends: thrown, out of memory, killed. */
  thread_dies: 400,
  /** A worker thread stands still, up to beyond the watchdog's patience, and then goes on. */
  thread_freezes: 600,
  /** kill -9, and a new process after a while. */
  process_dies: 900,
  /** The process stands still, another takes over, and then it wakes up. */
  process_freezes: 1500,
  /** Every connection to one shard ends, and none is to be had for a while. */
  shard_down: 900,
  /** No commit finds room on the disk of one shard for a while; reading goes on. */
  disk_full: 1500,
  /** The streams server fails over to a replica that lacks the last frames. */
  mailbox_loses_tail: 700,
  /** The streams server is out of reach for a while. */
  mailbox_down: 1200,
  /** The wall clock of the process is set, up to an hour forth or back. */
  clock_jumps: 800,
  /** Rows go to a new segment from now on. */
  segment_switches: 500,
} as const

export type OperationFault = keyof typeof operationFaults
export type Disaster = keyof typeof disasters
export type FaultKind = OperationFault | Disaster

export const faultKinds: readonly FaultKind[] = [
  ...(Object.keys(operationFaults) as OperationFault[]),
  ...(Object.keys(disasters) as Disaster[]),
]

/** 0: never, 1: as often as above, 2: twice as often. */
export type FaultWeights = Readonly<Partial<Record<FaultKind, number>>>

/** These delay or repeat, but nothing has to be recovered from. */
const harmless: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'message_slow',
  'client_cut',
  'client_twice',
  'clock_jumps',
  'segment_switches',
])

const ofHosts: ReadonlySet<FaultKind> = new Set(['thread_dies', 'thread_freezes', 'process_dies', 'process_freezes'])

export class Faults {
  readonly weights: FaultWeights
  /** How often each kind has happened. */
  readonly happened: Partial<Record<FaultKind, number>> = {}
  /** Threads and processes that ended or stood still, in their order. */
  readonly hostsEnded: FaultKind[] = []
  /** Elapsed milliseconds when something last had to be recovered from. */
  troubleAt = 0
  private readonly random: SeededRandom
  private readonly elapsed: () => number
  private stopped = false

  constructor(weights: FaultWeights, random: SeededRandom, elapsed: () => number) {
    this.weights = weights
    this.random = random
    this.elapsed = elapsed
  }

  /** Whether it happens at this operation. */
  strikes(kind: OperationFault): boolean {
    const weight = this.stopped ? 0 : (this.weights[kind] ?? 0)
    if (weight === 0 || !this.random.chance(operationFaults[kind] * weight)) return false
    this.note(kind)
    return true
  }

  /** Milliseconds until the next disaster of that kind; undefined: it is switched off. Exponential: what has just happened may happen again. */
  nextMs(kind: Disaster): number | undefined {
    const weight = this.stopped ? 0 : (this.weights[kind] ?? 0)
    return weight === 0 ? undefined : (-Math.log(1 - this.random.fraction()) * disasters[kind]) / weight
  }

  note(kind: FaultKind): void {
    this.happened[kind] = (this.happened[kind] ?? 0) + 1
    if (ofHosts.has(kind)) this.hostsEnded.push(kind)
    if (!harmless.has(kind)) this.trouble()
  }

  /** Something that lasts for so long: only then can anybody recover. */
  trouble(ms = 0): void {
    this.troubleAt = Math.max(this.troubleAt, this.elapsed() + ms)
  }

  get active(): boolean {
    return !this.stopped
  }

  /** From now on nothing goes wrong any more. */
  stop(): void {
    this.stopped = true
  }

  start(): void {
    this.stopped = false
  }
}

export const allFaults: FaultWeights = Object.fromEntries(faultKinds.map((kind) => [kind, 1]))

/** A different mixture for each seed (swarm testing, Groce et al. 2012): what is left out lets the rest show more. */
export function swarm(random: SeededRandom): FaultWeights {
  const share = random.fraction()
  return Object.fromEntries(
    faultKinds.map((kind) => [kind, random.chance(share) ? random.pick([0.3, 1, 1, 3] as const) : 0]),
  )
}
