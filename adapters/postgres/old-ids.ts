// Ids of segments whose filters are not in memory: whether the stored filters hold them, in one query for a batch. An index probe per segment would be
// exact, but of twice the price and, in indexes that no cache holds any more, of a read of the disk each (decision 031).
import type pg from 'pg'
import { pageBytes, probeOf, probes } from '../../actors/id-filter.ts'
import type { IdKey } from '../../core/identity.ts'

/** Numbers of pages that stored filters have: few, because segments are about equally long. */
export type FilterSizes = readonly number[]

export async function filterSizes(client: pg.Client): Promise<FilterSizes> {
  const { rows } = await client.query<{ pages: number }>(
    `SELECT DISTINCT octet_length(bits) / ${pageBytes} AS pages FROM suanpan.id_filter`,
  )
  return rows.map(({ pages }) => pages)
}

/** By partition: those that the filters of segments before this one may hold. `sizes`: at least those of these filters. */
export async function oldIds(
  client: pg.Client,
  before: number,
  ids: ReadonlyMap<number, readonly IdKey[]>,
  sizes: FilterSizes,
): Promise<Map<number, IdKey[]>> {
  const asked = [...ids].flatMap(([partition, keys]) => keys.map((key) => ({ partition, key, ...probeOf(key) })))
  const { rows } = await client.query<{ n: string }>({
    ...pagesQuery,
    values: [
      asked.map(({ partition }) => partition),
      asked.map(({ hash }) => hash),
      asked.map(({ bit }) => bit),
      asked.map(({ step }) => step),
      sizes,
      before,
    ],
  })
  const found = new Map<number, IdKey[]>()
  for (const { n } of rows) {
    const one = asked[Number(n) - 1]
    if (one === undefined) continue
    const here = found.get(one.partition)
    if (here === undefined) found.set(one.partition, [one.key])
    else here.push(one.key)
  }
  return found
}

const bitsSet = Array.from(
  { length: probes },
  (_, i) => `get_bit(p.bits, (k.bit + ${i} * k.step) & ${pageBytes * 8 - 1}) = 1`,
)

/** The pages of all segments for one id lie side by side in the index: one way down for each size. */
const pagesQuery = {
  name: 'old_ids',
  text: `
    SELECT k.n FROM unnest($1::smallint[], $2::integer[], $3::integer[], $4::integer[]) WITH ORDINALITY AS k(partition, hash, bit, step, n)
     WHERE EXISTS (
       SELECT FROM unnest($5::integer[]) AS size(pages)
         JOIN suanpan.id_page p ON p.partition = k.partition AND p.pages = size.pages AND p.page = k.hash & (size.pages - 1) AND p.segment < $6
        WHERE ${bitsSet.join(' AND ')})`,
}
