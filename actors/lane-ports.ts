// What a lane needs from the thread that it runs on, and what it tells the supervisor.
import type { Received } from '../core/partition.ts'
import type { InHand } from './in-hand.ts'
import type { AnswerSink, Clock, Ledger, MailboxReader, PacketSink, Random, Timers } from './ports.ts'
import type { Position } from './position.ts'
import type { Turns } from './turns.ts'

export interface LanePorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly ledger: Ledger
  readonly mailbox: MailboxReader
  readonly answers: AnswerSink
  readonly packets: PacketSink
  readonly news: LaneNews
  /** Shared by the lanes of a thread; without it the lane is alone in its own. */
  readonly turns?: Turns
  /** Memory that outlives the thread, shared by its lanes: they decide one at a time. */
  readonly inHand?: InHand
  /** A point where tests make a command throw, loop or end the thread. */
  readonly beforeDecide?: (received: Received) => void
}

/** What a lane tells the supervisor. */
export interface LaneNews {
  /** Hosted from this position on: whatever was consumed before and not answered must be asked again. */
  hosted(partition: number, position: Position): void
  /** It has gone on to the generation of this position: whatever was sent to a former one and not answered was lost with it. */
  turned(partition: number, position: Position): void
  /** Another host has it now. */
  lost(partitions: readonly number[]): void
  /** Given up as asked: all that was taken of it is committed, the rest waits in its mailbox. */
  released(partitions: readonly number[]): void
  /** The ledger stands at row `found`, though row `seen` was committed: the partition is not hosted, because what was told is not true there. */
  historyLost(partition: number, seen: number, found: number): void
  /** The lane cannot commit since it lost its shard; `undefined`: it can again. */
  trouble(code: string | undefined, message: string): void
  committed(stats: CommitStats): void
  quarantined(partition: number, position: string, id: string): void
  log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void
}

export interface CommitStats {
  readonly commands: number
  readonly rows: number
  readonly bytes: number
  readonly commitMs: number
  readonly decideMs: number
  readonly residents: number
  /** Of the filters over ids that the lane has in memory. */
  readonly idFilterBytes: number
  /** Ids looked up in the ledger since the last commit because those filters could not exclude them. */
  readonly idsLookedUp: number
  /** Answers by code: `posted`, `pending`, a refusal, `replayed`, or a transport code. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Number of the last journal row of each partition in it. */
  readonly pseqs: readonly (readonly [partition: number, pseq: number])[]
}

export interface LaneLimits {
  /** Commands taken into one batch. */
  readonly batchCommandsMax: number
  /** Below so many waiting commands a lane lets the commit under way end before it decides more; 0 if not given. */
  readonly overlapCommandsMin?: number
  /** Accounts and cells kept in memory. */
  readonly residentsMax: number
  /** Bytes of the filters over ids of closed segments and open ones together, of which the latter are kept whatever they take; no bound if not given. */
  readonly idFilterBytesMax?: number
  /** False: packets between partitions of the lane go through the mailbox as all others do. What must not make a difference, for the test that it makes none. */
  readonly loopback?: boolean
  /**
   * Share of batches in which what could stand in one commit does, 1 if not given; in the others partitions of the lane tell it each other by
   * messages. For tests: it must not make a difference, nor when it changes.
   */
  readonly together?: number
}
