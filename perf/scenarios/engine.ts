// The engine without HTTP: batches in, durable answers out, for each shape of load that changes what a transaction costs. Cases take turns with
// raw COPY of the very rows, so that each round has its own yardstick.
import { defaultPartitions } from '../../api/compose.ts'
import { resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { addRound, type CpuTimes, cpuPerTx, readCpu } from '../cpu.ts'
import { type EngineRun, startEngineRun } from '../engine-run.ts'
import { rawCopyBeside, referenceCopy } from '../limits.ts'
import { debits, holdsAndCaptures, type LoadMaker, postings } from '../load/commands.ts'
import { type Case, type Figure, figure } from '../measurement.ts'
import { pairedRatio } from '../statistics.ts'
import { uniform, zipf } from '../zipf.ts'

interface Load {
  readonly name: string
  readonly distribution: string
  readonly make: LoadMaker
  /** Minor units that one transaction takes from its account, on average. */
  readonly debitsMinor: number
}

interface Rounds {
  readonly durable: number[]
  readonly accepted: number[]
  readonly drainMs: number[]
  readonly commandsPerCommit: number[]
  readonly cpu: Record<string, number[]>
}

const rowsPerCommit = 4096

export const engine: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 500, small: 100_000, full: 100_000 })
  const perRound = bench.sized({ tiny: 1000, small: 50_000, full: 200_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const loads = loadsOver(accounts).filter(({ name }) => bench.wanted(name) || name === 'uniform')
  const database = await bench.database()
  const [url, rawUrl, referenceUrl] = [
    await database.fresh('engine'),
    await database.fresh('raw'),
    await database.fresh('reference'),
  ]
  bench.say(`engine: opening ${accounts} accounts`)
  const run = await startEngineRun({ url, accounts, workers: 1, partitions: defaultPartitions })
  // Warms the compilers up and brings every account to memory.
  const warm = Math.max(perRound * rounds, accounts)
  await run.post(debits(sequence(accounts))('warm', warm))
  const raw = await rawCopyBeside(url, rawUrl, Math.min(rowsPerCommit, perRound))
  const reference = await referenceCopy(referenceUrl, Math.max(10_000, perRound))
  const rawRates: number[] = []
  const referenceRates: number[] = []
  const measured = new Map(loads.map((load) => [load, emptyRounds()]))
  for (let i = 0; i < rounds; i++) {
    bench.say(`engine: round ${i + 1} of ${rounds}`)
    // Not a figure: what was written since the last round of plain debits.
    await raw.round()
    for (const [load, into] of measured) {
      await oneRound(run, load, `${load.name}-${i}`, perRound, database.pid, into)
      if (load.name === 'uniform') rawRates.push(await raw.round())
    }
    referenceRates.push(await reference.round())
  }
  await Promise.all([raw.close(), reference.close()])
  await run.close()
  bench.say('engine: verifying')
  const debited = loads.reduce((sum, { debitsMinor }) => sum + debitsMinor * perRound * rounds, warm)
  const verified = await checkLedger([url], { debitedMinor: debited })

  const roundsNamed = (name: string): readonly number[] | undefined =>
    [...measured].find(([load]) => load.name === name)?.[1].durable
  const uniformRounds = roundsNamed('uniform') ?? []
  const manyHouses = roundsNamed('64 house accounts')
  const setup = {
    accounts,
    partitions: defaultPartitions,
    workers: 1,
    'batch (commands)': 10_000,
    transactions: perRound,
  }
  const cases: Case[] = [
    {
      name: 'raw COPY of the same rows',
      setup: { 'rows a commit': rowsPerCommit },
      figures: { 'tx/s': figure('tx/s', rawRates) },
    },
    {
      name: 'reference COPY',
      setup: { 'rows a commit': 10_000 },
      figures: { 'rows/s': figure('rows/s', referenceRates) },
    },
    ...[...measured].map(
      ([load, into]): Case => ({
        name: load.name,
        setup: { distribution: load.distribution, ...setup },
        figures: {
          ...figuresOf(into),
          ...(load.name === 'uniform'
            ? {
                'to raw COPY': figure('ratio', pairedRatio(into.durable, rawRates).rounds),
                'to reference COPY': figure('ratio', pairedRatio(into.durable, referenceRates).rounds),
                ...(manyHouses !== undefined && {
                  'to 64 house accounts': figure('ratio', pairedRatio(into.durable, manyHouses).rounds),
                }),
              }
            : { 'to uniform': figure('ratio', pairedRatio(into.durable, uniformRounds).rounds) }),
        },
      }),
    ),
  ]
  return resultOf({ verified: [verified], cases })
}

function loadsOver(accounts: number): Load[] {
  const any = uniform(accounts, 1)
  return [
    {
      name: 'uniform',
      distribution: `uniform over ${accounts}, to one house account`,
      make: debits(any),
      debitsMinor: 1,
    },
    {
      name: 'zipf',
      distribution: `zipf (s = 0.99) over ${accounts}`,
      make: debits(zipf(accounts, 0.99, 2)),
      debitsMinor: 1,
    },
    { name: 'hot account', distribution: 'all on one account', make: debits(() => 0), debitsMinor: 1 },
    {
      name: '64 house accounts',
      distribution: `uniform over ${accounts}, to 64 house accounts in turn`,
      make: debits(any, 64),
      debitsMinor: 1,
    },
    {
      name: 'holds',
      distribution: `uniform over ${accounts}, hold then capture`,
      make: holdsAndCaptures(any),
      debitsMinor: 0.5,
    },
    {
      name: 'postings',
      distribution: `uniform over ${accounts}, 3 transfers each`,
      make: postings(any),
      debitsMinor: 3,
    },
  ]
}

function sequence(accounts: number): () => number {
  let next = 0
  return () => next++ % accounts
}

const emptyRounds = (): Rounds => ({ durable: [], accepted: [], drainMs: [], commandsPerCommit: [], cpu: {} })

async function oneRound(
  run: EngineRun,
  load: Load,
  name: string,
  count: number,
  postmaster: number | undefined,
  into: Rounds,
): Promise<void> {
  const commands = load.make(name.replaceAll(' ', '-'), count)
  run.batches()
  const cpu = (): CpuTimes => readCpu({ server: process.pid, postmaster })
  const before = cpu()
  const posted = await run.post(commands)
  const spent = cpuPerTx(before, cpu(), commands.length)
  const { commits, commands: committed } = run.batches()
  into.durable.push((commands.length * 1000) / posted.durableMs)
  into.accepted.push((commands.length * 1000) / posted.acceptedMs)
  into.drainMs.push(posted.durableMs - posted.acceptedMs)
  into.commandsPerCommit.push(committed / Math.max(1, commits))
  addRound(into.cpu, spent)
}

const figuresOf = (rounds: Rounds): Record<string, Figure> => ({
  'durable tx/s': figure('tx/s', rounds.durable),
  'accepted tx/s': figure('tx/s', rounds.accepted),
  'drain ms': figure('ms', rounds.drainMs),
  'commands a commit': figure('commands', rounds.commandsPerCommit),
  ...Object.fromEntries(Object.entries(rounds.cpu).map(([part, micros]) => [`CPU ${part}`, figure('us/tx', micros)])),
})
