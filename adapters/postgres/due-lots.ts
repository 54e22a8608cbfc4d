// Lots of points whose last day is over, for the job that expires them: which owners have some, and how far the job has come on this shard.
import type pg from 'pg'

const job = 'points.expire'
/** Looked at again each time: a command that was stamped before midnight may have been decided after the job had passed. */
const graceDays = 2

export interface DueLots {
  /** Owners in pages, each with lots whose last day is before the day. */
  owners(after: string, limit: number): Promise<string[]>
  /** All of them were expired. */
  done(): Promise<void>
}

/** Undefined: the job has been done for this day. `today` is `YYYY-MM-DD` in the ledger's time zone. */
export async function dueLots(client: pg.Client, today: string): Promise<DueLots | undefined> {
  const { rows } = await client.query<{ from: string; done: boolean }>(
    `SELECT to_char(done_before - ${graceDays}, 'YYYY-MM-DD') AS "from", done_before >= $2::date AS done FROM suanpan.daily_job WHERE name = $1`,
    [job, today],
  )
  const [mark] = rows
  if (mark?.done === true) return undefined
  // A month sorts before its days, and is over when another one has begun.
  const from = mark?.from.slice(0, 7) ?? ''
  return {
    owners: async (after, limit) => {
      const found = await client.query<{ owner: string }>(
        `SELECT DISTINCT owner COLLATE "C" AS owner FROM suanpan.account
          WHERE suanpan.lot_day(id) IS NOT NULL AND suanpan.lot_day(id) COLLATE "C" >= $1 AND suanpan.lot_day(id) COLLATE "C" < $2
            AND suanpan.lot_day(id) <> left($2, 7) AND owner COLLATE "C" > $3
          ORDER BY 1 LIMIT $4`,
        [from, today, after, limit],
      )
      return found.rows.map(({ owner }) => owner)
    },
    done: async () => {
      await client.query(
        `INSERT INTO suanpan.daily_job (name, done_before) VALUES ($1, $2::date)
         ON CONFLICT (name) DO UPDATE SET done_before = greatest(daily_job.done_before, excluded.done_before)`,
        [job, today],
      )
    },
  }
}
