// Campaigns: put, which issues their coupons, and read with what became of them.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Engine } from '../../actors/engine.ts'
import type { Reads } from '../../actors/reads.ts'
import type { Asset } from '../../core/asset.ts'
import { type CampaignBody as Campaign, couponAsset } from '../../core/catalog.ts'
import { couponAccounts } from '../../core/house.ts'
import { normalizeDecimal, parseAmount } from '../../core/money.ts'
import { CampaignBody } from '../../schemas/http/catalog.ts'
import { CampaignCode, instantWords } from '../../schemas/http/fields.ts'
import { answerPut, type CatalogPut } from './catalog-put.ts'
import { type Intake, notReady } from './intake.ts'
import { isInstant } from './normalise.ts'
import { problemAnswers, textAnswer } from './operation.ts'
import { ProblemError, refuse } from './problem.ts'
import { answer } from './reply.ts'

export function campaignRoutes(instance: FastifyInstance, engine: Engine, reads: Reads, intake: Intake): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()

  app.put(
    '/v1/campaigns/:code',
    {
      schema: {
        operationId: 'putCampaign',
        summary: 'Create or change a campaign',
        tags: ['campaigns'],
        params: Type.Object({ code: CampaignCode }),
        body: CampaignBody,
        response: {
          201: textAnswer('Created, and known to every partition.', 'Campaign', { location: 'Path of the campaign.' }),
          200: textAnswer('Changed, or the same as it was; known to every partition.', 'Campaign'),
          202: textAnswer('Durable, but some partition will only get it when its shard can be reached.', 'Campaign'),
          ...problemAnswers(400, 409, 413, 415, 500, 503),
        },
      },
    },
    async ({ params: { code }, body }, reply) => {
      if (!intake.isOpen()) throw new ProblemError(notReady)
      const { text, check } = campaignChange(code, body, engine.assets())
      const outcome = await engine.catalog.put('campaign', code, text, check)
      answerPut(reply, outcome, `/v1/campaigns/${code}`, members(engine, code, text))
    },
  )

  app.get(
    '/v1/campaigns/:code',
    {
      schema: {
        operationId: 'getCampaign',
        summary: 'Read a campaign and what became of its coupons',
        tags: ['campaigns'],
        params: Type.Object({ code: CampaignCode }),
        response: { 200: textAnswer('The campaign.', 'Campaign'), ...problemAnswers(400, 404, 500, 503) },
      },
    },
    async ({ params: { code } }, reply) => {
      const standing = engine.catalog.find('campaign', code)
      if (standing === undefined) refuse('not_found', `There is no campaign ${code}.`)
      const names = couponAccounts(code)
      const of = async (id: string): Promise<string> =>
        (await reads.account(id, couponAsset(code).code))?.balance ?? '0'
      const [issued, left, moving, claimed, redeemed] = await Promise.all(
        [names.issued, names.stock, names.moving, names.claimed, names.redeemed].map(of),
      )
      const counts = {
        issued: positive(issued),
        left: String(BigInt(left ?? 0) + BigInt(moving ?? 0)),
        claimed: positive(claimed),
        redeemed,
      }
      answer(reply, 200, JSON.stringify({ ...members(engine, code, standing.body), ...counts }))
    },
  )

  app.get(
    '/v1/campaigns',
    {
      schema: {
        operationId: 'listCampaigns',
        summary: 'List all campaigns',
        tags: ['campaigns'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: textAnswer('All campaigns by code.', 'Campaigns'), ...problemAnswers(400) },
      },
    },
    (_request, reply) => {
      const campaigns = engine.catalog.list('campaign').map(({ code, body }) => members(engine, code, body))
      answer(reply, 200, JSON.stringify({ campaigns }))
    },
  )
}

const members = (engine: Engine, code: string, body: string): Readonly<Record<string, unknown>> => ({
  code,
  version: engine.catalog.find('campaign', code)?.version,
  ...(JSON.parse(body) as Campaign),
})

