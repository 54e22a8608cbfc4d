// The one table of every code that leaves the server: meaning, HTTP status, whether sending the same again can help, and the effect.
// Problems are RFC 9457 objects with a fixed key order, so that a repeated answer is the same byte for byte.
import type { Refusal } from '../core/code.ts'

export type Effect = 'none' | 'applied' | 'unknown'

/** Codes of the way to the engine and back; none of them is stored. */
export type TransportCode =
  | 'invalid'
  | 'unknown_field'
  | 'not_found'
  | 'method_not_allowed'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'id_conflict'
  | 'account_exists'
  | 'asset_exists'
  | 'campaign_conflict'
  | 'catalog_full'
  | 'version_mismatch'
  | 'overloaded'
  | 'outcome_unknown'
  | 'shard_unavailable'
  | 'not_ready'
  | 'fault'

export type ProblemCode = Refusal | TransportCode

interface Meaning {
  readonly http: number
  readonly title: string
  readonly retryable: boolean
  readonly effect: Effect
}

const declined = (title: string): Meaning => ({ http: 422, title, retryable: false, effect: 'none' })

export const problems = {
  account_not_found: declined('The account does not exist.'),
  account_closed: declined('The account is closed.'),
  account_frozen: declined('The account is frozen: nothing may lower what is available.'),
  asset_mismatch: declined('The asset is not that of the account.'),
  amount_scale: declined('The amount has more decimals than the asset.'),
  amount_overflow: declined('The amount or the resulting balance does not fit 63 bits of minor units.'),
  same_account: declined('Both sides are the same account.'),
  hold_not_found: declined('No such hold on this account.'),
  hold_captured: declined('The hold was captured.'),
  hold_released: declined('The hold was released.'),
  hold_expired: declined('The hold has expired.'),
  capture_exceeds_hold: declined('The capture is above what is left of the hold.'),
  original_not_found: declined('No such original transaction on this account.'),
  original_not_refundable: declined('The original is not a transaction that can be refunded.'),
  refund_exceeds_original: declined('The refund is above what is left of the original.'),
  insufficient_funds: declined('The available amount does not cover it.'),
  account_not_empty: declined('The account still has a balance or holds.'),
  business_date_closed: declined('The business date is closed.'),
  internal_error: {
    http: 500,
    title: 'The command made its host fail and was put into quarantine; nothing was posted.',
    retryable: false,
    effect: 'none',
  },
  credit_line_exceeded: declined('The credit line does not cover it.'),
  loan_already_disbursed: declined('The loan was paid out already.'),
  coupon_exhausted: declined('No coupon of the campaign is left.'),
  coupon_limit_reached: declined('The customer has reached the limit of the campaign.'),
  coupon_not_started: declined('The claim window has not opened yet.'),
  coupon_expired: declined('The coupon or its campaign has expired.'),
  coupon_not_held: declined('The customer does not hold the coupon.'),
  coupon_minimum_not_met: declined('The order is below the minimum spend of the coupon.'),
  points_insufficient: declined('There are not enough points.'),
  campaign_not_found: declined('There is no such campaign.'),
  program_not_found: declined('There is no such points program.'),
  points_expired: declined('The last day of these points is over.'),
  order_not_balanced: declined('The parts of the order do not sum up to its total.'),
  invalid: { http: 400, title: 'The request is malformed.', retryable: false, effect: 'none' },
  unknown_field: { http: 400, title: 'The request has a field that is not known.', retryable: false, effect: 'none' },
  not_found: { http: 404, title: 'There is no such resource.', retryable: false, effect: 'none' },
  method_not_allowed: { http: 405, title: 'The resource does not have this method.', retryable: false, effect: 'none' },
  unsupported_media_type: {
    http: 415,
    title: 'The content type is not supported here.',
    retryable: false,
    effect: 'none',
  },
  payload_too_large: { http: 413, title: 'The body is too large.', retryable: false, effect: 'none' },
  id_conflict: { http: 409, title: 'The id was used with another body.', retryable: false, effect: 'none' },
  account_exists: { http: 409, title: 'The account exists with other properties.', retryable: false, effect: 'none' },
  asset_exists: { http: 409, title: 'The asset exists with other properties.', retryable: false, effect: 'none' },
  campaign_conflict: {
    http: 409,
    title: 'The campaign cannot be changed so.',
    retryable: false,
    effect: 'none',
  },
  catalog_full: {
    http: 409,
    title: 'There are as many assets, programs and campaigns as the catalog holds.',
    retryable: false,
    effect: 'none',
  },
  version_mismatch: { http: 412, title: 'The account has another version.', retryable: false, effect: 'none' },
  overloaded: { http: 429, title: 'Too much waits here; nothing was accepted.', retryable: true, effect: 'none' },
  outcome_unknown: {
    http: 503,
    title: 'The answer did not come in time; send the same id again.',
    retryable: true,
    effect: 'unknown',
  },
  shard_unavailable: {
    http: 503,
    title: 'The database of this owner cannot be reached; nothing was accepted, send the same id again.',
    retryable: true,
    effect: 'none',
  },
  not_ready: { http: 503, title: 'The server is starting or stopping.', retryable: true, effect: 'none' },
  fault: { http: 500, title: 'Something inside failed.', retryable: true, effect: 'unknown' },
} as const satisfies Record<ProblemCode, Meaning>

export interface ProblemParts {
  readonly detail: string
  /** Name of the wrong field, `transfers[2].amount`-like. */
  readonly field?: string | undefined
  /** Path of the resource; nothing in a body is specific to one request. */
  readonly instance?: string | undefined
  /** Facts of the refusal: `available`, `needed`. */
  readonly facts?: Readonly<Record<string, string>> | undefined
}

/** The problem as JSON text: type, title, status, detail, code, retryable, effect, then field, facts, instance where present. */
export function problemBody(code: ProblemCode, parts: ProblemParts): string {
  const meaning = problems[code]
  return JSON.stringify({
    type: `urn:suanpan:problem:${code}`,
    title: meaning.title,
    status: meaning.http,
    detail: parts.detail,
    code,
    retryable: meaning.retryable,
    effect: meaning.effect,
    field: parts.field,
    ...parts.facts,
    instance: parts.instance,
  })
}
