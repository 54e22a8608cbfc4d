// The row lock: BEGIN, SELECT .. FOR UPDATE, decide in the server, UPDATE, INSERT, COMMIT. On a hot account every transaction waits for the flush of the
// one before it.
import type { Outcome, PeerMaker } from './peer.ts'
import { accountKeys, firstOutcome, isUniqueViolation, pipelinedPool, posted, refusedOrReplayed } from './pooled.ts'

const poolSize = 16

export const rowLock: PeerMaker = async ({ url, pool: size = poolSize }) => {
  const pool = pipelinedPool(url, size)
  const keys = await accountKeys(pool)
  return {
    debit: async (debit): Promise<Outcome> => {
      const key = keys.get(debit.account)
      if (key === undefined) return { kind: 'account_not_found' }
      const client = await pool.connect()
      try {
        const begun = client.query('BEGIN')
        const locked = client.query<{ balance: string; overdraft: string; seq: string }>({
          name: 'lock',
          text: 'SELECT balance, overdraft, seq FROM account WHERE key = $1 FOR UPDATE',
          values: [key],
        })
        const [, { rows }] = await Promise.all([begun, locked])
        const [account] = rows
        const balance = Number(account?.balance) - debit.amountMinor
        if (account === undefined || balance + Number(account.overdraft) < 0) {
          await client.query('ROLLBACK')
          return await refusedOrReplayed(client, key, debit)
        }
        const seq = Number(account.seq) + 1
        // Settled, not raced: the COMMIT of a transaction that failed rolls back, and the connection is clean when it has answered.
        const [updated, inserted, committed] = await Promise.allSettled([
          client.query({
            name: 'update',
            text: 'UPDATE account SET balance = $2, seq = $3 WHERE key = $1',
            values: [key, balance, seq],
          }),
          client.query({
            name: 'insert',
            text: 'INSERT INTO entry (id, account, seq, amount, balance, counterparty) VALUES ($1, $2, $3, $4, $5, $6)',
            values: [debit.id, key, seq, -debit.amountMinor, balance, 'house:settlement:default'],
          }),
          client.query('COMMIT'),
        ])
        if (inserted.status === 'rejected' && isUniqueViolation(inserted.reason)) {
          return (await firstOutcome(client, key, debit)) ?? Promise.reject(inserted.reason)
        }
        for (const result of [updated, inserted, committed]) if (result.status === 'rejected') throw result.reason
        return posted({ balance: String(balance), seq: String(seq) })
      } finally {
        client.release()
      }
    },
    close: () => pool.end(),
  }
}
