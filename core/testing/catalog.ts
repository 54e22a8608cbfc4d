// Catalog changes for tests.
import type { CampaignBody, CatalogChange } from '../catalog.ts'
import type { ChangeCatalog, MoveStock } from '../command.ts'

export const campaignBody = (given: Partial<CampaignBody> = {}): string =>
  JSON.stringify({ asset: 'CNY', stock: 10, discount: { amount: '20' }, returnPolicy: 'return', ...given })

/** In the only partition of a test ledger, so that all of a campaign's stock comes there. */
export const catalogChange = (given: Partial<CatalogChange & ChangeCatalog> = {}): ChangeCatalog => ({
  type: 'catalog',
  id: `!catalog:${given.version ?? 1}`,
  partition: 0,
  partitions: 1,
  version: 1,
  kind: 'campaign',
  code: 'SPRING',
  body: campaignBody(),
  ...given,
})

export const moveStock = (given: Partial<MoveStock> = {}): MoveStock => ({
  type: 'stock',
  id: '!stock',
  partition: 0,
  campaign: 'SPRING',
  action: 'recall',
  ...given,
})
