// What a command or a message across partitions makes of a partition, decided and not yet applied; and applying it. Deciding is in
// `coordinate.ts` and `participate.ts`.
import { apply, applyRows } from '../apply.ts'
import type { IdKey } from '../identity.ts'
import { violated } from '../invariant.ts'
import type { PartitionState } from '../partition.ts'
import type { Decided } from '../transaction.ts'
import {
  type Coordination,
  type Joint,
  type Joints,
  type Part,
  type Participation,
  type Phase,
  type Sent,
  stageLegs,
} from './joint.ts'
import { pledgesOf } from './part.ts'

/** All of it in one commit. */
export interface Step {
  /** Journaled first. */
  readonly phase?: Phase
  /** The decision of the id: what its client is answered with. */
  readonly decided?: Decided
  readonly begins?:
    | { readonly role: 'coordination'; readonly of: Coordination }
    | { readonly role: 'participation'; readonly of: Participation }
  /** An answer that did not decide yet. */
  readonly waits?: Coordination
  readonly ends?: { readonly role: 'coordination' | 'participation'; readonly idKey: IdKey }
  readonly sends: readonly Sent[]
}

/** Expects a step of this state, not applied yet. Afterwards its rows stand, and what is undecided is known. */
export function applyStep(state: PartitionState, step: Step): void {
  const { phase, decided, begins, waits, ends } = step
  if (phase !== undefined) applyPhase(state, phase)
  if (decided !== undefined) apply(state, decided)
  if (begins !== undefined) {
    begin(state, begins)
  }
  if (waits !== undefined) {
    const { coordinations } = state.joints
    if (!coordinations.has(waits.joint.idKey)) violated('answer_to_what_is_open', { id: waits.joint.command.id })
    coordinations.set(waits.joint.idKey, waits)
  }
  if (ends !== undefined) end(state, ends)
}

function applyPhase(state: PartitionState, { joint, at, rows }: Phase): void {
  if (!(at >= state.time)) violated('time_goes_forward', { at, time: state.time })
  state.time = at
  state.pseq += rows.length
  const firstLeg = rows[0].leg
  if (firstLeg === 0 || firstLeg % stageLegs !== 0) violated('phase_has_its_legs', { firstLeg })
  const { idKey, command, date } = joint
  applyRows(state, { idKey, command, at, date, rows, facts: undefined }, firstLeg)
}

/** Also how a host puts there what was open when it took over: then its accounts are not resident yet (see `pledged`). */
export function begin(state: PartitionState, begins: NonNullable<Step['begins']>): void {
  const { joint, part } = begins.of
  const { coordinations, participations } = state.joints
  if (begins.role === 'coordination') {
    if (coordinations.has(joint.idKey)) violated('begun_once', { id: joint.command.id })
    coordinations.set(joint.idKey, begins.of)
    takes(state.joints, begins.of)
  } else {
    if (participations.has(joint.idKey)) violated('begun_once', { id: joint.command.id })
    participations.set(joint.idKey, begins.of)
  }
  pledge(state, part)
}

function end(state: PartitionState, { role, idKey }: NonNullable<Step['ends']>): void {
  const { coordinations, participations } = state.joints
  const open: { readonly joint: Joint; readonly part: Part } | undefined =
    role === 'coordination' ? coordinations.get(idKey) : participations.get(idKey)
  if (open === undefined) violated('only_what_is_open_ends', { role })
  if (role === 'coordination') {
    coordinations.delete(idKey)
    tookOrNot(state.joints, open)
  } else participations.delete(idKey)
  release(state, open.part)
}

/** A refund or a capture that is not decided counts as posted, else two of them, each fine by itself, could be. */
function takes({ underWay }: Joints, { joint, part }: Pick<Coordination, 'joint' | 'part'>): void {
  const [first] = part.moves
  if (joint.link === undefined || first === undefined) return
  const before = underWay.get(joint.link)
  const amount = (before?.amount ?? 0n) + first.amount
  underWay.set(joint.link, { amount, whole: before?.whole === true || isFinal(joint) })
}

function tookOrNot({ underWay }: Joints, { joint, part }: Pick<Coordination, 'joint' | 'part'>): void {
  const [first] = part.moves
  if (joint.link === undefined || first === undefined) return
  const before = underWay.get(joint.link) ?? violated('under_way_before', { id: joint.command.id })
  const amount = before.amount - first.amount
  if (amount === 0n) underWay.delete(joint.link)
  // Behind a final capture none is started.
  else underWay.set(joint.link, { amount, whole: before.whole && !isFinal(joint) })
}

const isFinal = ({ command }: Joint): boolean => command.type === 'capture' && command.final

function pledge({ joints, accounts }: PartitionState, part: Part): void {
  for (const [name, { in: into, out }] of pledgesOf(part)) {
    let sum = joints.pledges.get(name)
    if (sum === undefined) {
      sum = { transactions: 0, in: 0n, out: 0n }
      joints.pledges.set(name, sum)
      const account = accounts.get(name)
      if (account !== undefined) account.pledge = sum
    }
    sum.transactions += 1
    sum.in += into
    sum.out += out
  }
}

function release({ joints, accounts }: PartitionState, part: Part): void {
  for (const [name, { in: into, out }] of pledgesOf(part)) {
    const sum = joints.pledges.get(name)
    if (sum === undefined) violated('pledged_before', { name })
    sum.transactions -= 1
    sum.in -= into
    sum.out -= out
    if (sum.transactions > 0) continue
    joints.pledges.delete(name)
    const account = accounts.get(name)
    if (account !== undefined) account.pledge = undefined
  }
}
