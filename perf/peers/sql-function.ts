// One call of one SQL function a debit: a conditional UPDATE and the INSERT, one round trip, committed by itself. The shortest time that a row can be
// locked for in Postgres; the flush of the commit is still within it.
import type pg from 'pg'
import type { Debit, Outcome, PeerMaker } from './peer.ts'
import { accountKeys, isUniqueViolation, pipelinedPool, posted, refusedOrReplayed } from './pooled.ts'

const poolSize = 32

export const sqlFunction: PeerMaker = async ({ url, pool: size = poolSize }) => {
  const pool = pipelinedPool(url, size)
  const keys = await accountKeys(pool)
  return {
    debit: async (debit) => {
      const key = keys.get(debit.account)
      return key === undefined ? { kind: 'account_not_found' } : await callDebit(pool, key, debit)
    },
    close: () => pool.end(),
  }
}

export async function callDebit(pool: pg.Pool, key: string, debit: Debit): Promise<Outcome> {
  try {
    const { rows } = await pool.query<{ balance: string | null; seq: string }>({
      name: 'debit',
      text: 'SELECT new_balance AS balance, new_seq AS seq FROM debit($1, $2, $3)',
      values: [debit.id, key, debit.amountMinor],
    })
    const [row] = rows
    if (row === undefined || row.balance === null) return await refusedOrReplayed(pool, key, debit)
    return posted({ balance: row.balance, seq: row.seq })
  } catch (error) {
    if (isUniqueViolation(error)) return await refusedOrReplayed(pool, key, debit)
    throw error
  }
}
