// Deciding a disbursement: a loan is paid out once. The credit line is drawn, each funder pays its share, the borrower owes the whole on
// `<owner>:loan:<loan>:principal`, a debit-normal account, and gets it into a wallet or through a payout channel.
//
//   credit line    -> house:credit:drawn            the whole, if a line is named: its limit is what bounds it
//   each funder    -> house:loan:funder:<funder>    its share: what the institution owes it out of the repayments
//   principal      -> wallet or house:payout:..     the whole: what the borrower owes, and has been paid
import { type Account, available, openedAccount } from './account.ts'
import type { Asset } from './asset.ts'
import type { Refusal } from './code.ts'
import type { Disburse } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { Draft } from './draft.ts'
import { creditDrawnAccount, funderAccount } from './house.ts'
import { isHouse } from './identity.ts'
import { principalId } from './lots.ts'
import { allocate, parseAmount } from './money.ts'
import type { PartitionState, Received } from './partition.ts'
import { fundsFacts } from './transfer.ts'

export function decideDisbursement(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: Disburse,
): Decision {
  const { accounts } = state
  const wallet = isHouse(command.to) ? undefined : accounts.get(command.to)
  const line = command.creditLine === undefined ? undefined : accounts.get(command.creditLine)
  const funders = command.funders.map(({ account }) => (isHouse(account) ? undefined : accounts.get(account)))
  const missing =
    (wallet === undefined && !isHouse(command.to)) ||
    (line === undefined && command.creditLine !== undefined) ||
    command.funders.some(({ account }, i) => !isHouse(account) && funders[i] === undefined)
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
  // Any entry at all: a loan that was reversed was disbursed as well.
  if (principal !== undefined && principal.seq > 0) return declined(state, received, at, 'loan_already_disbursed')
  if (line !== undefined && available(line) < amount) {
    return declined(state, received, at, 'credit_line_exceeded', fundsFacts(line, amount))
  }
  const draft = new Draft(state)
  const refusal = book(draft, command, asset, amount)
  if (refusal !== undefined) return declined(state, received, at, refusal, draft.facts)
  return accepted(state, received, at, draft.rows())
}

/** The one asset of all accounts; of the house alone the given one. */
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

function book(draft: Draft, command: Disburse, asset: Asset, amount: bigint): Refusal | undefined {
  const { owner, loan, to, creditLine, funders } = command
  if (creditLine !== undefined) {
    const refusal = draft.book('disbursement', creditLine, creditDrawnAccount, asset, amount)
    if (refusal !== undefined) return refusal
  }
  const parts =
    funders.length === 0
      ? []
      : allocate(
          amount,
          funders.map(({ share }) => share),
        )
  for (const [i, { account }] of funders.entries()) {
    const part = parts[i] ?? 0n
    const refusal = part === 0n ? undefined : draft.book('disbursement', account, funderAccount(account), asset, part)
    if (refusal !== undefined) return refusal
  }
  const principal = principalId(owner, loan)
  draft.openIfMissing(principal, (key) => openedAccount(key, principal, asset, 'debit', 0n))
  return draft.book('disbursement', principal, to, asset, amount)
}
