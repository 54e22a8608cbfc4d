// Which partition an owner lives in: a stable hash, named and versioned in the ledger's metadata, because a change would lose every account.

import type { Command } from '../core/command.ts'
import { routingKeyOf } from '../core/owner.ts'

/** FNV-1a over the bytes (http://www.isthe.com/chongo/tech/comp/fnv/), then the 32-bit finaliser of MurmurHash3, because FNV's low bits are weak. */
export const ownerHashName = 'fnv1a32-murmur3fmix/1'

/** Of an ASCII text: unsigned 32 bits. */
export function ownerHash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Of a command: a partition of its own choice, or that of its owner. */
export const partitionOfCommand = (command: Command, partitions: number): number =>
  command.type === 'catalog' || command.type === 'stock'
    ? command.partition
    : partitionOf(routingKeyOf(command), partitions)

/** Where the owners of a ledger with so many partitions live. */
export const placing =
  (partitions: number) =>
  (owner: string): number =>
    ownerHash(owner) % partitions

export const partitionOf = (routingKey: string, partitions: number): number => ownerHash(routingKey) % partitions
