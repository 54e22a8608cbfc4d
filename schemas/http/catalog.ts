// Requests and answers of what every partition sees in order beside the assets: points programs and campaigns.
import { Type } from 'typebox'
import * as field from './fields.ts'

export const ProgramBody = Type.Object(
  {
    asset: field.AssetCode,
    points: field.Amount,
    worth: field.Amount,
  },
  {
    additionalProperties: false,
    description: 'An object with asset, points and worth: so many points are worth so much of the asset.',
    examples: [{ asset: 'CNY', points: '100', worth: '1.00' }],
  },
)

export const stockMax = 1_000_000_000
const validDaysMax = 3_650

const Percent = Type.String({
  pattern: '^(?:100|[1-9]?[0-9](?:\\.[0-9]{1,4})?)$',
  description: 'a decimal string above zero and at most "100", with up to four decimals',
  examples: ['15'],
})

export const CampaignBody = Type.Object(
  {
    asset: field.AssetCode,
    stock: Type.Integer({ minimum: 1, maximum: stockMax, description: `a whole number from 1 to ${stockMax}` }),
    limitPerCustomer: Type.Optional(
      Type.Integer({ minimum: 1, maximum: stockMax, description: `a whole number from 1 to ${stockMax}` }),
    ),
    claimFrom: Type.Optional(field.Instant),
    claimUntil: Type.Optional(field.Instant),
    validFrom: Type.Optional(field.Instant),
    validUntil: Type.Optional(field.Instant),
    validDays: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: validDaysMax,
        description: `a whole number of days from 0 to ${validDaysMax}`,
      }),
    ),
    minimumSpend: Type.Optional(field.Amount),
    discount: Type.Object(
      { amount: Type.Optional(field.Amount), percent: Type.Optional(Percent), cap: Type.Optional(field.Amount) },
      { additionalProperties: false, description: 'an object with amount, or with percent and maybe cap' },
    ),
    returnPolicy: Type.Optional(
      Type.Enum(['return', 'burn'], { description: 'one of return, burn', default: 'return' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'A campaign. A later version may change all but the asset, and raise the stock.',
    examples: [
      {
        asset: 'CNY',
        stock: 1000,
        limitPerCustomer: 1,
        claimFrom: '2026-11-11T00:00:00.000Z',
        claimUntil: '2026-11-12T00:00:00.000Z',
        validUntil: '2026-12-31T16:00:00.000Z',
        minimumSpend: '100',
        discount: { amount: '20' },
        returnPolicy: 'return',
      },
    ],
  },
)

const version = Type.Integer({ description: 'Number of the change of the catalog that set it.' })
const pendingPartitions = Type.Optional(
  Type.Array(Type.Integer(), { description: 'With 202: partitions that have not committed it yet.' }),
)

export const ProgramAnswer = Type.Object(
  {
    code: Type.String(),
    asset: Type.String(),
    points: Type.String(),
    worth: Type.String(),
    version,
    pendingPartitions,
  },
  {
    $id: 'Program',
    title: 'Program',
    examples: [{ code: 'POINTS', asset: 'CNY', points: '100', worth: '1', version: 1 }],
  },
)

export const CampaignAnswer = Type.Object(
  {
    ...CampaignBody.properties,
    code: Type.String(),
    version,
    pendingPartitions,
    issued: Type.Optional(Type.String({ description: 'GET: coupons that have reached the partitions.' })),
    left: Type.Optional(Type.String({ description: 'GET: coupons that may still be claimed.' })),
    claimed: Type.Optional(Type.String({ description: 'GET' })),
    redeemed: Type.Optional(Type.String({ description: 'GET: now redeemed, without those that were returned.' })),
  },
  {
    $id: 'Campaign',
    title: 'Campaign',
    examples: [
      {
        code: 'SPRING',
        version: 2,
        asset: 'CNY',
        stock: 1000,
        limitPerCustomer: 1,
        minimumSpend: '100',
        discount: { amount: '20' },
        returnPolicy: 'return',
        issued: '1000',
        left: '940',
        claimed: '60',
        redeemed: '12',
      },
    ],
  },
)

export const ProgramsAnswer = Type.Object(
  { programs: Type.Array(Type.Ref('Program#')) },
  { $id: 'Programs', title: 'Programs' },
)
export const CampaignsAnswer = Type.Object(
  { campaigns: Type.Array(Type.Ref('Campaign#')) },
  { $id: 'Campaigns', title: 'Campaigns' },
)
