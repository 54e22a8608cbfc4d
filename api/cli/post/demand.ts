// What the rows of a file ask of the ledger before one of them is sent: which accounts and assets must exist. Collected while the rows are
// read, in bounded memory, and compared with the server, so that a wrong mapping burns no ids.

import type { TransactionCommand } from '../../../core/command.ts'
import { isHouse } from '../../../core/identity.ts'
import type { Account, Asset, Client } from '../../client/client.ts'
import { Spool } from './spool.ts'

/** Accounts remembered before they are set aside; one that comes again after that is asked for twice. About 200 bytes each. */
const seenMax = 500_000

interface AssetUse {
  readonly line: number
  /** Most decimals of any amount, and where. */
  decimals: number
  decimalsLine: number
}

/** An account that must exist. */
interface Need {
  readonly id: string
  /** Undefined: that of the account. */
  readonly asset: string | undefined
  /** An automatic opening would do. */
  readonly opens: boolean
  readonly amount: string | undefined
}

interface AccountUse extends AssetUse {
  readonly need: Need
}

export class Demand {
  private readonly seen = new Map<string, AccountUse>()
  /** `line, asset or nothing, whether an automatic opening would do, most decimals of an amount in the account's own asset, their line, account`, by tabs. */
  readonly accounts: Spool
  readonly assets = new Map<string, AssetUse>()

  private constructor(accounts: Spool) {
    this.accounts = accounts
  }

  static async create(): Promise<Demand> {
    return new Demand(await Spool.create())
  }

  /** A promise only when there is something to wait for. */
  add(command: TransactionCommand, line: number): Promise<void> | undefined {
    for (const [asset, amount] of amountsOf(command)) this.addAsset(asset, decimalsOf(amount), line)
    for (const need of needsOf(command)) if (!isHouse(need.id)) this.addAccount(need, line)
    return this.seen.size >= seenMax ? this.settle() : undefined
  }

  /** After the last row: `accounts` is complete. */
  async settle(): Promise<void> {
    for (const { line, decimals, decimalsLine, need } of this.seen.values()) {
      const { asset = '', opens, id } = need
      await this.accounts.append(`${line}\t${asset}\t${opens ? 'opens' : ''}\t${decimals}\t${decimalsLine}\t${id}`)
    }
    this.seen.clear()
  }

  private addAccount(need: Need, line: number): void {
    const key = need.asset === undefined ? need.id : `${need.id}\t${need.asset}`
    const decimals = need.asset === undefined ? decimalsOf(need.amount) : 0
    const use = this.seen.get(key)
    if (use === undefined) this.seen.set(key, { line, decimals, decimalsLine: line, need })
    else keepMost(use, decimals, line)
  }

  private addAsset(code: string, decimals: number, line: number): void {
    const use = this.assets.get(code)
    if (use === undefined) this.assets.set(code, { line, decimals, decimalsLine: line })
    else keepMost(use, decimals, line)
  }

  close(): Promise<void> {
    return this.accounts.close()
  }
}

function keepMost(use: AssetUse, decimals: number, line: number): void {
  if (decimals <= use.decimals) return
  use.decimals = decimals
  use.decimalsLine = line
}

/** Amounts of a command are normalised: no zeros at the end. */
function decimalsOf(amount: string | undefined): number {
  const point = amount === undefined ? -1 : amount.indexOf('.')
  return amount === undefined || point === -1 ? 0 : amount.length - point - 1
}

/** Assets that a command names, each with what it moves in it. */
function amountsOf(command: TransactionCommand): readonly (readonly [string, string | undefined])[] {
  if (command.type === 'postings')
    return command.transfers.flatMap(({ asset = command.asset, amount }) =>
      asset === undefined ? [] : [[asset, amount] as const],
    )
  if (command.asset === undefined) return []
  return [[command.asset, 'amount' in command ? command.amount : undefined]]
}

/** The accounts that must exist before a command. What it opens by itself (lots, quotas, the principal of a loan) is not among them. */
function needsOf(command: TransactionCommand): readonly Need[] {
  const { asset } = command
  const amount = 'amount' in command ? command.amount : undefined
  const own = (id: string): Need => ({ id, asset, opens: false, amount })
  // The asset must be named where an account opens by itself at its first credit.
  const receiver = (id: string): Need => ({ id, asset, opens: asset !== undefined, amount })
  switch (command.type) {
    case 'debit':
      return [own(command.account), receiver(command.to)]
    case 'credit':
      return [own(command.from), receiver(command.account)]
    case 'transfer':
      return [own(command.from), receiver(command.to)]
    case 'hold':
      return [own(command.account), own(command.to)]
    case 'postings':
      return command.transfers.flatMap(({ from, to, amount, asset = command.asset }) => [
        { id: from, asset, opens: false, amount },
        { id: to, asset, opens: asset !== undefined, amount },
      ])
    case 'capture':
    case 'release':
      return [own(command.account)]
    // The amount is in the money of the original, not always in that of the account.
    case 'refund':
      return [{ ...own(command.account), amount: undefined }]
    case 'order': {
      const { cash, credit } = command
      const paying = cash === undefined ? [] : [{ ...own(cash.account), amount: cash.amount }]
      return credit === undefined ? paying : [...paying, { ...own(credit.creditLine), amount: credit.amount }]
    }
    case 'disbursement':
      return [command.creditLine, ...command.funders.map(({ account }) => account), command.to].flatMap((id) =>
        id === undefined ? [] : [own(id)],
      )
    case 'settle':
      return [own(command.to)]
    case 'points.earn':
    case 'points.redeem':
    case 'coupon.claim':
    case 'coupon.redeem':
    case 'coupon.return':
      return []
  }
}

