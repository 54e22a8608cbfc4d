// Points programs: what their points are worth.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { Asset } from '../../core/asset.ts'
import { builtInProgram, type Program, programOfBody } from '../../core/catalog.ts'
import { normalizeDecimal, parseAmount } from '../../core/money.ts'
import { ProgramBody } from '../../schemas/http/catalog.ts'
import { AssetCode } from '../../schemas/http/fields.ts'
import { answerPut, type CatalogPut } from './catalog-put.ts'
import { type Intake, notReady } from './intake.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { ProblemError, refuse } from './problem.ts'
import { answer } from './reply.ts'

export function programRoutes(instance: FastifyInstance, engine: Engine, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  app.put(
    '/v1/programs/:code',
    {
      schema: {
        operationId: 'putProgram',
        summary: 'Create or change a points program',
        description:
          'The code is that of the asset of the points; it is created if there is none (scale 0, opens by itself).',
        tags: ['programs'],
        params: Type.Object({ code: AssetCode }),
        body: ProgramBody,
        response: {
          201: textAnswer('Created, and known to every partition.', 'Program', { location: 'Path of the program.' }),
          200: textAnswer('Changed, or the same as it was; known to every partition.', 'Program'),
          202: textAnswer('Durable, but some partition will only get it when its shard can be reached.', 'Program'),
          ...problemAnswers(400, 409, 413, 415, 500, 503),
        },
      },
    },
    async ({ params: { code }, body }, reply) => {
      if (!intake.isOpen()) throw new ProblemError(notReady)
      const { text, check } = programChange(code, body, engine.assets())
      const outcome = await engine.catalog.put('program', code, text, check)
      answerPut(reply, outcome, `/v1/programs/${code}`, members(engine, programOfBody(code, text)))
    },
  )

  app.get(
    '/v1/programs/:code',
    {
      schema: {
        operationId: 'getProgram',
        summary: 'Read a points program',
        tags: ['programs'],
        params: Type.Object({ code: AssetCode }),
        response: { 200: textAnswer('The program.', 'Program'), ...problemAnswers(400, 404) },
      },
    },
    ({ params: { code } }, reply) => {
      const program = programs(engine).find((one) => one.code === code)
      if (program === undefined) refuse('not_found', `There is no program ${code}.`)
      answer(reply, 200, JSON.stringify(members(engine, program)))
    },
  )

  app.get(
    '/v1/programs',
    {
      schema: {
        operationId: 'listPrograms',
        summary: 'List all points programs',
        tags: ['programs'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: textAnswer('All programs by code.', 'Programs'), ...problemAnswers(400) },
      },
    },
    (_request, reply) => {
      answer(reply, 200, JSON.stringify({ programs: programs(engine).map((program) => members(engine, program)) }))
    },
  )
}

/** What `CatalogKeeper.put` takes for a program. Throws a ProblemError. */
export function programChange(
  code: string,
  body: Static<typeof ProgramBody>,
  assets: ReadonlyMap<string, Asset>,
): CatalogPut {
  const money = assets.get(body.asset)
  if (money === undefined) refuse('invalid', `There is no asset ${body.asset}.`, 'asset')
  if (code === body.asset) refuse('invalid', 'Points cannot be worth themselves.', 'asset')
  const known = assets.get(code)
  if (known !== undefined && !known.autoOpen)
    refuse('asset_exists', `${code} is an asset that does not open by itself: no points.`)
  const scale = known?.scale ?? 0
  if (typeof parseAmount(body.points, scale) === 'string')
    refuse('invalid', `points must be an amount of ${code}, which has ${scale} decimals.`, 'points')
  if (typeof parseAmount(body.worth, money.scale) === 'string')
    refuse('invalid', `worth must be an amount of ${money.code}, which has ${money.scale} decimals.`, 'worth')
  const program = {
    asset: body.asset,
    points: normalizeDecimal(body.points),
    worth: normalizeDecimal(body.worth),
    scale,
  }
  return { text: JSON.stringify(program), check: () => undefined }
}

function programs({ catalog }: Engine): readonly Program[] {
  const put = catalog.list('program').map(({ code, body }) => programOfBody(code, body))
  return put.some(({ code }) => code === builtInProgram.code)
    ? put
    : [...put, builtInProgram].sort((a, b) => (a.code < b.code ? -1 : 1))
}

const members = ({ catalog }: Engine, { code, asset, points, worth }: Program): Readonly<Record<string, unknown>> => ({
  code,
  asset,
  points,
  worth,
  version: catalog.find('program', code)?.version ?? 0,
})
