// The route of the yardstick and of the rivals: body and answer of the same shape as Suanpan's, checked by a schema, without anything else that costs.
export const debitSchema = {
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'type', 'account', 'amount'],
    properties: {
      id: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
      type: { const: 'debit' },
      account: { type: 'string', maxLength: 128 },
      amount: { type: 'string', pattern: '^[0-9.]{1,40}$' },
    },
  },
} as const

export interface DebitBody {
  readonly id: string
  readonly account: string
  readonly amount: string
}

export const postedText = (id: string, account: string, at: string, balance: string, seq: number): string =>
  `{"id":"${id}","type":"debit","status":"posted","at":"${at}","businessDate":"${at.slice(0, 10)}","accounts":[{"id":"${account}","balance":"${balance}","held":"0.00","seq":${seq}}]}`

export const answerHeaders = (id: string): Record<string, string> => ({
  'content-type': 'application/json; charset=utf-8',
  location: `/v1/transactions/${id}`,
})
