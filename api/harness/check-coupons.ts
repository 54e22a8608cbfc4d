// What coupons must come to, from the rows alone: nobody has claimed more than the limit, each claim counts against its owner's quota and comes out of a
// stock that had one, and every coupon that was issued is in stock, on its way, with a customer or redeemed.
import type { SimulatedShard, StoredRow } from '../../adapters/simulated/shard.ts'
import { type CampaignBody, type CatalogChange, couponAsset } from '../../core/catalog.ts'
import { couponAccounts } from '../../core/house.ts'
import { broken } from './violation.ts'

/** Throws Violation. `changes`: all that the catalog ever was. */
export function checkCoupons(shards: readonly SimulatedShard[], changes: readonly CatalogChange[]): void {
  const limits = new Map<string, number>()
  const stocks = new Map<string, number>()
  for (const { kind, code, body } of changes) {
    if (kind !== 'campaign') continue
    const { limitPerCustomer = Number.POSITIVE_INFINITY, stock } = JSON.parse(body) as CampaignBody
    // A limit may change: what was claimed under the widest is right.
    limits.set(code, Math.max(limits.get(code) ?? 0, limitPerCustomer))
    stocks.set(code, Math.max(stocks.get(code) ?? 0, stock))
  }
  for (const [code, limit] of limits) {
    checkClaims(shards, code, limit)
    checkIssued(shards, code, stocks.get(code) ?? 0)
  }
}

function checkClaims(shards: readonly SimulatedShard[], code: string, limit: number): void {
  const names = couponAccounts(code)
  const claimed = new Map<string, number>()
  for (const { rows } of shards) {
    for (const [i, { row, id, idKey }] of rows.entries()) {
      if (row.code !== 0 || row.kind !== 'coupon.claim' || row.from?.id !== names.stock) continue
      if (row.fromBalance < 0n) broken('coupons_are_bounded', `${id} leaves ${row.fromBalance} in the stock of ${code}`)
      const owner = row.to?.id.split(':')[0] ?? ''
      const quota: StoredRow | undefined = rows[i + 1]
      if (quota?.idKey !== idKey || quota.row.from?.id !== names.claimed || !quota.row.to?.id.startsWith(`${owner}:`))
        broken('coupons_are_bounded', `${id} does not count against the quota of ${owner}`)
      const count = (claimed.get(owner) ?? 0) + Number(row.amount)
      claimed.set(owner, count)
      if (count > limit)
        broken('coupons_are_bounded', `${owner} has claimed ${count} of ${code}, the limit is ${limit}`)
    }
  }
}

/** The quota accounts stand against `claimed`: without these two, what was issued is what is there. */
function checkIssued(shards: readonly SimulatedShard[], code: string, most: number): void {
  const names = couponAccounts(code)
  let issued = 0n
  let there = 0n
  for (const { accounts } of shards) {
    for (const { id, asset, balance } of accounts.values()) {
      if (asset.code !== couponAsset(code).code) continue
      if (id === names.issued) issued -= balance
      else if (id !== names.claimed && !id.endsWith(`:quota:${code}`)) there += balance
    }
  }
  if (issued > BigInt(most)) broken('coupons_are_bounded', `${issued} of ${code} were issued, its stock is ${most}`)
  if (there !== issued) broken('coupons_are_bounded', `${issued} of ${code} were issued, ${there} are there`)
}
