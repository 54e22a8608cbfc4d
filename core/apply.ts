// Applies a decision to a partition's state. Never refuses: what does not fit is an InvariantViolation, and the memory is dropped.
import type { PartitionState } from './partition.ts'
import type { Decided } from './transaction.ts'

export function apply(_state: PartitionState, _decided: Decided): void {
  throw new Error('not written yet')
}
