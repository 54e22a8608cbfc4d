// What settlements must come to, from the rows alone: no merchant is ever paid more than orders have brought in. What is given back later counts for
// nothing here: it makes the next settlements smaller.
import type { SimulatedShard } from '../../adapters/simulated/shard.ts'
import { isMerchantAccount } from '../../core/house.ts'
import { broken } from './violation.ts'

/** Throws Violation. */
export function checkTakings(shards: readonly SimulatedShard[]): void {
  const taken = new Map<string, bigint>()
  const settled = new Map<string, bigint>()
  const add = (sums: Map<string, bigint>, name: string, amount: bigint): void => {
    sums.set(name, (sums.get(name) ?? 0n) + amount)
  }
  for (const { row } of shards.flatMap(({ rows }) => rows)) {
    const { code, kind, from, to, amount } = row
    if (code !== 0) continue
    if (kind === 'settle' && from !== undefined) add(settled, `${from.id} ${from.asset.code}`, amount)
    else if (to !== undefined && isMerchantAccount(to.id)) add(taken, `${to.id} ${to.asset.code}`, amount)
  }
  for (const [name, amount] of settled) {
    const most = taken.get(name) ?? 0n
    if (amount > most) broken('takings_are_bounded', `${amount} of ${name} were settled, ${most} were taken`)
  }
}