const positive = (balance: string | undefined): string => (balance ?? '0').replace('-', '')

/** What `CatalogKeeper.put` takes for a campaign. Throws a ProblemError. */
export function campaignChange(
  code: string,
  body: Static<typeof CampaignBody>,
  assets: ReadonlyMap<string, Asset>,
): CatalogPut {
  const campaign = campaignFrom(body, assets)
  return {
    text: JSON.stringify(campaign),
    check: (standing) => {
      if (standing === undefined) checkAssetFree(code, assets)
      else checkSuccessor(JSON.parse(standing.body) as Campaign, campaign)
    },
  }
}

function campaignFrom(body: Static<typeof CampaignBody>, assets: ReadonlyMap<string, Asset>): Campaign {
  const asset = assets.get(body.asset)
  if (asset === undefined) refuse('invalid', `There is no asset ${body.asset}.`, 'asset')
  const money = (name: string, text: string): string => {
    if (typeof parseAmount(text, asset.scale) === 'string')
      refuse('invalid', `${name} must be an amount of ${asset.code}, which has ${asset.scale} decimals.`, name)
    return normalizeDecimal(text)
  }
  for (const [from, until] of [
    ['claimFrom', 'claimUntil'],
    ['validFrom', 'validUntil'],
  ] as const) {
    for (const name of [from, until]) {
      const text = body[name]
      if (text !== undefined && !isInstant(text)) refuse('invalid', `${name} must be ${instantWords}.`, name)
    }
    if (Date.parse(body[until] ?? 'never') <= Date.parse(body[from] ?? 'ever'))
      refuse('invalid', `${until} must be after ${from}.`, until)
  }
  if (body.validDays !== undefined && (body.validFrom ?? body.validUntil) !== undefined)
    refuse('invalid', 'validDays excludes validFrom and validUntil.', 'validDays')
  const { amount, percent, cap } = body.discount
  if ((amount === undefined) === (percent === undefined))
    refuse('invalid', 'discount must have either amount or percent.', 'discount')
  if (cap !== undefined && percent === undefined) refuse('invalid', 'discount.cap goes with percent.', 'discount.cap')
  if (percent !== undefined && Number(percent) === 0)
    refuse('invalid', 'discount.percent must be above zero.', 'discount.percent')
  return {
    asset: body.asset,
    stock: body.stock,
    limitPerCustomer: body.limitPerCustomer,
    claimFrom: body.claimFrom,
    claimUntil: body.claimUntil,
    validFrom: body.validFrom,
    validUntil: body.validUntil,
    validDays: body.validDays,
    minimumSpend: body.minimumSpend === undefined ? undefined : money('minimumSpend', body.minimumSpend),
    discount:
      amount !== undefined
        ? { amount: money('discount.amount', amount) }
        : {
            percent: normalizeDecimal(percent ?? ''),
            cap: cap === undefined ? undefined : money('discount.cap', cap),
          },
    returnPolicy: body.returnPolicy ?? 'return',
  }
}

/** What was issued cannot be taken back from those who hold it, and what a coupon counts in stays. */
function checkSuccessor(standing: Campaign, next: Campaign): void {
  if (next.asset !== standing.asset)
    refuse('campaign_conflict', `The asset of the campaign is ${standing.asset}; it cannot change.`, 'asset')
  if (next.stock < standing.stock)
    refuse('campaign_conflict', `${standing.stock} coupons were issued; the stock can only be raised.`, 'stock')
}

function checkAssetFree(code: string, assets: ReadonlyMap<string, Asset>): void {
  const coupon = couponAsset(code)
  const known = assets.get(coupon.code)
  if (known === undefined || (known.scale === coupon.scale && known.autoOpen === coupon.autoOpen)) return
  refuse('asset_exists', `${coupon.code} exists as another kind of asset.`)
}
