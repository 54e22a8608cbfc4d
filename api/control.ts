// What operators ask of a running service, through the catalog: shards that were added, partitions to be moved. The hosting process looks for
// it and carries it out, one thing after the other; a move that was cut short is taken back or finished first.
import type pg from 'pg'
import { isFault } from '../actors/faults.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { clearPartition, copyAndSwitch, endMovers, type MoveHost, unfence } from '../adapters/postgres/move.ts'
import { type Move, MoveLog, openMoves, readMove } from '../adapters/postgres/move-log.ts'
import { addedShards, readPlaces } from '../adapters/postgres/placement.ts'

export interface Control {
  readonly processName: string
  /** Of all shards, in their order; grows. */
  readonly urls: string[]
  /** Undefined: nobody hosts; the caller holds the hosting locks of all shards. */
  readonly host: ControlHost | undefined
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
  readonly signal: AbortSignal
}

export interface ControlHost extends MoveHost {
  /** Its URL stands in `urls` already. Throws if it cannot be hosted. */
  addShard(shard: number): Promise<void>
  rehost(partition: number, shard: number): void
}

/** A move that fails so often is given up. */
const triesMax = 3
const againMs = 3000
const settleAgainMs = 300
const leftBehindMs = 15_000

/** At start, before anything is hosted: no move is under way afterwards, and nothing of one can arrive late. */
export async function settleMoves(control: Control): Promise<void> {
  await withCatalog(control, async (catalog) => {
    const moves = await openMoves(catalog)
    if (moves.length === 0) return
    for (const url of control.urls) await endMovers(url, moverName(control))
    const log = new MoveLog(catalog, control.processName)
    for (const move of moves) {
      if (move.state === 'requested' || move.state === 'switched') continue
      await log.take(move)
      await unfence(urlOf(control, move.from), move.partition, moverName(control))
      await clearPartition(urlOf(control, move.to), move.partition, moverName(control))
      await log.set(move.id, 'requested', 'the process that moved it ended')
      control.log('warn', 'a move that was cut short is begun again', { partition: move.partition })
    }
  })
}

/** Looks once; the caller repeats. */
export async function carryOut(control: Control): Promise<void> {
  await withCatalog(control, async (catalog) => {
    await learnShards(control, catalog)
    for (const move of await openMoves(catalog)) {
      if (control.signal.aborted) return
      // Reads that were on their way when the partition moved still find it in its old place.
      if (move.state === 'switched') {
        if (move.ageMs >= leftBehindMs || control.host === undefined) await cleanUp(control, catalog, move)
      } else if (move.tries === 0 || move.ageMs >= againMs) await carryOutMove(control, catalog, move)
    }
  })
}

async function learnShards(control: Control, catalog: pg.Client): Promise<void> {
  for (const [shard, url] of [...(await addedShards(catalog))].sort(([a], [b]) => a - b)) {
    if (shard !== control.urls.length) continue
    control.urls.push(url)
    try {
      await control.host?.addShard(shard)
    } catch (error) {
      control.urls.pop()
      throw error
    }
    control.log('info', 'a shard was added', { shard })
  }
}

async function carryOutMove(control: Control, catalog: pg.Client, move: Move): Promise<void> {
  const log = new MoveLog(catalog, control.processName)
  const { partition } = move
  await log.take(move)
  control.log('info', 'a partition is being moved', { partition, from: move.from, to: move.to })
  let released = false
  try {
    const { host } = control
    await copyAndSwitch({
      move,
      log,
      fromUrl: urlOf(control, move.from),
      toUrl: urlOf(control, move.to),
      name: moverName(control),
      now: control.now,
      signal: control.signal,
      host:
        host === undefined
          ? undefined
          : {
              switchSegment: (shard, segment) => host.switchSegment(shard, segment),
              release: async (one) => {
                released = true
                await host.release(one)
              },
            },
    })
    control.host?.rehost(partition, move.to)
  } catch (error) {
    await settle(control, move, released, error instanceof Error ? error.message : String(error))
  }
  const now = await readMove(catalog, move.id)
  control.log(now?.state === 'switched' ? 'info' : 'error', `the move is ${now?.state}`, { ...now })
}

/** After trouble in the midst of a move: the catalog says what is true, however long it takes to hear it. */
async function settle(control: Control, move: Move, released: boolean, why: string): Promise<void> {
  while (!control.signal.aborted) {
    try {
      await withCatalog(control, async (catalog) => {
        const place = (await readPlaces(catalog)).find(({ partition }) => partition === move.partition)
        const isMoved = place?.shard === move.to && place.placed > move.placed
        if (!isMoved) await unfence(urlOf(control, move.from), move.partition, moverName(control))
        if (released) control.host?.rehost(move.partition, isMoved ? move.to : move.from)
        released = false
        if (!isMoved) await giveUpOrAgain(control, catalog, move, why)
      })
      return
    } catch (error) {
      // Whoever took over settles it.
      if (isFault(error) && error.code === 'hosted_elsewhere') return
      control.log('warn', 'a move cannot be settled yet', { partition: move.partition, message: String(error) })
      await control.pause(settleAgainMs)
    }
  }
}

/** It is given up only when nothing of it is left: as long as the new shard cannot be reached it stays asked for. */
async function giveUpOrAgain(control: Control, catalog: pg.Client, move: Move, why: string): Promise<void> {
  const cleared = await clearPartition(urlOf(control, move.to), move.partition, moverName(control)).then(
    () => true,
    () => false,
  )
  const isOver = cleared && move.tries + 1 >= triesMax
  await new MoveLog(catalog, control.processName).set(move.id, isOver ? 'failed' : 'requested', why)
}

async function cleanUp(control: Control, catalog: pg.Client, move: Move): Promise<void> {
  await clearPartition(urlOf(control, move.from), move.partition, moverName(control))
  const log = new MoveLog(catalog, control.processName)
  await log.take(move)
  await log.set(move.id, 'done')
  control.log('info', 'what a moved partition left behind is removed', { partition: move.partition, shard: move.from })
}

const moverName = ({ processName }: Control): string => `${processName} move`

function urlOf({ urls }: Control, shard: number): string {
  const url = urls[shard]
  if (url === undefined) throw new Error(`shard ${shard} is not known`)
  return url
}

async function withCatalog<T>(control: Control, work: (catalog: pg.Client) => Promise<T>): Promise<T> {
  const catalog = await connect(urlOf(control, 0), { name: moverName(control) })
  try {
    return await work(catalog)
  } finally {
    await catalog.end()
  }
}
