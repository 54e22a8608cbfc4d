// The engine broken on purpose, one thing at a time, at the ports: each variant leaves out something that a promise needs, and the simulator
// must find it. Nothing of production is changed for it.
import { RetryableFault } from '../../../actors/faults.ts'
import type { LinkChange } from '../../../actors/links.ts'
import type { Found, Head, LaneCommit, MailboxReader } from '../../../actors/ports.ts'
import type { LaneLedger } from '../../../actors/worker-host.ts'
import type { FromWorker } from '../../../actors/worker-protocol.ts'
import { SimulatedShard } from '../../../adapters/simulated/shard.ts'
import { readTuples } from '../../../adapters/simulated/tuples.ts'
import type { Account } from '../../../core/account.ts'
import type { CatalogChange } from '../../../core/catalog.ts'
import { lotNameOf } from '../../../core/lots.ts'
import type { Remembered } from '../../../core/transaction.ts'
import { changedReader, type Taps } from '../process.ts'
import type { WorldOptions } from '../world.ts'

export interface Mutant {
  /** What is left out. */
  readonly what: string
  readonly variant: (options: WorldOptions) => WorldOptions
}

const tapped =
  (taps: Taps) =>
  (options: WorldOptions): WorldOptions => ({ ...options, taps: { ...options.taps, ...taps } })

// ---- the ledger ---------------------------------------------------------------------------------------------------------------

const changedLedger = (ledger: LaneLedger, changes: Partial<LaneLedger>): LaneLedger => ({
  takeOver: (partitions, claim) => ledger.takeOver(partitions, claim),
  load: (needs) => ledger.load(needs),
  commit: (commit) => ledger.commit(commit),
  pastIds: (partitions, into) => ledger.pastIds(partitions, into),
  oldIds: (before, ids) => ledger.oldIds(before, ids),
  segmentClosed: (segment) => ledger.segmentClosed(segment),
  close: () => ledger.close(),
  ...changes,
})

const commits = (change: (commit: LaneCommit, ledger: LaneLedger) => Promise<void>) =>
  tapped({ ledger: (ledger) => changedLedger(ledger, { commit: (commit) => change(commit, ledger) }) })

/** Changes each commit that is sent while one is under way; `first` resolves when that one is over. */
const secondCommits = (
  change: (
    commit: LaneCommit,
    ledger: LaneLedger,
    first: Promise<unknown>,
    /** On a connection that knows nothing of the first. */
    alone: (commit: LaneCommit) => Promise<void>,
  ) => Promise<void>,
) =>
  tapped({
    ledger: (ledger, connect) => {
      let first: Promise<unknown> | undefined
      return changedLedger(ledger, {
        commit: async (commit) => {
          const before = first
          const done =
            before === undefined
              ? ledger.commit(commit)
              : change(commit, ledger, before, (one) => connect().commit(one))
          const over = done.catch(() => undefined)
          first = over
          try {
            await done
          } finally {
            if (first === over) first = undefined
          }
        },
      })
    },
  })

const links = (change: (link: LinkChange) => LinkChange) =>
  commits((commit, ledger) => ledger.commit({ ...commit, links: commit.links.map(change) }))

const heads = (change: (head: Head) => Head) =>
  tapped({
    ledger: (ledger) =>
      changedLedger(ledger, {
        takeOver: async (partitions, claim) => (await ledger.takeOver(partitions, claim)).map(change),
      }),
  })

const loads = (change: (found: Found) => Found) =>
  tapped({
    ledger: (ledger) =>
      changedLedger(ledger, {
        load: async (needs) => {
          const found = await ledger.load(needs)
          return new Map([...found].map(([partition, one]) => [partition, change(one)]))
        },
      }),
  })

const accounts = (change: (account: Account) => Account) =>
  loads((found) => ({ ...found, accounts: found.accounts.map(change) }))

const remembered = (change: (one: Remembered) => Remembered) =>
  loads((found) => ({ ...found, transactions: found.transactions.map(([key, one]) => [key, change(one)] as const) }))

// ---- the database -------------------------------------------------------------------------------------------------------------

class EpochlessShard extends SimulatedShard {
  protected override compare(one: LaneCommit['partitions'][number]): void {
    const head = this.heads.get(one.partition)
    super.compare(head === undefined ? one : { ...one, epoch: head.epoch, firstPseq: head.pseq + 1 })
  }
}

class RowlessShard extends SimulatedShard {
  protected override compare(one: LaneCommit['partitions'][number]): void {
    const head = this.heads.get(one.partition)
    super.compare(head === undefined ? one : { ...one, firstPseq: head.pseq + 1 })
  }
}

