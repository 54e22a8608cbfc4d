// The optimistic version: read, decide, write only if the number is still the one that was read, else try again after a short random wait. One
// statement writes both rows, so that nothing is locked before the moment of the write.
import { setTimeout as wait } from 'node:timers/promises'
import type pg from 'pg'
import type { Debit, Outcome, PeerMaker } from './peer.ts'
import { accountKeys, isUniqueViolation, pipelinedPool, posted, refusedOrReplayed } from './pooled.ts'

const poolSize = 16
/** A request that loses so often gets no answer: with 64 at once on one account some lose hundreds of times. */
const triesMax = 10_000
/** The first wait is between nothing and this, doubled up to the last: longer ones leave the account idle, shorter ones are lost tries. */
const waitMs = { first: 1, most: 16 }

export const optimistic: PeerMaker = async ({ url, pool: size = poolSize }) => {
  const pool = pipelinedPool(url, size)
  const keys = await accountKeys(pool)
  return {
    debit: async (debit) => {
      const key = keys.get(debit.account)
      if (key === undefined) return { kind: 'account_not_found' }
      for (let tries = 0; tries < triesMax; tries++) {
        const outcome = await tryOnce(pool, key, debit)
        if (outcome !== undefined) return outcome
        await wait(Math.random() * Math.min(waitMs.most, waitMs.first * 2 ** Math.min(tries, 10)))
      }
      throw new Error(`lost ${triesMax} times`)
    },
    close: () => pool.end(),
  }
}

/** Undefined: somebody else was faster. */
async function tryOnce(pool: pg.Pool, key: string, debit: Debit): Promise<Outcome | undefined> {
  const { rows } = await pool.query<{ balance: string; overdraft: string; seq: string }>({
    name: 'read',
    text: 'SELECT balance, overdraft, seq FROM account WHERE key = $1',
    values: [key],
  })
  const [account] = rows
  const balance = Number(account?.balance) - debit.amountMinor
  if (account === undefined || balance + Number(account.overdraft) < 0) return await refusedOrReplayed(pool, key, debit)
  try {
    const written = await pool.query<{ balance: string; seq: string }>({
      name: 'write',
      text: `WITH updated AS (UPDATE account SET balance = $4, seq = seq + 1 WHERE key = $2 AND seq = $3 RETURNING seq, balance)
             INSERT INTO entry (id, account, seq, amount, balance, counterparty)
             SELECT $1, $2, seq, $5, balance, 'house:settlement:default' FROM updated RETURNING balance, seq`,
      values: [debit.id, key, account.seq, balance, -debit.amountMinor],
    })
    return written.rows[0] === undefined ? undefined : posted(written.rows[0])
  } catch (error) {
    if (isUniqueViolation(error)) return await refusedOrReplayed(pool, key, debit)
    throw error
  }
}
