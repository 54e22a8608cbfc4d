// What is left of the transfers of an original that were given back in part, and how points come home: to the lots that they were taken from.
import type { Refusal } from './code.ts'
import type { Draft } from './draft.ts'
import { pointsAccounts } from './house.ts'
import type { IdKey } from './identity.ts'
import { violated } from './invariant.ts'
import { lotNameOf } from './lots.ts'
import type { Row } from './row.ts'

/** What refunds have not given back yet. Expects that no other transfer of the original is between the same two accounts in that direction. */
export function leftOf({ amount, from, to }: Row, links: readonly Row[]): bigint {
  let left = amount
  for (const row of links) {
    if (row.kind === 'refund' && row.from?.key === to?.key && row.to?.key === from?.key) left -= row.amount
  }
  return left
}

/**
 * Points back to their lots, the lot that expires last first: it was taken from last. To a lot whose day is over they come back as well and expire
 * in the same transaction, so that its statement says both and it stays empty.
 */
export function givePointsBack(
  draft: Draft,
  burnt: readonly Row[],
  links: readonly Row[],
  amount: bigint,
  link: IdKey,
  today: number,
): Refusal | undefined {
  let open = amount
  for (const row of burnt.toReversed()) {
    if (open === 0n) return undefined
    const left = leftOf(row, links)
    const part = left < open ? left : open
    if (part === 0n) continue
    const refusal = draft.giveBack({ ...row, amount: part }, link) ?? expireIfOver(draft, row, part, link, today)
    if (refusal !== undefined) return refusal
    open -= part
  }
  return open === 0n ? undefined : violated('points_back_are_points_burnt', { amount, open })
}

function expireIfOver(draft: Draft, { from }: Row, amount: bigint, link: IdKey, today: number): Refusal | undefined {
  const name = from === undefined ? undefined : lotNameOf(from.id)
  if (from === undefined || name === undefined || name.lastDay >= today) return undefined
  return draft.book('points.expire', from.id, pointsAccounts.expired, from.asset, amount, link)
}
