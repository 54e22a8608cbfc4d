// Deciding refunds: money goes back from the other side of an original, never more than is left of it.
import type { Account } from './account.ts'
import { type Plan, startJoint } from './across/coordinate.ts'
import type { Refusal } from './code.ts'
import type { Refund } from './command.ts'
import { accountOf, referred } from './decide-hold.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { givePointsBack, leftOf } from './give-back.ts'
import { type IdKey, ownerOfAccount } from './identity.ts'
import { formatMinor, normalizeDecimal, parseAmount } from './money.ts'
import { ownerOfCommand } from './owner.ts'
import type { PartitionState, Received } from './partition.ts'
import { refundOrder } from './refund-order.ts'
import type { Row, RowKind } from './row.ts'
import type { Decided, LegText, Remembered } from './transaction.ts'

/** Rows of an original that a refund turns round. What a final capture released beside them is not theirs. */
const refundable: ReadonlySet<RowKind> = new Set<RowKind>([
  'debit',
  'transfer',
  'capture',
  'postings',
  'points.redeem',
  'order',
  'disbursement',
])

export function decideRefund(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Refund,
): Decision {
  const account = accountOf(state, command)
  if (typeof account === 'string') return declined(state, received, at, account)
  if (account.status === 'closed') return declined(state, received, at, 'account_closed')
  if (command.asset !== undefined && command.asset !== account.asset.code) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const link = referred(received)
  const remembered = state.remembered.get(link)
  const decided = remembered?.decided
  const isOrder = decided?.command.type === 'order'
  // Of an order the amount counts in its total, whatever the account is in.
  const amountOf = (scale: number) => (command.amount === undefined ? undefined : parseAmount(command.amount, scale))
  const given = isOrder ? undefined : amountOf(account.asset.scale)
  if (typeof given === 'string') return declined(state, received, at, given)
  if (remembered === undefined || decided === undefined || decided.rows[0].code !== 0) {
    return declined(state, received, at, 'original_not_found')
  }
  const [first, ...others] = decided.rows.filter(({ kind }) => refundable.has(kind))
  if (first !== undefined && (decided.facts?.legs !== undefined || first.far !== undefined)) {
    const plan = refundAcross(state, decided, first, remembered, account, given, link)
    if (typeof plan === 'string') return declined(state, received, at, plan)
    return startJoint(state, received, command, at, plan)
  }
  if (first === undefined) return declined(state, received, at, 'original_not_refundable')
  const transfers = [first, ...others] as const
  if (!isParty(account, transfers)) return declined(state, received, at, 'original_not_found')
  const draft = new Draft(state)
  const today = state.rules.dateOf(at)
  const refusal = isOrder
    ? refundOrder(draft, decided, remembered.links, amountOf, link, today)
    : refundOf(first.kind, draft, transfers, remembered, given, link, today)
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

/**
 * The legs of an original across partitions, turned round. What undecided refunds will give back counts as given back, as what is held counts
 * as spent: else two of them, each fine by itself, could be posted.
 */
function refundAcross(
  { joints }: Readonly<PartitionState>,
  { facts, command }: Decided,
  original: Row,
  { links }: Remembered,
  account: Account,
  given: bigint | undefined,
  link: IdKey,
): Plan | Refusal {
  const { asset } = account
  const underWay = joints.underWay.get(link)?.amount ?? 0n
  if (facts?.legs !== undefined) {
    if (!mayTurnRound(command, facts.legs, account)) return 'original_not_found'
    if (given !== undefined) return 'original_not_refundable'
    if (underWay > 0n || links.some(({ kind }) => kind === 'refund')) return 'refund_exceeds_original'
    const legs = facts.legs
      .toReversed()
      .map(([from, to, amount, known]) => ({ from: to, to: from, amount, asset: undefined, known }))
    return { kind: 'refund', legs, link }
  }
  const { far } = original
  if (far === undefined || original.from?.key !== account.key) return 'original_not_found'
  let left = original.amount - underWay
  for (const { kind, amount } of links) if (kind === 'refund') left -= amount
  const amount = given ?? left
  if (amount > left || left <= 0n) return 'refund_exceeds_original'
  const back = { from: far, to: account.id, amount: normalizeDecimal(formatMinor(amount, asset.scale)) }
  return { kind: 'refund', legs: [{ ...back, asset: undefined, known: asset.code }], link }
}

/** As `isParty`, of an original across partitions. */
function mayTurnRound(command: Decided['command'], legs: readonly LegText[], { id }: Account): boolean {
  if (command.type === 'disbursement') return legs.some(([from, to]) => from === id || to === id)
  const owner = ownerOfCommand(command)
  return legs.find(([from]) => ownerOfAccount(from) === owner)?.[0] === id
}

/** Of one transfer, or of postings, the account that paid first; of points, an order or a disbursement any account that had a part in it. */
const isParty = ({ key }: Readonly<Account>, transfers: readonly [Row, ...Row[]]): boolean =>
  anyParty.has(transfers[0].kind)
    ? transfers.some(({ from, to }) => from?.key === key || to?.key === key)
    : transfers[0].from?.key === key
const anyParty: ReadonlySet<RowKind> = new Set<RowKind>(['points.redeem', 'order', 'disbursement'])

function refundOf(
  kind: RowKind,
  draft: Draft,
  transfers: readonly [Row, ...Row[]],
  remembered: Remembered,
  given: bigint | undefined,
  link: IdKey,
  today: number,
): Refusal | undefined {
  switch (kind) {
    case 'postings':
    case 'disbursement':
      return refundWhole(draft, transfers, remembered, given, link)
    case 'points.redeem':
      return refundPoints(draft, transfers, remembered, given, link, today)
    default:
      return refundPart(draft, transfers[0], remembered, given, link)
  }
}

/** Points in one or many parts, the lot that was taken from last first. */
function refundPoints(
  draft: Draft,
  originals: readonly Row[],
  { links }: Remembered,
  given: bigint | undefined,
  link: IdKey,
  today: number,
): Refusal | undefined {
  let left = 0n
  for (const original of originals) left += leftOf(original, links)
  const amount = given ?? left
  if (amount > left || left === 0n) return 'refund_exceeds_original'
  return givePointsBack(draft, originals, links, amount, link, today)
}

/** One transfer, in one or many parts. */
function refundPart(
  draft: Draft,
  original: Row,
  { links }: Remembered,
  given: bigint | undefined,
  link: IdKey,
): Refusal | undefined {
  let left = original.amount
  for (const { kind, amount } of links) if (kind === 'refund') left -= amount
  const amount = given ?? left
  if (amount > left || left === 0n) return 'refund_exceeds_original'
  return draft.giveBack(amount === original.amount ? original : { ...original, amount }, link)
}

/** Postings: all of them or none, once, the last first. */
function refundWhole(
  draft: Draft,
  originals: readonly Row[],
  { links }: Remembered,
  given: bigint | undefined,
  link: IdKey,
): Refusal | undefined {
  if (given !== undefined) return 'original_not_refundable'
  if (links.some(({ kind }) => kind === 'refund')) return 'refund_exceeds_original'
  for (const original of originals.toReversed()) {
    const refusal = draft.giveBack(original, link)
    if (refusal !== undefined) return refusal
  }
  return undefined
}
