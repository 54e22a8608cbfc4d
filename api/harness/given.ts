// What a test gives the harness, checked as the HTTP API checks what a client gives it: a misspelt option or an amount that is none is told by
// its name, and nothing is left out in silence.
import { type Static, type TSchema, Type } from 'typebox'
import { type FaultWeights, faultKinds } from '../../adapters/simulated/faults.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import { isHouse } from '../../core/identity.ts'
import { parseAmount } from '../../core/money.ts'
import { AssetBody, ChangeAccountBody, OpenAccountBody } from '../../schemas/http/account.ts'
import { CampaignBody, ProgramBody } from '../../schemas/http/catalog.ts'
import * as field from '../../schemas/http/fields.ts'
import { checker } from '../http/check.ts'
import { isInstant } from '../http/normalise.ts'
import { Problem, ProblemError, refuse } from '../http/problem.ts'
import type { AccountGiven, AssetGiven } from './fixture.ts'

const optionNames = ['seed', 'faults', 'accounts', 'fixture', 'startAt', 'timeZone', 'partitions', 'workers', 'shards']
const optionsKnown: ReadonlySet<string> = new Set([...optionNames, 'trace'])
const looksLikeInstant = checker(field.Instant).check

/** Throws TypeError that names the option. What accounts and a fixture hold is checked where they are opened and posted. */
export function checkOptions(options: object): void {
  const given = new Map<string, unknown>(Object.entries(options).filter(([, value]) => value !== undefined))
  for (const name of given.keys()) if (!optionsKnown.has(name)) wrong(name, 'is no option of the harness')
  const seed = given.get('seed')
  if (seed !== undefined) wholeNumber('seed', seed, 0)
  for (const name of ['partitions', 'workers', 'shards']) {
    const count = given.get(name)
    if (count !== undefined) wholeNumber(name, count, 1)
  }
  const startAt = given.get('startAt') ?? '2027-01-31T12:00:00Z'
  if (!looksLikeInstant(startAt) || !isInstant(startAt)) wrong('startAt', `must be ${field.instantWords}`)
  const faults = given.has('faults') ? given.get('faults') : 'none'
  if (faults !== 'none' && faults !== 'all') checkFaults(faults)
  const trace = given.get('trace')
  if (trace !== undefined && typeof trace !== 'function') wrong('trace', 'must be a function that takes a line')
}

function checkFaults(faults: unknown): asserts faults is FaultWeights {
  if (typeof faults !== 'object' || faults === null || Array.isArray(faults))
    return wrong('faults', "must be 'none', 'all', or kinds with weights")
  for (const [kind, weight] of Object.entries(faults)) {
    if (!(faultKinds as readonly string[]).includes(kind)) wrong(`faults.${kind}`, 'is no kind of fault')
    if (weight !== undefined && !(typeof weight === 'number' && weight >= 0 && Number.isFinite(weight)))
      wrong(`faults.${kind}`, 'must be a weight of zero or more')
  }
}

/** Throws TypeError for anything but a safe integer from `least` on. */
export function wholeNumber(name: string, value: unknown, least: number): void {
  if (!(Number.isSafeInteger(value) && (value as number) >= least))
    wrong(name, `must be a whole number from ${least} on`)
}

function wrong(name: string, what: string): never {
  throw new TypeError(`${name} ${what}`)
}

// ---- bodies of the API: throw ProblemError that names the field -------------------------------------------------------------------

const checked = <Schema extends TSchema>(schema: Schema): ((value: unknown) => asserts value is Static<Schema>) => {
  const { check, explain } = checker(schema)
  return (value) => {
    if (!check(value)) throw new ProblemError(explain(value))
  }
}

const { metadata: _metadata, ...opening } = OpenAccountBody.properties
const checkOpening: (value: unknown) => void = checked(
  Type.Object({ ...opening, balance: Type.Optional(field.Overdraft) }, { additionalProperties: false }),
)
const checkAccountId: (value: unknown) => void = checked(Type.Object({ id: field.AccountId }))
const checkChangeBody: (value: unknown) => void = checked(ChangeAccountBody)
const checkCampaignCode: (value: unknown) => void = checked(Type.Object({ code: field.CampaignCode }))
const checkCampaignBody: (value: unknown) => void = checked(CampaignBody)
const checkAssetCode: (value: unknown) => void = checked(Type.Object({ code: field.AssetCode }))
const checkProgramBody: (value: unknown) => void = checked(ProgramBody)
const checkAssetBody: (value: unknown) => void = checked(AssetBody)

/** Members that are undefined are not sent. */
const sent = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined))
const sentIfObject = (value: unknown): unknown => (typeof value === 'object' && value !== null ? sent(value) : value)

export function checkAccountGiven(id: string, given: AccountGiven, assets: ReadonlyMap<string, Asset>): void {
  within(`account ${id}`, () => {
    checkOpening({ ...sent(given), id })
    checkNoHouse(id)
    const asset = assets.get(given.asset)
    if (asset === undefined) refuse('invalid', `There is no asset ${given.asset}.`, 'asset')
    for (const name of ['balance', 'overdraft'] as const)
      if (typeof parseAmount(given[name] ?? '0', asset.scale) === 'string')
        refuse('invalid', `${name} must be an amount of ${asset.code}, which has ${asset.scale} decimals.`, name)
  })
}

export function checkChange(id: string, change: unknown): void {
  within(`account ${id}`, () => {
    checkAccountId({ id })
    checkNoHouse(id)
    const given = sentIfObject(change)
    checkChangeBody(given)
    if (Object.keys(given as object).length === 0)
      refuse('invalid', 'status is missing; give status, overdraft or both.', 'status')
  })
}

function checkNoHouse(id: string): void {
  if (isHouse(id)) refuse('invalid', 'House accounts open by themselves and cannot be changed.', 'id')
}

export function checkCampaign(code: string, campaign: unknown): void {
  within(`campaign ${code}`, () => {
    checkCampaignCode({ code })
    checkCampaignBody(sentIfObject(campaign))
  })
}

export function checkProgram(code: string, program: unknown): void {
  within(`program ${code}`, () => {
    checkAssetCode({ code })
    checkProgramBody(sentIfObject(program))
  })
}

/** Those of the first day are there already, and assets are immutable. */
export function checkAsset(code: string, asset: AssetGiven): void {
  within(`asset ${code}`, () => {
    checkAssetCode({ code })
    checkAssetBody(sentIfObject(asset))
    const { scale, autoOpen = false } = asset
    const standing = builtInAssets.find((one) => one.code === code)
    if (standing !== undefined && (standing.scale !== scale || standing.autoOpen !== autoOpen))
      refuse('asset_exists', `it exists with scale ${standing.scale} and autoOpen ${standing.autoOpen}.`)
  })
}

/** Says whose problem it is. */
function within(whose: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    const { code, detail, field: name } = error.problem
    throw new ProblemError(new Problem(code, `${whose}: ${detail}`, name))
  }
}
