// Which partition an owner lives in: a stable hash, named and versioned in the ledger's metadata, because a change would lose every account.

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

export const partitionOf = (routingKey: string, partitions: number): number => ownerHash(routingKey) % partitions
