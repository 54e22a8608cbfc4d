// The rows of `suanpan.move` on the catalog: what was asked for, how far it is, and the decision. Whoever asks for a move (the command line) and
// whoever carries it out (the process that hosts) meet here and nowhere else.
import type pg from 'pg'
import { TerminalFault } from '../../actors/faults.ts'

export type MoveState = 'requested' | 'copying' | 'fenced' | 'switched' | 'done' | 'failed'

export interface Move {
  readonly id: number
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly state: MoveState
  /** Of the partition now: how many places it has had. */
  readonly placed: number
  readonly tries: number
  readonly rows: number
  readonly stoppedMs: number | undefined
  readonly error: string | undefined
  /** Since it last changed, by the clock of the catalog. */
  readonly ageMs: number
}

interface StoredMove {
  readonly id: string
  readonly partition: number
  readonly from_shard: number
  readonly to_shard: number
  readonly state: MoveState
  readonly placed: string
  readonly tries: number
  readonly rows: string
  readonly stopped_ms: number | null
  readonly error: string | null
  readonly age_ms: number
}

const moveSelect = `
  SELECT m.id, m.partition, m.from_shard, m.to_shard, m.state, s.placed, m.tries, m.rows, m.stopped_ms, m.error,
         (extract(epoch FROM clock_timestamp() - m.changed_at) * 1000)::float8 AS age_ms
    FROM suanpan.move m JOIN suanpan.partition_shard s USING (partition)`

const moveFrom = (row: StoredMove): Move => ({
  id: Number(row.id),
  partition: row.partition,
  from: row.from_shard,
  to: row.to_shard,
  state: row.state,
  placed: Number(row.placed),
  tries: row.tries,
  rows: Number(row.rows),
  stoppedMs: row.stopped_ms ?? undefined,
  error: row.error ?? undefined,
  ageMs: row.age_ms,
})

/** Not done and not failed, in the order in which they were asked for. */
export async function openMoves(catalog: pg.Client): Promise<Move[]> {
  const { rows } = await catalog.query<StoredMove>(
    `${moveSelect} WHERE m.state NOT IN ('done', 'failed') ORDER BY m.id`,
  )
  return rows.map(moveFrom)
}

export async function readMove(catalog: pg.Client, id: number): Promise<Move | undefined> {
  const { rows } = await catalog.query<StoredMove>(`${moveSelect} WHERE m.id = $1`, [id])
  return rows.map(moveFrom)[0]
}

/** Asks for a move; the hosting process carries it out. Throws `wrong_ledger` with what is wrong about it. */
export async function requestMove(catalog: pg.Client, partition: number, to: number): Promise<number> {
  const { rows } = await catalog.query<{ shard: number }>(
    'SELECT shard FROM suanpan.partition_shard WHERE partition = $1',
    [partition],
  )
  const from = rows[0]?.shard
  if (from === undefined) throw new TerminalFault('wrong_ledger', `the ledger has no partition ${partition}`)
  if (from === to) throw new TerminalFault('wrong_ledger', `partition ${partition} is on shard ${to} already`)
  const inserted = await catalog.query<{ id: string }>(
    `INSERT INTO suanpan.move (partition, from_shard, to_shard) VALUES ($1, $2, $3)
     ON CONFLICT (partition) WHERE state NOT IN ('done', 'failed') DO NOTHING RETURNING id`,
    [partition, from, to],
  )
  const id = inserted.rows[0]?.id
  if (id !== undefined) return Number(id)
  const move = (await openMoves(catalog)).find((one) => one.partition === partition)
  throw new TerminalFault(
    'wrong_ledger',
    move?.state === 'switched'
      ? `partition ${partition} was moved a moment ago; what it left behind is being removed: try again in a minute`
      : `partition ${partition} is being moved already`,
  )
}

/** The same rows as the one process sees them that carries the moves out. */
export class MoveLog {
  private readonly catalog: pg.Client
  private readonly mover: string

  constructor(catalog: pg.Client, mover: string) {
    this.catalog = catalog
    this.mover = mover
  }

  /** Another process may have taken over: then it is its move. */
  private async mine(text: string, values: readonly unknown[]): Promise<void> {
    const { rowCount } = await this.catalog.query(text, [...values])
    if (rowCount !== 1) throw new TerminalFault('hosted_elsewhere', 'another process carries this move out')
  }

  async take(move: Move): Promise<void> {
    await this.mine(
      `UPDATE suanpan.move SET mover = $2, tries = tries + 1, error = NULL, changed_at = now() WHERE id = $1 AND state = $3`,
      [move.id, this.mover, move.state],
    )
  }

  async set(id: number, state: MoveState, error?: string): Promise<void> {
    await this.mine(`UPDATE suanpan.move SET state = $2, error = $3, changed_at = now() WHERE id = $1 AND mover = $4`, [
      id,
      state,
      error ?? null,
      this.mover,
    ])
  }

  async progress(id: number, rows: number): Promise<void> {
    await this.mine('UPDATE suanpan.move SET rows = $2, changed_at = now() WHERE id = $1 AND mover = $3', [
      id,
      rows,
      this.mover,
    ])
  }

  /** The decision: from this commit on the partition is on its new shard. */
  async switched(move: Move, stoppedMs: number): Promise<void> {
    await this.catalog.query('BEGIN')
    try {
      await this.mine(
        `UPDATE suanpan.move SET state = 'switched', stopped_ms = $3, changed_at = now()
          WHERE id = $1 AND mover = $2 AND state = 'fenced'`,
        [move.id, this.mover, stoppedMs],
      )
      await this.mine(
        `UPDATE suanpan.partition_shard SET shard = $2, placed = placed + 1
          WHERE partition = $1 AND shard = $3 AND placed = $4`,
        [move.partition, move.to, move.from, move.placed],
      )
      await this.catalog.query('COMMIT')
    } catch (error) {
      await this.catalog.query('ROLLBACK').catch(() => undefined)
      throw error
    }
  }
}
