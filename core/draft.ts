// Accounts as a transaction of several rows sees them: copies that its earlier rows have changed, and accounts that it opens. A draft of a
// declined transaction is dropped, and with it all that it would have opened. Single transfers between existing accounts need none.
import { type Account, type AccountRef, openedAccount } from './account.ts'
import { type Half, type Leg, transitId } from './across/joint.ts'
import type { Asset } from './asset.ts'
import type { Refusal } from './code.ts'
import type { Posting } from './command.ts'
import { opensAlways } from './house.ts'
import { type IdKey, isHouse } from './identity.ts'
import { violated } from './invariant.ts'
import { type AmountRefusal, parseAmount } from './money.ts'
import { accountKey, accountName, type PartitionState } from './partition.ts'
import { accountRow, type PostedKind, postedRow, type Row } from './row.ts'
import type { Facts } from './transaction.ts'
import { factsOfTransfer, refusalOfTransfer, type Sides } from './transfer.ts'

/** Copies of this draft, or accounts that it opens: what earlier rows changed, and what the next one changes. */
interface OwnSides extends Sides {
  readonly from: Account
  readonly to: Account
}

export class Draft {
  /** Of the last refusal. */
  facts: Facts | undefined
  /** Of the last half that passed or was refused with its accounts there. */
  lastAsset: string | undefined
  private readonly state: Readonly<PartitionState>
  private readonly accounts = new Map<string, Account>()
  private readonly openings: Row[] = []
  private readonly transfers: Row[] = []

  constructor(state: Readonly<PartitionState>) {
    this.state = state
  }

  /**
   * Both accounts of a transfer, opened where that may be: a house cell if the ledger's rules allow it, another account on the `to` side
   * (`opensTo`) if the given asset opens by itself.
   */
  sides(fromId: string, toId: string, assetGiven: string | undefined, opensTo: boolean): OwnSides | Refusal {
    if (fromId === transitId || toId === transitId) return 'account_not_found'
    return this.resolved(fromId, toId, assetGiven, opensTo)
  }

  /** Of a hold; it may be for somebody elsewhere. */
  heldSides(fromId: string, toId: string, assetGiven: string | undefined): OwnSides | Refusal {
    return fromId === transitId ? 'account_not_found' : this.resolved(fromId, toId, assetGiven, false)
  }

  private resolved(fromId: string, toId: string, assetGiven: string | undefined, opensTo: boolean): OwnSides | Refusal {
    const fromHouse = isHouse(fromId)
    const toHouse = isHouse(toId)
    const given = assetGiven === undefined ? undefined : this.state.catalog.assets.get(assetGiven)
    let from = fromHouse ? undefined : this.copy(fromId)
    if (!fromHouse && from === undefined) return 'account_not_found'
    let to = toHouse ? undefined : this.copy(toId)
    if (!toHouse && to === undefined) {
      if (!opensTo || given === undefined || !given.autoOpen) return 'account_not_found'
      to = this.open(toId, toId, given)
    }
    const asset = from?.asset ?? to?.asset ?? given
    if (asset === undefined) return 'asset_mismatch'
    if (fromHouse) from = this.cell(fromId, asset)
    if (toHouse) to = this.cell(toId, asset)
    return from === undefined || to === undefined ? 'account_not_found' : { from, to }
  }

  /** One transfer, checked against and added to what the transaction has done so far. */
  transfer(kind: PostedKind, leg: Posting, assetGiven: string | undefined): Refusal | undefined {
    const sides = this.sides(leg.from, leg.to, assetGiven, true)
    if (typeof sides === 'string') return sides
    return this.move(kind, sides, assetGiven, parseAmount(leg.amount, sides.from.asset.scale), undefined)
  }

  /**
   * An amount of an asset from one account to another, as a command of several transfers books it: either side is opened where that may be,
   * and the checks of `transfer` follow.
   */
  book(
    kind: PostedKind,
    fromId: string,
    toId: string,
    asset: Asset,
    amount: bigint,
    link?: IdKey,
  ): Refusal | undefined {
    const from = isHouse(fromId) ? this.cell(fromId, asset) : this.copy(fromId)
    const to = isHouse(toId) ? this.cell(toId, asset) : (this.copy(toId) ?? this.autoOpened(toId, asset))
    if (from === undefined || to === undefined) return 'account_not_found'
    return this.move(kind, { from, to }, asset.code, amount, link)
  }

