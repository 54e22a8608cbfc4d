// One party's share of a transaction across partitions: checking its legs as if they were posted, what must be held so that they can be posted
// later whatever comes in between, and the rows that hold it, give it back and post it.
import { type Account, isCell, outsideBalance } from '../account.ts'
import type { Refusal } from '../code.ts'
import { Draft } from '../draft.ts'
import type { IdKey } from '../identity.ts'
import { violated } from '../invariant.ts'
import { minorMax } from '../money.ts'
import { accountName, type PartitionState } from '../partition.ts'
import { capturedRows, type PostedKind, type Row, reservedOf, reservedRow, sidelessRow } from '../row.ts'
import type { Facts } from '../transaction.ts'
import { halvesOf, type Joint, type LegAsset, type Move, type Part } from './joint.ts'
import { fits } from './pledge.ts'

/** Legs that passed: as they would be posted now, and as they are posted later. */
export interface Tried {
  readonly openings: readonly Row[]
  readonly posted: readonly Row[]
  readonly part: Part
  readonly assets: readonly LegAsset[]
}

export interface Refused {
  readonly refusal: Refusal
  readonly facts: Facts | undefined
}

/**
 * Checks the legs of `partition` in their order, each seeing what those before it did. Rows are numbered from `firstLeg`. `draft`: with accounts
 * that the command opens.
 */
export function tryPart(
  state: Readonly<PartitionState>,
  joint: Joint,
  firstLeg: number,
  draft = new Draft(state),
): Tried | Refused {
  const assets: LegAsset[] = []
  for (const half of halvesOf(joint, state.rules, state.partition)) {
    const leg = joint.legs[half.leg]
    if (leg === undefined) return violated('half_of_a_leg', { leg: half.leg })
    const refusal = draft.half(joint.kind, half, leg)
    if (refusal !== undefined) return { refusal, facts: draft.facts }
    const asset = draft.lastAsset
    if (leg.known === undefined && leg.asset === undefined && asset !== undefined) assets.push([half.leg, asset])
  }
  const { openings, transfers } = draft.numbered(firstLeg)
  return { openings, posted: transfers, part: partOf(state, transfers), assets }
}

function partOf(state: Readonly<PartitionState>, posted: readonly Row[]): Part {
  const deepest = new Map<string, bigint>()
  const moves: Move[] = []
  for (const row of posted) {
    const { from, to, amount, far } = row
    if (from === undefined || to === undefined) return violated('transfer_has_two_sides', { kind: row.kind })
    moves.push({ from: from.id, to: to.id, amount, asset: from.asset.code, far })
    lower(state, deepest, from.id, row.fromBalance)
    lower(state, deepest, to.id, row.toBalance)
  }
  return { moves, holds: [...deepest].filter(([, amount]) => amount > 0n) }
}

/** How far below its start the legs take what is available of an account, at their deepest. */
function lower(state: Readonly<PartitionState>, deepest: Map<string, bigint>, id: string, balance: bigint): void {
  // A cell has no bound, and an account that these legs open starts with nothing.
  const account = state.accounts.get(id)
  if (account === undefined || isCell(account)) return
  const depth = outsideBalance(account) - outsideBalance({ normal: account.normal, balance })
  if (depth > (deepest.get(id) ?? 0n)) deepest.set(id, depth)
}

/** The party holds for its part, behind the openings. Never without a row: it is the record that the party is bound. */
export function reservingRows(
  state: Readonly<PartitionState>,
  { openings, part }: Tried,
  firstLeg: number,
): readonly [Row, ...Row[]] {
  const rows: Row[] = openings.map((row, i) => ({ ...row, leg: firstLeg + i }))
  for (const [id, amount] of part.holds) {
    const account = residentOf(state, id)
    const held = account.held + amount
    rows.push({
      ...reservedRow(
        'reserve',
        firstLeg + rows.length,
        amount,
        account,
        account.seq + 1,
        account.balance,
        held,
        undefined,
        undefined,
      ),
      ...farOf(part, id),
    })
  }
  const [first, ...others] = rows
  return first === undefined ? [{ ...sidelessRow('reserve', 0, undefined), leg: firstLeg }] : [first, ...others]
}

/** Gives back what is held. */
export function releasingRows(state: Readonly<PartitionState>, part: Part, firstLeg: number): readonly Row[] {
  const running = new Running(state)
  return part.holds.map(([id, amount], i) => unreserve(running, part, id, amount, firstLeg + i))
}

/**
 * Posts the part. What is held leaves with the first row that takes from the account where that takes just as much, the common case; else by a
 * row of its own before. Nothing is checked: this was decided.
 */
