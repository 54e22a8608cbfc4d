// A partition for tests: accounts as given, commands in, decisions out, driven in the order in which a host drives it.
import { type Account, openedAccount } from '../account.ts'
import { apply } from '../apply.ts'
import { builtInAssets } from '../asset.ts'
import { calendarOf } from '../business-date.ts'
import { refusalOf } from '../code.ts'
import type { Command } from '../command.ts'
import { type Decision, decide, dueExpiries } from '../decide.ts'
import { emptyPartition } from '../empty-partition.ts'
import { idKeyOf } from '../identity.ts'
import { formatMinor } from '../money.ts'
import { lotsOwnerOf, ownerOfCommand, referredIdOf } from '../owner.ts'
import { accountKey, accountName, type PartitionState, type Received } from '../partition.ts'
import type { Decided } from '../transaction.ts'

const assets = new Map(
  [...builtInAssets, { code: 'FINE', scale: 8, autoOpen: true }].map((asset) => [asset.code, asset] as const),
)

export const startMs = Date.UTC(2027, 0, 31, 12)

export interface AccountGiven {
  readonly asset?: string
  /** Minor units, as stored. */
  readonly balance?: bigint
  readonly overdraft?: bigint
  readonly status?: Account['status']
  readonly normal?: Account['normal']
}

export interface LedgerGiven {
  readonly houseAutoOpen?: boolean
  readonly timeZone?: string
  /** Number of this partition and where owners live; default: all of them here. */
  readonly partition?: number
  readonly partitionOf?: (owner: string) => number
}

export class TestLedger {
  readonly state: PartitionState
  /** Everything that was applied, in order. */
  readonly journal: Decided[] = []
  now = startMs

  constructor({
    houseAutoOpen = true,
    timeZone = 'UTC',
    partition = 3,
    partitionOf = () => partition,
  }: LedgerGiven = {}) {
    this.state = emptyPartition(partition, { assets, dateOf: calendarOf(timeZone), houseAutoOpen, partitionOf })
  }

  /** An account put there as if it had been loaded. */
  account(
    id: string,
    { asset = 'CNY', balance = 0n, overdraft = 0n, status = 'open', normal = 'credit' }: AccountGiven = {},
  ): this {
    const found = assets.get(asset)
    if (found === undefined) throw new Error(`no such asset: ${asset}`)
    const account = openedAccount(
      accountKey(this.state.partition, ++this.state.accountsOpened, id),
      id,
      found,
      normal,
      overdraft,
    )
    account.status = status
    account.balance = balance
    this.state.accounts.set(accountName(id, asset), account)
    this.state.lots.add(account)
    return this
  }

  find(name: string): Account {
    const account = this.state.accounts.get(name)
    if (account === undefined) throw new Error(`no such account: ${name}`)
    return account
  }

  /** Changes an account behind the domain's back: what a test needs to be so. */
  set(name: string, values: Partial<Pick<Account, 'status' | 'balance' | 'overdraft' | 'version'>>): this {
    Object.assign(this.find(name), values)
    return this
  }

  wait(ms: number): this {
    this.now += ms
    return this
  }

  receive(command: Command): Received {
    const owner = ownerOfCommand(command)
    const ref = referredIdOf(command)
    const lotsOwner = lotsOwnerOf(command)
    if (lotsOwner !== undefined) this.state.lots.completed(lotsOwner)
    const refKey = ref === undefined ? undefined : idKeyOf(owner, ref)
    return { command, idKey: idKeyOf(owner, command.id), refKey, stampedAt: this.now }
  }

  post(command: Command): Decision {
    const received = this.receive(command)
    for (const expiry of dueExpiries(this.state, received, this.now)) this.record(expiry)
    const decision = decide(this.state, received, this.now)
    if (decision.kind === 'decided') this.record(decision.decided)
    return decision
  }

  /** Posts what a test takes for granted. */
  accept(...commands: readonly Command[]): this {
    for (const command of commands) {
      const outcome = outcomeOf(this.post(command))
      if (outcome !== 'accepted') throw new Error(`${command.type} ${command.id} was to be accepted: ${outcome}`)
    }
    return this
  }

  /** Posts what a test wants to have been refused before. */
  refuse(...commands: readonly Command[]): this {
    for (const command of commands) {
      const outcome = outcomeOf(this.post(command))
      if (refusalsOnly.test(outcome)) continue
      throw new Error(`${command.type} ${command.id} was to be declined: ${outcome}`)
    }
    return this
  }

  private record(decided: Decided): void {
    apply(this.state, decided)
    this.journal.push(decided)
  }
}

const refusalsOnly = /^(?!accepted|repeated|conflict|exists|version_mismatch|catalog_at|stock_elsewhere|nothing)/

/** `accepted`, the refusal, or the kind of decision with what tells it apart: `conflict amount`, `exists alike`. */
export function outcomeOf(decision: Decision): string {
  switch (decision.kind) {
    case 'decided':
      return refusalOf(decision.decided.rows[0].code) ?? 'accepted'
    case 'conflict':
      return `conflict ${decision.field}`
    case 'exists':
      return decision.alike ? 'exists alike' : 'exists otherwise'
    case 'catalog_at':
      return `catalog_at ${decision.version}`
    case 'stock_elsewhere':
    case 'repeated':
    case 'version_mismatch':
    case 'started':
    case 'undecided':
    case 'overloaded':
    case 'nothing':
      return decision.kind
  }
}

/** `balance held seq` in the asset's unit. */
export const figuresOf = ({ balance, held, seq, asset }: Account): string =>
  `${formatMinor(balance, asset.scale)} ${formatMinor(held, asset.scale)} ${seq}`

/** All that deciding may look at, as comparable text. */
export function snapshot(state: PartitionState): string {
  // The lots are accounts; which of them are known to be all there is the host's business.
  const { rules: _rules, lots: _lots, ...rest } = state
  return comparable(rest)
}

/** Anything of the domain as text; a row's accounts by their keys, because they may be live ones. */
export const comparable = (value: unknown): string =>
  JSON.stringify(value, (name, member: unknown) => {
    if (typeof member === 'bigint') return `${member}n`
    if (member instanceof Map) return [...member]
    if ((name === 'from' || name === 'to') && typeof member === 'object' && member !== null && 'key' in member)
      return member.key
    return member
  })
