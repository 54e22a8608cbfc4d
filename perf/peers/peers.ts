// The rivals by name.
import { microBatch } from './micro-batch.ts'
import { optimistic } from './optimistic.ts'
import type { PeerMaker } from './peer.ts'
import { redisLock } from './redis-lock.ts'
import { rowLock } from './row-lock.ts'
import { sqlFunction } from './sql-function.ts'

export const peers = {
  'row lock': rowLock,
  'SQL function': sqlFunction,
  optimistic,
  'Redis lock': redisLock,
  'micro-batch': microBatch,
} as const satisfies Readonly<Record<string, PeerMaker>>

export type PeerName = keyof typeof peers
export const peerNames = Object.keys(peers) as readonly PeerName[]
