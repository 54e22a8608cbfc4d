// What `POST /v1/transactions` takes: one closed object per type. Rules that no schema can say (real dates, one of two fields, whose
// accounts they are) stand in `api/http/normalise.ts`.
import { type TProperties, Type } from 'typebox'
import * as field from './fields.ts'

/** Optional on every type; `id` may come in the Idempotency-Key header instead. */
const common = {
  id: Type.Optional(field.TransactionId),
  asset: Type.Optional(field.AssetCode),
  businessDate: Type.Optional(field.BusinessDate),
  channel: Type.Optional(field.Channel),
  reference: Type.Optional(field.Reference),
  metadata: Type.Optional(field.Metadata),
}

/** `debit` -> `Debit`, `points.earn` -> `PointsEarn`: as the OpenAPI document names the schema. */
const schemaName = (type: string): string =>
  type
    .split('.')
    .map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1)}`)
    .join('')

const command = <Name extends string, Own extends TProperties>(name: Name, description: string, own: Own) =>
  Type.Object(
    { ...common, type: Type.Literal(name), ...own },
    { additionalProperties: false, $id: schemaName(name), title: name, description },
  )

export const DebitBody = command(
  'debit',
  'Takes from an account; the other side is the settlement account of the channel.',
  {
    account: field.AccountId,
    amount: field.Amount,
    to: Type.Optional(field.AccountId),
  },
)

export const CreditBody = command(
  'credit',
  'Pays into an account; the other side is the settlement account of the channel.',
  {
    account: field.AccountId,
    amount: field.Amount,
    from: Type.Optional(field.AccountId),
  },
)

export const TransferBody = command('transfer', 'Moves an amount from one account to another.', {
  from: field.AccountId,
  to: field.AccountId,
  amount: field.Amount,
})

export const HoldBody = command(
  'hold',
  'Reserves an amount, to be captured or released later; for an account of any owner (`to`).',
  {
    account: field.AccountId,
    amount: field.Amount,
    to: Type.Optional(field.AccountId),
    expiresAt: Type.Optional(field.Instant),
    expiresIn: Type.Optional(field.Seconds),
  },
)

export const CaptureBody = command(
  'capture',
  'Moves what a hold has reserved to the account that it is for, whole or in part.',
  {
    account: field.AccountId,
    hold: field.TransactionId,
    amount: Type.Optional(field.Amount),
    final: Type.Optional(Type.Boolean({ description: 'true or false', default: true })),
  },
)

export const ReleaseBody = command('release', 'Gives back what a hold has reserved.', {
  account: field.AccountId,
  hold: field.TransactionId,
})

export const RefundBody = command('refund', 'Gives back an earlier transaction, whole or in part.', {
  account: field.AccountId,
  of: field.TransactionId,
  amount: Type.Optional(field.Amount),
})

const transfersMax = 64

export const PostingsBody = command('postings', 'Many transfers, all or nothing.', {
  owner: Type.Optional(field.Owner),
  transfers: Type.Array(
    Type.Object(
      {
        from: field.AccountId,
        to: field.AccountId,
        amount: field.Amount,
        asset: Type.Optional(field.AssetCode),
      },
      { additionalProperties: false, description: 'an object with from, to, amount and maybe asset' },
    ),
    { minItems: 1, maxItems: transfersMax, description: `an array of 1 to ${transfersMax} transfers` },
  ),
})

export const EarnPointsBody = command(
  'points.earn',
  'Gives points that may be used to the end of a day. `asset` is the program, POINTS if omitted.',
  { owner: field.Owner, amount: field.Amount, expiresOn: field.LastDay },
)

export const RedeemPointsBody = command(
  'points.redeem',
  'Takes points, those that expire first first. `asset` is the program, POINTS if omitted.',
  { owner: field.Owner, amount: field.Amount },
)

const ofCoupon = {
  owner: field.Owner,
  campaign: field.CampaignCode,
  order: Type.Optional(field.TransactionId),
}

export const ClaimCouponBody = command(
  'coupon.claim',
  "Moves one coupon from the campaign's stock to the owner.",
  ofCoupon,
)

export const RedeemCouponBody = command(
  'coupon.redeem',
  'Uses a coupon of the owner, the one that expires first. An `order` does it by itself.',
  ofCoupon,
)

export const ReturnCouponBody = command(
  'coupon.return',
  'Takes back a redemption that was made for the same `order`, if the campaign returns its coupons.',
  ofCoupon,
)

const part = <Own extends TProperties>(own: Own, words: string) =>
  Type.Optional(Type.Object(own, { additionalProperties: false, description: `an object with ${words}` }))

export const OrderBody = command(
  'order',
  'Cash, credit line, points and coupon of one customer against a merchant: cash + value of the points + discount + credit = total, all or nothing.',
  {
    owner: field.Owner,
    total: field.Amount,
    cash: part({ account: field.AccountId, amount: field.Amount }, 'account and amount'),
    points: part({ amount: field.Amount, program: Type.Optional(field.AssetCode) }, 'amount and maybe program'),
    coupon: part({ campaign: field.CampaignCode }, 'campaign'),
    credit: part({ creditLine: field.AccountId, amount: field.Amount }, 'creditLine and amount'),
    merchant: field.Name,
  },
)

export const fundersMax = 16

export const DisbursementBody = command(
  'disbursement',
  'Pays a loan out, once: the credit line is drawn, each funder pays its share, the borrower owes the whole.',
  {
    owner: field.Owner,
    loan: field.Name,
    to: field.AccountId,
    amount: field.Amount,
    creditLine: Type.Optional(field.AccountId),
    funders: Type.Optional(
      Type.Array(
        Type.Object(
          { account: field.AccountId, share: field.Share },
          { additionalProperties: false, description: 'an object with account and share' },
        ),
        { minItems: 1, maxItems: fundersMax, description: `an array of 1 to ${fundersMax} funders` },
      ),
    ),
  },
)

export const SettleBody = command(
  'settle',
  "Moves a merchant's takings, all or an amount of them, to an account of the merchant.",
  { merchant: field.Name, to: field.AccountId, amount: Type.Optional(field.Amount) },
)

/** By the value of `type`. */
export const transactionBodies = {
  debit: DebitBody,
  credit: CreditBody,
  transfer: TransferBody,
  hold: HoldBody,
  capture: CaptureBody,
  release: ReleaseBody,
  refund: RefundBody,
  postings: PostingsBody,
  'points.earn': EarnPointsBody,
  'points.redeem': RedeemPointsBody,
  order: OrderBody,
  disbursement: DisbursementBody,
  settle: SettleBody,
  'coupon.claim': ClaimCouponBody,
  'coupon.redeem': RedeemCouponBody,
  'coupon.return': ReturnCouponBody,
} as const

/** Any of them, as the OpenAPI document names it. */
export const AnyTransactionBody = Type.Unsafe<unknown>({
  $id: 'TransactionBody',
  title: 'TransactionBody',
  oneOf: Object.keys(transactionBodies).map((type) => ({ $ref: `${schemaName(type)}#` })),
  discriminator: {
    propertyName: 'type',
    mapping: Object.fromEntries(
      Object.keys(transactionBodies).map((type) => [type, `#/components/schemas/${schemaName(type)}`]),
    ),
  },
  examples: [{ id: 'pay-20260301-0001', type: 'debit', account: 'cust-42:cash', amount: '12.34', channel: 'alipay' }],
})
