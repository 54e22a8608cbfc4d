// What deciding gives back, and how an accepted and a declined transaction are put together.
import type { Account } from './account.ts'
import type { Begun } from './across/coordinate.ts'
import { daysOfDate } from './business-date.ts'
import { type Refusal, refusalNumbers } from './code.ts'
import type { Command } from './command.ts'
import type { IdKey } from './identity.ts'
import { violated } from './invariant.ts'
import type { PartitionState, Received } from './partition.ts'
import { type Row, type RowKind, sidelessRow } from './row.ts'
import type { Decided, Facts } from './transaction.ts'

export type Decision =
  /** Something new, accepted or declined: to be applied, stored and answered. */
  | { readonly kind: 'decided'; readonly decided: Decided }
  /** The same id with the same body: the first answer again. */
  | { readonly kind: 'repeated'; readonly decided: Decided }
  /** The same id with another body: the first field that differs. Nothing is stored. */
  | { readonly kind: 'conflict'; readonly field: string }
  /** `open` of an account that exists: alike (nothing to do) or not. Nothing is stored. */
  | { readonly kind: 'exists'; readonly account: Account; readonly alike: boolean }
  /** `change` with an `ifVersion` that is not the account's. Nothing is stored. */
  | { readonly kind: 'version_mismatch'; readonly account: Account }
  /** A change of the catalog that is not the next one here: the version at which the partition stands. Nothing is stored. */
  | { readonly kind: 'catalog_at'; readonly version: number }
  /** `coupon.claim` where this partition's stock is used up: to be asked again when the other partitions were looked at. Nothing is stored. */
  | { readonly kind: 'stock_elsewhere' }
  /** Accounts elsewhere take part: see `core/across`. */
  | { readonly kind: 'started'; readonly begun: Begun }
  /** The id is under way across partitions, with this body: the answer comes when it is decided. */
  | { readonly kind: 'undecided'; readonly idKey: IdKey }
  /** Too much is under way across partitions. Nothing is stored; the id is still free. */
  | { readonly kind: 'overloaded' }
  /** `expire`: the work was done by `dueExpiries` before. Nothing is stored. */
  | { readonly kind: 'nothing' }

export const nothing: Decision = { kind: 'nothing' }

export function accepted(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  rows: readonly [Row, ...Row[]],
  facts?: Facts,
): Decision {
  const { idKey, command } = received
  return { kind: 'decided', decided: { idKey, command, at, date: businessDateOf(state, command, at), rows, facts } }
}

/** One row of the command's kind, without sides or link. */
export function declined(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  refusal: Refusal,
  facts?: Facts,
): Decision {
  const { idKey, command } = received
  const rows = [sidelessRow(rowKindOf(command), refusalNumbers[refusal], undefined)] as const
  return { kind: 'decided', decided: { idKey, command, at, date: businessDateOf(state, command, at), rows, facts } }
}

const rowKindOf = (command: Command): RowKind => command.type

/** The day that was given, else that of the command's time. Closed days are not known yet. */
export function businessDateOf({ rules }: Readonly<PartitionState>, command: Command, at: number): number {
  const given = 'businessDate' in command ? command.businessDate : undefined
  if (given === undefined) return rules.dateOf(at)
  return daysOfDate(given) ?? violated('business_date_syntax', { given })
}
