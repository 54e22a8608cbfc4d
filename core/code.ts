// The closed table of result codes: why a command was declined. A number is stored in the journal and never reused or renamed.

/** Stored number of each refusal; 0 in the journal means accepted. Append only. */
export const refusalNumbers = {
  account_not_found: 1,
  account_closed: 2,
  account_frozen: 3,
  asset_mismatch: 4,
  amount_scale: 5,
  amount_overflow: 6,
  same_account: 7,
  hold_not_found: 8,
  hold_captured: 9,
  hold_released: 10,
  hold_expired: 11,
  capture_exceeds_hold: 12,
  original_not_found: 13,
  original_not_refundable: 14,
  refund_exceeds_original: 15,
  insufficient_funds: 16,
  account_not_empty: 17,
  business_date_closed: 18,
  internal_error: 19,
  credit_line_exceeded: 20,
  loan_already_disbursed: 21,
  coupon_exhausted: 22,
  coupon_limit_reached: 23,
  coupon_not_started: 24,
  coupon_expired: 25,
  coupon_not_held: 26,
  coupon_minimum_not_met: 27,
  points_insufficient: 28,
  order_not_balanced: 29,
  // 30 to 39 are left to transactions between partitions.
  points_expired: 40,
  campaign_not_found: 41,
  program_not_found: 42,
} as const

export type Refusal = keyof typeof refusalNumbers

const refusalByNumber = new Map<number, Refusal>(
  Object.entries(refusalNumbers).map(([refusal, number]) => [number, refusal as Refusal]),
)

/** The refusal behind a stored number; undefined for 0 (accepted) and for a number that no version of this table wrote. */
export const refusalOf = (stored: number): Refusal | undefined => refusalByNumber.get(stored)
