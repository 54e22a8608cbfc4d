// What the journal must be like by itself, from its rows and plain arithmetic: nothing here asks the rules of `core`, so that a rule that is
// wrong shows too.

import { chainOf, detailHash } from '../../actors/batch.ts'
import { comparePositions, positionText } from '../../actors/position.ts'
import { Broken, PartitionReplay } from '../../adapters/postgres/replay.ts'
import type { CommitRecord, SimulatedShard, StoredRow } from '../../adapters/simulated/shard.ts'
import { stageLegs, transitId } from '../../core/across/joint.ts'
import { dateText } from '../../core/business-date.ts'
import type { IdKey } from '../../core/identity.ts'
import { broken } from './violation.ts'

/** Throws Violation. */
export function checkJournal(shard: SimulatedShard): void {
  for (const partition of shard.heads.keys()) {
    const commits = shard.commits.filter((commit) => commit.partition === partition)
    checkCommits(partition, commits)
    const rows = commits.flatMap((commit) => commit.rows)
    checkArithmetic(shard, partition, rows)
    checkTransactions(shard, rows)
    checkEndings(shard, rows)
  }
  checkConservation(shard)
}

/** Positions, epochs, numbers and the chain, commit by commit. */
function checkCommits(partition: number, commits: readonly CommitRecord[]): void {
  const writers = new Map<number, string>()
  let chain: Uint8Array = new Uint8Array(32)
  let last: CommitRecord | undefined
  for (const commit of commits) {
    const where = `partition ${partition}, commit up to row ${commit.lastPseq}`
    if (last !== undefined) {
      // An attempt is noted, and a segment switched, at the same place.
      if (comparePositions(last.after, commit.before) !== 0 || comparePositions(commit.before, commit.after) > 0) {
        broken(
          'commits_follow_each_other',
          `${where}: from ${positionText(commit.before)} to ${positionText(commit.after)} after ${positionText(last.after)}`,
        )
      }
      if (commit.epoch < last.epoch)
        broken('commits_follow_each_other', `${where}: epoch ${commit.epoch} after ${last.epoch}`)
      if (commit.time < last.time) broken('time_goes_forward', `${where}: ${commit.time} after ${last.time}`)
    }
    if (commit.firstPseq !== (last?.lastPseq ?? 0) + 1) {
      broken('commits_follow_each_other', `${where}: its first row is ${commit.firstPseq} after ${last?.lastPseq ?? 0}`)
    }
    const writer = writers.get(commit.epoch)
    if (writer !== undefined && writer !== commit.writer) {
      broken('one_writer_an_epoch', `${where}: epoch ${commit.epoch} was written by ${writer} and by ${commit.writer}`)
    }
    if (commit.epoch !== commit.headEpoch) {
      broken(
        'one_writer_an_epoch',
        `${where}: its writer of epoch ${commit.epoch} had lost it to epoch ${commit.headEpoch}`,
      )
    }
    writers.set(commit.epoch, commit.writer)
    if (commit.rows.length > 0) {
      chain = chainOf(chain, Buffer.concat(commit.rows.map(({ bytes }) => bytes)))
      if (commit.chain === undefined || Buffer.compare(chain, commit.chain) !== 0) {
        broken('chain_covers_the_rows', `${where}: another hash than that of its rows behind the one before`)
      }
    }
    last = commit
  }
}

/** Numbering, balances, held amounts and limits. */
function checkArithmetic(shard: SimulatedShard, partition: number, rows: readonly StoredRow[]): void {
  const debitNormal = new Set(
    [...shard.accounts.values()].filter(({ normal }) => normal === 'debit').map(({ key }) => BigInt(key)),
  )
  const replay = new PartitionReplay(partition, debitNormal)
  try {
    for (const { bytes } of rows) replay.row(bytes as Buffer)
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    const { rule, detail, pseq } = error.finding
    broken(
      rule === 'hold' ? 'holds_end_once' : 'journal_adds_up',
      `partition ${partition}, row ${pseq}: ${rule}: ${detail}`,
    )
  }
  for (const account of shard.accounts.values()) {
    if (account.partition !== partition) continue
    const { id, key, balance, held, seq, overdraft, version } = account
    const replayed = replay.accounts.get(BigInt(key))
    const stored = { balance, held, seq, overdraft, version }
    for (const name of ['balance', 'held', 'seq', 'overdraft', 'version'] as const) {
      if (replayed?.[name] !== stored[name]) {
        broken('stored_is_replayed', `${name} of ${id} is ${stored[name]}, its rows say ${replayed?.[name]}`)
      }
    }
  }
  for (const [idKey, { accountKey, hold }] of shard.holds) {
    if (shard.accounts.get(accountKey)?.partition !== partition) continue
    if (replay.holds.get(idKey)?.remaining !== hold.remaining) {
      broken('stored_is_replayed', `the open hold ${hold.id} has ${hold.remaining} left, its rows say otherwise`)
    }
  }
  const open = [...shard.holds.values()].filter(
    ({ accountKey }) => shard.accounts.get(accountKey)?.partition === partition,
  ).length
  if (open !== replay.holds.size) {
    broken('stored_is_replayed', `partition ${partition} has ${open} open holds, its rows say ${replay.holds.size}`)
  }
}

