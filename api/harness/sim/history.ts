// One simulated history, from one seed: a small installation under a mixture of faults, clients that send again what was not answered, then
// calm, and every check. Whatever is found is given back, never thrown.
import { swarm } from '../../../adapters/simulated/faults.ts'
import { SeededRandom } from '../../../adapters/simulated/random.ts'
import type { SimulationOptions } from '../../../adapters/simulated/simulation.ts'
import type { Command } from '../../../core/command.ts'
import { ownerOfCommand } from '../../../core/owner.ts'
import { campaignChange } from '../../http/campaigns.ts'
import { checkFailure, checkReply, checkTrim, checkWorld, hostsDiedOften, settleMs } from '../check.ts'
import type { Taps } from '../process.ts'
import { broken, type Rule, Violation } from '../violation.ts'
import { World, type WorldOptions } from '../world.ts'
import { campaigns, openings, type Step, workload } from './workload.ts'

export interface HistoryOptions {
  readonly seed: number
  readonly steps?: number
  /** A part of the steps that the seed gives: by their numbers. */
  readonly only?: ReadonlySet<number>
  readonly trace?: SimulationOptions['trace']
  /** Changes the world, to show that what is broken is found. */
  readonly variant?: (options: WorldOptions) => WorldOptions
}

export interface HistoryResult {
  readonly seed: number
  readonly failure:
    | { readonly rule: Rule | 'error'; readonly message: string; readonly stack: string | undefined }
    | undefined
  readonly hash: string
  readonly steps: readonly Step[]
  readonly operations: number
  readonly tries: number
  readonly commits: number
  readonly events: number
  readonly virtualMs: number
  readonly happened: Readonly<Record<string, number>>
  readonly lines: readonly string[]
}

/** Virtual milliseconds: how long faults go on at most, and how soon afterwards everything must be as it should. */
const loudMsMax = 30_000
export const calmMsMax = 60_000
/** The business date changes while it runs, and what is good until the end of the month ends. */
const monthEndMs = Date.UTC(2027, 1, 1)
/** A command is then answered at its first try within this. */
const probeMs = 2_000

export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const random = new SeededRandom(options.seed).fork('scenario')
  const scenario = drawScenario(random, options)
  const { world, steps } = scenario
  let failure: HistoryResult['failure']
  try {
    await play(scenario)
  } catch (error) {
    failure = {
      rule: error instanceof Violation ? error.rule : 'error',
      message: error instanceof Error ? error.message : String(error),
      stack: error instanceof Error ? error.stack : undefined,
    }
  }
  const { simulation, operations } = world
  return {
    seed: options.seed,
    failure,
    hash: simulation.trace.hash,
    steps,
    operations: operations.length,
    tries: operations.reduce((sum, { tries }) => sum + tries, 0),
    commits: world.databases.reduce((sum, { shard }) => sum + shard.commits.length, 0),
    events: simulation.steps,
    virtualMs: simulation.time.elapsed(),
    happened: { ...simulation.faults.happened },
    lines: simulation.trace.lines,
  }
}

interface Scenario {
  readonly world: World
  readonly owners: number
  readonly disastersMax: number
  readonly steps: readonly Step[]
  readonly mayBeQuarantined: (command: Command) => boolean
  /** Of each campaign, and when there are more. */
  readonly coupons: number
  readonly raisedAfterMs: number | undefined
}

