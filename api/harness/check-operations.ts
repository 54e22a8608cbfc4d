// What clients were told, against the journal: each partition's history must be one that a single actor could have had, one command after the
// other in the order of the journal. Commands whose outcome nobody heard may stand there or not.
import type { SimulatedShard } from '../../adapters/simulated/shard.ts'
import type { Command } from '../../core/command.ts'
import { firstDifference } from '../../core/compare.ts'
import type { IdKey } from '../../core/identity.ts'
import type { Rules } from '../../core/partition.ts'
import { answerTo } from '../../schemas/answer.ts'
import { Messages } from './check-across.ts'
import { PartitionCheck } from './check-partition.ts'
import { isDecided, type Operation } from './operation.ts'
import { broken } from './violation.ts'

export interface OperationsCheck {
  readonly shards: readonly SimulatedShard[]
  readonly operations: readonly Operation[]
  readonly dateOf: Rules['dateOf']
  readonly assets: Rules['assets']
  readonly houseAutoOpen: boolean
  readonly partitionOf: Rules['partitionOf']
  /** Wall clocks were right all the time. */
  readonly clocksAreRight: boolean
  /** Whether the command may have been given up: it made its host fail, or hosts failed often enough by themselves. */
  readonly mayBeQuarantined: (command: Command) => boolean
}

/** All that was asked under one id. */
export interface Asked {
  readonly operations: Operation[]
  invokedAt: number
  invokedTime: number
  answeredAt: number
}

/** Throws Violation. Expects that nothing is on its way between partitions. */
export function checkOperations(check: OperationsCheck): void {
  const asked = new Map<IdKey, Asked>()
  for (const operation of check.operations) {
    note(asked, operation)
  }
  const messages = new Messages()
  const partitions = check.shards.flatMap((shard) =>
    [...shard.heads.keys()].map((partition) => new PartitionCheck(check, shard, partition, asked, messages)),
  )
  // Each goes on until it rests on what another has not come to yet.
  while (partitions.filter((one) => one.run()).length > 0);
  for (const one of partitions) one.end()
  for (const shard of check.shards) checkAnswers(shard, check, asked)
}

function note(asked: Map<IdKey, Asked>, operation: Operation): void {
  const { idKey } = operation
  let one = asked.get(idKey)
  if (one === undefined) {
    one = {
      operations: [],
      invokedAt: operation.invokedAt,
      invokedTime: operation.invokedTime,
      answeredAt: Number.POSITIVE_INFINITY,
    }
    asked.set(idKey, one)
  }
  one.operations.push(operation)
  const first = operation.answers.find(({ answer }) => isDecided(answer) && answer.http !== 409)
  if (first !== undefined) one.answeredAt = Math.min(one.answeredAt, first.at)
}

/** What each client heard is what stands, byte for byte, however often and whenever it asked. */
function checkAnswers(shard: SimulatedShard, { operations }: OperationsCheck, asked: ReadonlyMap<IdKey, Asked>): void {
  for (const { command, answers, number, partition, idKey } of operations) {
    if (!shard.heads.has(partition)) continue
    const decided = shard.remembered(partition, idKey)?.decided
    const first =
      decided === undefined ? undefined : answerTo({ kind: 'decided', decided }, decided.command, decided.at)
    for (const { answer } of answers) {
      if (!isDecided(answer)) continue
      const what = `operation ${number}, ${command.type} ${command.id}`
      if (answer.http === 409) {
        if (command.type === 'open') continue
        if (decided === undefined || firstDifference(decided.command, command) === undefined) {
          broken('answer_is_the_journals', `${what} was told of a conflict that is none`)
        }
      } else if (decided === undefined) {
        // An account that was there before, a version that was another, an expiry: nothing is recorded of these.
        if (isTransaction(command)) {
          broken('answer_is_the_journals', `${what} was answered ${answer.http}, but does not stand`)
        }
      } else if (isTransaction(command) && answer.body !== first?.body) {
        broken('answers_agree', `${what} was answered ${answer.body}, first it was ${first?.body}`)
      }
    }
  }
  for (const { operations: own } of asked.values()) {
    const decided = own.flatMap(({ answers, command }) =>
      isTransaction(command) ? answers.filter(({ answer }) => isDecided(answer) && answer.http !== 409) : [],
    )
    if (new Set(decided.map(({ answer }) => answer.body)).size > 1) {
      broken('answers_agree', `${own[0]?.command.id} was answered in two ways`)
    }
  }
}

/** Of the others some outcomes are not recorded, or the answer shows the account as it stands now. */
const isTransaction = ({ type }: Command): boolean => type !== 'open' && type !== 'change' && type !== 'expire'
