// The commands of consumer finance, from a checked body to the normalised command: what `normalise.ts` does for the plain ones.
import { lastDayOf } from '../../core/lots.ts'
import { normalizeDecimal } from '../../core/money.ts'
import { houseOwner } from '../../core/owner.ts'
import { lastDayWords } from '../../schemas/http/fields.ts'
import { EarnPointsBody, RedeemPointsBody } from '../../schemas/http/transaction.ts'
import type { reader as makeReader, Reader } from './normalise.ts'
import { invalid, type Problem } from './problem.ts'

export const policyReaders = (reader: typeof makeReader): readonly (readonly [string, Reader])[] => [
  [
    'points.earn',
    reader(EarnPointsBody, (body, head) => {
      if (lastDayOf(body.expiresOn) === undefined) return invalid('expiresOn', `expiresOn must be ${lastDayWords}.`)
      const problem = problemOfOwner(body.owner)
      if (problem !== undefined) return problem
      return {
        type: 'points.earn',
        ...head,
        owner: body.owner,
        amount: normalizeDecimal(body.amount),
        expiresOn: body.expiresOn,
      }
    }),
  ],
  [
    'points.redeem',
    reader(RedeemPointsBody, (body, head) => {
      const problem = problemOfOwner(body.owner)
      if (problem !== undefined) return problem
      return { type: 'points.redeem', ...head, owner: body.owner, amount: normalizeDecimal(body.amount) }
    }),
  ],
]

/** What the house gives to itself would have no partition. */
const problemOfOwner = (owner: string): Problem | undefined =>
  owner === houseOwner ? invalid('owner', 'owner must not be house.') : undefined
