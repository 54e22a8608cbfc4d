// The state of one partition, as far as it is in memory: what `decide` reads and `apply` changes. Whoever drives it (the partition
// host, a simulator, `verify`) must first have made resident all that the command names: an account or id that is absent here
// does not exist.
import type { Accounts } from './account-store.ts'
import type { Joints } from './across/joint.ts'
import type { Asset } from './asset.ts'
import type { Catalog } from './catalog.ts'
import type { Command } from './command.ts'
import { type IdKey, isHouse } from './identity.ts'
import type { Lots } from './lots.ts'
import type { Remembered } from './transaction.ts'

export interface PartitionState {
  readonly partition: number
  /** Time of the last decided command, epoch milliseconds. */
  time: number
  /** Number of the last journal row of the partition. */
  pseq: number
  /** Accounts and cells ever opened in this partition: the source of account keys. */
  accountsOpened: number
  /** By `accountName`: resident accounts and cells. */
  readonly accounts: Accounts
  /** Those of `accounts` that are lots, by owner. */
  readonly lots: Lots
  /** Resident transactions by key: all of uncommitted batches, and those that were loaded. */
  readonly remembered: Map<IdKey, Remembered>
  /** As of the last change that the partition has journaled. */
  readonly catalog: Catalog
  /** Campaigns of which nothing is left in any partition. Forgotten with the memory: then it is asked again. */
  readonly exhausted: Set<string>
  /** Undecided transactions across partitions that this one takes part in: always resident. */
  readonly joints: Joints
  readonly rules: Rules
}

/** What is the same for all partitions of a ledger. */
export interface Rules {
  /** Before the first change of the catalog. */
  readonly assets: ReadonlyMap<string, Asset>
  /** Business date of a time in the ledger's time zone: days since 1970-01-01. */
  readonly dateOf: (atMs: number) => number
  /** `house:` accounts open by themselves. */
  readonly houseAutoOpen: boolean
  /** Where an owner lives. */
  readonly partitionOf: (owner: string) => number
}

/** A command as the partition receives it. */
export interface Received {
  readonly command: Command
  readonly idKey: IdKey
  /** Key of the transaction that `hold` or `of` names. */
  readonly refKey: IdKey | undefined
  /** Epoch milliseconds at intake. */
  readonly stampedAt: number
}

/** Accounts opened per partition fit 40 bits, partitions 10 bits: every key is an exact number in JavaScript. */
export const keysPerPartition = 2 ** 40

/** Key of the n-th account (n from 1) of a partition; a house cell's is negative, so that indexes can leave cells out. */
export const accountKey = (partition: number, n: number, accountId: string): number =>
  (partition * keysPerPartition + n) * (isHouse(accountId) ? -1 : 1)

/**
 * Name in `PartitionState.accounts`: the id, and for a house cell also the asset, of which it has one each. Names of cells are kept:
 * gluing and hashing a new string cost 140 ns, finding the old one 35 ns, three times a debit.
 */
export const accountName = (accountId: string, assetCode: string): string =>
  isHouse(accountId) ? cellName(accountId, assetCode) : accountId

const cellNamesMax = 65_536
const cellNames = new Map<string, Map<string, string>>()
let cellNamesKept = 0

function cellName(houseId: string, assetCode: string): string {
  const known = cellNames.get(assetCode)?.get(houseId)
  if (known !== undefined) return known
  if (cellNamesKept === cellNamesMax) {
    cellNames.clear()
    cellNamesKept = 0
  }
  const name = `${houseId}|${assetCode}`
  const ofAsset = cellNames.get(assetCode)
  if (ofAsset === undefined) cellNames.set(assetCode, new Map([[houseId, name]]))
  else ofAsset.set(houseId, name)
  cellNamesKept += 1
  return name
}
