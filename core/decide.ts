// Decides one command against a partition's state: pure, in a stated order of precedence, all checks before the first row.
import type { Account } from './account.ts'
import type { PartitionState, Received } from './partition.ts'
import type { Decided } from './transaction.ts'

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
  /** `expire`: the work was done by `dueExpiries` before. Nothing is stored. */
  | { readonly kind: 'nothing' }

/** Time of a command: never before the partition's last, else the earlier of its stamp and the host's clock. Epoch milliseconds. */
export const commandTime = (state: Readonly<PartitionState>, stampedAt: number, nowMs: number): number =>
  Math.max(state.time, Math.min(stampedAt, nowMs))

/** Holds that have run out by `at` on the accounts that the command names: decisions of their own, to be applied before `decide`. */
export function dueExpiries(_state: Readonly<PartitionState>, _received: Received, _at: number): readonly Decided[] {
  throw new Error('not written yet')
}

/** Decides a command at its time. Expects `dueExpiries` to have been applied and all that it names to be resident. */
export function decide(_state: Readonly<PartitionState>, _received: Received, _at: number): Decision {
  throw new Error('not written yet')
}
