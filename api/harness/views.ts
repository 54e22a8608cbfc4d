// Accounts and entries of a simulated ledger as the HTTP API shows them: what is committed, and nothing else.
import type { SimulatedShard, StoredAccount, StoredRow } from '../../adapters/simulated/shard.ts'
import { available, outsideBalance } from '../../core/account.ts'
import { dateText } from '../../core/business-date.ts'
import { formatMinor } from '../../core/money.ts'
import type { Row } from '../../core/row.ts'
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

/** In the order in which the actor decided; undefined: no such account. */
export function entryViews(shards: readonly SimulatedShard[], id: string): Entry[] | undefined {
  for (const shard of shards) {
    const [account] = shard.accountsNamed(id)
    if (account !== undefined) return shard.entriesOf(account.key).map((stored) => entryView(stored, account.key))
  }
  return undefined
}

function entryView(stored: StoredRow, key: number): Entry {
  const { row } = stored
  const from = row.from?.key === key
  const own = from ? row.from : row.to
  const other = from ? row.to : row.from
  const scale = own?.asset.scale ?? 0
  const sign = own?.normal === 'debit' ? -1n : 1n
  return {
    seq: from ? row.fromSeq : row.toSeq,
    at: timeText(stored.at),
    businessDate: dateText(stored.date),
    transaction: stored.id,
    type: row.kind,
    counterparty: other?.id ?? null,
    amount: formatMinor(sign * moved(row, from), scale),
    heldChange: formatMinor(from ? heldChange(row) : 0n, scale),
    balance: formatMinor(sign * (from ? row.fromBalance : row.toBalance), scale),
    held: formatMinor(from ? row.fromHeld : row.toHeld, scale),
    reference: null,
  }
}

const reserves = (row: Row): boolean => row.kind === 'hold' || row.kind === 'release' || row.kind === 'expire'
const moved = (row: Row, from: boolean): bigint => (reserves(row) ? 0n : from ? -row.amount : row.amount)
const heldChange = (row: Row): bigint =>
  row.kind === 'hold' ? row.amount : reserves(row) || row.kind === 'capture' ? -row.amount : 0n
