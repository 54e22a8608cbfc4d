// The strongest rival that needs nothing but Postgres: requests that came in while the last call was under way go out as one set-based call. No row is
// contended for, because there is one caller, and one flush serves all of a batch. What it lacks is the rest of the idea: the rows still have
// to be found, updated and vacuumed, and a second server would bring the locks back.
import pg from 'pg'
import { accountId } from '../load/commands.ts'
import type { Debit, Outcome, PeerMaker } from './peer.ts'
import { accountKeys, firstOutcome, posted, quiet } from './pooled.ts'

/** Two calls under way on two connections wait for each other's rows on a hot account, and deadlock over several: one is best. */
const poolSize = 1
const batchMax = 2000

interface Waiting {
  readonly debit: Debit
  readonly key: string
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

export const microBatch: PeerMaker = async ({ url, pool: size = poolSize }) => {
  const pool = quiet(new pg.Pool({ connectionString: url, max: size + 1 }))
  const keys = await accountKeys(pool)
  let queue: Waiting[] = []
  let underWay = 0

  const pump = async (): Promise<void> => {
    underWay++
    while (queue.length > 0) {
      const batch = takeBatch()
      try {
        const rows = await debitMany(pool, batch)
        for (const [i, waiting] of batch.entries()) await settle(pool, waiting, rows[i])
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    underWay--
  }

  /** The same id twice goes into two batches: the second one finds the first. */
  const takeBatch = (): Waiting[] => {
    const ids = new Set<string>()
    const batch: Waiting[] = []
    const later: Waiting[] = []
    for (const waiting of queue) {
      const fits = batch.length < batchMax && !ids.has(waiting.debit.id)
      ;(fits ? batch : later).push(waiting)
      if (fits) ids.add(waiting.debit.id)
    }
    queue = later
    return batch
  }

  return {
    debit: (debit) => {
      const key = keys.get(debit.account)
      if (key === undefined) return Promise.resolve({ kind: 'account_not_found' })
      return new Promise((resolve, reject) => {
        queue.push({ debit, key, resolve, reject })
        // All that came in this turn of the event loop goes out together.
        if (underWay < size && queue.length === 1) setImmediate(() => void (underWay < size && pump()))
      })
    },
    close: () => pool.end(),
  }
}

interface Row {
  readonly balance: string | null
  readonly seq: string
}

async function settle(pool: pg.Pool, { debit, key, resolve }: Waiting, row: Row | undefined): Promise<void> {
  if (row !== undefined && row.balance !== null) resolve(posted({ balance: row.balance, seq: row.seq }))
  else resolve((await firstOutcome(pool, key, debit)) ?? { kind: 'insufficient_funds' })
}

/** A batch that one id or one balance spoils is done again one by one, still in one call. */
async function debitMany(pool: pg.Pool, batch: readonly Keyed[]): Promise<Row[]> {
  const values = [
    batch.map(({ debit }) => debit.id),
    batch.map(({ key }) => key),
    batch.map(({ debit }) => debit.amountMinor),
  ]
  try {
    return (await pool.query<Row>({ ...many, values })).rows
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && spoilt.has(String(error.code)))) throw error
    return (await pool.query<Row>({ ...each, values })).rows
  }
}

/** unique_violation, check_violation */
const spoilt = new Set(['23505', '23514'])
const many = { name: 'many', text: 'SELECT new_balance AS balance, new_seq AS seq FROM debit_many($1, $2, $3)' }
const each = { name: 'each', text: 'SELECT new_balance AS balance, new_seq AS seq FROM debit_each($1, $2, $3)' }

interface Keyed {
  readonly debit: Debit
  readonly key: string
}

/** Batches of debits of 1; `pick` chooses the account. Tables of `createPeerTables` number their accounts from 1. */
export function batchRows(name: string, batches: number, size: number, pick: (n: number) => number): Keyed[][] {
  return Array.from({ length: batches }, (_, b) =>
    Array.from({ length: size }, (_, i) => {
      const account = pick(b * size + i)
      return {
        key: String(account + 1),
        debit: { id: `${name}-${b}-${i}`, account: accountId(account), amountMinor: 1 },
      }
    }),
  )
}

/** The same as a batch interface: calls of so many debits each, one after the other on each connection. Returns debits/s. */
export async function postBatches(
  url: string,
  batches: readonly (readonly Keyed[])[],
  connections: number,
): Promise<number> {
  const pool = quiet(new pg.Pool({ connectionString: url, max: connections }))
  const left = batches.values()
  const started = performance.now()
  try {
    await Promise.all(
      Array.from({ length: connections }, async () => {
        for (const batch of left) {
          const rows = await debitMany(pool, batch)
          if (rows.length !== batch.length || rows.some(({ balance }) => balance === null))
            throw new Error('a debit of a batch was refused')
        }
      }),
    )
  } finally {
    await pool.end()
  }
  const debits = batches.reduce((sum, batch) => sum + batch.length, 0)
  return (debits * 1000) / (performance.now() - started)
}
