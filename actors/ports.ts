// What the actors need from the world, in their own words. Adapters implement these; the simulator implements them too.
import type { Account, AccountStatus } from '../core/account.ts'
import type { CatalogChange } from '../core/catalog.ts'
import type { Hold } from '../core/hold.ts'
import type { IdKey } from '../core/identity.ts'
import type { Remembered } from '../core/transaction.ts'
import type { Named } from './in-hand.ts'
import type { LinkChange, LinkHead, Outgoing } from './links.ts'
import type { Position } from './position.ts'

// ---- time, chance ---------------------------------------------------------------------------------------------------------------

export interface Clock {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** Monotonic milliseconds with fractions: for durations only. */
  elapsed(): number
}

export interface Timers {
  /** Calls back once after `ms`; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void
  /** Calls back when the present turn of the event loop and the I/O that is already there are done. */
  soon(callback: () => void): void
}

export interface Random {
  bytes(count: number): Uint8Array
  /** 0 <= x < 1 */
  fraction(): number
}

// ---- mailbox --------------------------------------------------------------------------------------------------------------------
// A partition's commands lie in a stream of its own, cut into generations. A generation ends when its mailbox ends or may have lost some of
// it; it is sealed then, read to its end, and only what was appended to the next one comes after it. Names of a partition grow over all
// generations, so a position in one compares with a position in any other.

export interface FrameName {
  readonly generation: number
  readonly high: number
  readonly low: number
}

export interface Frame extends FrameName {
  readonly partition: number
  /** Empty: the generation begins here (high, low 0, no command), and all that is left of the former ones came before. */
  readonly bytes: Uint8Array
}

export interface NewFrame {
  readonly partition: number
  readonly bytes: Uint8Array
  readonly commands: number
  /** A packet of another partition: never `full`, because its senders bound themselves and whoever waits for room may be waiting for it. */
  readonly packet?: boolean
}

/**
 * The name: it is in the mailbox. `full`: it is not, the bound is reached. `lost`: it may be in a generation that is over; what became of it
 * is known when that was read to its end.
 */
export type Appended = FrameName | 'full' | 'lost'

/** Where commands are put. Ordered per partition; bounded. */
export interface MailboxWriter {
  /**
   * Appends frames, each whole or not at all. Those of one partition stand together and in order; after one that got no name the later ones of
   * its partition get the same outcome, but packets. `settled` is called once for each, inside this call or later; meanwhile nothing more may be
   * appended to its partition.
   */
  append<F extends NewFrame>(frames: readonly F[], settled: (frame: F, outcome: Appended) => void): void
  /** Resolves as soon as the partition has room (at once if it has); after a refused append not before there may be more. */
  room(partition: number): Promise<void>
  /** The partitions go on in another generation. Told before what is under way is settled as `lost`, and before anything is appended to it. */
  onGeneration(listener: (partitions: readonly number[], generation: number) => void): void
}

/** Where a lane of partitions takes commands from. Frames of a partition come in order, from the one after the opened position on. */
export interface MailboxReader {
  /**
   * Starts (again) behind `after`, in whatever generation; frames of an earlier opening of the partition are no longer delivered. All up to
   * `after` is committed and may be forgotten: the one who committed it may not have come to say so.
   */
  open(partition: number, after: Position): void
  close(partition: number): void
  /** Frames that have arrived, in the order of arrival, up to about `commandsMax` commands; empty: none now. */
  take(commandsMax: number): readonly Frame[]
  /** Commands that `take` could give now; the beginning of a generation counts as one. */
  readonly waitingCommands: number
  /** Calls back once as soon as so many commands are waiting; at once if they are. A later call replaces an earlier one. */
  whenFrames(callback: () => void, commandsMin?: number): void
  /** All up to `position` is committed and may be forgotten. */
  trim(partition: number, position: Position): void
}

// ---- ledger ---------------------------------------------------------------------------------------------------------------------

/** Where a partition stands in the ledger. */
export interface Head {
  readonly partition: number
  readonly epoch: number
  readonly position: Position
  /** `attemptText` of the suspects that were being tried when the host ended. */
  readonly attempt: string | undefined
  readonly pseq: number
  readonly accountsOpened: number
  /** Epoch milliseconds of the last decision. */
  readonly time: number
  /** 32 bytes. */
  readonly chain: Uint8Array
  /** Journal segment that the next commit writes to. */
  readonly segment: number
  /** Number of the last change of the catalog that the partition has journaled, and what stands at it. */
  readonly catalog: { readonly version: number; readonly changes: readonly CatalogChange[] }
  readonly links: readonly LinkHead[]
  /** Records of `schemas/joint-record.ts`. */
  readonly joints: readonly string[]
}

export interface JointChange {
  readonly partition: number
  readonly idKey: IdKey
  /** Undefined: it is over. */
  readonly record: string | undefined
}

export interface Needs {
  /** Ids of accounts that are not of the house. */
  readonly accounts: readonly string[]
  /** Ids of house accounts: all cells of the partition with that id, whatever their asset. */
  readonly cells: readonly string[]
  /** Owners of whom all accounts are wanted that are lots (see `core/lots.ts`). */
  readonly lotsOf: readonly string[]
  readonly transactions: readonly IdKey[]
}

/** What was found, per partition; what is not in here does not exist. */
export interface Found {
  readonly accounts: readonly Account[]
  readonly transactions: readonly (readonly [IdKey, Remembered])[]
}