  /** What a party does of a leg across partitions; half of it may go through transit. */
  half(kind: PostedKind, { from, to, far }: Half, leg: Leg): Refusal | undefined {
    const given = leg.asset ?? leg.known
    const sides = this.resolved(from, to, given, leg.asset !== undefined)
    if (typeof sides === 'string') return sides
    this.lastAsset = sides.from.asset.code
    return this.move(kind, sides, given, parseAmount(leg.amount, sides.from.asset.scale), undefined, far)
  }

  /** `transfer` between accounts that a row of the journal names. */
  giveBack(row: Row, link: IdKey, kind: 'refund' | 'coupon.return' = 'refund'): Refusal | undefined {
    const { from, to } = row
    if (from === undefined || to === undefined) violated('transfer_has_two_sides', { kind: row.kind })
    return this.move(kind, { from: this.existing(to), to: this.existing(from) }, undefined, row.amount, link)
  }

  /** The account that an amount of an asset arrives at from another owner. */
  receiver(id: string, asset: Asset, opens: boolean): Account | undefined {
    return this.copy(id) ?? (opens ? this.autoOpened(id, asset) : undefined)
  }

  /** All rows: openings first. `last` are numbered behind them. */
  rows(...last: readonly Row[]): readonly [Row, ...Row[]] {
    const all = [...this.openings, ...this.transfers, ...last]
    const [first, ...others] = this.openings.length === 0 ? all : all.map((row, leg) => ({ ...row, leg }))
    return first === undefined ? violated('transaction_has_rows') : [first, ...others]
  }

  /** Openings and transfers, numbered on from `firstLeg`. */
  numbered(firstLeg: number): { readonly openings: readonly Row[]; readonly transfers: readonly Row[] } {
    const firstTransfer = firstLeg + this.openings.length
    return {
      openings: this.openings.map((row, i) => ({ ...row, leg: firstLeg + i })),
      transfers: this.transfers.map((row, i) => ({ ...row, leg: firstTransfer + i })),
    }
  }

  private move(
    kind: PostedKind,
    sides: OwnSides,
    assetGiven: string | undefined,
    amount: bigint | AmountRefusal,
    link: IdKey | undefined,
    far?: string,
  ): Refusal | undefined {
    const { from, to } = sides
    const refusal = refusalOfTransfer(from, to, assetGiven, amount)
    if (refusal !== undefined) this.facts = factsOfTransfer(refusal, sides, amount)
    if (refusal !== undefined || typeof amount === 'string') return refusal
    const posted = postedRow(kind, this.transfers.length, amount, from, to, link)
    const row = far === undefined ? posted : { ...posted, far }
    this.transfers.push(row)
    from.balance = row.fromBalance
    from.seq = row.fromSeq
    to.balance = row.toBalance
    to.seq = row.toSeq
    return undefined
  }

  private existing(ref: AccountRef): Account {
    return (
      this.copy(accountName(ref.id, ref.asset.code)) ??
      violated('named_account_resident', { account: ref.id, asset: ref.asset.code })
    )
  }

  private cell(houseId: string, asset: Asset): Account | undefined {
    const name = accountName(houseId, asset.code)
    const cell = this.copy(name)
    if (cell !== undefined) return cell
    return this.state.rules.houseAutoOpen || opensAlways(houseId) ? this.open(name, houseId, asset) : undefined
  }

  /** An account that opens in other ways than by its asset: `make` gets the key. */
  openIfMissing(id: string, make: (key: number) => Account): void {
    if (this.copy(id) !== undefined) return
    const account = make(accountKey(this.state.partition, this.state.accountsOpened + this.openings.length + 1, id))
    this.accounts.set(id, account)
    this.openings.push(accountRow('open', this.openings.length, account.overdraft, { ...account }))
  }

  private autoOpened(id: string, asset: Asset): Account | undefined {
    return asset.autoOpen ? this.open(id, id, asset) : undefined
  }

  private copy(name: string): Account | undefined {
    const copied = this.accounts.get(name)
    if (copied !== undefined) return copied
    const account = this.state.accounts.get(name)
    if (account === undefined) return undefined
    const copy = { ...account }
    this.accounts.set(name, copy)
    return copy
  }

  private open(name: string, id: string, asset: Asset): Account {
    const n = this.state.accountsOpened + this.openings.length + 1
    const account = openedAccount(accountKey(this.state.partition, n, id), id, asset, 'credit', 0n)
    this.accounts.set(name, account)
    this.openings.push(accountRow('open', this.openings.length, 0n, { ...account }))
    return account
  }
}
