// A partition that nothing has happened in yet, with everything in memory: where a model of one begins. The engine begins from a ledger's head.
import { newJoints } from './across/joint.ts'
import { catalogAfter } from './catalog.ts'
import { Lots } from './lots.ts'
import type { PartitionState, Rules } from './partition.ts'

export const emptyPartition = (partition: number, rules: Rules): PartitionState => ({
  partition,
  time: 0,
  pseq: 0,
  accountsOpened: 0,
  accounts: new Map(),
  lots: new Lots(),
  remembered: new Map(),
  catalog: catalogAfter(rules.assets, [], 0),
  exhausted: new Set(),
  joints: newJoints(),
  rules,
})
