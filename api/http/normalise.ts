// From a parsed body to the normalised command that the engine compares and decides: which type, the closed schema of the type, then the
// rules that a schema cannot say. Nothing here knows of HTTP but the name of the header that may stand in for `id`.
import type { Static, TSchema } from 'typebox'
import { partiesMax, transitId } from '../../core/across/joint.ts'
import { daysOfDate } from '../../core/business-date.ts'
import type { Postings, TransactionCommand } from '../../core/command.ts'
import { isHouse } from '../../core/identity.ts'
import { normalizeDecimal } from '../../core/money.ts'
import { accountIdsOf, nonHouseOwnersOf, postingsOwnerProblem } from '../../core/owner.ts'
import { businessDateWords, instantWords, transactionIdPattern, transactionIdWords } from '../../schemas/http/fields.ts'
import {
  CaptureBody,
  CreditBody,
  DebitBody,
  HoldBody,
  PostingsBody,
  RefundBody,
  ReleaseBody,
  TransferBody,
} from '../../schemas/http/transaction.ts'
import { checker } from './check.ts'
import { metadataText } from './metadata.ts'
import { policyReaders } from './normalise-policy.ts'
import { invalid, Problem } from './problem.ts'

/** A normalised command, or the problem that its sender made. `key`: the Idempotency-Key header as it was sent. */
export function readTransaction(body: unknown, key: string | undefined): TransactionCommand | Problem {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return notAnObject
  const { type } = body as { readonly type?: unknown }
  const reader = typeof type === 'string' ? readers.get(type) : undefined
  return reader === undefined ? (type === undefined ? noType : unknownType) : reader(body, key)
}

const notAnObject = invalid(undefined, 'A JSON object is expected.')

export type Reader = (body: unknown, key: string | undefined) => TransactionCommand | Problem

/** What every type has in common, checked and normalised. */
export interface Head {
  readonly id: string
  readonly asset: string | undefined
  readonly businessDate: string | undefined
  readonly channel: string | undefined
  readonly reference: string | undefined
  readonly metadata: string | undefined
}

export function reader<Schema extends TSchema>(
  schema: Schema,
  build: (body: Static<Schema>, head: Head) => TransactionCommand | Problem,
): Reader {
  const { check, explain } = checker(schema)
  return (body, key) => {
    if (!check(body)) return explain(body)
    const head = headOf(body as GivenHead, key)
    if (head instanceof Problem) return head
    const command = build(body, head)
    return command instanceof Problem ? command : (problemOfSides(command) ?? problemOfTransit(command) ?? command)
  }
}

interface GivenHead {
  readonly id?: string
  readonly asset?: string
  readonly businessDate?: string
  readonly channel?: string
  readonly reference?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

function headOf(given: GivenHead, key: string | undefined): Head | Problem {
  let { id } = given
  if (key !== undefined) {
    const keyId = idOfKey(key)
    if (keyId instanceof Problem) return keyId
    if (id !== undefined && id !== keyId) return invalid('id', 'id and the Idempotency-Key header must be equal.')
    id = keyId
  }
  if (id === undefined)
    return invalid('id', 'id is missing, and there is no Idempotency-Key header to stand in for it.')
  const { businessDate } = given
  if (businessDate !== undefined && daysOfDate(businessDate) === undefined) {
    return invalid('businessDate', `businessDate must be ${businessDateWords}.`)
  }
  const metadata = given.metadata === undefined ? undefined : metadataText(given.metadata)
  if (metadata instanceof Problem) return metadata
  return { id, asset: given.asset, businessDate, channel: given.channel, reference: given.reference, metadata }
}

const idPattern = new RegExp(transactionIdPattern)

/** The header plain or as an sf-string (RFC 8941); no character of an id is ever escaped in one. */
function idOfKey(key: string): string | Problem {
  const quoted = key.length >= 2 && key.startsWith('"') && key.endsWith('"')
  const id = quoted ? key.slice(1, -1) : key
  return idPattern.test(id) ? id : invalid('id', `The Idempotency-Key header must be ${transactionIdWords}.`)
}

const settlement = (head: Head): string => `house:settlement:${head.channel ?? 'default'}`
const normalized = (amount: string | undefined): string | undefined =>
  amount === undefined ? undefined : normalizeDecimal(amount)

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [
    'debit',
    reader(DebitBody, (body, head) => ({
      type: 'debit',
      ...head,
      account: body.account,
      amount: normalizeDecimal(body.amount),
      to: body.to ?? settlement(head),
    })),
  ],
  [
    'credit',
    reader(CreditBody, (body, head) => ({
      type: 'credit',
      ...head,
      account: body.account,
      amount: normalizeDecimal(body.amount),
      from: body.from ?? settlement(head),
    })),
  ],
  [
    'transfer',
    reader(TransferBody, (body, head) => ({
      type: 'transfer',
      ...head,
      from: body.from,
      to: body.to,
      amount: normalizeDecimal(body.amount),
    })),
  ],
  [
    'hold',
    reader(HoldBody, (body, head) => {
      const { expiresAt, expiresIn } = body
      if (expiresAt !== undefined && expiresIn !== undefined) {
        return invalid('expiresIn', 'expiresAt and expiresIn exclude each other.')
      }
      if (expiresAt !== undefined && !isInstant(expiresAt)) {
        return invalid('expiresAt', `expiresAt must be ${instantWords}.`)
      }
      return {
        type: 'hold',
        ...head,
        account: body.account,
        amount: normalizeDecimal(body.amount),
        to: body.to ?? settlement(head),
        expiresAt,
        expiresIn,
      }
    }),
  ],
  [
    'capture',
    reader(CaptureBody, (body, head) => ({
      type: 'capture',
      ...head,
      account: body.account,
      hold: body.hold,
      amount: normalized(body.amount),
      final: body.final ?? true,
    })),
  ],
  [
    'release',
    reader(ReleaseBody, (body, head) => ({ type: 'release', ...head, account: body.account, hold: body.hold })),
  ],
  [
    'refund',
    reader(RefundBody, (body, head) => ({
      type: 'refund',
      ...head,
      account: body.account,
      of: body.of,
      amount: normalized(body.amount),
    })),
  ],
  [
    'postings',
    reader(PostingsBody, (body, head) => ({
      type: 'postings',
      ...head,
      owner: body.owner,
      transfers: body.transfers.map(({ from, to, amount, asset }) => ({
        from,
        to,
        amount: normalizeDecimal(amount),
        asset,
      })),
    })),
  ],
  ...policyReaders(reader),
])

