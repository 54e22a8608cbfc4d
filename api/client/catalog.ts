// What every partition sees in order, as the client puts and reads it: campaigns and points programs, and the points of an owner by lot.
import type { Campaign, CampaignRequest, Points, Program, ProgramRequest, SuanpanProblem } from './contract.ts'
import { type Each, isProblem } from './outcome.ts'
import type { Reply } from './transport.ts'

/** `pending`: durable, but some partition will only get it when its shard can be reached (`pendingPartitions`). `conflict`: it cannot be changed so. */
export type PutOutcome<Name extends string, Value> =
  | Each<'created' | 'changed' | 'pending', Readonly<Record<Name, Value>>>
  | Each<'conflict' | 'refused', { readonly problem: SuanpanProblem }>

export interface CatalogCalls {
  readonly campaigns: {
    /** All but the asset may change later; stock can only be raised. The same again is `changed`. */
    put(code: string, campaign: CampaignRequest): Promise<PutOutcome<'campaign', Campaign>>
    /** With what became of its coupons. Undefined: there is none. */
    get(code: string): Promise<Campaign | undefined>
  }
  readonly programs: {
    put(code: string, program: ProgramRequest): Promise<PutOutcome<'program', Program>>
    get(code: string): Promise<Program | undefined>
  }
  points(owner: string): Promise<Points>
}

interface Calls {
  put(path: string, body: unknown): Promise<Reply>
  get<T>(path: string): Promise<T>
  getOrNone<T>(path: string): Promise<T | undefined>
}

export const catalogCalls = ({ put, get, getOrNone }: Calls): CatalogCalls => ({
  campaigns: {
    put: async (code, campaign) =>
      outcomeOf<'campaign', Campaign>('campaign', await put(`/v1/campaigns/${encodeURIComponent(code)}`, campaign)),
    get: (code) => getOrNone<Campaign>(`/v1/campaigns/${encodeURIComponent(code)}`),
  },
  programs: {
    put: async (code, program) =>
      outcomeOf<'program', Program>('program', await put(`/v1/programs/${encodeURIComponent(code)}`, program)),
    get: (code) => getOrNone<Program>(`/v1/programs/${encodeURIComponent(code)}`),
  },
  points: (owner) => get<Points>(`/v1/points?owner=${encodeURIComponent(owner)}`),
})

function outcomeOf<Name extends string, Value>(name: Name, { http, body }: Reply): PutOutcome<Name, Value> {
  if (isProblem(body)) return { status: http === 409 ? 'conflict' : 'refused', problem: body }
  const status = http === 201 ? 'created' : http === 202 ? 'pending' : 'changed'
  return { status, [name]: body } as PutOutcome<Name, Value>
}
