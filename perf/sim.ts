// Figures of the simulator, as CPU time of this process: `node --import tsx perf/sim.ts`, or `node dist/perf/sim.js` after a build. Nothing asserts them.
import { createHarness } from '../api/harness/harness.ts'
import { runHistory } from '../api/harness/sim/history.ts'

const histories = 40
const bulk = 100_000
const starts = 20

const cpuMs = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const seeds = async (from: number): Promise<void> => {
  for (let seed = from; seed < from + histories; seed++) {
    const { failure } = await runHistory({ seed })
    if (failure !== undefined) throw new Error(`seed ${seed}: ${failure.message}`)
  }
}

const accounts = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`cust-${i}:cash`, '1000.00 CNY']))
const payments = (from: number) =>
  Array.from({ length: bulk }, (_, i) => ({
    type: 'debit' as const,
    id: `d-${from + i}`,
    account: `cust-${i % 100}:cash`,
    amount: '0.01',
  }))

const first = await cpuMs(() => createHarness({ accounts: { 'cust-1:cash': '1.00 CNY' } }))
const start = await cpuMs(async () => {
  for (let i = 0; i < starts; i++) await createHarness({ accounts: { 'cust-1:cash': '1.00 CNY' } })
})
const bank = await createHarness({ accounts })
await bank.postAll(payments(0))
const requests = payments(bulk)
let outcomes: readonly { readonly status: string }[] = []
const posting = await cpuMs(async () => {
  outcomes = await bank.postAll(requests)
})
if (outcomes.some(({ status }) => status !== 'posted')) throw new Error('not every payment was posted')
await seeds(1)
const playing = await cpuMs(() => seeds(1000))

console.log(`harness start: first ${first.toFixed(1)} ms, then ${(start / starts).toFixed(1)} ms of CPU`)
console.log(`commands through the harness, no faults: ${Math.round((bulk / posting) * 1000)}/s of CPU`)
console.log(`histories of 200 commands with faults: ${((histories / playing) * 1000).toFixed(1)}/s of CPU`)
