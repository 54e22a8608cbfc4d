// A recorded history played again without the test that made it: the same commands at the same virtual times in the same world. What is found is
// found again with fewer of them, until the shortest is left.
import { againCommand } from './again.ts'
import { checkFailure, checkReply, checkTrim, checkWorld, hostsDiedOften } from './check.ts'
import type { Operation } from './operation.ts'
import { type Rule, Violation } from './violation.ts'
import { World, type WorldOptions } from './world.ts'

export interface Replayed {
  readonly commands: readonly Operation[]
  readonly violation: Violation
  readonly runs: number
}

const runsMax = 200
const patienceMs = 600_000

/** Undefined: it does not happen again without the test. */
export async function replayCommands(
  options: WorldOptions,
  recorded: readonly Operation[],
  rule: Rule,
): Promise<Replayed | undefined> {
  let violation = await play(options, recorded)
  if (violation?.rule !== rule) return undefined
  let commands = recorded
  let runs = 1
  for (let pieces = 2; commands.length > 1 && runs < runsMax; ) {
    const size = Math.ceil(commands.length / pieces)
    let smaller: readonly Operation[] | undefined
    for (let from = 0; from < commands.length && runs < runsMax && smaller === undefined; from += size) {
      const without = [...commands.slice(0, from), ...commands.slice(from + size)]
      runs++
      const found = await play(options, without)
      if (found?.rule !== rule) continue
      smaller = without
      violation = found
    }
    if (smaller !== undefined) {
      commands = smaller
      pieces = Math.max(2, pieces - 1)
    } else if (size === 1) break
    else pieces = Math.min(commands.length, pieces * 2)
  }
  return { commands, violation, runs }
}

async function play(options: WorldOptions, commands: readonly Operation[]): Promise<Violation | undefined> {
  const { trace: _trace, ...silent } = options
  const world: World = new World({
    ...silent,
    onReply: (operation, answer) => checkReply(world, operation, answer),
    taps: {
      ...options.taps,
      trimmed: (partition, position) => checkTrim(world, partition, position),
      failed: (message) => checkFailure(world, message),
    },
  })
  const { simulation } = world
  try {
    simulation.faults.stop()
    world.start()
    await simulation.run(() => world.ready, patienceMs)
    simulation.faults.start()
    world.letLoose()
    const first = commands[0]?.invokedAt ?? 0
    let left = commands.length
    for (const { command, invokedAt } of commands) {
      simulation.time.after(invokedAt - first, () => {
        left--
        world.call(command).done.catch(() => undefined)
      })
    }
    await simulation.run(() => left === 0 && world.settled, simulation.time.elapsed() + patienceMs)
    checkWorld(world, () => hostsDiedOften(world))
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
}

/** The error that a test shows. */
export function failureOf(violation: Violation, seed: number, small: Replayed | undefined, file: string): Error {
  const lines = [`seed ${seed}: ${violation.message}`]
  if (small !== undefined) {
    lines.push(
      `The shortest history that breaks ${violation.rule} (${small.commands.length} commands, ${small.runs} runs):`,
    )
    for (const { command } of small.commands) lines.push(`  ${JSON.stringify(command)}`)
    if (small.violation.message !== violation.message) lines.push(`  ${small.violation.message}`)
  }
  lines.push(`Again: ${againCommand(seed, file)}`)
  return new Error(lines.join('\n'), { cause: violation })
}
