// Requests and answers of accounts, assets and statements.
import { Type } from 'typebox'
import { scaleMax } from '../../core/asset.ts'
import * as field from './fields.ts'

const AccountStatus = Type.Enum(['open', 'frozen', 'closed'], { description: 'one of open, frozen, closed' })
const Normal = Type.Enum(['credit', 'debit'], { description: 'one of credit, debit' })

export const OpenAccountBody = Type.Object(
  {
    id: field.AccountId,
    asset: field.AssetCode,
    overdraft: Type.Optional(field.Overdraft),
    normal: Type.Optional(Normal),
    metadata: Type.Optional(field.Metadata),
  },
  { additionalProperties: false },
)

export const ChangeAccountBody = Type.Object(
  { status: Type.Optional(AccountStatus), overdraft: Type.Optional(field.Overdraft) },
  { additionalProperties: false, description: 'An object with status, overdraft or both.' },
)

export const AssetBody = Type.Object(
  {
    scale: Type.Integer({ minimum: 0, maximum: scaleMax, description: `a whole number from 0 to ${scaleMax}` }),
    autoOpen: Type.Optional(Type.Boolean({ description: 'true or false', default: false })),
  },
  { additionalProperties: false },
)

export const AssetAnswer = Type.Object(
  { code: Type.String(), scale: Type.Integer(), autoOpen: Type.Boolean() },
  { $id: 'Asset', title: 'Asset', examples: [{ code: 'CNY', scale: 2, autoOpen: false }] },
)

export const AssetsAnswer = Type.Object({ assets: Type.Array(Type.Ref('Asset#')) }, { $id: 'Assets', title: 'Assets' })

const decimalOut = Type.String({ description: 'A decimal string in the unit of the asset.' })

export const AccountAnswer = Type.Object(
  {
    id: Type.String(),
    asset: Type.String(),
    balance: decimalOut,
    held: decimalOut,
    available: decimalOut,
    overdraft: decimalOut,
    status: AccountStatus,
    seq: Type.Integer(),
    version: Type.Integer(),
    asOf: Type.String({ format: 'date-time' }),
    normal: Normal,
    metadata: Type.Optional(Type.Object({}, { additionalProperties: true })),
  },
  {
    $id: 'Account',
    title: 'Account',
    examples: [
      {
        id: 'cust-42:cash',
        asset: 'CNY',
        balance: '100.00',
        held: '30.00',
        available: '70.00',
        overdraft: '0.00',
        status: 'open',
        seq: 2,
        version: 1,
        asOf: '2026-03-01T12:00:00.000Z',
        normal: 'credit',
        metadata: {},
      },
    ],
  },
)

const next = Type.Union([Type.String(), Type.Null()], { description: 'Cursor of the next page; null at the end.' })

export const AccountsAnswer = Type.Object(
  { accounts: Type.Array(Type.Ref('Account#')), next },
  { $id: 'Accounts', title: 'Accounts' },
)

export const PointsAnswer = Type.Object(
  {
    owner: Type.String(),
    programs: Type.Array(
      Type.Object({
        program: Type.String({ description: "Code of the points' asset." }),
        available: Type.String({ description: 'What could be redeemed now.' }),
        lots: Type.Array(
          Type.Object({
            account: Type.String(),
            expiresOn: Type.String({ format: 'date', description: 'Last day on which they may be used.' }),
            balance: decimalOut,
            available: decimalOut,
            expired: Type.Boolean({ description: 'The last day is over.' }),
          }),
        ),
      }),
    ),
    asOf: Type.String({ format: 'date-time' }),
  },
  {
    $id: 'Points',
    title: 'Points',
    examples: [
      {
        owner: 'cust-42',
        programs: [
          {
            program: 'POINTS',
            available: '150',
            lots: [
              {
                account: 'cust-42:points:2027-06',
                expiresOn: '2027-06-30',
                balance: '150',
                available: '150',
                expired: false,
              },
            ],
          },
        ],
        asOf: '2026-03-01T12:00:00.000Z',
      },
    ],
  },
)

const EntryAnswer = Type.Object({
  seq: Type.Integer(),
  at: Type.String({ format: 'date-time' }),
  businessDate: Type.String({ format: 'date' }),
  transaction: Type.String(),
  type: Type.String(),
  counterparty: Type.Union([Type.String(), Type.Null()]),
  amount: Type.String({ description: 'Signed; 0 for a hold, a release, an expiry.' }),
  heldChange: Type.String(),
  balance: decimalOut,
  held: decimalOut,
  reference: Type.Union([Type.String(), Type.Null()]),
})

export const EntriesAnswer = Type.Object(
  { entries: Type.Array(EntryAnswer), next },
  { $id: 'Entries', title: 'Entries' },
)

export const HeadsAnswer = Type.Object(
  {
    heads: Type.Array(
      Type.Object({
        partition: Type.Integer(),
        pseq: Type.Integer({ description: 'Number of the last journal row.' }),
        chain: Type.String({ description: 'Head of the hash chain, hex.' }),
        at: Type.String({ format: 'date-time' }),
      }),
    ),
  },
  { $id: 'Heads', title: 'Heads' },
)
