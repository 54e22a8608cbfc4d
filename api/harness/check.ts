// All checks of a world at rest, and what is looked at while it runs.
import type { Answer } from '../../actors/engine.ts'
import { comparePositions, type Position, positionText } from '../../actors/position.ts'
import { placing } from '../../actors/route.ts'
import type { Command } from '../../core/command.ts'
import { checkCoupons } from './check-coupons.ts'
import { checkDates, checkJournal, checkTransit } from './check-journal.ts'
import { checkOperations } from './check-operations.ts'
import { checkTakings } from './check-takings.ts'
import { isDecided, type Operation } from './operation.ts'
import { broken, Violation } from './violation.ts'
import type { World } from './world.ts'

/** When nothing has had to be recovered from for so many virtual milliseconds, everything is as it should be. */
export const settleMs = 5_000

/** An answer leaves the process. */
export function checkReply(world: World, operation: Operation, answer: Answer): void {
  const { command } = operation
  const { simulation } = world
  // P9: an outcome is unknown for a reason, and the reason is not so long ago.
  if (answer.http === 503 && answer.body.includes('"outcome_unknown"')) {
    const quietMs = simulation.time.elapsed() - simulation.faults.troubleAt
    if (quietMs <= settleMs) return
    simulation.fail(
      new Violation(
        'answers_come',
        `${command.id} has an unknown outcome, though nothing was wrong for ${Math.round(quietMs)} ms`,
      ),
    )
    return
  }
  // P1: nothing leaves that does not stand.
  if (!isDecided(answer) || command.type === 'expire') return
  if (answer.http === 412 || ((command.type === 'open' || command.type === 'change') && answer.http !== 201)) return
  if (answer.http === 409 ? world.isTaken(operation) : world.stands(operation)) return
  simulation.fail(
    new Violation('answered_is_durable', `${command.type} ${command.id} is answered ${answer.http} before it stands`),
  )
}

/** A lane lets go of what is in the mailbox up to there. */
export function checkTrim(world: World, partition: number, position: Position): void {
  const head = world.shardOfPartition(partition).heads.get(partition)
  if (head !== undefined && comparePositions(position, head.position) <= 0) return
  world.simulation.fail(
    new Violation(
      'trimmed_is_committed',
      `partition ${partition} up to ${positionText(position)}, committed up to ${positionText(head?.position ?? position)}`,
    ),
  )
}

/** Nothing was wrong with any command, and a lane fails of one all the same; or the ledger refuses rows, as it does with an id that stands. */
export function checkFailure({ simulation }: World, message: string): void {
  simulation.fail(new Violation('fails_for_a_reason', message))
}

/** Throws Violation. Expects that every operation is settled. */
export function checkWorld(world: World, mayBeQuarantined: (command: Command) => boolean): void {
  for (const { command, answer, error } of world.operations) {
    if (answer === undefined) broken('every_command_is_answered', `${command.id}: ${String(error)}`)
  }
  const clocksAreRight = (world.simulation.faults.happened.clock_jumps ?? 0) === 0
  const shards = world.databases.map(({ shard }) => shard)
  for (const shard of shards) checkJournal(shard)
  checkTransit(shards)
  checkDates(shards)
  checkCoupons(shards, world.databases[0]?.catalog ?? [])
  checkTakings(shards)
  checkOperations({
    shards,
    operations: world.operations,
    dateOf: world.dateOf,
    assets: world.assets,
    houseAutoOpen: world.houseAutoOpen,
    partitionOf: placing(world.shardOf.length),
    clocksAreRight,
    mayBeQuarantined,
  })
}

/** A suspect whose hosts end twice is taken for the reason: first a thread, then that or its whole process. */
export function hostsDiedOften({ simulation: { faults } }: World): boolean {
  const { hostsEnded } = faults
  const first = hostsEnded.findIndex((kind) => kind === 'thread_dies' || kind === 'thread_freezes')
  return first >= 0 && first < hostsEnded.length - 1
}
