// Deciding debit, credit, transfer (one transfer each) and postings (1 to 64 of them, all or nothing).
import { startJoint } from './across/coordinate.ts'
import { isAcross } from './across/joint.ts'
import type { Credit, Debit, Posting, Postings, Transfer } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { parseAmount } from './money.ts'
import type { PartitionState, Received } from './partition.ts'
import { postedRow } from './row.ts'
import { factsOfTransfer, refusalOfTransfer, residentSides } from './transfer.ts'

/** The hot path: both accounts are there, nothing is opened, one row. */
export function decideTransfer(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Debit | Credit | Transfer,
  fromId: string,
  toId: string,
): Decision {
  const sides = residentSides(state, fromId, toId, command.asset)
  if (sides === undefined) {
    return decideLegs(
      state,
      received,
      command,
      at,
      command.type,
      [{ from: fromId, to: toId, amount: command.amount }],
      command.asset,
    )
  }
  const { from, to } = sides
  const amount = parseAmount(command.amount, from.asset.scale)
  const refusal = refusalOfTransfer(from, to, command.asset, amount)
  if (refusal !== undefined) return declined(state, received, at, refusal, factsOfTransfer(refusal, sides, amount))
  if (typeof amount === 'string') return declined(state, received, at, amount)
  return accepted(state, received, at, [postedRow(command.type, 0, amount, from, to, undefined)])
}

/** Each transfer sees what those before it did; the first refusal declines the whole. */
export const decidePostings = (
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Postings,
): Decision => decideLegs(state, received, command, at, 'postings', command.transfers, command.asset)

function decideLegs(
  state: Readonly<PartitionState>,
  received: Received,
  command: Debit | Credit | Transfer | Postings,
  at: number,
  kind: 'debit' | 'credit' | 'transfer' | 'postings',
  legs: readonly Posting[],
  assetGiven: string | undefined,
): Decision {
  if (isAcross(state, legs)) {
    const resolved = legs.map(({ from, to, amount, asset }) => ({
      from,
      to,
      amount,
      asset: asset ?? assetGiven,
      known: undefined,
    }))
    return startJoint(state, received, command, at, { kind, legs: resolved, link: undefined })
  }
  const draft = new Draft(state)
  for (const leg of legs) {
    const refusal = draft.transfer(kind, leg, leg.asset ?? assetGiven)
    if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  }
  return accepted(state, received, at, draft.rows())
}
