// A message of another partition: what it makes of this one, which accounts it needs resident, and which holds on them have run out before it.
import { dueExpiriesOn } from '../expire.ts'
import type { IdKey } from '../identity.ts'
import type { PartitionState } from '../partition.ts'
import type { Decided } from '../transaction.ts'
import { hearAnswer } from './coordinate.ts'
import { halvesOf, type Joint, type LinkMessage } from './joint.ts'
import { post, refuse, release, reserve, settling } from './participate.ts'
import type { Step } from './step.ts'

/** Expects that it is the next of its link, and that what `needsOf` names is resident. Undefined: nothing is to be done. */
export function hear(
  state: Readonly<PartitionState>,
  from: number,
  message: LinkMessage,
  at: number,
): Step | undefined {
  switch (message.kind) {
    case 'settle':
      return settling(state, message.joint, at)
    case 'reserve':
      return reserve(state, message.joint, at)
    case 'settled':
    case 'reserved':
    case 'refused':
      return hearAnswer(state, from, message, at)
    case 'post':
      return post(state, message.idKey, at)
    case 'release':
      return release(state, message.idKey, at)
  }
}

/** For a message that cannot be decided: a question is refused. Undefined: it is a decision or an answer, and those are never skipped. */
export function giveUp(state: Readonly<PartitionState>, message: LinkMessage, at: number): Step | undefined {
  if (message.kind !== 'settle' && message.kind !== 'reserve') return undefined
  return refuse(state, message.joint, at, 'internal_error')
}

export interface MessageNeeds {
  /** Ids; of the house too. */
  readonly accounts: readonly string[]
  /** An original that is refunded: rows that link to it must be seen by whoever refunds it next. */
  readonly link: IdKey | undefined
}

export function needsOf(state: Readonly<PartitionState>, message: LinkMessage): MessageNeeds {
  if (message.kind === 'settle' || message.kind === 'reserve') {
    return { accounts: accountsOfPart(message.joint, state), link: undefined }
  }
  const { joints } = state
  const coordination = joints.coordinations.get(message.idKey)
  const part = coordination?.part ?? joints.participations.get(message.idKey)?.part
  return { accounts: part === undefined ? [] : sidesOf(part.moves), link: coordination?.joint.link }
}

const sidesOf = (moves: readonly { readonly from: string; readonly to: string }[]): readonly string[] =>
  moves.flatMap(({ from, to }) => [from, to])

/** The accounts of the halves of a transaction in this partition; of the house too. */
export const accountsOfPart = (joint: Joint, { rules, partition }: Readonly<PartitionState>): readonly string[] =>
  sidesOf(halvesOf(joint, rules, partition))

/** As `dueExpiries` for a command. Cells are left out: they have no bound that a hold could touch. */
export const dueBefore = (state: Readonly<PartitionState>, message: LinkMessage, at: number): readonly Decided[] =>
  dueExpiriesOn(state, needsOf(state, message).accounts, at)

export const keyOf = (message: LinkMessage): IdKey =>
  message.kind === 'settle' || message.kind === 'reserve' ? message.joint.idKey : message.idKey