/** What the ledger does not have, each with the line that asks for it first; the lists hold the first few, the counts all. */
export interface Shortfall {
  readonly assets: readonly string[]
  readonly missing: readonly string[]
  readonly missingCount: number
  readonly mismatched: readonly string[]
  readonly mismatchedCount: number
  /** Missing accounts, one a line; the caller closes it. */
  readonly toOpen: Spool
}

const listedMax = 10
const askedAtOnceMax = 32

/**
 * Asks for every asset and every account. `opening`: the asset in which missing accounts are to be opened. `onAsked` is told how many accounts
 * have been asked for. Throws what the client throws.
 */
export async function shortfallOf(
  demand: Demand,
  client: Client,
  opening: string | undefined,
  onAsked: (done: number) => void,
): Promise<Shortfall> {
  const assets = new Map((await client.assets.list()).map((asset) => [asset.code, asset]))
  const toOpen = await Spool.create()
  const missing: string[] = []
  const mismatched: string[] = []
  let missingCount = 0
  let mismatchedCount = 0
  let asked = 0
  const mismatch = (text: string): void => {
    if (mismatchedCount++ < listedMax) mismatched.push(text)
  }
  const judge = async (text: string): Promise<void> => {
    const [line = '', given = '', opens = '', decimals = '', decimalsLine = '', id = ''] = text.split('\t')
    const account = await client.accounts.get(id)
    onAsked(++asked)
    if (account === undefined) {
      if (opens !== '' && assets.get(given)?.autoOpen === true) return
      if (missingCount++ < listedMax) missing.push(`${id} (line ${line})`)
      await toOpen.append(id)
    }
    const asset = account?.asset ?? opening
    if (asset === undefined) return
    const has = account === undefined ? 'would be opened in' : 'has'
    const scale = assets.get(asset)?.scale
    if (given !== '' && asset !== given) mismatch(`${id} ${has} ${asset}, line ${line} says ${given}`)
    else if (scale !== undefined && Number(decimals) > scale)
      mismatch(`${id} ${has} ${asset} with ${scale} decimals, the amount of line ${decimalsLine} has ${decimals}`)
  }
  try {
    await forEachOf(demand.accounts.lines(), askedAtOnceMax, judge)
  } catch (error) {
    await toOpen.close()
    throw error
  }
  return { assets: assetProblems(demand, assets), missing, missingCount, mismatched, mismatchedCount, toOpen }
}

function assetProblems(demand: Demand, assets: ReadonlyMap<string, Asset>): string[] {
  const problems: string[] = []
  for (const [code, use] of demand.assets) {
    const asset = assets.get(code)
    if (asset === undefined) problems.push(`there is no asset ${code} (line ${use.line})`)
    else if (use.decimals > asset.scale)
      problems.push(`${code} has ${asset.scale} decimals, the amount of line ${use.decimalsLine} has ${use.decimals}`)
  }
  return problems
}

export interface OpeningLike {
  readonly asset: string
  readonly overdraft: string
  readonly normal: Account['normal'] & string
}

/** Opens every account of the spool. The result is the first refusal, if there is one. */
export async function openAccounts(
  ids: Spool,
  like: OpeningLike,
  client: Client,
  onOpened: (done: number) => void,
): Promise<string | undefined> {
  let opened = 0
  let refusal: string | undefined
  await forEachOf(ids.lines(), askedAtOnceMax, async (id) => {
    if (refusal !== undefined) return
    const outcome = await client.accounts.open({ id, ...like })
    if (outcome.status === 'created' || outcome.status === 'alike') onOpened(++opened)
    else refusal ??= `${id}: ${outcome.problem.detail}`
  })
  return refusal
}

/** Runs `work` on each item, up to `atOnceMax` at a time. The first error stops it and is thrown. */
async function forEachOf<T>(
  items: AsyncIterable<T>,
  atOnceMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  let failed = false
  // A generator queues concurrent calls of next: each worker gets items of its own.
  const worker = async (): Promise<void> => {
    while (!failed) {
      const next = await iterator.next()
      if (next.done === true) return
      await work(next.value).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnceMax }, worker))
  } finally {
    await iterator.return?.()
  }
}