const typeNames = [...readers.keys()].join(', ')
const noType = invalid('type', `type is missing; it must be one of ${typeNames}.`)
const unknownType = invalid('type', `type must be one of ${typeNames}.`)

/** Years 0001 to 9999 in UTC, what Postgres and four digits hold. */
const instantMin = Date.parse('0001-01-01T00:00:00Z')
const instantMax = Date.parse('9999-12-31T23:59:59.999Z')

/** Expects the syntax of `field.Instant`. `Date.parse` alone takes 30 February and 24:00. */
export function isInstant(text: string): boolean {
  if (daysOfDate(text.slice(0, 10)) === undefined || text.slice(11, 13) > '23') return false
  const at = Date.parse(text)
  return at >= instantMin && at <= instantMax
}

/** Rules about whose accounts a command names; undefined: it may go to the engine. */
function problemOfSides(command: TransactionCommand): Problem | undefined {
  switch (command.type) {
    case 'debit':
      return isHouse(command.account) && isHouse(command.to) ? withoutAsset(command.asset, 'asset') : undefined
    case 'hold':
    // An account of the house is in every partition.
    case 'capture':
    case 'release':
    case 'refund':
      return problemOfHouse(command.account)
    case 'credit':
      return isHouse(command.account) && isHouse(command.from) ? withoutAsset(command.asset, 'asset') : undefined
    case 'transfer':
      return isHouse(command.from) && isHouse(command.to) ? withoutAsset(command.asset, 'asset') : undefined
    case 'postings':
      return problemOfPostings(command)
    default:
      return undefined
  }
}

function problemOfHouse(account: string): Problem | undefined {
  return isHouse(account)
    ? invalid(
        'account',
        'account must be one of an owner: nothing is held on house accounts, nor given back by them alone.',
      )
    : undefined
}

function problemOfPostings(command: Postings): Problem | undefined {
  const problem = postingsOwnerProblem(command)
  if (problem === 'required') return invalid('owner', 'owner is missing: the accounts belong to more than one.')
  if (problem === 'not_an_owner') return invalid('owner', 'owner must be the owner of one of the accounts.')
  if (nonHouseOwnersOf(command).length > ownersMax)
    return invalid('transfers', `The accounts belong to more than ${ownersMax} owners.`)
  if (command.asset !== undefined || !command.transfers.every(({ from, to }) => isHouse(from) && isHouse(to)))
    return undefined
  const bare = command.transfers.findIndex(({ asset }) => asset === undefined)
  return bare === -1 ? undefined : withoutAsset(undefined, `transfers[${bare}].asset`)
}

/** One party of a transaction may be the house (see `partiesMax`). */
const ownersMax = partiesMax - 1

function problemOfTransit(command: TransactionCommand): Problem | undefined {
  return accountIdsOf(command).includes(transitId) ? onlyOurs : undefined
}
const onlyOurs = invalid(undefined, `${transitId} is kept by the ledger itself.`)

function withoutAsset(asset: string | undefined, name: string): Problem | undefined {
  return asset === undefined
    ? invalid(name, `${name} is missing: house accounts have one balance for each asset.`)
    : undefined
}
