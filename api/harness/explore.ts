// The same test under many seeds: as many interleavings, and as many mixtures of faults. What fails is told with its seed, the faults that it
// needs, what the clients did, and the line that runs it again.
import { type FaultWeights, faultKinds } from '../../adapters/simulated/faults.ts'
import { againCommand, fileUnderTest, seedFromEnvironment } from './again.ts'
import { wholeNumber } from './given.ts'
import { createHarness, type Harness, type HarnessOptions } from './harness.ts'
import { type Rule, Violation } from './violation.ts'

export interface ExploreOptions extends HarnessOptions {
  /** How many seeds, from `seed` (1) on; default 100. With SUANPAN_SEED only that one. */
  readonly seeds?: number
}

const historyShown = 40

/** Resolves when the test has passed under every seed; each run ends with `assertInvariants`. */
export async function explore(options: ExploreOptions, test: (bank: Harness) => Promise<void>): Promise<void> {
  const { seeds = 100, seed: first = 1, ...rest } = options
  wholeNumber('seeds', seeds, 1)
  wholeNumber('seed', first, 0)
  const chosen = seedFromEnvironment()
  const file = fileUnderTest()
  for (let seed = chosen ?? first; seed < (chosen === undefined ? first + seeds : chosen + 1); seed++) {
    const failed = await run({ ...rest, seed }, test)
    if (failed !== undefined) throw await explained({ ...rest, seed }, test, failed, file)
  }
}

interface Failed {
  readonly error: unknown
  readonly bank: Harness | undefined
}

async function run(options: HarnessOptions, test: (bank: Harness) => Promise<void>): Promise<Failed | undefined> {
  let bank: Harness | undefined
  try {
    bank = await createHarness(options)
    await test(bank)
    await bank.assertInvariants()
    return undefined
  } catch (error) {
    return { error, bank }
  }
}

async function explained(
  options: HarnessOptions & { readonly seed: number },
  test: (bank: Harness) => Promise<void>,
  failed: Failed,
  file: string,
): Promise<Error> {
  let { error, bank } = failed
  let weights: Partial<Record<string, number>> =
    options.faults === 'all'
      ? Object.fromEntries(faultKinds.map((kind) => [kind, 1]))
      : typeof options.faults === 'object'
        ? { ...options.faults }
        : {}
  for (const kind of Object.keys(weights)) {
    const fewer = { ...weights, [kind]: 0 }
    const again = await run({ ...options, faults: fewer as FaultWeights }, test)
    if (again === undefined || !isAlike(again.error, error)) continue
    weights = fewer
    error = again.error
    bank = again.bank
  }
  const needed = Object.keys(weights).filter((kind) => (weights[kind] ?? 0) > 0)
  const lines = [`seed ${options.seed}: ${plainMessageOf(error, options.seed)}`]
  lines.push(needed.length === 0 ? 'It needs no fault.' : `It needs these faults: ${needed.join(', ')}`)
  lines.push(...(bank === undefined ? [] : shown(bank)))
  lines.push(`Again: ${againCommand(options.seed, file)}`)
  return new Error(lines.join('\n'), { cause: error })
}

function shown(bank: Harness): string[] {
  const history = bank.history()
  const lines = history.slice(-historyShown).map(({ askedAt, answeredAt, command, answer }) => {
    const told = answer === undefined ? 'no answer' : `${answer.http} at ${answeredAt?.toFixed(1)} ms`
    return `  ${askedAt.toFixed(1)} ms  ${JSON.stringify(command)}: ${told}`
  })
  return [`The last ${lines.length} of ${history.length} commands:`, ...lines]
}

/** The same promise is broken: which history shows it may differ. */
function isAlike(a: unknown, b: unknown): boolean {
  const [rule, other] = [ruleOf(a), ruleOf(b)]
  return rule === undefined && other === undefined ? messageOf(a) === messageOf(b) : rule === other
}

const ruleOf = (error: unknown): Rule | undefined =>
  error instanceof Error && error.cause instanceof Violation ? error.cause.rule : undefined

/** Without the seed and the line that the harness has put around a broken promise. */
function plainMessageOf(error: unknown, seed: number): string {
  const message = messageOf(error)
  return ruleOf(error) === undefined ? message : message.replace(`seed ${seed}: `, '').replace(/\nAgain: .*$/, '')
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