export function postingRows(
  state: Readonly<PartitionState>,
  kind: PostedKind,
  part: Part,
  firstLeg: number,
  link: IdKey | undefined,
): readonly Row[] {
  const running = new Running(state)
  const rows: Row[] = []
  const together = new Map<string, number>()
  for (const [id, amount] of part.holds) {
    const first = part.moves.findIndex(({ from, to }) => from === id || to === id)
    const move = part.moves[first]
    const lowers = running.normalOf(id) === 'credit' ? move?.from === id : move?.to === id
    if (move?.amount === amount && lowers) together.set(id, first)
    else rows.push(unreserve(running, part, id, amount, firstLeg + rows.length))
  }
  for (const [i, { from, to, amount, asset, far }] of part.moves.entries()) {
    const fromHeld = together.get(from) === i
    const toHeld = together.get(to) === i
    const paying = running.change(accountName(from, asset), -amount, fromHeld ? -amount : 0n)
    const paid = running.change(accountName(to, asset), amount, toHeld ? -amount : 0n)
    const reserved = (fromHeld ? reservedOf.from : 0) | (toHeld ? reservedOf.to : 0)
    rows.push({
      kind,
      leg: firstLeg + rows.length,
      code: 0,
      amount,
      from: paying.account,
      fromSeq: paying.seq,
      fromBalance: paying.balance,
      fromHeld: paying.held,
      to: paid.account,
      toSeq: paid.seq,
      toBalance: paid.balance,
      toHeld: paid.held,
      link,
      ...(far === undefined ? {} : { far }),
      ...(reserved === 0 ? {} : { reserved }),
    })
  }
  return rows
}

/** Captures what the hold has kept for it, whatever became of its time meanwhile. */
export function capturingRows(
  state: Readonly<PartitionState>,
  { command, link }: Joint,
  { moves }: Part,
): readonly [Row, ...Row[]] {
  const [move] = moves
  if (move === undefined || link === undefined) return violated('captures_of_a_hold', { id: command.id })
  const { from, to, amount, asset } = move
  const account = residentOf(state, from)
  const hold = account.holds.get(link) ?? violated('hold_stays_open_for_it', { account: from, id: command.id })
  const final = command.type === 'capture' && command.final
  return capturedRows(amount, account, hold, residentOf(state, accountName(to, asset)), final)
}

function unreserve(running: Running, part: Part, id: string, amount: bigint, leg: number): Row {
  const { account, seq, balance, held } = running.change(id, 0n, -amount)
  return {
    ...reservedRow('unreserve', leg, amount, account, seq, balance, held, undefined, undefined),
    ...farOf(part, id),
  }
}

/** Whom it is held for, where that is one account elsewhere. */
function farOf(part: Part, id: string): { readonly far?: string } {
  const fars = part.moves.filter(({ from, to }) => from === id || to === id).map(({ far }) => far)
  const [far] = fars
  return far !== undefined && fars.every((one) => one === far) ? { far } : {}
}

const residentOf = (state: Readonly<PartitionState>, name: string): Account =>
  state.accounts.get(name) ?? violated('account_of_a_part_resident', { name })

interface Figures {
  readonly account: Account
  readonly seq: number
  readonly balance: bigint
  readonly held: bigint
}

/** Accounts as the rows before have left them. */
class Running {
  private readonly state: Readonly<PartitionState>
  private readonly changed = new Map<string, Figures>()

  constructor(state: Readonly<PartitionState>) {
    this.state = state
  }

  change(name: string, balance: bigint, held: bigint): Figures {
    const account = residentOf(this.state, name)
    const before = this.changed.get(name) ?? account
    const after = { account, seq: before.seq + 1, balance: before.balance + balance, held: before.held + held }
    this.changed.set(name, after)
    return after
  }

  normalOf(id: string): Account['normal'] {
    return residentOf(this.state, id).normal
  }
}

/** What the part will do to each account at most, by `accountName`. */
export function pledgesOf({ moves }: Part): Map<string, { in: bigint; out: bigint }> {
  const sums = new Map<string, { in: bigint; out: bigint }>()
  const of = (name: string) => {
    let sum = sums.get(name)
    if (sum === undefined) {
      sum = { in: 0n, out: 0n }
      sums.set(name, sum)
    }
    return sum
  }
  for (const { from, to, amount, asset } of moves) {
    of(accountName(from, asset)).out += amount
    of(accountName(to, asset)).in += amount
  }
  return sums
}

/** Whether everything stays within bounds together with what was pledged and held before: else `amount_overflow`. */
export function promisesFit(state: Readonly<PartitionState>, part: Part): boolean {
  for (const [name, { in: into, out }] of pledgesOf(part)) {
    const account = state.accounts.get(name)
    if (account !== undefined && !fits(account, out, into)) return false
  }
  return part.holds.every(([id, amount]) => residentOf(state, id).held + amount <= minorMax)
}
