// Assets, immutable once created, and the chain heads.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { Asset } from '../../core/asset.ts'
import { AssetBody } from '../../schemas/http/account.ts'
import { AssetCode } from '../../schemas/http/fields.ts'
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
          ...problemAnswers(400, 409, 413, 415, 500, 503),
        },
      },
    },
    async ({ params, body }, reply) => {
      if (!intake.isOpen()) throw new ProblemError(notReady)
      const { outcome, asset } = await engine.putAsset({
        code: params.code,
        scale: body.scale,
        autoOpen: body.autoOpen ?? false,
      })
      if (outcome === 'exists') {
        const opens = asset.autoOpen ? 'opening' : 'not opening'
        refuse(
          'asset_exists',
          `${asset.code} exists with scale ${asset.scale}, ${opens} by itself; assets are immutable.`,
        )
      }
      if (outcome === 'created') answer(reply, 201, assetText(asset), ['location', `/v1/assets/${asset.code}`])
      else answer(reply, 200, assetText(asset))
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
