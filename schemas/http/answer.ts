// What comes back: transactions, items of a batch and problems. For the OpenAPI document only: answers are sent as the text they arrive as.
import { Type } from 'typebox'
import { type ProblemCode, problems } from '../problem.ts'

const problemCodes = Object.keys(problems) as readonly ProblemCode[]

const problemMembers = {
  type: Type.String({ description: 'urn:suanpan:problem:<code>' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.Enum([...problemCodes]),
  retryable: Type.Boolean({ description: 'Sending the same again (the same id) can help.' }),
  effect: Type.Enum(['none', 'applied', 'unknown']),
  field: Type.Optional(Type.String({ description: 'The wrong field, such as `transfers[2].amount`.' })),
  available: Type.Optional(Type.String({ description: 'insufficient_funds: what was available.' })),
  needed: Type.Optional(Type.String({ description: 'insufficient_funds: what was needed.' })),
  total: Type.Optional(Type.String({ description: 'order_not_balanced: as given.' })),
  sum: Type.Optional(Type.String({ description: 'order_not_balanced: what the parts sum up to.' })),
  pointsValue: Type.Optional(Type.String({ description: 'order_not_balanced: what the points are worth.' })),
  discount: Type.Optional(Type.String({ description: 'order_not_balanced: what the coupon takes off.' })),
  instance: Type.Optional(Type.String({ description: 'Path of the resource.' })),
}

export const ProblemAnswer = Type.Object(problemMembers, {
  $id: 'Problem',
  title: 'Problem',
  description: 'RFC 9457.',
  examples: [
    {
      type: 'urn:suanpan:problem:insufficient_funds',
      title: problems.insufficient_funds.title,
      status: 422,
      detail: '70.00 is available, 80.00 is needed.',
      code: 'insufficient_funds',
      retryable: false,
      effect: 'none',
      available: '70.00',
      needed: '80.00',
      instance: '/v1/transactions/pay-20260301-0001?owner=cust-42',
    },
  ],
})

const transactionMembers = {
  id: Type.String(),
  type: Type.String(),
  status: Type.Enum(['posted', 'pending']),
  at: Type.String({ format: 'date-time' }),
  businessDate: Type.String({ format: 'date' }),
  accounts: Type.Array(
    Type.Object({ id: Type.String(), balance: Type.String(), held: Type.String(), seq: Type.Integer() }),
    { description: 'Every account that was touched, as it stood after it; house accounts are not listed.' },
  ),
}

const transactionExample = {
  id: 'pay-20260301-0001',
  type: 'debit',
  status: 'posted',
  at: '2026-03-01T12:00:00.000Z',
  businessDate: '2026-03-01',
  accounts: [{ id: 'cust-42:cash', balance: '87.66', held: '0.00', seq: 2 }],
}

export const TransactionAnswer = Type.Object(transactionMembers, {
  $id: 'Transaction',
  title: 'Transaction',
  examples: [transactionExample],
})

export const QueuedAnswer = Type.Object(
  { id: Type.String(), type: Type.String(), status: Type.Literal('queued') },
  {
    $id: 'Queued',
    title: 'Queued',
    description: 'Waits to be decided. Nothing is applied, and it may still be declined.',
    examples: [{ id: 'pay-20260301-0001', type: 'debit', status: 'queued' }],
  },
)

/** What a read adds to the first answer. */
const sinceMembers = {
  transfers: Type.Array(
    Type.Object({
      from: Type.String(),
      to: Type.String(),
      amount: Type.String(),
      asset: Type.String(),
      kind: Type.String(),
    }),
  ),
  now: Type.Object({
    state: Type.String(),
    captured: Type.Optional(Type.String()),
    remaining: Type.Optional(Type.String()),
    refunded: Type.Optional(Type.String()),
  }),
}

export const TransactionViewAnswer = Type.Union(
  [
    Type.Object({ ...transactionMembers, ...sinceMembers }, { description: 'Posted, or a hold.' }),
    Type.Object({ ...problemMembers, ...sinceMembers }, { description: 'Declined.' }),
    Type.Object(
      { id: Type.String(), status: Type.Literal('undecided'), ...sinceMembers },
      { description: 'Under way between owners: nothing is posted, and it may still be declined.' },
    ),
  ],
  {
    $id: 'TransactionView',
    title: 'TransactionView',
    description:
      'The first answer (of a declined transaction: the members of its problem), its transfers and what became of it since.',
    examples: [
      {
        ...transactionExample,
        transfers: [
          { from: 'cust-42:cash', to: 'house:settlement:alipay', amount: '12.34', asset: 'CNY', kind: 'debit' },
        ],
        now: { state: 'posted', refunded: '0.00' },
      },
    ],
  },
)

export const BatchItemAnswer = Type.Object(
  {
    index: Type.Integer({ description: 'Position of the item in the batch, from 0; empty lines are not counted.' }),
    http: Type.Integer({ description: 'Status as the single call would have answered.' }),
    replayed: Type.Boolean(),
    body: Type.Union([Type.Ref('Transaction#'), Type.Ref('Problem#')]),
  },
  { $id: 'BatchItem', title: 'BatchItem' },
)

export const BatchEndAnswer = Type.Object(
  {
    done: Type.Boolean({ description: 'false: the server stopped reading because it closes.' }),
    count: Type.Integer({ description: 'Items that were answered.' }),
  },
  { $id: 'BatchEnd', title: 'BatchEnd', description: 'The last line of an answer in NDJSON.' },
)
