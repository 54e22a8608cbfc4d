// Renders the answer to a decision as JSON text with a fixed key order, from stored facts only: the first answer and every repeat of it
// are the same byte for byte, whether they come from memory or from the journal.
import type { Account, AccountRef } from '../core/account.ts'
import { dateText } from '../core/business-date.ts'
import { type Refusal, refusalOf } from '../core/code.ts'
import type { Command } from '../core/command.ts'
import type { Decision } from '../core/decide.ts'
import { ownerOfAccount } from '../core/identity.ts'
import { violated } from '../core/invariant.ts'
import { formatMinor } from '../core/money.ts'
import { ownerOfCommand } from '../core/owner.ts'
import type { Row } from '../core/row.ts'
import type { Decided, Facts } from '../core/transaction.ts'
import { problemBody } from './problem.ts'

export interface Answer {
  /** 201 decided now, 200 the first answer again, 4xx / 5xx a problem (see `problem.ts`). */
  readonly http: number
  /** The id had been decided before. */
  readonly replayed: boolean
  /** JSON text. */
  readonly body: string
}

/** In place of a status: not for the client, but for intake, which keeps the command until the other partitions were looked at. */
export const stockElsewhere = 0

/** The answer to any decision but `nothing`, which nobody waits for. */
export function answerTo(decision: Decision, command: Command, nowMs: number): Answer {
  switch (decision.kind) {
    case 'decided':
      return decidedAnswer(decision.decided, false)
    case 'repeated':
      return decidedAnswer(decision.decided, true)
    case 'conflict':
      return {
        http: 409,
        replayed: false,
        body: problemBody('id_conflict', {
          detail: `The id ${command.id} was used before with another ${decision.field}.`,
          field: decision.field,
          instance: instanceOf(command),
        }),
      }
    case 'exists':
      return decision.alike
        ? { http: 200, replayed: false, body: liveAccountBody(decision.account, nowMs) }
        : {
            http: 409,
            replayed: false,
            body: problemBody('account_exists', {
              detail: `The account ${decision.account.id} exists with another asset, overdraft or normal side.`,
              field: 'id',
              instance: instanceOf(command),
            }),
          }
    case 'version_mismatch':
      return {
        http: 412,
        replayed: false,
        body: problemBody('version_mismatch', {
          detail: `The account ${decision.account.id} has version ${decision.account.version}.`,
          field: 'if-match',
          instance: instanceOf(command),
        }),
      }
    case 'catalog_at':
      return { http: 200, replayed: false, body: versionBody(decision.version) }
    case 'stock_elsewhere':
      return { http: stockElsewhere, replayed: false, body: '{}' }
    case 'overloaded':
      return {
        http: 429,
        replayed: false,
        body: problemBody('overloaded', {
          detail: 'Too much of this owner is under way across owners; nothing was accepted.',
          instance: instanceOf(command),
        }),
      }
    case 'started':
    case 'undecided':
      return violated('answered_when_decided', { id: command.id })
    case 'nothing':
      return { http: 200, replayed: false, body: '{}' }
  }
}

function decidedAnswer(decided: Decided, replayed: boolean): Answer {
  const refusal = refusalOf(decided.rows[0].code)
  if (refusal !== undefined) return declinedAnswer(refusal, decided, replayed)
  const { command } = decided
  const { type } = command
  if (type === 'catalog') return { http: replayed ? 200 : 201, replayed, body: versionBody(command.version) }
  const body = type === 'open' || type === 'change' ? changedAccountBody(decided) : transactionBody(decided)
  // An account's change is a resource again each time; only its opening creates one.
  return { http: replayed || type === 'change' ? 200 : 201, replayed, body }
}

/** `{"id","type","status","at","businessDate","accounts":[{"id","balance","held","seq"}]}`; ids and codes are plain ASCII without quotes. */
export function transactionBody(decided: Decided): string {
  const { command } = decided
  const status = command.type === 'hold' ? 'pending' : 'posted'
  return `{"id":"${command.id}","type":"${command.type}","status":"${status}","at":"${timeText(decided.at)}","businessDate":"${cachedDateText(decided.date)}","accounts":[${accountsText(decided)}]}`
}

/** At which version of the catalog a partition stands. */
const versionBody = (version: number): string => `{"version":${version}}`

/**
 * The accounts that were touched, in order of appearance, each as it stands after the transaction; house accounts are left out, and where
 * owners meet those of the others: what somebody else has is not for the client of this one, and may not be known in this partition.
 */
function accountsText({ rows, command }: Decided): string {
  const only = rows.length === 1 ? rows[0] : undefined
  if (
    only !== undefined &&
    (only.from === undefined || only.from.key < 0 || only.to === undefined || only.to.key < 0)
  ) {
    const from = only.from !== undefined && only.fromSeq > 0 && only.from.key > 0 ? fromText(only, only.from) : ''
    const to = only.to !== undefined && only.toSeq > 0 && only.to.key > 0 ? toText(only, only.to) : ''
    return from + to
  }
  const owner = ownerOfCommand(command)
  const last = new Map<number, string>()
  for (const row of rows) {
    if (row.from !== undefined && row.fromSeq > 0 && isOf(row.from, owner))
      last.set(row.from.key, fromText(row, row.from))
    if (row.to !== undefined && row.toSeq > 0 && isOf(row.to, owner)) last.set(row.to.key, toText(row, row.to))
  }
  return [...last.values()].join(',')
}

