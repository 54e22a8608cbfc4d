// Accounts and entries of a simulated ledger as the HTTP API shows them: what is committed, and nothing else.
import { entryView } from '../../actors/entry-view.ts'
import type { SimulatedShard, StoredAccount, StoredRow } from '../../adapters/simulated/shard.ts'
import { available, outsideBalance } from '../../core/account.ts'
import { stageLegs } from '../../core/across/joint.ts'
import { isHouse } from '../../core/identity.ts'
import { formatMinor } from '../../core/money.ts'
import { timeText } from '../../schemas/answer.ts'
import type { Account, Entry } from '../client/contract.ts'

/** Of a house account the sum of its cells, in the asset that it has or the given one. */
export function accountView(
  shards: readonly SimulatedShard[],
  id: string,
  nowMs: number,
  asset?: string,
): Account | undefined {
  const found = storedAs(shards, id, asset)
  const [first] = found
  if (first === undefined) return undefined
  const sum = (of: (one: StoredAccount) => bigint): bigint => found.reduce((total, one) => total + of(one), 0n)
  const whole = { ...first, balance: sum(({ balance }) => balance), held: sum(({ held }) => held) }
  const { scale, code } = first.asset
  return {
    id,
    asset: code,
    balance: formatMinor(outsideBalance(whole), scale),
    held: formatMinor(whole.held, scale),
    available: formatMinor(available(whole), scale),
    overdraft: formatMinor(whole.overdraft, scale),
    status: whole.status,
    normal: whole.normal,
    seq: found.reduce((total, { seq }) => total + seq, 0),
    version: whole.version,
    asOf: timeText(nowMs),
  }
}

function storedAs(shards: readonly SimulatedShard[], id: string, asset: string | undefined): StoredAccount[] {
  const named = shards.flatMap((shard) => shard.accountsNamed(id))
  const code = asset ?? named.map((one) => one.asset.code).sort()[0]
  return named.filter((one) => one.asset.code === code)
}

/** In the order in which the actors decided; undefined: no such account. Of a house account those of all its cells, by time. */
export function entryViews(shards: readonly SimulatedShard[], id: string, asset?: string): Entry[] | undefined {
  const cells = storedAs(shards, id, asset)
  const [first] = cells
  if (first === undefined) return undefined
  const keys = new Set(cells.map(({ key }) => key))
  const lines = shards.flatMap((shard) =>
    cells
      .filter(({ partition }) => shard.heads.has(partition))
      .flatMap(({ key }) => shard.entriesOf(key).map((stored) => lineOf(shard, stored, keys))),
  )
  if (!isHouse(id)) return lines.map(({ entry }) => entry)
  let balance = 0n
  return lines.sort(inOrder).map(({ entry, change }) => {
    balance += change
    return { ...entry, balance: formatMinor(balance, first.asset.scale) }
  })
}

interface Line {
  readonly stored: StoredRow
  readonly entry: Entry
  /** Of the balance, where it is a house account's. */
  readonly change: bigint
}

function lineOf({ details }: SimulatedShard, stored: StoredRow, keys: ReadonlySet<number>): Line {
  const { row, partition, pseq, id, at, date } = stored
  const side = row.from !== undefined && row.fromSeq > 0 && keys.has(row.from.key) ? 'from' : 'to'
  // The detail of a transaction stands beside its first row.
  const detail = details.get(`${partition} ${pseq - (row.leg % stageLegs)}`)?.body ?? null
  const entry = entryView(row, { id, atMs: at, date, detail }, side)
  return { stored, entry, change: side === 'from' ? -row.amount : row.amount }
}

const inOrder = ({ stored: a }: Line, { stored: b }: Line): number =>
  a.at - b.at || a.partition - b.partition || a.pseq - b.pseq