function drawScenario(random: SeededRandom, { seed, steps = 200, only, trace, variant }: HistoryOptions): Scenario {
  const plainly = random.fork('plain')
  const plain = plainly.chance(0.3)
  // The short way leads to another partition only where one thread has both, and in memory what the command is about.
  const near = plain && plainly.chance(0.6)
  const day = random.fork('day')
  const owners = random.between(near ? 2 : 1, 5)
  const drawn = workload(random.fork('workload'), {
    steps,
    clients: random.between(1, 8),
    owners,
    thinkMs: random.pick([0, 5, 50] as const),
    plain,
  })
  const chosen = only === undefined ? drawn : drawn.filter((_, number) => only.has(number))
  const poison = new Poison(random.fork('poison'), drawn)
  let world: World
  const beforeDecide: NonNullable<Taps['beforeDecide']> = ({ command }, thread) => {
    if (!poison.strikes(command)) return
    world.simulation.faults.trouble()
    if (poison.kills(command)) thread.kill()
    throw new Error(`${command.id} is poison`)
  }
  const options: WorldOptions = {
    seed,
    faults: random.chance(0.1) ? {} : swarm(random),
    ...(trace === undefined ? {} : { trace }),
    ...(day.chance(0.3) && { startMs: monthEndMs - day.between(0, 2_000) }),
    partitions: random.between(near ? 2 : 1, 4),
    workers: near ? 1 : random.between(1, 2),
    shards: random.chance(0.3) ? 2 : 1,
    deadlineMs: random.pick([12_000, 12_000, 1000] as const),
    watchdogMs: random.pick([10_000, 1000] as const),
    limits: {
      // The unlikely branches: batches of one, nothing kept in memory.
      batchCommandsMax: random.pick([1, 3, 10, 4096] as const),
      overlapCommandsMin: random.pick([0, 2, 256] as const),
      residentsMax: near ? 1_000_000 : random.pick([1, 6, 1_000_000] as const),
      // Or through the mailboxes, where the faults are.
      loopback: random.chance(0.3),
      // Or without any message where one thread has all parties, always or now and then.
      together: near ? 1 : random.pick([0, 0.5, 1] as const),
      // None of closed segments in memory, some, or all.
      idFilterBytesMax: random.fork('id filters').pick([0, 200_000, 1 << 30] as const),
    },
    mailbox: {
      partitionCommandsMax: random.pick([4, 32_768, 32_768] as const),
      bytesMax: random.pick([2000, 1 << 28, 1 << 28] as const),
      windowCommandsMax: random.pick([1, 10, 16_384] as const),
    },
    streams: random.chance(0.5),
    retry: { retriesMax: 100_000, delayMs: 20, delayMsMax: 1000 },
    onReply: (operation, answer) => checkReply(world, operation, answer),
    taps: {
      // Not where nothing comes of it: it makes an object of each plain command.
      ...(poison.isThere && { beforeDecide }),
      failed: (message) => {
        if (!poison.isThere) checkFailure(world, message)
      },
      trimmed: (partition, position) => checkTrim(world, partition, position),
    },
  }
  world = new World(variant?.(options) ?? options)
  return {
    world,
    owners,
    // Few are enough to meet anything; many at a time have hardly anything left to break.
    disastersMax: random.pick([3, 8, 8, 20, 60] as const),
    steps: chosen,
    mayBeQuarantined: (command) => poison.has(command) || poison.killed > 0 || hostsDiedOften(world),
    coupons: random.between(1, 6),
    raisedAfterMs: random.chance(0.3) ? random.between(1, 2000) : undefined,
  }
}

/** Commands that make their host fail, once or for ever, by an error or by its end. */
class Poison {
  killed = 0
  private readonly left = new Map<string, { times: number; readonly kill: boolean }>()

  constructor(random: SeededRandom, steps: readonly Step[]) {
    if (!random.chance(0.25)) return
    for (let i = random.between(1, 3); i > 0; i--) {
      const command = random.pick(steps)?.command
      if (command === undefined) continue
      this.left.set(nameOf(command), { times: random.pick([1, 2, 1000] as const), kill: random.chance(0.3) })
    }
  }

  get isThere(): boolean {
    return this.left.size > 0
  }

  has(command: Command): boolean {
    return this.left.has(nameOf(command))
  }

  strikes(command: Command): boolean {
    const one = this.left.get(nameOf(command))
    if (one === undefined || one.times === 0) return false
    one.times--
    return true
  }

