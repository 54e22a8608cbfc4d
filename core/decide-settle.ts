// Deciding a settlement: a merchant's takings, which orders leave in the cells of `house:merchant:<merchant>`, go to an account of the merchant. It is
// decided in that account's partition alone: the takings are the sum over all cells, and any cell may go below zero.
import { isCell } from './account.ts'
import type { Settle } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { merchantAccount } from './house.ts'
import { formatMinor, parseAmount } from './money.ts'
import { accountName, type PartitionState, type Received } from './partition.ts'

/**
 * `others` is what the cells of all other partitions held when intake looked, this partition's cell is as it stands: it has all settlements of before in it,
 * so two at the same time never pay the same takings twice. Refunds that came since make the sum fall below zero: the merchant's next takings pay for them.
 */
export function decideSettle(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Settle,
): Decision {
  const to = state.accounts.get(command.to)
  if (to === undefined || isCell(to)) return declined(state, received, at, 'account_not_found')
  if (to.status === 'closed') return declined(state, received, at, 'account_closed')
  if (command.asset !== undefined && command.asset !== to.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const given = command.amount === undefined ? undefined : parseAmount(command.amount, to.asset.scale)
  if (typeof given === 'string') return declined(state, received, at, given)
  const merchant = merchantAccount(command.merchant)
  const others = (JSON.parse(command.others) as Readonly<Record<string, string>>)[to.asset.code]
  const here = state.accounts.get(accountName(merchant, to.asset.code))?.balance ?? 0n
  const takings = BigInt(others ?? 0) + here
  const amount = given ?? takings
  if (amount > takings || takings <= 0n) {
    const { scale } = to.asset
    // Without an amount at least the smallest unit was needed.
    const needed = formatMinor(given ?? 1n, scale)
    return declined(state, received, at, 'insufficient_funds', { available: formatMinor(takings, scale), needed })
  }
  const draft = new Draft(state)
  const refusal = draft.book('settle', merchant, to.id, to.asset, amount)
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}
