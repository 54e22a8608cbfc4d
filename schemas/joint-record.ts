// The stored form of an open transaction of the long form, as its coordinator or a participant keeps it until it is over: JSON text.
import type { Coordination, Participation } from '../core/across/joint.ts'
import { jointFrom, partFrom, wiredJoint, wiredPart } from './packet.ts'

export type OpenJoint =
  | { readonly role: 'coordination'; readonly of: Coordination }
  | { readonly role: 'participation'; readonly of: Participation }

export function jointRecord(open: OpenJoint): string {
  const { joint, part } = open.of
  const own = [wiredJoint(joint), wiredPart(part)]
  return JSON.stringify(open.role === 'participation' ? own : [...own, open.of.awaiting, open.of.assets])
}

/** With the answers so far: a coordination. */
export function openJointOf(record: string): OpenJoint {
  const [joint, part, awaiting, assets] = JSON.parse(record)
  const own = { joint: jointFrom(joint), part: partFrom(part) }
  return awaiting === undefined
    ? { role: 'participation', of: own }
    : { role: 'coordination', of: { ...own, form: 'reserve', awaiting, assets } }
}