class TrustingShard extends SimulatedShard {
  protected override compare(): void {}
  protected override checkUnique(): void {}
}

class IndexlessShard extends SimulatedShard {
  protected override checkUnique(): void {}
}

class PositionlessShard extends SimulatedShard {
  protected override compare(): void {}
  protected override advance(one: LaneCommit['partitions'][number]): void {
    const position = this.heads.get(one.partition)?.position
    super.advance(position === undefined ? one : { ...one, after: position })
  }
}

const shard =
  (make: new (...given: ConstructorParameters<typeof SimulatedShard>) => SimulatedShard) =>
  (options: WorldOptions): WorldOptions => ({ ...options, shard: (partitions, assets) => new make(partitions, assets) })

const noPastIds = tapped({ ledger: (ledger) => changedLedger(ledger, { pastIds: async () => undefined }) })

// ---- mailbox and answers ------------------------------------------------------------------------------------------------------

const reader = (change: (reader: MailboxReader) => Partial<MailboxReader>) =>
  tapped({ reader: (one) => changedReader(one, change(one)) })

type Answers = Extract<FromWorker, { kind: 'answers' }>

const answers = (change: (message: Answers) => Answers | undefined) =>
  tapped({
    send: (send) => (message) => {
      if (message.kind !== 'answers') return send(message)
      const changed = change(message)
      if (changed !== undefined) send(changed)
    },
  })

let dropped = 0

const unlimited = (change: CatalogChange): CatalogChange =>
  change.kind === 'campaign'
    ? { ...change, body: JSON.stringify({ ...JSON.parse(change.body), limitPerCustomer: undefined }) }
    : change

const isLot = ({ id }: Account, kind: 'points' | 'coupon'): boolean => lotNameOf(id)?.kind === kind