/** Each id once, all its legs in a row, and the details that the chain covers. */
function checkTransactions(shard: SimulatedShard, rows: readonly StoredRow[]): void {
  const decided = new Set<IdKey>()
  const stages = new Set<string>()
  let last: StoredRow | undefined
  for (const one of rows) {
    const { row, idKey, id, pseq, partition } = one
    if (row.leg === 0) {
      if (decided.has(idKey)) broken('decided_once', `${id} stands twice in partition ${partition}`)
      decided.add(idKey)
      const detail = shard.details.get(`${partition} ${pseq}`)
      if ((detail === undefined) !== (one.detailHash === undefined)) {
        broken('detail_is_covered', `row ${pseq} of partition ${partition} and its detail do not go together`)
      }
      if (
        detail !== undefined &&
        Buffer.compare(detailHash(detail.salt, detail.body), one.detailHash ?? Buffer.alloc(0)) !== 0
      ) {
        broken('detail_is_covered', `row ${pseq} of partition ${partition} covers another detail`)
      }
    } else if (row.leg % stageLegs === 0) {
      // A party's rows at one stage, of a transaction across partitions.
      const name = `${idKey} ${row.leg}`
      if (stages.has(name)) broken('decided_once', `leg ${row.leg} of ${id} stands twice in partition ${partition}`)
      stages.add(name)
    } else if (last?.idKey !== idKey || last.row.leg !== row.leg - 1) {
      broken('whole_or_absent', `leg ${row.leg} of ${id} does not follow leg ${row.leg - 1}`)
    }
    if (last !== undefined && one.at < last.at) broken('time_goes_forward', `${id} is before the row before it`)
    last = one
  }
  for (const idKey of decided) {
    const own = shard.rowsOf(idKey).filter((one) => one.partition === rows[0]?.partition && one.row.leg < stageLegs)
    const { command, facts } = shard.decidedOf(own) ?? {}
    if (command?.type === 'postings' && facts?.legs === undefined && own[0]?.row.code === 0) {
      const posted = own.filter(({ row }) => row.kind === 'postings').length
      if (posted !== command.transfers.length) {
        broken('whole_or_absent', `${command.id} posted ${posted} of ${command.transfers.length} transfers`)
      }
    }
  }
}

/** No hold is captured or released after its time, and no original refunded above itself. */
function checkEndings(shard: SimulatedShard, rows: readonly StoredRow[]): void {
  const refunded = new Map<IdKey, bigint>()
  for (const { row, at, id, idKey, partition } of rows) {
    const { link, kind } = row
    if (row.code !== 0 || link === undefined) continue
    if (kind === 'capture' || kind === 'release' || kind === 'expire') {
      const expiresAt = shard.decidedOf(shard.rowsOf(link))?.facts?.expiresAt
      // A capture for another partition stands when that one has answered; what counts is when it was begun.
      const begun = shard.rowsOf(idKey).find((one) => one.row.kind === 'reserve' && one.partition === partition)
      const late = expiresAt !== undefined && (begun?.at ?? at) >= expiresAt
      if (late !== (kind === 'expire')) {
        broken('holds_end_in_time', `${id} (${kind}) at ${at} of a hold that runs out at ${expiresAt ?? 'no time'}`)
      }
    }
    if (kind === 'refund') {
      const sum = (refunded.get(link) ?? 0n) + row.amount
      refunded.set(link, sum)
      const whole = shard
        .rowsOf(link)
        .reduce((total, one) => total + (one.partition === partition && isMoved(one) ? one.row.amount : 0n), 0n)
      if (sum > whole) broken('refunds_are_bounded', `${id} brings the refunds to ${sum} of ${whole}`)
    }
  }
}

const isMoved = ({ row }: StoredRow): boolean =>
  row.code === 0 &&
  ['debit', 'transfer', 'postings', 'capture', 'points.redeem', 'order', 'disbursement'].includes(row.kind)

/** P6 at rest: what went into transit anywhere has come out of it somewhere. */
export function checkTransit(shards: readonly SimulatedShard[]): void {
  const sums = new Map<string, bigint>()
  for (const shard of shards) {
    for (const { id, asset, balance } of shard.accounts.values()) {
      if (id === transitId) sums.set(asset.code, (sums.get(asset.code) ?? 0n) + balance)
    }
  }
  for (const [asset, sum] of sums) if (sum !== 0n) broken('transit_is_empty', `${sum} of ${asset} stay in transit`)
}

/** Wherever a transaction has rows, and whenever they were written: statements and the close of a day go by this date. */
export function checkDates(shards: readonly SimulatedShard[]): void {
  const dates = new Map<IdKey, number>()
  for (const { rows } of shards) {
    for (const { idKey, id, date, partition } of rows) {
      const before = dates.get(idKey) ?? date
      if (before !== date)
        broken('one_business_date', `${id} has ${dateText(date)} in partition ${partition}, and ${dateText(before)}`)
      dates.set(idKey, date)
    }
  }
}

/** P4, over each partition by itself. */
function checkConservation(shard: SimulatedShard): void {
  const sums = new Map<string, bigint>()
  for (const { partition, asset, balance } of shard.accounts.values()) {
    const name = `${asset.code} of partition ${partition}`
    sums.set(name, (sums.get(name) ?? 0n) + balance)
  }
  for (const [name, sum] of sums)
    if (sum !== 0n) broken('nothing_is_lost_or_made', `the balances in ${name} sum up to ${sum}`)
}
