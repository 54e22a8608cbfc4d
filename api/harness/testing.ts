// What `suanpan/testing` gives: a bank in a unit test. `suanpan/testing/arbitraries` is apart, because it needs fast-check.
export type { Disaster, FaultKind, FaultWeights, OperationFault } from '../../adapters/simulated/faults.ts'
export { faultKinds } from '../../adapters/simulated/faults.ts'
export type { Account, AccountChange, Entry, Receipt, SuanpanProblem, TransactionRequest } from '../client/contract.ts'
export type { Outcome } from '../client/outcome.ts'
export type { Duration } from './duration.ts'
export { type ExploreOptions, explore } from './explore.ts'
export { type AccountGiven, type AccountsGiven, type Fixture, loadFixture } from './fixture.ts'
export {
  createHarness,
  type Given,
  type Harness,
  type HarnessOptions,
  type HistoryEntry,
  type Race,
} from './harness.ts'
export { type Rule, Violation } from './violation.ts'