export interface HoldChange {
  readonly idKey: IdKey
  readonly accountKey: number
  readonly partition: number
  /** As it stands after the batch; undefined: ended. */
  readonly hold: Readonly<Hold> | undefined
  /** It was placed in this very batch. */
  readonly isNew: boolean
}

export interface AccountOpening {
  readonly account: Readonly<Account>
  readonly partition: number
  readonly openedAt: number
  readonly metadata: string | undefined
}

export interface AccountChange {
  readonly key: number
  readonly status: AccountStatus
  readonly overdraft: bigint
  readonly version: number
}

export interface Detail {
  readonly partition: number
  readonly pseq: number
  readonly salt: Uint8Array
  readonly body: string
}

export interface PartitionCommit {
  readonly partition: number
  readonly epoch: number
  /** Compared: nothing is committed unless the partition still stands exactly here. */
  readonly before: Position
  readonly after: Position
  readonly attempt: string | undefined
  readonly firstPseq: number
  /** firstPseq - 1 if there are no rows. */
  readonly lastPseq: number
  readonly accountsOpened: number
  readonly time: number
  /** After the rows; undefined if there are none. */
  readonly chain: Uint8Array | undefined
  readonly nextSegment: number
}

/** One commit for partitions of one lane: all of it or nothing. */
export interface LaneCommit {
  /** The segment that the rows go to: the same for all partitions in it. */
  readonly segment: number
  readonly partitions: readonly PartitionCommit[]
  /** Tuples as `schemas/journal-row.ts` writes them, grouped by partition. */
  readonly rows: Uint8Array
  readonly details: readonly Detail[]
  readonly openings: readonly AccountOpening[]
  readonly changes: readonly AccountChange[]
  readonly holds: readonly HoldChange[]
  /** House cells that were touched, as they stand after the batch (opened ones are in `openings`). */
  readonly cells: readonly Readonly<Account>[]
  /** Changes of the catalog that partitions have journaled, in their order. */
  readonly catalog: readonly { readonly partition: number; readonly change: CatalogChange }[]
  /** Links to and from other partitions that moved. */
  readonly links: readonly LinkChange[]
  /** Transactions of the long form, by partition and key: written, overwritten or ended. */
  readonly joints: readonly JointChange[]
}

/** The right to host: from a host that just died (the process holds the hosting lock), or to go on after trouble of one's own. */
export type Claim =
  | { readonly kind: 'host' }
  | { readonly kind: 'resume'; readonly epochs: ReadonlyMap<number, number> }

export interface PastIds {
  id(partition: number, segment: number, idKey: IdKey): void
  /** Asked for each closed segment, the newest first: false leaves its filters where they are, to be asked by `oldIds`. */
  keeps(segment: number, bytes: number): boolean
  /** `bits` as `IdFilter.from` reads them. */
  filter(partition: number, segment: number, ids: number, bits: Uint8Array): void
}

/** The journal of one shard as one lane sees it. Every method throws `RetryableFault` or `TerminalFault`. */
export interface Ledger {
  /**
   * Ends the backends of whoever hosted before, waits for a commit still under way, raises the epochs and returns where the partitions stand.
   * With `resume`, partitions that somebody else has taken since are left out. An epoch below the claimed one is no such case: then the
   * ledger has lost history, and its head shows how much.
   */
  takeOver(partitions: readonly number[], claim: Claim): Promise<readonly Head[]>
  load(needs: ReadonlyMap<number, Needs>): Promise<ReadonlyMap<number, Found>>
  /**
   * Durable when it resolves. Throws a fault with code `fenced` if a partition was not where it should be. One more may be sent while one is
   * under way: it stands only if that one does, and settles after it.
   */
  commit(commit: LaneCommit): Promise<void>
  /** Every id of the past, single (with the holds that tombstones name) or summed up in the filter of a closed segment. The single ones come first. */
  pastIds(partitions: readonly number[], into: PastIds): Promise<void>
  /**
   * By partition: which of these ids may be among those of closed segments before this one, as their filters say. All that are, and few others. One
   * query, whatever the number of segments.
   */
  oldIds(before: number, ids: ReadonlyMap<number, readonly IdKey[]>): Promise<ReadonlyMap<number, readonly IdKey[]>>
  close(): Promise<void>
}

// ---- answers, news --------------------------------------------------------------------------------------------------------------

/** What goes from a host to the intake of its process. Only ever called with what is committed. */
export interface AnswerSink {
  /** The answers of one commit, in the order of the tickets; `replayed` is 0 or 1, `bodies` are joined by newlines. */
  answers(tickets: ArrayLike<number>, https: ArrayLike<number>, replayed: ArrayLike<number>, bodies: string): void
}

/** Packets to other partitions, each to be put into the mailbox of its own. Only ever called with what is committed. */
export interface PacketSink {
  packets(packets: readonly Outgoing[]): void
}

// ---- threads --------------------------------------------------------------------------------------------------------------------

/** A thread that runs one worker host. Messages are structured clones; errors travel as data. */
export interface Thread {
  readonly id: number
  post(message: unknown): void
  onMessage(listener: (message: never) => void): void
  /** Settles when the thread has ended, whatever ended it: with the reason, or undefined after an orderly stop. */
  readonly ended: Promise<string | undefined>
  /** The command it was deciding when it ended. */
  inHand(): Named | undefined
  /** Ends it at once, even out of an endless loop. */
  terminate(): void
  /** Share of the time since the last call that its event loop was busy, 0 to 1. */
  utilization(): number
}

export interface Threads {
  start(slot: number): Promise<Thread>
}
