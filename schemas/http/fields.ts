// The fields that requests share. Each pattern says all of it (characters, length, no U+0000, no lone surrogate), so that one test of a
// regular expression settles a field; each description reads after "must be" in the detail of a problem.
import { Type } from 'typebox'

/** Between two colons of an id. */
const part = '[A-Za-z0-9._-]+'

export const transactionIdPattern = '^[A-Za-z0-9._:-]{1,128}$'
export const transactionIdWords = '1 to 128 characters of A-Z a-z 0-9 . _ : -'

export const TransactionId = Type.String({
  pattern: transactionIdPattern,
  description: transactionIdWords,
  examples: ['pay-20260301-0001'],
})

/** A part of an account id, such as the name of a loan. */
export const Name = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,64}$',
  description: 'a name: 1 to 64 characters of A-Z a-z 0-9 . _ -',
  examples: ['L1'],
})

export const Share = Type.String({
  pattern: '^(?:1(?:\\.0{1,18})?|0\\.(?!0+$)[0-9]{1,18})$',
  description: 'a decimal string above zero and at most "1"',
  examples: ['0.3'],
})

/** What the server names itself (an expiry: `!expire:<hold>`) can be asked for, not sent. */
export const AnyTransactionId = Type.String({
  pattern: '^(?:![A-Za-z0-9._:-]{1,160}|[A-Za-z0-9._:-]{1,128})$',
  description: `the id of a transaction: ${transactionIdWords}`,
})

export const AccountId = Type.String({
  pattern: `^(?=.{3,128}$)${part}(?::${part})+$`,
  maxLength: 128,
  description: 'an account id: owner:name[:more], at most 128 characters of A-Z a-z 0-9 . _ -',
  examples: ['cust-42:cash'],
})

export const Owner = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,126}$',
  description: 'an owner: 1 to 126 characters of A-Z a-z 0-9 . _ -',
  examples: ['cust-42'],
})

export const AssetCode = Type.String({
  pattern: '^[A-Z][A-Z0-9._-]{0,31}$',
  description: 'an asset code: a letter A-Z, then up to 31 characters of A-Z 0-9 . _ -',
  examples: ['CNY'],
})

export const CampaignCode = Type.String({
  pattern: '^[A-Z0-9][A-Z0-9._-]{0,23}$',
  description: 'a campaign code: 1 to 24 characters of A-Z 0-9 . _ -, not a mark first',
  examples: ['SPRING'],
})

const decimal = '(?:0|[1-9][0-9]{0,18})(?:\\.[0-9]{1,18})?'

export const Amount = Type.String({
  pattern: `^(?!0(?:\\.0+)?$)${decimal}$`,
  description: 'a decimal string above zero in the unit of the asset, such as "12.34" (never a JSON number)',
  examples: ['12.34'],
})

export const Overdraft = Type.String({
  pattern: `^${decimal}$`,
  description: 'a decimal string of zero or more in the unit of the asset, such as "500.00" (never a JSON number)',
  examples: ['500.00'],
})

export const businessDateWords = 'a calendar day YYYY-MM-DD from 0001-01-01 to 9999-12-31'

/** That the day exists is checked beside the schema. */
export const BusinessDate = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$',
  format: 'date',
  description: businessDateWords,
  examples: ['2026-03-01'],
})

export const lastDayWords = `${businessDateWords}, or a month YYYY-MM for its last day`

/** That the day exists is checked beside the schema. */
export const LastDay = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?$',
  description: lastDayWords,
  examples: ['2027-06-30'],
})

export const instantWords =
  'a time of RFC 3339 with Z or an offset, in the years 0001 to 9999, such as 2026-03-01T12:00:00.000Z'

/** That the instant exists is checked beside the schema. */
export const Instant = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$',
  format: 'date-time',
  description: instantWords,
  examples: ['2026-03-01T12:00:00.000Z'],
})

export const secondsMax = 10 * 365 * 86_400

export const Seconds = Type.Integer({
  minimum: 1,
  maximum: secondsMax,
  description: `a whole number of seconds from 1 to ${secondsMax} (ten years)`,
})

export const Channel = Type.String({
  pattern: '^[a-z0-9_-]{1,32}$',
  description: 'a payment channel: 1 to 32 characters of a-z 0-9 _ -',
  examples: ['alipay'],
})

export const Reference = Type.String({
  pattern: '^[^\\u0000\\uD800-\\uDFFF]{0,256}$',
  description: 'at most 256 characters, without U+0000 and lone surrogates',
  examples: ['order 4711'],
})

export const metadataBytesMax = 2048

/** Its inside is checked where it is normalised. */
export const Metadata = Type.Unsafe<Readonly<Record<string, unknown>>>(
  Type.Object(
    {},
    {
      additionalProperties: true,
      description: `a JSON object of at most ${metadataBytesMax} bytes`,
      examples: [{ till: 'A7' }],
    },
  ),
)

export const Limit = Type.String({
  pattern: '^(?:[1-9][0-9]{0,2}|1000)$',
  description: 'a whole number from 1 to 1000',
  default: '100',
})

/** So long a read may wait for a decision. */
export const Wait = Type.String({
  pattern: '^(?:[0-9]|[12][0-9]|30)$',
  description: 'a whole number of seconds from 0 to 30: how long to wait for the decision of a queued transaction',
  default: '0',
})

export const Cursor = Type.String({
  pattern: '^[!-~]{1,512}$',
  description: 'a cursor as an earlier answer gave it in `next`',
})
