// The way into intake for everything that the outside asks: as it stands, but for settlements, which are sent with what the cells of the merchant hold in the
// partitions that will not decide them. What their owner sends while those are looked at waits, so that it is decided in the order sent.
import type { Intake } from '../actors/intake.ts'
import type { Timers } from '../actors/ports.ts'
import type { Reads } from '../actors/reads.ts'
import type { Command, Settle } from '../core/command.ts'
import { merchantAccount } from '../core/house.ts'
import { ownerOfCommand } from '../core/owner.ts'
import { type Answer, instanceOf } from '../schemas/answer.ts'
import { problemBody, problems } from '../schemas/problem.ts'

export type Entry = Pick<Intake, 'submit'>

/** As `Intake.submit` takes it. */
type Given = Parameters<Entry['submit']>

/** Commands of one owner behind a settlement, of those whose caller does not wait for room. */
const behindMost = 8192

export function entryOf(
  intake: Pick<Intake, 'submit' | 'partitionOf'>,
  reads: Pick<Reads, 'cellsElsewhere'>,
  timers: Pick<Timers, 'soon'>,
): Entry {
  /** By owner whose settlement is being looked at: what came after it. */
  const behind = new Map<string, Given[]>()

  async function settle([command, reply, ...how]: Given, owner: string): Promise<void> {
    if (command.type !== 'settle') return
    try {
      const others = await reads.cellsElsewhere(merchantAccount(command.merchant), intake.partitionOf(command))
      intake.submit({ ...command, others: JSON.stringify(others) }, reply, ...how)
    } catch {
      reply(unreachable(command))
    }
    goOn(owner)
  }

  /** Up to the next settlement. */
  function goOn(owner: string): void {
    const waiting = behind.get(owner) ?? []
    const next = waiting.findIndex(([command]) => command.type === 'settle')
    for (const given of waiting.splice(0, next === -1 ? waiting.length : next)) intake.submit(...given)
    const following = waiting.shift()
    if (following === undefined) behind.delete(owner)
    else void settle(following, owner)
  }

  return {
    submit: (...given) => {
      const [command, reply, waits] = given
      // Nearly always: nobody settles, and this is no settlement.
      if (behind.size === 0 && command.type !== 'settle') {
        intake.submit(...given)
        return
      }
      const owner = ownerOfCommand(command)
      const waiting = behind.get(owner)
      if (waiting === undefined) {
        if (command.type !== 'settle') {
          intake.submit(...given)
          return
        }
        behind.set(owner, [])
        void settle(given, owner)
      } else if (waits !== true && waiting.length >= behindMost) timers.soon(() => reply(overloaded(command)))
      else waiting.push(given)
    },
  }
}

const unreachable = (command: Settle): Answer => ({
  http: problems.shard_unavailable.http,
  replayed: false,
  body: problemBody('shard_unavailable', {
    detail: 'Some of the takings could not be looked at; nothing was accepted.',
    instance: instanceOf(command),
  }),
})

const overloaded = (command: Command): Answer => ({
  http: problems.overloaded.http,
  replayed: false,
  body: problemBody('overloaded', {
    detail: 'Too much waits behind a settlement of this owner; nothing was accepted.',
    instance: instanceOf(command),
  }),
})
