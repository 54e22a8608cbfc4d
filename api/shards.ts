// `suanpan shards`: what the catalog says of the shards, and what is asked of the service through it. A service that runs carries a move out by
// itself; without one this process does, if it gets the right to host.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { isFault, TerminalFault } from '../actors/faults.ts'
import { addShard } from '../adapters/postgres/add-shard.ts'
import { connect, shownUrl } from '../adapters/postgres/connect.ts'
import { HostLock } from '../adapters/postgres/host-lock.ts'
import { type Move, openMoves, readMove, requestMove } from '../adapters/postgres/move-log.ts'
import { addedShards, readPlaces, shardUrls } from '../adapters/postgres/placement.ts'
import { type Environment, readConfig } from './config.ts'
import { carryOut, settleMoves } from './control.ts'
import { databases } from './databases.ts'

export interface ShardView {
  readonly shard: number
  /** Without its password. */
  readonly url: string
  readonly partitions: readonly number[]
  /** Undefined: it cannot be reached. */
  readonly rows: number | undefined
  readonly bytes: number | undefined
}

export interface ShardsView {
  readonly shards: readonly ShardView[]
  /** Under way, or asked for. */
  readonly moves: readonly Move[]
}

export async function listShards(given: readonly string[]): Promise<ShardsView> {
  return await withCatalog(given, async (catalog) => {
    const places = await readPlaces(catalog)
    const urls = shardUrls(given, await addedShards(catalog), places)
    const shards = await Promise.all(
      urls.map(async (url, shard) => ({
        shard,
        url: shownUrl(url),
        partitions: places.filter((place) => place.shard === shard).map(({ partition }) => partition),
        ...(await sizeOf(url)),
      })),
    )
    return { shards, moves: await openMoves(catalog) }
  })
}

async function sizeOf(url: string): Promise<Pick<ShardView, 'rows' | 'bytes'>> {
  try {
    const client = await connect(url, { name: 'suanpan shards' })
    try {
      const { rows } = await client.query<{ rows: string; bytes: string }>(
        `SELECT (SELECT coalesce(sum(pseq), 0) FROM suanpan.partition) AS rows, pg_database_size(current_database()) AS bytes`,
      )
      return { rows: Number(rows[0]?.rows ?? 0), bytes: Number(rows[0]?.bytes ?? 0) }
    } finally {
      await client.end()
    }
  } catch {
    return { rows: undefined, bytes: undefined }
  }
}

export { addShard }

/** With the shards as the environment names them. */
export async function withShards<T>(env: Environment, work: (given: readonly string[]) => Promise<T>): Promise<T> {
  const { urls, end } = await databases(readConfig(env))
  try {
    return await work(urls)
  } finally {
    await end()
  }
}

/** How far a move is, told whenever that changes. */
export type MoveNews = (move: Move) => void

const lookMs = 200

/**
 * Asks for a move and follows it until it is decided. Throws a TerminalFault that says why it cannot be, or what made it fail. `wait: false`
 * only asks.
 */
export async function moveShard(
  given: readonly string[],
  partition: number,
  to: number,
  options: { readonly wait: boolean; readonly news?: MoveNews },
): Promise<Move | undefined> {
  return await withCatalog(given, async (catalog) => {
    const urls = shardUrls(given, await addedShards(catalog), await readPlaces(catalog))
    if (urls[to] === undefined) throw new TerminalFault('wrong_ledger', `the ledger has no shard ${to}`)
    if (!options.wait) return await readMove(catalog, await requestMove(catalog, partition, to))
    const mover = await withoutService(urls)
    try {
      await mover?.step()
      const move = await follow(catalog, await requestMove(catalog, partition, to), options.news, mover?.step)
      await mover?.step()
      return move
    } finally {
      await mover?.end()
    }
  })
}

async function follow(
  catalog: pg.Client,
  id: number,
  news: MoveNews | undefined,
  step: (() => Promise<void>) | undefined,
): Promise<Move | undefined> {
  let told = ''
  for (;;) {
    await step?.()
    const move = await readMove(catalog, id)
    const text = `${move?.state} ${move?.rows}`
    if (move !== undefined && text !== told) news?.(move)
    told = text
    if (move?.state === 'failed') throw new TerminalFault('other', move.error ?? 'the move failed')
    if (move === undefined || move.state === 'switched' || move.state === 'done') return move
    await pause(lookMs)
  }
}

/** A mover for a ledger that nobody hosts; undefined if somebody does. */
async function withoutService(
  urls: string[],
): Promise<{ readonly step: () => Promise<void>; readonly end: () => Promise<void> } | undefined> {
  const abort = new AbortController()
  const processName = `suanpan ${randomUUID().slice(0, 8)}`
  const lock = new HostLock({ name: processName, onLost: () => abort.abort() })
  try {
    for (const url of urls) await lock.acquire(url)
  } catch (error) {
    await lock.release()
    if (isFault(error) && error.code === 'hosted_elsewhere') return undefined
    throw error
  }
  const control = {
    processName,
    urls,
    host: undefined,
    log: () => undefined,
    now: () => performance.now(),
    pause: async (ms: number) => await pause(ms),
    signal: abort.signal,
  }
  await settleMoves(control)
  return { step: () => carryOut(control), end: () => lock.release() }
}

async function withCatalog<T>(given: readonly string[], work: (catalog: pg.Client) => Promise<T>): Promise<T> {
  const catalog = await connect(given[0] ?? '', { name: 'suanpan shards' })
  try {
    return await work(catalog)
  } finally {
    await catalog.end()
  }
}
