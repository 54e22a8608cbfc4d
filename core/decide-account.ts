// Deciding what is done to accounts themselves: opening, freezing, closing, limits.
import { type Account, openedAccount } from './account.ts'
import type { ChangeAccount, OpenAccount } from './command.ts'
import { accepted, type Decision, declined } from './decision.ts'
import { formatMinor, parseAmount } from './money.ts'
import { accountKey, accountName, type PartitionState, type Received } from './partition.ts'
import { accountRow } from './row.ts'

/** Metadata is not compared with that of an account that exists: it is not kept in memory. */
export function decideOpen(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: OpenAccount,
): Decision {
  const existing = state.accounts.get(accountName(command.account, command.asset))
  if (existing !== undefined) return { kind: 'exists', account: existing, alike: isAlike(existing, command) }
  const asset = state.catalog.assets.get(command.asset)
  if (asset === undefined) return declined(state, received, at, 'asset_mismatch')
  const overdraft = parseAmount(command.overdraft, asset.scale)
  if (typeof overdraft === 'string') return declined(state, received, at, overdraft)
  const key = accountKey(state.partition, state.accountsOpened + 1, command.account)
  const account = openedAccount(key, command.account, asset, command.normal, overdraft)
  const facts = {
    status: account.status,
    overdraft: formatMinor(overdraft, asset.scale),
    version: account.version,
  } as const
  return accepted(state, received, at, [accountRow('open', 0, overdraft, account)], facts)
}

const isAlike = (account: Readonly<Account>, { asset, overdraft, normal }: OpenAccount): boolean =>
  account.asset.code === asset &&
  account.normal === normal &&
  account.overdraft === parseAmount(overdraft, account.asset.scale)

/** A closed account can only be opened again; a limit may be lowered below what is used of it. */
export function decideChange(
  state: Readonly<PartitionState>,
  received: Received,
  at: number,
  command: ChangeAccount,
): Decision {
  const account = state.accounts.get(command.account)
  if (account === undefined) return declined(state, received, at, 'account_not_found')
  if (command.ifVersion !== undefined && command.ifVersion !== account.version)
    return { kind: 'version_mismatch', account }
  if (account.status === 'closed' && command.status !== 'open') return declined(state, received, at, 'account_closed')
  const { scale } = account.asset
  const overdraft = command.overdraft === undefined ? account.overdraft : parseAmount(command.overdraft, scale)
  if (typeof overdraft === 'string') return declined(state, received, at, overdraft)
  if (command.status === 'closed' && (account.balance !== 0n || account.held !== 0n || account.pledge !== undefined)) {
    return declined(state, received, at, 'account_not_empty')
  }
  const facts = {
    status: command.status ?? account.status,
    overdraft: formatMinor(overdraft, scale),
    version: account.version + 1,
    seq: account.seq,
    balance: String(account.balance),
    held: String(account.held),
  }
  return accepted(state, received, at, [accountRow('change', 0, overdraft, account)], facts)
}