export const mutants: Readonly<Record<string, Mutant>> = {
  gate_opens_before_the_commit: {
    what: 'answers leave when the commit is sent, not when it stands',
    variant: commits(async (commit, ledger) => {
      void ledger.commit(commit).catch(() => undefined)
    }),
  },
  failed_commit_taken_for_done: {
    what: 'an error of the commit is taken for a lost answer that means yes',
    variant: commits(async (commit, ledger) => {
      try {
        await ledger.commit(commit)
      } catch (error) {
        if (!(error instanceof RetryableFault && error.code === 'unavailable')) throw error
      }
    }),
  },
  commit_sent_again: {
    what: 'the adapter sends a commit again whose answer was lost, to a database that trusts it',
    variant: (options) =>
      commits(async (commit, ledger) => {
        try {
          await ledger.commit(commit)
        } catch {
          await ledger.commit(commit)
        }
      })(shard(TrustingShard)(options)),
  },
  staged_taken_for_committed: {
    what: 'a commit behind another is told as done when its rows are copied',
    variant: secondCommits(async (commit, ledger) => {
      void ledger.commit(commit).catch(() => undefined)
    }),
  },
  second_without_the_first: {
    what: 'a commit behind another is ended whatever became of that one, in a database that trusts it',
    variant: (options) =>
      secondCommits(async (commit, ledger, first) => {
        await first
        await ledger.commit(commit)
      })(shard(TrustingShard)(options)),
  },
  second_before_the_first: {
    what: 'a commit behind another is not held back until that one stands, in a database that trusts it',
    variant: (options) =>
      secondCommits((commit, _ledger, _first, alone) => alone(commit))(shard(TrustingShard)(options)),
  },
  epoch_not_compared: {
    what: 'the compare-and-set looks at the position only',
    // Hosts that freeze, and answers that are late: else the position alone tells nearly always.
    variant: (options) => ({
      ...shard(EpochlessShard)(options),
      faults: { process_freezes: 10, message_slow: 10, client_cut: 3 },
    }),
  },
  rows_not_compared: {
    what: 'the compare-and-set looks at epoch and position, not at the last row',
    // Transactions of partitions of one lane, and commits behind one that is cut.
    variant: (options) => ({
      ...shard(RowlessShard)(options),
      faults: { staged_cut: 30, commit_cut: 10, commit_slow: 10 },
      limits: { batchCommandsMax: 10, residentsMax: 1000, together: 1, overlapCommandsMin: 0 },
      workers: 1,
      shards: 1,
      partitions: 4,
    }),
  },
  own_takings_twice: {
    what: 'a settlement counts the takings of its own partition among those of the others too',
    variant: tapped({ cellsElsewhere: (ask) => (id) => ask(id, -1) }),
  },
  nothing_compared: {
    what: 'no compare-and-set, no unique index',
    variant: shard(TrustingShard),
  },
  position_not_committed: {
    what: 'the rows are committed without the position',
    variant: shard(PositionlessShard),
  },
  deduplication_in_a_window_only: {
    what: 'ids from before the last start are not known; the unique index is there',
    variant: noPastIds,
  },
  deduplication_without_index: {
    what: 'ids from before the last start are not known, and no index refuses them',
    variant: (options) => noPastIds(shard(IndexlessShard)(options)),
  },
  closed_segments_forgotten: {
    what: 'the filters of closed segments are not read, and no index refuses their ids',
    variant: (options) => ({
      ...tapped({
        ledger: (ledger) =>
          changedLedger(ledger, {
            pastIds: (partitions, into) =>
              ledger.pastIds(partitions, {
                id: (...given) => into.id(...given),
                keeps: (...given) => into.keeps(...given),
                filter: () => undefined,
              }),
          }),
      })(shard(IndexlessShard)(options)),
      faults: { segment_switches: 3, thread_dies: 3, client_twice: 2 },
    }),
  },
  unkept_filters_ignored: {
    what: 'an id that no filter in memory holds is taken for new where the older filters are in the ledger only, and no index refuses it',
    variant: (options) => ({
      ...tapped({ ledger: (ledger) => changedLedger(ledger, { oldIds: async () => new Map() }) })(
        shard(IndexlessShard)(options),
      ),
      limits: { batchCommandsMax: 4096, overlapCommandsMin: 256, residentsMax: 1_000_000, idFilterBytesMax: 0 },
      faults: { segment_switches: 3, thread_dies: 3, client_twice: 2 },
    }),
  },
  held_ignored_in_available: {
    what: 'what is held counts as available',
    variant: accounts((account) => ({ ...account, overdraft: account.overdraft + account.held })),
  },
  holds_lost_at_activation: {
    what: 'an account is loaded without its open holds',
    variant: accounts((account) => ({ ...account, holds: new Map() })),
  },
  holds_never_expire: {
    what: 'a hold is loaded without its time',
    variant: accounts((account) => ({
      ...account,
      holds: new Map([...account.holds].map(([key, hold]) => [key, { ...hold, expiresAt: undefined }])),
    })),
  },
  frozen_forgotten: {
    what: 'a frozen account is loaded as an open one',
    variant: accounts((account) => ({ ...account, status: account.status === 'frozen' ? 'open' : account.status })),
  },
  refunds_forgotten: {
    what: 'an original is loaded without what was refunded or captured of it',
    variant: remembered((one) => ({ ...one, links: one.links.filter(({ kind }) => kind === 'tombstone') })),
  },
  tombstones_forgotten: {
    what: 'a release that came before its hold is not remembered',
    variant: loads((found) => ({
      ...found,
      transactions: found.transactions.filter(([, { decided }]) => decided !== undefined),
    })),
  },
  limits_forgotten: {
    what: 'a new host does not know the limit per customer: stock is given without regard to the quota',
    variant: heads((head) => ({ ...head, catalog: { ...head.catalog, changes: head.catalog.changes.map(unlimited) } })),
  },
  quota_forgotten: {
    what: "what a customer has claimed is loaded as if it were nothing, and what is claimed is written without its quota's row",
    variant: (options) =>
      commits((commit, ledger) => {
        const tuples = readTuples(commit.rows)
        const kept = tuples.filter(({ kind, leg }) => kind !== 'coupon.claim' || leg === 0)
        return ledger.commit({ ...commit, rows: Buffer.concat(kept.map(({ bytes }) => bytes)) })
      })(options),
  },
  coupons_loaded_unused: {
    what: 'a coupon that was redeemed is loaded as if it were there still',
    variant: accounts((account) => (isLot(account, 'coupon') ? { ...account, balance: 1n } : account)),
  },
  points_loaded_unused: {
    what: 'a lot of points is loaded as it was before it was last used',
    variant: accounts((account) =>
      isLot(account, 'points') ? { ...account, balance: account.balance + 100n } : account,
    ),
  },
  refunds_across_forgotten: {
    what: 'of an original between partitions it is not loaded what was refunded',
    // With so little memory that it is loaded each time.
    variant: (options) => ({
      ...remembered((one) =>
        one.decided?.rows.some(({ far }) => far !== undefined) === true
          ? { ...one, links: one.links.filter(({ kind }) => kind !== 'refund') }
          : one,
      )(options),
      partitions: 4,
      limits: { batchCommandsMax: 4096, overlapCommandsMin: 256, residentsMax: 1 },
    }),
  },
  stale_activation: {
    what: 'an account is loaded as it stood one entry ago, as from a replica that lags',
    variant: (options) => {
      const before = new Map<number, Account>()
      return accounts((account) => {
        const last = before.get(account.key)
        before.set(account.key, account)
        return last !== undefined && last.seq < account.seq ? last : account
      })(options)
    },
  },
  packets_leave_before_the_commit: {
    what: 'messages to other partitions leave when the commit that they rest on is sent',
    variant: commits(async (commit, ledger) => {
      const done = ledger.commit(commit)
      if (commit.links.every(({ packet }) => packet === undefined)) await done
      else done.catch(() => undefined)
    }),
  },
  marks_not_committed: {
    what: 'what was heard of another partition is not noted with the rows that came of it',
    variant: links((link) => ({ ...link, received: Math.max(0, link.received - 1) })),
  },
  outbox_not_written: {
    what: 'messages to other partitions are sent once and kept nowhere',
    variant: links((link) => ({ ...link, packet: undefined })),
  },
  outbox_forgotten_too_early: {
    what: 'a question is dropped from the outbox when it was heard, not when its answer was applied',
    variant: links((link) => ({ ...link, acked: link.sent })),
  },
  undecided_forgotten: {
    what: 'a new host does not know which transactions of several partitions it has begun or reserved for',
    // Lanes that recover often, in the midst of it, and no transaction that stands in one commit.
    variant: (options) => ({
      ...heads((head) => ({ ...head, joints: [] }))(options),
      partitions: 4,
      limits: { batchCommandsMax: 10, overlapCommandsMin: 0, residentsMax: 1000, together: 0, loopback: false },
      faults: { commit_cut: 15, message_slow: 4 },
    }),
  },
  chain_begins_anew: {
    what: 'a new host begins its hash chain from nothing',
    variant: heads((head) => ({ ...head, chain: new Uint8Array(32) })),
  },
  time_begins_anew: {
    what: 'a new host does not know the time of the last decision',
    variant: heads((head) => ({ ...head, time: 0 })),
  },
  rows_numbered_again: {
    what: 'a new host takes the number of the last row for free',
    variant: heads((head) => ({ ...head, pseq: Math.max(0, head.pseq - 1) })),
  },
  a_leg_is_lost: {
    what: 'of a transaction of several transfers the last is not written',
    variant: commits((commit, ledger) => {
      const tuples = readTuples(commit.rows)
      const kept = tuples.filter(({ leg, kind }) => leg === 0 || kind !== 'postings')
      return ledger.commit({ ...commit, rows: Buffer.concat(kept.map(({ bytes }) => bytes)) })
    }),
  },
  cells_not_written: {
    what: 'house accounts are not updated',
    variant: commits((commit, ledger) => ledger.commit({ ...commit, cells: [] })),
  },
  endings_of_holds_not_written: {
    what: 'a hold that ended stays open in its table',
    variant: commits((commit, ledger) =>
      ledger.commit({ ...commit, holds: commit.holds.filter(({ hold }) => hold !== undefined) }),
    ),
  },
  details_not_written: {
    what: 'what the chain covers of a detail is there, the detail is not',
    variant: commits((commit, ledger) => ledger.commit({ ...commit, details: commit.details.slice(1) })),
  },
  trimmed_too_far: {
    what: 'the mailbox forgets one frame more than was committed',
    variant: reader((one) => ({
      trim: (partition, position) => one.trim(partition, { ...position, high: position.high + 1 }),
    })),
  },
  trimmed_when_taken: {
    what: 'the mailbox forgets a frame when it is taken',
    variant: reader((one) => ({
      take: (commandsMax) => {
        const frames = one.take(commandsMax)
        for (const { partition, generation, high, low } of frames) {
          one.trim(partition, { generation, high, low, index: Number.MAX_SAFE_INTEGER })
        }
        return frames
      },
    })),
  },
  frames_swapped: {
    what: 'two frames of a partition are read in the wrong order',
    variant: reader((one) => ({ take: (commandsMax) => [...one.take(commandsMax)].reverse() })),
  },
  answers_dropped: {
    what: 'one message of answers in twenty is lost between the threads',
    variant: answers((message) => (++dropped % 20 === 0 ? undefined : message)),
  },
  answers_exchanged: {
    what: 'the first two answers of a commit go to each other',
    variant: answers((message) => {
      const [a, b, ...rest] = Array.from(message.tickets)
      return a === undefined || b === undefined ? message : { ...message, tickets: [b, a, ...rest] }
    }),
  },
  not_asked_again: {
    what: 'what was consumed and lost its answer with a dead thread is not asked again',
    variant: tapped({
      send: (send) => (message) =>
        send(
          message.kind === 'hosted' ? { ...message, position: { generation: 0, high: 0, low: 0, index: 0 } } : message,
        ),
    }),
  },
}
