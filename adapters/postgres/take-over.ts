// Becoming the host of partitions: ends whoever wrote them before, then raises the epoch. The UPDATE (never a SELECT) waits for a commit
// still under way, so the position that it returns is final.
import type pg from 'pg'
import { TerminalFault } from '../../actors/faults.ts'
import type { Claim, Head } from '../../actors/ports.ts'
import { readAcross } from './across.ts'
import { readCatalogs } from './catalog-changes.ts'

/** A former backend gets this long to end; it holds row locks until then. */
const endBackendMs = 5000

interface StoredHead {
  readonly partition: number
  readonly epoch: string
  readonly generation: string
  readonly frame_high: string
  readonly frame_low: string
  readonly frame_index: number
  readonly attempt: string | null
  readonly pseq: string
  readonly accounts: string
  readonly at_ms: string
  readonly chain: Buffer
  readonly segment: number
}

export async function takeOverPartitions(
  client: pg.Client,
  host: string,
  partitions: readonly number[],
  claim: Claim,
): Promise<Head[]> {
  // -1 matches any epoch: the process holds the hosting lock, so whoever hosted is gone or frozen. Epochs only rise: one below ours stands in a
  // database that lost history, and nobody else has hosted there.
  const epochs = partitions.map((partition) => (claim.kind === 'host' ? -1 : (claim.epochs.get(partition) ?? 0)))
  await client.query(
    `SELECT pg_terminate_backend(b.pid, $4)
       FROM pg_stat_activity b
      WHERE b.datname = current_database() AND b.pid <> pg_backend_pid() AND b.application_name <> $3
        AND b.application_name IN (
          SELECT p.host FROM suanpan.partition p JOIN unnest($1::smallint[], $2::bigint[]) AS w(partition, epoch) ON p.partition = w.partition
           WHERE p.host <> '' AND p.moving_to IS NULL AND (w.epoch = -1 OR p.epoch <= w.epoch))`,
    [partitions, epochs, host, endBackendMs],
  )
  const { rows } = await client.query<StoredHead>(
    `UPDATE suanpan.partition p
        SET epoch = greatest(p.epoch, w.epoch) + 1, host = $3
       FROM unnest($1::smallint[], $2::bigint[]) AS w(partition, epoch)
      WHERE p.partition = w.partition AND p.moving_to IS NULL AND (w.epoch = -1 OR p.epoch <= w.epoch)
      RETURNING p.partition, p.epoch, p.generation, p.frame_high, p.frame_low, p.frame_index, p.attempt, p.pseq, p.accounts,
                (extract(epoch FROM p.at) * 1000)::bigint AS at_ms, p.chain, p.segment`,
    [partitions, epochs, host],
  )
  if (claim.kind === 'host' && rows.length !== partitions.length) {
    throw new TerminalFault(
      'wrong_ledger',
      `the shard has ${rows.length} of the ${partitions.length} partitions to be hosted, or one is being moved away`,
    )
  }
  const catalogs = await readCatalogs(client, partitions)
  const across = await readAcross(
    client,
    rows.map(({ partition }) => partition),
  )
  return rows.map((row) => ({
    partition: row.partition,
    epoch: Number(row.epoch),
    position: {
      generation: Number(row.generation),
      high: Number(row.frame_high),
      low: Number(row.frame_low),
      index: row.frame_index,
    },
    attempt: row.attempt ?? undefined,
    pseq: Number(row.pseq),
    accountsOpened: Number(row.accounts),
    time: Number(row.at_ms),
    chain: row.chain,
    segment: row.segment,
    catalog: catalogs.of(row.partition),
    links: across.links.get(row.partition) ?? [],
    joints: across.joints.get(row.partition) ?? [],
  }))
}
