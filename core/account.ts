// One account as its actor holds it in memory, and what its numbers mean. Loading, passivation and storage are elsewhere.
import type { Pledge } from './across/pledge.ts'
import type { Asset } from './asset.ts'
import { type Hold, noHolds } from './hold.ts'
import type { IdKey } from './identity.ts'

export type AccountStatus = 'open' | 'frozen' | 'closed'
/** Which side makes the balance grow outside: a customer's money is `credit`, a loan's principal `debit`. */
export type Normal = 'credit' | 'debit'

/** What a row or an answer needs to know of an account that it names. */
export interface AccountRef {
  /** Unique in the ledger; a house cell's is negative (see `key.ts`). */
  readonly key: number
  readonly id: string
  readonly asset: Asset
  readonly normal: Normal
}

/**
 * An account in memory. Only `apply` changes it. Amounts in minor units; `balance` = credits - debits, `held` >= 0.
 *
 *   open <-> frozen, open | frozen -> closed (balance 0, nothing held), closed -> open
 */
export interface Account extends AccountRef {
  status: AccountStatus
  overdraft: bigint
  balance: bigint
  held: bigint
  /** Number of the last row that touched balance or held; 0 before the first. */
  seq: number
  /** Counts opening (1) and each change of status or limit. */
  version: number
  /** Open holds on this account by the key of the transaction that placed them; `noHolds` of most accounts. */
  holds: Map<IdKey, Hold>
  /** What undecided transactions across partitions will do to it; undefined of most. The same object as in `PartitionState.joints`. */
  pledge: Pledge | undefined
}

/** An account as it opens. Every account in memory is made here or has its members in this order: one hidden class for the hot path. */
export const openedAccount = (key: number, id: string, asset: Asset, normal: Normal, overdraft: bigint): Account => ({
  key,
  id,
  asset,
  normal,
  status: 'open',
  overdraft,
  balance: 0n,
  held: 0n,
  seq: 0,
  version: 1,
  holds: noHolds,
  pledge: undefined,
})

/** A house account's cell: unlimited, so that no bound is checked on it. */
export const isCell = (account: Pick<AccountRef, 'key'>): boolean => account.key < 0

/** Balance as the world sees it: the sign of a debit-normal account is flipped. */
export const outsideBalance = (account: Pick<Account, 'normal' | 'balance'>): bigint =>
  account.normal === 'credit' ? account.balance : -account.balance

/** What may still be taken (credit-normal) or still be paid in (debit-normal), in minor units. Promise P3 keeps it from falling below zero. */
export const available = (account: Pick<Account, 'normal' | 'balance' | 'held' | 'overdraft'>): bigint =>
  outsideBalance(account) - account.held + account.overdraft
