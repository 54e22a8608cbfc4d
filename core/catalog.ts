// Data that every partition sees in order: assets, points programs, coupon campaigns. A change is a numbered command that goes to every
// partition; at each decision a partition stands at one version, the number of the last change it has journaled, so that the decision can be
// replayed with exactly what it saw. What a change says is JSON text, kept as it was given.
import type { Asset } from './asset.ts'
import { violated } from './invariant.ts'

/** What points are worth: `points` of them (a decimal of their asset) are worth `worth` (a decimal of the money's asset). */
export interface Program {
  /** Code of the points' asset. */
  readonly code: string
  /** The money that they are worth. */
  readonly asset: string
  readonly points: string
  readonly worth: string
}

export interface Campaign {
  readonly code: string
  /** The money of discount and minimum spend. */
  readonly asset: string
  /** Coupons ever issued; a later version may only raise it. */
  readonly stock: number
  /** Coupons that one customer may claim; undefined: no limit. */
  readonly limitPerCustomer: number | undefined
  /** Claim window and, for coupons that are good between fixed times, validity: epoch milliseconds, the end not included. */
  readonly claimFrom: number
  readonly claimUntil: number
  readonly validFrom: number
  readonly validUntil: number
  /** Coupons are good to the end of the so-manieth day after their claim instead. */
  readonly validDays: number | undefined
  /** Decimals of `asset`. */
  readonly minimumSpend: string
  readonly discount: Discount
  /** What becomes of the coupon when its order is refunded whole, or its redemption is taken back. */
  readonly returnPolicy: 'return' | 'burn'
}

export type Discount =
  | { readonly kind: 'fixed'; readonly amount: string }
  /** A share of the order's total, `percent` of it rounded down, at most `cap`. */
  | { readonly kind: 'percent'; readonly percent: string; readonly cap: string | undefined }

export type CatalogKind = 'asset' | 'program' | 'campaign'

/** One change as it is stored, sent and journaled. */
export interface CatalogChange {
  readonly version: number
  readonly kind: CatalogKind
  readonly code: string
  /** JSON text: see `assetOfBody` and its like. */
  readonly body: string
}

export interface Catalog {
  /** Number of the last change; 0: none yet. */
  version: number
  readonly assets: Map<string, Asset>
  readonly programs: Map<string, Program>
  readonly campaigns: Map<string, Campaign>
}

/** 100 points are worth 1.00 CNY until somebody says otherwise. */
export const builtInProgram: Program = { code: 'POINTS', asset: 'CNY', points: '100', worth: '1.00' }

/** Coupons of a campaign are counted in an asset of their own. */
export const couponAsset = (campaign: string): Asset => ({ code: `COUPON.${campaign}`, scale: 0, autoOpen: true })

/** The catalog after these changes, which come in the order of their versions; gaps are changes that later ones have replaced. */
export function catalogAfter(
  assets: ReadonlyMap<string, Asset>,
  changes: readonly CatalogChange[],
  version: number,
): Catalog {
  const catalog: Catalog = {
    version: 0,
    assets: new Map(assets),
    programs: new Map([[builtInProgram.code, builtInProgram]]),
    campaigns: new Map(),
  }
  for (const change of changes) if (change.version <= version) put(catalog, change)
  catalog.version = version
  return catalog
}

/** Expects the change that follows. */
export function applyCatalogChange(catalog: Catalog, change: CatalogChange): void {
  if (change.version !== catalog.version + 1) {
    violated('catalog_changes_in_order', { version: catalog.version, change: change.version })
  }
  put(catalog, change)
  catalog.version = change.version
}

function put(catalog: Catalog, { kind, code, body }: CatalogChange): void {
  for (const asset of assetsOfChange(kind, code, body)) catalog.assets.set(asset.code, asset)
  if (kind === 'program') catalog.programs.set(code, programOfBody(code, body))
  else if (kind === 'campaign') catalog.campaigns.set(code, campaignOfBody(code, body))
}

/** The assets that come with a change: an asset itself, the points of a program, the coupons of a campaign. */
export function assetsOfChange(kind: CatalogKind, code: string, body: string): readonly Asset[] {
  switch (kind) {
    case 'asset':
      return [assetOfBody(code, body)]
    case 'program':
      return code === builtInProgram.code ? [] : [pointsAsset(code, body)]
    case 'campaign':
      return [couponAsset(code)]
  }
}

interface AssetBody {
  readonly scale: number
  readonly autoOpen: boolean
}

function assetOfBody(code: string, body: string): Asset {
  const { scale, autoOpen } = JSON.parse(body) as AssetBody
  return { code, scale, autoOpen }
}

/** `scale` of the points was found where the program was put: that of an asset that existed, else 0. */
function pointsAsset(code: string, body: string): Asset {
  const { scale } = JSON.parse(body) as { readonly scale: number }
  return { code, scale, autoOpen: true }
}

export function programOfBody(code: string, body: string): Program {
  const { asset, points, worth } = JSON.parse(body) as Omit<Program, 'code'>
  return { code, asset, points, worth }
}

/** A campaign's JSON as it is stored: as given, times as RFC 3339. */
export interface CampaignBody {
  readonly asset: string
  readonly stock: number
  readonly limitPerCustomer?: number | undefined
  readonly claimFrom?: string | undefined
  readonly claimUntil?: string | undefined
  readonly validFrom?: string | undefined
  readonly validUntil?: string | undefined
  readonly validDays?: number | undefined
  readonly minimumSpend?: string | undefined
  readonly discount:
    | { readonly amount: string; readonly percent?: undefined; readonly cap?: undefined }
    | { readonly percent: string; readonly cap?: string | undefined; readonly amount?: undefined }
  readonly returnPolicy: 'return' | 'burn'
}

export function campaignOfBody(code: string, body: string): Campaign {
  const given = JSON.parse(body) as CampaignBody
  const { discount } = given
  return {
    code,
    asset: given.asset,
    stock: given.stock,
    limitPerCustomer: given.limitPerCustomer,
    claimFrom: timeOr(given.claimFrom, Number.NEGATIVE_INFINITY),
    claimUntil: timeOr(given.claimUntil, Number.POSITIVE_INFINITY),
    validFrom: timeOr(given.validFrom, Number.NEGATIVE_INFINITY),
    validUntil: timeOr(given.validUntil, Number.POSITIVE_INFINITY),
    validDays: given.validDays,
    minimumSpend: given.minimumSpend ?? '0',
    discount:
      discount.amount === undefined
        ? { kind: 'percent', percent: discount.percent, cap: discount.cap }
        : { kind: 'fixed', amount: discount.amount },
    returnPolicy: given.returnPolicy,
  }
}

function timeOr(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? violated('campaign_time_syntax', { text }) : ms
}
