// A lock per account in Redis around the work in Postgres: SET NX PX with a token, released by a script that compares it. Requests of this process for
// one account queue here first, so that only one of them asks Redis: a queue in the process is what a careful team adds when all its requests poll for one lock.
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { PeerMaker } from './peer.ts'
import { accountKeys, pipelinedPool } from './pooled.ts'
import { callDebit } from './sql-function.ts'

const poolSize = 32
const lockMs = 5000
const pollMs = 2
const release = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

export const redisLock: PeerMaker = async ({ url, redisUrl, pool: size = poolSize }) => {
  if (redisUrl === undefined) throw new Error('the Redis lock needs a Redis')
  const redis = new Redis(redisUrl)
  const pool = pipelinedPool(url, size)
  const keys = await accountKeys(pool)
  const queues = new Map<string, Promise<unknown>>()

  const locked = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const name = `lock:${key}`
    const token = randomBytes(12).toString('base64')
    while ((await redis.set(name, token, 'PX', lockMs, 'NX')) === null) await wait(pollMs)
    try {
      return await work()
    } finally {
      // Not waited for: commands of one connection run in order, so the next SET of this process comes after it.
      redis.eval(release, 1, name, token).catch(() => undefined)
    }
  }

  return {
    debit: async (debit) => {
      const key = keys.get(debit.account)
      if (key === undefined) return { kind: 'account_not_found' }
      const before = queues.get(key) ?? Promise.resolve()
      const mine = before.then(() => locked(key, () => callDebit(pool, key, debit)))
      const settled = mine.catch(() => undefined)
      queues.set(key, settled)
      try {
        return await mine
      } finally {
        if (queues.get(key) === settled) queues.delete(key)
      }
    },
    close: async () => {
      await pool.end()
      redis.disconnect()
    },
  }
}
