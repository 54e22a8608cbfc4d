// Deciding what changes for a whole partition: the next change of the catalog, and the moves of a campaign's stock between partitions.
import { couponAsset } from './catalog.ts'
import type { ChangeCatalog, MoveStock } from './command.ts'
import { accepted, type Decision } from './decision.ts'
import { Draft } from './draft.ts'
import { couponAccounts } from './house.ts'
import { violated } from './invariant.ts'
import { accountName, type PartitionState, type Received } from './partition.ts'
import { type Row, sidelessRow } from './row.ts'

/**
 * The change that follows is journaled; any other is answered with the version at which the partition stands, and nothing is stored: whoever
 * sends then knows what to send. A campaign's new coupons are issued in equal shares, this partition's here.
 */
export function decideCatalog(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: ChangeCatalog,
): Decision {
  const { catalog } = state
  if (command.version !== catalog.version + 1) return { kind: 'catalog_at', version: catalog.version }
  const changed = sidelessRow('catalog', 0, undefined)
  if (command.kind !== 'campaign') return accepted(state, received, at, [changed])
  const { stock } = JSON.parse(command.body) as { readonly stock: number }
  const share = shareOf(stock - (catalog.campaigns.get(command.code)?.stock ?? 0), command)
  if (share === 0n) return accepted(state, received, at, [changed])
  const names = couponAccounts(command.code)
  const draft = new Draft(state)
  const refusal = draft.book('coupon.issue', names.issued, names.stock, couponAsset(command.code), share)
  if (refusal !== undefined) violated('stock_is_issued', { campaign: command.code, refusal })
  return accepted(state, received, at, behind(changed, draft.rows()))
}

/** All shares together are the whole, none is more than one above another. */
function shareOf(whole: number, { partition, partitions }: ChangeCatalog): bigint {
  if (whole <= 0) return 0n
  const upTo = (n: number): bigint => (BigInt(whole) * BigInt(n)) / BigInt(partitions)
  return upTo(partition + 1) - upTo(partition)
}

const behind = (first: Row, rows: readonly Row[]): readonly [Row, ...Row[]] => [
  first,
  ...rows.map((row, i) => ({ ...row, leg: i + 1 })),
]

/**
 * `recall` empties this partition's stock into what is on its way, `grant` brings some of that into it, `close` says that nothing is left
 * anywhere: from then on claims are refused here.
 */
export function decideStock(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: MoveStock,
): Decision {
  const { campaign, action } = command
  const names = couponAccounts(campaign)
  const asset = state.catalog.assets.get(couponAsset(campaign).code)
  if (asset === undefined) return { kind: 'nothing' }
  if (action === 'close') {
    const left = stockOf(state, campaign)
    return left > 0n ? { kind: 'nothing' } : accepted(state, received, at, [sidelessRow('stock.close', 0, undefined)])
  }
  const amount = action === 'recall' ? stockOf(state, campaign) : BigInt(command.amount ?? 0)
  if (amount === 0n) return { kind: 'nothing' }
  const draft = new Draft(state)
  const refusal =
    action === 'recall'
      ? draft.book('stock', names.stock, names.moving, asset, amount)
      : draft.book('stock', names.moving, names.stock, asset, amount)
  if (refusal !== undefined) violated('stock_moves', { campaign, action, refusal })
  return accepted(state, received, at, draft.rows())
}

/** Coupons of a campaign that may be claimed in this partition. */
export const stockOf = ({ accounts }: Readonly<PartitionState>, campaign: string): bigint =>
  accounts.get(accountName(couponAccounts(campaign).stock, couponAsset(campaign).code))?.balance ?? 0n
