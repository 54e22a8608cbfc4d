// The way into intake for everything that the outside asks: as it stands, but for settlements, which are sent with what the cells of the merchant hold in the
// partitions that will not decide them.
import type { Intake } from '../actors/intake.ts'
import type { Reads } from '../actors/reads.ts'
import type { Settle } from '../core/command.ts'
import { merchantAccount } from '../core/house.ts'
import { type Answer, instanceOf } from '../schemas/answer.ts'
import { problemBody, problems } from '../schemas/problem.ts'

export type Entry = Pick<Intake, 'submit'>

export const entryOf = (intake: Intake, reads: Reads): Entry => ({
  submit: (command, reply, waits) => {
    if (command.type !== 'settle') {
      intake.submit(command, reply, waits)
      return
    }
    void reads.cellsElsewhere(merchantAccount(command.merchant), intake.partitionOf(command)).then(
      (others) => intake.submit({ ...command, others: JSON.stringify(others) }, reply, waits),
      () => reply(unreachable(command)),
    )
  },
})

const unreachable = (command: Settle): Answer => ({
  http: problems.shard_unavailable.http,
  replayed: false,
  body: problemBody('shard_unavailable', {
    detail: 'Some of the takings could not be looked at; nothing was accepted.',
    instance: instanceOf(command),
  }),
})
