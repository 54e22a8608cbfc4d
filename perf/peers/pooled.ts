// What the rivals with a connection pool share: accounts found by name once, and what an id that stands already means.
import pg from 'pg'
import type { Debit, Outcome } from './peer.ts'

/** The numbers of all accounts, read at the start: a name never changes its number, so a strong team would not ask twice. */
export async function accountKeys(pool: pg.Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ id: string; key: string }>('SELECT id, key FROM account')
  return new Map(rows.map(({ id, key }) => [id, key]))
}

/** Pipelined connections: BEGIN and SELECT, or UPDATE, INSERT and COMMIT, are one round trip each. */
export function pipelinedPool(url: string, size: number): pg.Pool {
  return quiet(new pg.Pool({ connectionString: url, max: size, min: size, pipeline: true } as pg.PoolConfig))
}

/** An idle connection that ends is no error of its own: the next query says so. */
export function quiet(pool: pg.Pool): pg.Pool {
  pool.on('error', () => undefined)
  return pool
}

export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '23505'

/** Whoever holds a connection asks on it: with all of the pool's held so, asking the pool would wait for ever. */
type Queries = pg.Pool | pg.PoolClient

/** The first outcome of an id that was posted before; undefined if it was not. */
export async function firstOutcome(from: Queries, key: string, debit: Debit): Promise<Outcome | undefined> {
  const { rows } = await from.query<{ account: string; amount: string; balance: string; seq: string }>({
    name: 'first',
    text: 'SELECT account, amount, balance, seq FROM entry WHERE id = $1',
    values: [debit.id],
  })
  const [entry] = rows
  if (entry === undefined) return undefined
  if (entry.account !== key || Number(entry.amount) !== -debit.amountMinor) return { kind: 'id_conflict' }
  return { kind: 'replayed', balance: BigInt(entry.balance), seq: Number(entry.seq) }
}

/** An id that was posted is answered as the first time; only then a balance that does not reach is a refusal. */
export const refusedOrReplayed = async (from: Queries, key: string, debit: Debit): Promise<Outcome> =>
  (await firstOutcome(from, key, debit)) ?? { kind: 'insufficient_funds' }

export const posted = (row: { readonly balance: string; readonly seq: string }): Outcome => ({
  kind: 'posted',
  balance: BigInt(row.balance),
  seq: Number(row.seq),
})
