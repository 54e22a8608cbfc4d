// Whether two bodies under one id are the same: field by field, in the order in which a conflict names them.
import type { Command, Posting } from './command.ts'

const last = ['asset', 'businessDate', 'channel', 'reference', 'metadata'] as const

/** The type's own fields as in its interface in `command.ts`; what every transaction may carry follows. */
const fields = {
  debit: ['account', 'amount', 'to', ...last],
  credit: ['account', 'amount', 'from', ...last],
  transfer: ['from', 'to', 'amount', ...last],
  hold: ['account', 'amount', 'to', 'expiresAt', 'expiresIn', ...last],
  capture: ['account', 'hold', 'amount', 'final', ...last],
  release: ['account', 'hold', ...last],
  refund: ['account', 'of', 'amount', ...last],
  postings: ['owner', 'transfers', ...last],
  'points.earn': ['owner', 'amount', 'expiresOn', ...last],
  'points.redeem': ['owner', 'amount', ...last],
  'points.expire': ['owner'],
  'coupon.claim': ['owner', 'campaign', 'order', ...last],
  'coupon.redeem': ['owner', 'campaign', 'order', ...last],
  'coupon.return': ['owner', 'campaign', 'order', ...last],
  catalog: ['partition', 'version', 'kind', 'code', 'body'],
  stock: ['partition', 'campaign', 'action', 'amount'],
  open: ['account', 'asset', 'overdraft', 'normal', 'metadata'],
  change: ['account', 'status', 'overdraft', 'ifVersion'],
  expire: ['account'],
} as const satisfies { [T in Command['type']]: readonly (keyof Extract<Command, { type: T }>)[] }

const postingFields = ['from', 'to', 'amount', 'asset'] as const satisfies readonly (keyof Posting)[]

/** The first field in which the bodies differ (`type`, `amount`, `transfers[2].to`); undefined: they are the same. */
export function firstDifference(first: Command, later: Command): string | undefined {
  if (first.type !== later.type) return 'type'
  if (first.type === 'postings' && later.type === 'postings') {
    if (first.owner !== later.owner) return 'owner'
    const field = differenceOfTransfers(first.transfers, later.transfers)
    if (field !== undefined) return field
  }
  const a: Readonly<Record<string, unknown>> = { ...first }
  const b: Readonly<Record<string, unknown>> = { ...later }
  for (const field of fields[first.type]) if (field !== 'transfers' && a[field] !== b[field]) return field
  return undefined
}

function differenceOfTransfers(first: readonly Posting[], later: readonly Posting[]): string | undefined {
  for (const [index, transfer] of first.entries()) {
    const other = later[index]
    if (other === undefined) break
    for (const field of postingFields) if (transfer[field] !== other[field]) return `transfers[${index}].${field}`
  }
  return first.length === later.length ? undefined : 'transfers'
}
