// Deciding a disbursement: a loan is paid out once. The credit line is drawn, each funder pays its share, the borrower owes the whole on
// `<owner>:loan:<loan>:principal`, a debit-normal account, and gets it into a wallet or through a payout channel.
//
//   credit line    -> house:credit:drawn            the whole, if a line is named: its limit is what bounds it
//   each funder    -> house:loan:funder:<funder>    its share: what the institution owes it out of the repayments
//   principal      -> wallet or house:payout:..     the whole: what the borrower owes, and has been paid
//
// The borrower's partition decides it. Where a funder or the wallet lives elsewhere it is a transaction across partitions of these legs.
import { type Account, available, openedAccount } from './account.ts'
import { startJoint } from './across/coordinate.ts'
import { isAcross, livesElsewhere } from './across/joint.ts'
import type { Asset } from './asset.ts'
import type { Disburse } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { creditDrawnAccount, funderAccount } from './house.ts'
import { isHouse } from './identity.ts'
import { violated } from './invariant.ts'
import { principalId } from './lots.ts'
import { allocate, formatMinor, normalizeDecimal, parseAmount } from './money.ts'
import type { PartitionState, Received } from './partition.ts'
import { fundsFacts } from './transfer.ts'

export function decideDisbursement(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Disburse,
): Decision {
  const { accounts } = state
  const { creditLine, to } = command
  const livesHere = (id: string): boolean => !isHouse(id) && !livesElsewhere(state, id)
  const funderIds = command.funders.map(({ account }) => account).filter(livesHere)
  const wallet = livesHere(to) ? accounts.get(to) : undefined
  const line = creditLine === undefined ? undefined : accounts.get(creditLine)
  const funders = funderIds.map((id) => accounts.get(id))
  const missing =
    (wallet === undefined && livesHere(to)) ||
    (line === undefined && creditLine !== undefined) ||
    funders.includes(undefined)
  if (missing) return declined(state, received, at, 'account_not_found')
  const principal = accounts.get(principalId(command.owner, command.loan))
  const named = [wallet, line, ...funders, principal]
  if (named.some((account) => account?.status === 'closed')) return declined(state, received, at, 'account_closed')
  if ([line, ...funders].some((account) => account?.status === 'frozen')) {
    return declined(state, received, at, 'account_frozen')
  }
  const asset = assetOf(state, command, named)
  if (asset === undefined || (principal !== undefined && principal.normal !== 'debit')) {
    return declined(state, received, at, 'asset_mismatch')
  }
  const amount = parseAmount(command.amount, asset.scale)
  if (typeof amount === 'string') return declined(state, received, at, amount)
  if (hasTwice(command)) return declined(state, received, at, 'same_account')
  if (isPaidOut(state, command, principal)) return declined(state, received, at, 'loan_already_disbursed')
  if (line !== undefined && available(line) < amount) {
    return declined(state, received, at, 'credit_line_exceeded', fundsFacts(line, amount))
  }
  const legs = legsOf(command, amount)
  const draft = new Draft(state)
  if (isAcross(state, legs)) {
    openPrincipal(draft, command, asset)
    const across = legs.map((leg) => ({
      ...leg,
      amount: normalizeDecimal(formatMinor(leg.amount, asset.scale)),
      asset: undefined,
      known: asset.code,
    }))
    return startJoint(state, received, command, at, { kind: 'disbursement', legs: across, link: undefined, draft })
  }
  for (const leg of legs) {
    if (leg === legs.at(-1)) openPrincipal(draft, command, asset)
    const refusal = draft.book('disbursement', leg.from, leg.to, asset, leg.amount)
    if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  }
  return accepted(state, received, at, draft.rows())
}

/** Any entry at all: a loan that was reversed was disbursed as well. So is one that is on its way to other partitions. */
function isPaidOut(
  { joints }: Readonly<PartitionState>,
  { owner, loan }: Disburse,
  principal: Readonly<Account> | undefined,
): boolean {
  if (principal === undefined) return false
  if (principal.seq > 0) return true
  if (principal.pledge === undefined) return false
  for (const { joint } of joints.coordinations.values()) {
    const { command } = joint
    if (command.type === 'disbursement' && command.owner === owner && command.loan === loan) return true
  }
  return false
}

/** The one asset of all accounts that live here; of others and the house alone the given one. */
function assetOf(
  { catalog }: Readonly<PartitionState>,
  command: Disburse,
  named: readonly (Readonly<Account> | undefined)[],
): Asset | undefined {
  const codes = new Set(named.flatMap((account) => account?.asset.code ?? []))
  if (command.asset !== undefined) codes.add(command.asset)
  const [code, ...others] = codes
  return code === undefined || others.length > 0 ? undefined : catalog.assets.get(code)
}

function hasTwice({ owner, loan, to, creditLine, funders }: Disburse): boolean {
  const ids = [
    to,
    principalId(owner, loan),
    ...(creditLine === undefined ? [] : [creditLine]),
    ...funders.map((f) => f.account),
  ]
  return new Set(ids).size !== ids.length
}

interface LoanLeg {
  readonly from: string
  readonly to: string
  /** Minor units, never 0. */
  readonly amount: bigint
}

/** In the order in which they are booked; the pay-out is the last. */
function legsOf({ owner, loan, to, creditLine, funders }: Disburse, amount: bigint): readonly LoanLeg[] {
  const legs: LoanLeg[] = []
  if (creditLine !== undefined) legs.push({ from: creditLine, to: creditDrawnAccount, amount })
  const shares = funders.map(({ share }) => share)
  for (const [i, part] of (shares.length === 0 ? [] : allocate(amount, shares)).entries()) {
    const account = funders[i]?.account ?? violated('a_share_has_its_funder', { i })
    // A share of less than a unit.
    if (part > 0n) legs.push({ from: account, to: funderAccount(account), amount: part })
  }
  legs.push({ from: principalId(owner, loan), to, amount })
  return legs
}

function openPrincipal(draft: Draft, { owner, loan }: Disburse, asset: Asset): void {
  const principal = principalId(owner, loan)
  draft.openIfMissing(principal, (key) => openedAccount(key, principal, asset, 'debit', 0n))
}
