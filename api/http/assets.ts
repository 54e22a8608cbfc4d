// Assets, immutable once created, and the chain heads.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Engine, PutOutcome } from '../../actors/engine.ts'
import type { Asset } from '../../core/asset.ts'
import { AssetBody } from '../../schemas/http/account.ts'
import { AssetCode } from '../../schemas/http/fields.ts'
import { answerPut } from './catalog-put.ts'
import { type Intake, notReady } from './intake.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { ProblemError, refuse } from './problem.ts'
import { answer } from './reply.ts'

export function assetRoutes(instance: FastifyInstance, engine: Engine, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  app.put(
    '/v1/assets/:code',
    {
      schema: {
        operationId: 'putAsset',
        summary: 'Create an asset',
        tags: ['assets'],
        params: Type.Object({ code: AssetCode }),
        body: AssetBody,
        response: {
          201: textAnswer('Created.', 'Asset', { location: 'Path of the asset.' }),
          200: textAnswer('It exists alike.', 'Asset'),
          202: textAnswer('Durable, but some partition will only get it when its shard can be reached.', 'Asset'),
          ...problemAnswers(400, 409, 413, 415, 500, 503),
        },
      },
    },
    async ({ params, body }, reply) => {
      if (!intake.isOpen()) throw new ProblemError(notReady)
      const asset = { code: params.code, scale: body.scale, autoOpen: body.autoOpen ?? false }
      // Those of the first day have no change of their own; all others are compared where their change stands.
      const known = engine.assets().get(asset.code)
      if (known !== undefined) checkAlike(known, asset)
      const outcome: PutOutcome =
        known !== undefined && engine.catalog.find('asset', asset.code) === undefined
          ? { outcome: 'alike', pending: [] }
          : await engine.catalog.put('asset', asset.code, bodyOf(asset), () => {
              const standing = engine.assets().get(asset.code)
              if (standing !== undefined) checkAlike(standing, asset)
            })
      answerPut(reply, outcome, `/v1/assets/${asset.code}`, asset)
    },
  )

  app.get(
    '/v1/assets/:code',
    {
      schema: {
        operationId: 'getAsset',
        summary: 'Read an asset',
        tags: ['assets'],
        params: Type.Object({ code: AssetCode }),
        response: { 200: textAnswer('The asset.', 'Asset'), ...problemAnswers(400, 404) },
      },
    },
    ({ params }, reply) => {
      const asset = engine.assets().get(params.code)
      if (asset === undefined) refuse('not_found', `There is no asset ${params.code}.`)
      answer(reply, 200, assetText(asset))
    },
  )

  app.get(
    '/v1/assets',
    {
      schema: {
        operationId: 'listAssets',
        summary: 'List all assets',
        tags: ['assets'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: textAnswer('All assets by code.', 'Assets'), ...problemAnswers(400) },
      },
    },
    (_request, reply) => {
      const codes = [...engine.assets().keys()].sort()
      const texts = codes.flatMap((code) => engine.assets().get(code) ?? []).map(assetText)
      answer(reply, 200, `{"assets":[${texts.join(',')}]}`)
    },
  )
}

const assetText = ({ code, scale, autoOpen }: Asset): string => JSON.stringify({ code, scale, autoOpen })

const bodyOf = ({ scale, autoOpen }: Asset): string => JSON.stringify({ scale, autoOpen })

function checkAlike(standing: Asset, asset: Asset): void {
  if (standing.scale === asset.scale && standing.autoOpen === asset.autoOpen) return
  const opens = standing.autoOpen ? 'opening' : 'not opening'
  refuse(
    'asset_exists',
    `${standing.code} exists with scale ${standing.scale}, ${opens} by itself; assets are immutable.`,
  )
}
