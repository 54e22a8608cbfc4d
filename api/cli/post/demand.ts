// What the rows of a file ask of the ledger before one of them is sent: which accounts and assets must exist. Collected while the rows are
// read, in bounded memory, and compared with the server, so that a wrong mapping burns no ids.

import type { TransactionCommand } from '../../../core/command.ts'
import { isHouse } from '../../../core/identity.ts'
import { accountIdsOf } from '../../../core/owner.ts'
import type { Account, Asset, Client } from '../../client/client.ts'
import { Spool } from './spool.ts'

/** Accounts remembered as seen; above it they are forgotten and may be asked for twice. About 100 bytes each. */
const seenMax = 500_000

interface AssetUse {
  readonly line: number
  /** Most decimals of any amount, and where. */
  decimals: number
  decimalsLine: number
}

export class Demand {
  private readonly seen = new Set<string>()
  /** `line, asset or nothing, whether an automatic opening would do, account`, by tabs. */
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
    if (command.asset !== undefined) this.addAsset(command.asset, command, line)
    let waits: Promise<void> | undefined
    const needed = accountIdsOf(command)
    for (const id of needed) {
      if (isHouse(id)) continue
      const asset = command.asset ?? ''
      const key = asset === '' ? id : `${id}\t${asset}`
      if (this.seen.has(key)) continue
      if (this.seen.size >= seenMax) this.seen.clear()
      this.seen.add(key)
      // An account that opens by itself does so at its first credit.
      const opensItself = command.type === 'credit' && asset !== '' ? 'credit' : ''
      waits = this.accounts.append(`${line}\t${asset}\t${opensItself}\t${id}`) ?? waits
    }
    return waits
  }

  private addAsset(code: string, command: TransactionCommand, line: number): void {
    const amount = 'amount' in command ? command.amount : undefined
    const point = amount === undefined ? -1 : amount.indexOf('.')
    // Amounts of a command are normalised: no zeros at the end.
    const decimals = point === -1 || amount === undefined ? 0 : amount.length - point - 1
    const use = this.assets.get(code)
    if (use === undefined) this.assets.set(code, { line, decimals, decimalsLine: line })
    else if (decimals > use.decimals) {
      use.decimals = decimals
      use.decimalsLine = line
    }
  }

  close(): Promise<void> {
    return this.accounts.close()
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

/** Asks for every asset and every account. `onAsked` is told how many accounts have been. Throws what the client throws. */
export async function shortfallOf(demand: Demand, client: Client, onAsked: (done: number) => void): Promise<Shortfall> {
  const assets = new Map(
    (demand.assets.size === 0 ? [] : await client.assets.list()).map((asset) => [asset.code, asset]),
  )
  const toOpen = await Spool.create()
  const missing: string[] = []
  const mismatched: string[] = []
  let missingCount = 0
  let mismatchedCount = 0
  let asked = 0
  const judge = async (line: string, asset: string, opensItself: string, id: string): Promise<void> => {
    const account = await client.accounts.get(id)
    onAsked(++asked)
    if (account === undefined) {
      if (opensItself !== '' && assets.get(asset)?.autoOpen === true) return
      if (missingCount++ < listedMax) missing.push(`${id} (line ${line})`)
      await toOpen.append(id)
    } else if (asset !== '' && account.asset !== asset) {
      if (mismatchedCount++ < listedMax) mismatched.push(`${id} has ${account.asset}, line ${line} says ${asset}`)
    }
  }
  try {
    await forEachOf(demand.accounts.lines(), askedAtOnceMax, (text) => {
      const [line = '', asset = '', opensItself = '', id = ''] = text.split('\t')
      return judge(line, asset, opensItself, id)
    })
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