  kills(command: Command): boolean {
    const kill = this.left.get(nameOf(command))?.kill === true
    if (kill) this.killed++
    return kill
  }
}

const nameOf = (command: Command): string => `${ownerOfCommand(command)} ${command.id}`

async function play({
  world,
  owners,
  disastersMax,
  steps,
  mayBeQuarantined,
  coupons,
  raisedAfterMs,
}: Scenario): Promise<void> {
  const { simulation } = world
  world.start()
  if (!(await simulation.run(() => world.ready, calmMsMax))) broken('answers_come', 'the process never hosted')
  for (const command of openings(owners)) world.call(command).done.catch(() => undefined)
  await simulation.run(() => world.settled, simulation.time.elapsed() + calmMsMax)
  let changing = 0
  const issue = (stock: number): void => {
    for (const { code, off, ...given } of campaigns) {
      const { text, check } = campaignChange(
        code,
        { asset: 'CNY', stock, discount: { amount: String(off) }, ...given },
        world.assets,
      )
      changing++
      world.putCatalog('campaign', code, text, check).then(
        () => changing--,
        (error: unknown) => simulation.fail(error),
      )
    }
  }
  issue(coupons)
  await simulation.run(() => changing === 0, simulation.time.elapsed() + calmMsMax)
  world.letLoose(disastersMax)
  // More of them, in the midst of it.
  if (raisedAfterMs !== undefined) simulation.time.after(raisedAfterMs, () => issue(coupons + 3))
  const clients = new Map<number, Step[]>()
  for (const step of steps) clients.set(step.client, [...(clients.get(step.client) ?? []), step])
  let busy = clients.size
  for (const own of clients.values()) void walk(world, own).then(() => busy--)
  const done = (): boolean => busy === 0 && changing === 0 && world.settled
  await simulation.run(done, simulation.time.elapsed() + loudMsMax)
  world.calm()
  if (!(await simulation.run(() => done() && world.ready, simulation.time.elapsed() + calmMsMax))) {
    const open = world.operations.filter(({ settledAt }) => settledAt === undefined)
    broken(
      'answers_come',
      `${calmMsMax} ms after the last fault ${open.length} commands have no answer: ${open.map(({ command }) => command.id).join(' ')}`,
    )
  }
  await probe(world)
  checkWorld(world, mayBeQuarantined)
}

async function walk(world: World, steps: readonly Step[]): Promise<void> {
  for (const { thinkMs, goesOn, command } of steps) {
    if (thinkMs > 0) await world.pause(thinkMs)
    const done = world.call(command).done.catch(() => undefined)
    if (!goesOn) await done
  }
}

/** One command to each partition, twice: whoever hosts without being the host any more notices at the first; the second is answered at once. */
async function probe(world: World): Promise<void> {
  const { simulation } = world
  const owners = new Map<number, string>()
  for (let i = 0; owners.size < world.shardOf.length && i < 1000; i++) {
    const owner = `probe-${i}`
    const partition = world.partitionOf(probing(owner, 1))
    if (!owners.has(partition)) owners.set(partition, owner)
  }
  for (const owner of owners.values()) void world.call(probing(owner, 1)).done.catch(() => undefined)
  await simulation.run(() => false, simulation.time.elapsed() + settleMs)
  const probes = [...owners.values()].map((owner) => world.call(probing(owner, 2)).operation)
  await simulation.run(
    () => probes.every(({ settledAt }) => settledAt !== undefined),
    simulation.time.elapsed() + probeMs,
  )
  for (const { answer, tries, partition } of probes) {
    if (answer?.http !== 201 || tries !== 1) {
      broken(
        'answers_come',
        `a new command in partition ${partition} is answered ${answer?.http ?? 'nothing'} after ${tries} tries`,
      )
    }
  }
}

const probing = (owner: string, number: number): Command => ({
  type: 'credit',
  id: `probe-${number}`,
  account: `${owner}:points`,
  amount: '1',
  from: 'house:x',
  asset: 'POINTS',
})
