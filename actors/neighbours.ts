// Partitions of one lane: what they commit is one commit, so a transaction of several of them needs no message between them, if all that it looks
// at is in memory (docs/decisions/024-heard-and-acknowledged.md).
import { accountsOfPart } from '../core/across/hear.ts'
import type { Joint } from '../core/across/joint.ts'
import { isHouse } from '../core/identity.ts'
import type { Hosted } from './hosted.ts'

export interface Neighbours {
  /** Undefined: it is hosted by another lane, or what it does is tried with care and has to go through its mailbox. */
  hosted(partition: number): Hosted | undefined
  /** Was looked for in this batch and does not exist. */
  isAbsent(partition: number, account: string): boolean
}

export const nobody: Neighbours = { hosted: () => undefined, isAbsent: () => false }

interface PartyHere {
  readonly hosted: Hosted
  /** What it does something with; of the house too. */
  readonly accounts: readonly string[]
}

/** All but the coordinator, in their order, with what they need marked as used by the batch; undefined: one cannot decide here and now. */
export function partiesOf(joint: Joint, neighbours: Neighbours, batch: number): readonly PartyHere[] | undefined {
  const parties: PartyHere[] = []
  for (let i = 1; i < joint.parties.length; i++) {
    const hosted = neighbours.hosted(joint.parties[i] ?? -1)
    if (hosted === undefined) return undefined
    const accounts = accountsOfPart(joint, hosted.state)
    for (const id of accounts) if (!isKnown(hosted, id, neighbours, batch)) return undefined
    parties.push({ hosted, accounts })
  }
  return parties
}

function isKnown({ houses, accounts, partition }: Hosted, id: string, neighbours: Neighbours, batch: number): boolean {
  if (!isHouse(id)) return accounts.touch(id, batch) || neighbours.isAbsent(partition, id)
  const house = houses.get(id)
  if (house === undefined) return false
  house.lastUsed = batch
  return true
}
