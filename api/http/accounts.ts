// Accounts and their statements: opening and changing go through the engine like any command, reading comes from committed state.
import { randomUUID } from 'node:crypto'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { AccountView, Reads } from '../../actors/reads.ts'
import type { Command } from '../../core/command.ts'
import { isHouse } from '../../core/identity.ts'
import { normalizeDecimal } from '../../core/money.ts'
import { ChangeAccountBody, OpenAccountBody } from '../../schemas/http/account.ts'
import { AccountId, AssetCode, Cursor, Limit, Owner } from '../../schemas/http/fields.ts'
import { type Intake, notReady } from './intake.ts'
import { metadataText } from './metadata.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { invalid, Problem, ProblemError, refuse } from './problem.ts'
import { answer, answerOfEngine } from './reply.ts'

const limitDefault = 100

export function accountRoutes(instance: FastifyInstance, engine: Engine, reads: Reads, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  /** Answers when the engine has. */
  const submit = (reply: FastifyReply, command: Command): void => {
    if (!intake.isOpen()) throw new ProblemError(notReady)
    engine.submit(command, (given) => answerOfEngine(reply, given, command))
  }

  app.post(
    '/v1/accounts',
    {
      schema: {
        operationId: 'openAccount',
        summary: 'Open an account',
        tags: ['accounts'],
        body: OpenAccountBody,
        response: {
          201: textAnswer('Opened.', 'Account', { location: 'Path of the account.' }),
          200: textAnswer('It exists alike.', 'Account'),
          ...problemAnswers(400, 409, 413, 415, 422, 429, 500, 503),
        },
      },
    },
    ({ body }, reply) => {
      refuseHouse(body.id)
      if (!engine.assets().has(body.asset)) refuse('invalid', `There is no asset ${body.asset}.`, 'asset')
      const metadata = body.metadata === undefined ? undefined : metadataText(body.metadata)
      if (metadata instanceof Problem) throw new ProblemError(metadata)
      submit(reply, {
        type: 'open',
        id: newCommandId(),
        account: body.id,
        asset: body.asset,
        overdraft: normalizeDecimal(body.overdraft ?? '0'),
        normal: body.normal ?? 'credit',
        metadata,
      })
    },
  )

  app.patch(
    '/v1/accounts/:id',
    {
      schema: {
        operationId: 'changeAccount',
        summary: 'Freeze, close, re-open or set the limit of an account',
        tags: ['accounts'],
        params: Type.Object({ id: AccountId }),
        headers: Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'The version that was seen.' })) }),
        body: ChangeAccountBody,
        response: {
          200: textAnswer('Changed.', 'Account'),
          ...problemAnswers(400, 409, 412, 413, 415, 422, 429, 500, 503),
        },
      },
    },
    ({ params, body, headers }, reply) => {
      refuseHouse(params.id)
      const { status, overdraft } = body
      if (status === undefined && overdraft === undefined) {
        refuse('invalid', 'status is missing; give status, overdraft or both.', 'status')
      }
      submit(reply, {
        type: 'change',
        id: newCommandId(),
        account: params.id,
        status,
        overdraft: overdraft === undefined ? undefined : normalizeDecimal(overdraft),
        ifVersion: versionOf(headers['if-match']),
      })
    },
  )

  app.get(
    '/v1/accounts/:id',
    {
      schema: {
        operationId: 'getAccount',
        summary: 'Read an account: committed state only',
        tags: ['accounts'],
        params: Type.Object({ id: AccountId }),
        querystring: Type.Object({ asset: Type.Optional(AssetCode) }, { additionalProperties: false }),
        response: { 200: textAnswer('The account.', 'Account'), ...problemAnswers(400, 404, 500, 503) },
      },
    },
    async ({ params, query }, reply) => {
      const view = await reads.account(params.id, query.asset)
      if (view === undefined) noAccount(params.id)
      answer(reply, 200, accountText(view))
    },
  )

  app.get(
    '/v1/accounts',
    {
      schema: {
        operationId: 'listAccounts',
        summary: 'List the accounts of an owner',
        tags: ['accounts'],
        querystring: Type.Object(
          { owner: Owner, after: Type.Optional(Cursor), limit: Type.Optional(Limit) },
          { additionalProperties: false },
        ),
        response: { 200: textAnswer('A page of accounts.', 'Accounts'), ...problemAnswers(400, 500, 503) },
      },
    },
    async ({ query }, reply) => {
      const page = await cursorChecked(
        reads.accountsOf(query.owner, { after: query.after, limit: limitOf(query.limit) }),
      )
      const accounts = page.items.map(accountText).join(',')
      answer(reply, 200, `{"accounts":[${accounts}],"next":${JSON.stringify(page.next)}}`)
    },
  )

  app.get(
    '/v1/accounts/:id/entries',
    {
      schema: {
        operationId: 'listEntries',
        summary: 'List the entries of an account',
        tags: ['accounts'],
        params: Type.Object({ id: AccountId }),
        querystring: Type.Object(
          {
            asset: Type.Optional(AssetCode),
            after: Type.Optional(Cursor),
            limit: Type.Optional(Limit),
            order: Type.Optional(Type.Enum(['asc', 'desc'], { description: 'asc or desc', default: 'asc' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: textAnswer('A page of entries.', 'Entries'), ...problemAnswers(400, 404, 500, 503) },
      },
    },
    async ({ params, query }, reply) => {
      const { asset, after, limit, order = 'asc' } = query
      const page = await cursorChecked(reads.entries(params.id, asset, { after, limit: limitOf(limit), order }))
      if (page === undefined) noAccount(params.id)
      answer(reply, 200, JSON.stringify({ entries: page.items, next: page.next }))
    },
  )
}

/** Unique across processes and restarts; no client's id begins with `!`. */
const newCommandId = (): string => `!${randomUUID()}`

function refuseHouse(id: string): void {
  if (isHouse(id)) refuse('invalid', 'House accounts open by themselves and cannot be changed.', 'id')
}

function noAccount(id: string): never {
  refuse('not_found', `There is no account ${id}.`)
}

const limitOf = (limit: string | undefined): number => (limit === undefined ? limitDefault : Number(limit))

/** Plain, quoted as an entity tag, or `*` for any. */
function versionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined
  const digits = /^(?:W\/)?("?)([0-9]{1,15})\1$/.exec(ifMatch)?.[2]
  if (digits === undefined)
    throw new ProblemError(invalid('if-match', 'If-Match must be one version of the account, such as "3".'))
  return Number(digits)
}

/** Reads throw RangeError for a cursor that is none. */
async function cursorChecked<T>(page: Promise<T>): Promise<T> {
  try {
    return await page
  } catch (error) {
    if (error instanceof RangeError) refuse('invalid', 'after must be a cursor of this list.', 'after')
    throw error
  }
}

function accountText(view: AccountView): string {
  const { metadata, ...account } = view
  const text = JSON.stringify({
    id: account.id,
    asset: account.asset,
    balance: account.balance,
    held: account.held,
    available: account.available,
    overdraft: account.overdraft,
    status: account.status,
    seq: account.seq,
    version: account.version,
    asOf: account.asOf,
    normal: account.normal,
  })
  return metadata === undefined ? text : `${text.slice(0, -1)},"metadata":${metadata}}`
}
