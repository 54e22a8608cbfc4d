// Which shard holds which partition, and by what URL a shard is reached: read from the catalog, and checked against what the shards themselves
// hold, so that an old copy of any of them is an error at start and not two truths.
import type pg from 'pg'
import { TerminalFault } from '../../actors/faults.ts'
import { shownUrl } from './connect.ts'

export interface Place {
  readonly partition: number
  readonly shard: number
  /** Counts the places that the partition has had. */
  readonly placed: number
}

/** SQLSTATE undefined_table. */
const noSuchTable = '42P01'

export async function readPlaces(catalog: pg.Client): Promise<Place[]> {
  const { rows } = await catalog
    .query<{ partition: number; shard: number; placed: string }>(
      'SELECT partition, shard, placed FROM suanpan.partition_shard ORDER BY partition',
    )
    .catch((error: Error & { readonly code?: string }) => {
      if (error.code !== noSuchTable) throw error
      throw new TerminalFault('wrong_ledger', 'there is no ledger in this database; "suanpan serve" makes one', error)
    })
  return rows.map(({ placed, ...rest }) => ({ ...rest, placed: Number(placed) }))
}

/** URLs of the shards that were added while the service ran, by number. */
export async function addedShards(catalog: pg.Client): Promise<ReadonlyMap<number, string>> {
  const { rows } = await catalog.query<{ shard: number; url: string }>('SELECT shard, url FROM suanpan.shard')
  return new Map(rows.map(({ shard, url }) => [shard, url]))
}

/** Those of the environment, in their order, and behind them those that the catalog knows. Throws where one between them has no URL. */
export function shardUrls(
  given: readonly string[],
  added: ReadonlyMap<number, string>,
  places: readonly Place[],
): string[] {
  const count = Math.max(given.length, ...[...added.keys(), ...places.map(({ shard }) => shard)].map((n) => n + 1))
  return Array.from({ length: count }, (_, shard) => {
    const url = given[shard] ?? added.get(shard)
    if (url !== undefined) return url
    throw new TerminalFault(
      'wrong_ledger',
      `the ledger has a shard ${shard}, but only ${given.length} database URLs are given`,
    )
  })
}

/** Of one shard: partitions whose rows it holds. */
interface HeldPlace {
  readonly partition: number
  readonly placed: number
}

/** Throws unless each partition stands where the catalog says, as often moved as it says, and nowhere else but where a move is under way. */
export async function checkPlaces(
  clients: readonly pg.Client[],
  urls: readonly string[],
  places: readonly Place[],
): Promise<void> {
  const [catalog] = clients
  if (catalog === undefined) return
  const held = await Promise.all(clients.map(heldPlaces))
  const moves = await catalog.query<{ partition: number; from_shard: number; to_shard: number }>(
    `SELECT partition, from_shard, to_shard FROM suanpan.move WHERE state NOT IN ('done', 'failed')`,
  )
  const isMoving = (partition: number, shard: number): boolean =>
    moves.rows.some((move) => move.partition === partition && (move.from_shard === shard || move.to_shard === shard))
  const name = (shard: number): string => `shard ${shard} (${shownUrl(urls[shard] ?? '')})`
  const byPartition = new Map(places.map((place) => [place.partition, place]))
  for (const { partition, shard, placed } of places) {
    const there = held[shard]?.find((one) => one.partition === partition)
    if (there === undefined) {
      throw wrong(
        `${name(shard)} does not hold partition ${partition}, which the catalog places there: one of them is an old copy`,
      )
    }
    if (there.placed !== placed) {
      const [older, newer] = there.placed < placed ? [name(shard), 'the catalog'] : ['the catalog', name(shard)]
      throw wrong(`partition ${partition} has been moved since ${older} was copied; ${newer} knows it`)
    }
  }
  for (const [shard, partitions] of held.entries()) {
    for (const { partition } of partitions) {
      const place = byPartition.get(partition)
      if (place?.shard === shard || isMoving(partition, shard)) continue
      throw wrong(
        place === undefined
          ? `${name(shard)} holds partition ${partition}, which the ledger does not have`
          : `${name(shard)} holds partition ${partition}, which the catalog places on shard ${place.shard}: one of them is an old copy`,
      )
    }
  }
}

async function heldPlaces(client: pg.Client): Promise<HeldPlace[]> {
  const { rows } = await client.query<{ partition: number; placed: string }>(
    'SELECT partition, placed FROM suanpan.partition ORDER BY partition',
  )
  return rows.map(({ partition, placed }) => ({ partition, placed: Number(placed) }))
}

const wrong = (message: string): TerminalFault => new TerminalFault('wrong_ledger', message)