const isOf = ({ key, id }: AccountRef, owner: string): boolean => key > 0 && ownerOfAccount(id) === owner

const fromText = (row: Row, ref: AccountRef): string => sideText(ref, row.fromBalance, row.fromHeld, row.fromSeq)
const toText = (row: Row, ref: AccountRef): string => sideText(ref, row.toBalance, row.toHeld, row.toSeq)

function sideText(ref: AccountRef, balance: bigint, held: bigint, seq: number): string {
  const { scale } = ref.asset
  const outside = ref.normal === 'credit' ? balance : -balance
  return `{"id":"${ref.id}","balance":"${formatMinor(outside, scale)}","held":"${formatMinor(held, scale)}","seq":${seq}}`
}

function declinedAnswer(refusal: Refusal, decided: Decided, replayed: boolean): Answer {
  const { facts, command } = decided
  if (refusal === 'order_not_balanced' && facts !== undefined) return unbalancedAnswer(decided, facts, replayed)
  const money =
    facts?.available !== undefined && facts.needed !== undefined
      ? { available: facts.available, needed: facts.needed }
      : undefined
  return {
    http: refusal === 'internal_error' ? 500 : 422,
    replayed,
    body: problemBody(refusal, {
      detail: declinedDetail(refusal, command, money),
      instance: instanceOf(command),
      facts: money,
    }),
  }
}

function unbalancedAnswer(decided: Decided, facts: Facts, replayed: boolean): Answer {
  const { total = '', sum = '', pointsValue, discount } = facts
  const parts = {
    ...(pointsValue === undefined ? {} : { pointsValue }),
    ...(discount === undefined ? {} : { discount }),
  }
  return {
    http: 422,
    replayed,
    body: problemBody('order_not_balanced', {
      detail: `The parts sum up to ${sum}, the total is ${total}.`,
      instance: instanceOf(decided.command),
      facts: { total, sum, ...parts },
    }),
  }
}

function declinedDetail(
  refusal: Refusal,
  command: Command,
  money: { available: string; needed: string } | undefined,
): string {
  if (money !== undefined) return `${money.available} is available, ${money.needed} is needed.`
  if (refusal === 'internal_error') return 'Tried alone, it failed again; the operators were told.'
  return `The ${command.type} ${command.id.startsWith('!') ? '' : `${command.id} `}was declined: ${refusal}.`
}

/** Path of the resource that a command is about. */
export function instanceOf(command: Command): string {
  if (command.type === 'open' || command.type === 'change') return `/v1/accounts/${command.account}`
  return `/v1/transactions/${command.id}?owner=${ownerOfCommand(command)}`
}

function changedAccountBody(decided: Decided): string {
  const row = decided.rows[0]
  const { facts } = decided
  const account = row.from
  if (account === undefined || facts === undefined) return '{}'
  return accountBody({
    ref: account,
    balance: BigInt(facts.balance ?? 0),
    held: BigInt(facts.held ?? 0),
    overdraft: row.amount,
    status: facts.status ?? 'open',
    seq: facts.seq ?? 0,
    version: facts.version ?? 1,
    asOf: decided.at,
  })
}

const liveAccountBody = (account: Account, nowMs: number): string =>
  accountBody({
    ref: account,
    balance: account.balance,
    held: account.held,
    overdraft: account.overdraft,
    status: account.status,
    seq: account.seq,
    version: account.version,
    asOf: nowMs,
  })

/** An account as the outside sees it: `{"id","asset","balance","held","available","overdraft","status","seq","version","asOf","normal"}`. */
function accountBody(view: {
  ref: AccountRef
  balance: bigint
  held: bigint
  overdraft: bigint
  status: string
  seq: number
  version: number
  asOf: number
}): string {
  const { code, scale } = view.ref.asset
  const outside = view.ref.normal === 'credit' ? view.balance : -view.balance
  return JSON.stringify({
    id: view.ref.id,
    asset: code,
    balance: formatMinor(outside, scale),
    held: formatMinor(view.held, scale),
    available: formatMinor(outside - view.held + view.overdraft, scale),
    overdraft: formatMinor(view.overdraft, scale),
    status: view.status,
    seq: view.seq,
    version: view.version,
    asOf: timeText(view.asOf),
    normal: view.ref.normal,
  })
}

// A batch shares one or two milliseconds and one day: the last text is kept instead of made again (0.3 us each).
let lastMs = Number.NaN
let lastTime = ''
/** RFC 3339 in UTC with milliseconds. */
export function timeText(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms
    lastTime = new Date(ms).toISOString()
  }
  return lastTime
}

let lastDate = Number.NaN
let lastDateText = ''
function cachedDateText(days: number): string {
  if (days !== lastDate) {
    lastDate = days
    lastDateText = dateText(days)
  }
  return lastDateText
}
