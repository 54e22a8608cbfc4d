// How a change of the catalog is answered, for assets, programs and campaigns alike: 201 or 200 when every partition has committed it, 202 when it
// is durable and some partition, whose shard cannot be reached, will get it later.
import type { FastifyReply } from 'fastify'
import { catalogEntriesMax } from '../../actors/catalog-keeper.ts'
import type { PutOutcome } from '../../actors/engine.ts'
import type { CatalogChange } from '../../core/catalog.ts'
import { refuse } from './problem.ts'
import { answer } from './reply.ts'

/** A body that was checked, and what must hold of the one that stands. */
export interface CatalogPut {
  readonly text: string
  readonly check: (standing: CatalogChange | undefined) => void
}

export function answerPut(
  reply: FastifyReply,
  { outcome, pending }: PutOutcome,
  path: string,
  members: Readonly<Record<string, unknown>>,
): void {
  if (outcome === 'full') refuse('catalog_full', `The catalog holds ${catalogEntriesMax} entries, its most.`)
  const body = JSON.stringify(pending.length === 0 ? members : { ...members, pendingPartitions: pending })
  const http = pending.length > 0 ? 202 : outcome === 'created' ? 201 : 200
  if (http === 201) answer(reply, http, body, ['location', path])
  else answer(reply, http, body)
}
