// Holds that have run out while nobody asked for their account: the timer's question.
import type pg from 'pg'

/** Accounts with a hold that ran out before `nowMs`, at most `limit`. */
export async function accountsWithDueHolds(
  client: pg.Client | pg.Pool,
  nowMs: number,
  limit: number,
): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT DISTINCT a.id
       FROM (SELECT key FROM suanpan.hold WHERE expires_at <= to_timestamp($1 / 1000.0) ORDER BY expires_at LIMIT $2) h
       JOIN suanpan.account a ON a.key = h.key`,
    [nowMs, limit],
  )
  return rows.map(({ id }) => id)
}
