// The ledger that other tests build on keeps the promises of the port itself.
import { ledgerConformance } from './testing/ledger-conformance.ts'
import { MemoryLedger, MemoryShard } from './testing/memory-ledger.ts'

ledgerConformance('memory ledger', async () => ({
  make: async () => {
    const shard = new MemoryShard(4)
    return { partitions: 4, assets: shard.assets, open: () => new MemoryLedger(shard) }
  },
  stop: () => Promise.resolve(),
}))
