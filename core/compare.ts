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
  order: ['owner', 'total', 'cash', 'points', 'coupon', 'credit', 'merchant', ...last],
  disbursement: ['owner', 'loan', 'to', 'amount', 'creditLine', 'funders', ...last],
  settle: ['merchant', 'to', 'amount', ...last],
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
  for (const field of fields[first.type]) {
    if (field === 'transfers') continue
    const difference = parted.has(field)
      ? differenceOfParts(field, a[field], b[field])
      : a[field] === b[field]
        ? undefined
        : field
    if (difference !== undefined) return difference
  }
  return undefined
}

/** Fields that are objects or lists of objects: named to their member, `cash.amount`, `funders[1].share`. */
const parted: ReadonlySet<string> = new Set(['cash', 'points', 'coupon', 'credit', 'funders'])

function differenceOfParts(name: string, first: unknown, later: unknown): string | undefined {
  if (typeof first !== 'object' || typeof later !== 'object' || first === null || later === null) {
    return first === later ? undefined : name
  }
  if (Array.isArray(first) && Array.isArray(later)) {
    for (let i = 0; i < Math.min(first.length, later.length); i++) {
      const difference = differenceOfParts(`${name}[${i}]`, first[i], later[i])
      if (difference !== undefined) return difference
    }
    return first.length === later.length ? undefined : name
  }
  const a: Readonly<Record<string, unknown>> = { ...first }
  const b: Readonly<Record<string, unknown>> = { ...later }
  for (const member of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (a[member] !== b[member]) return `${name}.${member}`
  }
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
