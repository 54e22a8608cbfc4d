// One simulated history, from one seed: a small installation under a mixture of faults, clients that send again what was not answered, then
// calm, and every check. Whatever is found is given back, never thrown.
import type { Answer } from '../../../actors/engine.ts'
import { comparePositions, positionText } from '../../../actors/position.ts'
import { swarm } from '../../../adapters/simulated/faults.ts'
import { SeededRandom } from '../../../adapters/simulated/random.ts'
import type { SimulationOptions } from '../../../adapters/simulated/simulation.ts'
import type { Command } from '../../../core/command.ts'
import { ownerOfCommand } from '../../../core/owner.ts'
import { checkJournal } from '../check-journal.ts'
import { checkOperations } from '../check-operations.ts'
import { isDecided, type Operation } from '../operation.ts'
import { broken, type Rule, Violation } from '../violation.ts'
import { World, type WorldOptions } from '../world.ts'
import { openings, type Step, workload } from './workload.ts'

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
/** When nothing has been wrong for so long, a command is answered at its first try within so much. */
const settleMs = 5_000
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
}

function drawScenario(random: SeededRandom, { seed, steps = 200, only, trace, variant }: HistoryOptions): Scenario {
  const owners = random.between(1, 5)
  const drawn = workload(random.fork('workload'), {
    steps,
    clients: random.between(1, 8),
    owners,
    thinkMs: random.pick([0, 5, 50] as const),
  })
  const chosen = only === undefined ? drawn : drawn.filter((_, number) => only.has(number))
  const poison = new Poison(random.fork('poison'), drawn)
  let world: World
  const options: WorldOptions = {
    seed,
    faults: random.chance(0.1) ? {} : swarm(random),
    ...(trace === undefined ? {} : { trace }),
    partitions: random.between(1, 4),
    workers: random.between(1, 2),
    shards: random.chance(0.3) ? 2 : 1,
    deadlineMs: random.pick([12_000, 12_000, 1000] as const),
    watchdogMs: random.pick([10_000, 1000] as const),
    limits: {
      // The unlikely branches: batches of one, nothing kept in memory.
      batchCommandsMax: random.pick([1, 3, 10, 4096] as const),
      overlapCommandsMin: random.pick([0, 2, 256] as const),
      residentsMax: random.pick([1, 6, 1_000_000] as const),
    },
    mailbox: {
      partitionCommandsMax: random.pick([4, 32_768, 32_768] as const),
      bytesMax: random.pick([2000, 1 << 28, 1 << 28] as const),
      windowCommandsMax: random.pick([1, 10, 16_384] as const),
    },
    retry: { retriesMax: 100_000, delayMs: 20, delayMsMax: 1000 },
    onReply: (operation, answer) => checkReply(world, operation, answer),
    taps: {
      beforeDecide: ({ command }, thread) => {
        if (!poison.strikes(command)) return
        world.simulation.faults.trouble()
        if (poison.kills(command)) thread.kill()
        throw new Error(`${command.id} is poison`)
      },
      trimmed: (partition, position) => {
        const head = world.shardOfPartition(partition).heads.get(partition)
        if (head === undefined || comparePositions(position, head.position) > 0) {
          world.simulation.fail(
            new Violation(
              'trimmed_is_committed',
              `partition ${partition} up to ${positionText(position)}, committed up to ${positionText(head?.position ?? position)}`,
            ),
          )
        }
      },
    },
  }
  world = new World(variant?.(options) ?? options)
  const { faults } = world.simulation
  return {
    world,
    owners,
    // Few are enough to meet anything; many at a time have hardly anything left to break.
    disastersMax: random.pick([3, 8, 8, 20, 60] as const),
    steps: chosen,
    mayBeQuarantined: (command) => {
      const { thread_dies = 0, thread_freezes = 0 } = faults.happened
      // A host that dies twice while it tries a suspect takes it for the reason.
      return poison.has(command) || poison.killed + thread_dies + thread_freezes > 1
    },
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

/** An answer leaves the process. */
function checkReply(world: World, operation: Operation, answer: Answer): void {
  const { command } = operation
  const { simulation } = world
  // P9: an outcome is unknown for a reason, and the reason is not so long ago.
  if (answer.http === 503 && answer.body.includes('"outcome_unknown"')) {
    const quietMs = simulation.time.elapsed() - simulation.faults.troubleAt
    if (quietMs > settleMs) {
      simulation.fail(
        new Violation(
          'answers_come',
          `${command.id} has an unknown outcome, though nothing was wrong for ${Math.round(quietMs)} ms`,
        ),
      )
    }
    return
  }
  // P1: nothing leaves that does not stand.
  if (!isDecided(answer) || command.type === 'expire') return
  if (answer.http === 412 || ((command.type === 'open' || command.type === 'change') && answer.http !== 201)) return
  if (world.stands(operation)) return
  simulation.fail(
    new Violation('answered_is_durable', `${command.type} ${command.id} is answered ${answer.http} before it stands`),
  )
}

async function play({ world, owners, disastersMax, steps, mayBeQuarantined }: Scenario): Promise<void> {
  const { simulation } = world
  world.start()
  if (!(await simulation.run(() => world.ready, calmMsMax))) broken('answers_come', 'the process never hosted')
  for (const command of openings(owners)) world.call(command).done.catch(() => undefined)
  await simulation.run(() => world.settled, simulation.time.elapsed() + calmMsMax)
  world.letLoose(disastersMax)
  const clients = new Map<number, Step[]>()
  for (const step of steps) clients.set(step.client, [...(clients.get(step.client) ?? []), step])
  let busy = clients.size
  for (const own of clients.values()) void walk(world, own).then(() => busy--)
  const done = (): boolean => busy === 0 && world.settled
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
  check(world, mayBeQuarantined)
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

function check(world: World, mayBeQuarantined: (command: Command) => boolean): void {
  for (const { command, answer, error } of world.operations) {
    if (answer === undefined) broken('every_command_is_answered', `${command.id}: ${String(error)}`)
  }
  const clocksAreRight = (world.simulation.faults.happened.clock_jumps ?? 0) === 0
  for (const { shard } of world.databases) {
    checkJournal(shard)
    checkOperations({
      shard,
      operations: world.operations,
      dateOf: world.dateOf,
      assets: world.assets,
      houseAutoOpen: world.houseAutoOpen,
      clocksAreRight,
      mayBeQuarantined,
    })
  }
}
