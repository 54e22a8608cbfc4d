// The ledger that simulations build on keeps the promises of the port itself.
import { ledgerConformance } from '../../actors/testing/ledger-conformance.ts'
import { SimulatedLedger } from './ledger.ts'
import { SimulatedShard } from './shard.ts'

ledgerConformance('simulated ledger', async () => ({
  make: async () => {
    const shard = new SimulatedShard(4)
    return { partitions: 4, assets: shard.assets, open: () => new SimulatedLedger(shard) }
  },
  stop: () => Promise.resolve(),
}))
