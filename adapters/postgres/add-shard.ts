// A further database for a ledger that exists. It begins without partitions; the hosting process finds it in the catalog.
import { TerminalFault } from '../../actors/faults.ts'
import { checkDurable, readLedger } from './catalog.ts'
import { connect, faulting, shownUrl } from './connect.ts'
import { migrate } from './migrate.ts'
import { addedShards, readPlaces, shardUrls } from './placement.ts'

/** `given`: the shards as the server's environment names them. Returns the number of the new one. Cut short, it is begun again by the next call. */
export async function addShard(given: readonly string[], url: string): Promise<number> {
  return await faulting(async () => {
    const catalog = await connect(given[0] ?? '', { name: 'suanpan shards' })
    try {
      await catalog.query('BEGIN')
      await catalog.query(`SELECT pg_advisory_xact_lock(hashtextextended('suanpan.shards', 0))`)
      const ledger = await readLedger(catalog)
      if (ledger === undefined) throw wrong('there is no ledger yet: start a server first')
      const known = shardUrls(given, await addedShards(catalog), await readPlaces(catalog))
      const number = known.length
      await migrate(url)
      const shard = await connect(url, { name: 'suanpan shards' })
      try {
        await checkDurable(shard, url)
        const there = await readLedger(shard)
        if (there !== undefined && (there.id !== ledger.id || there.shard !== number)) {
          throw wrong(
            there.id === ledger.id
              ? `${shownUrl(url)} is shard ${there.shard} of this ledger already`
              : `${shownUrl(url)} belongs to ledger ${there.id}`,
          )
        }
        await shard.query('BEGIN')
        await shard.query('CALL suanpan.open_segment(1)')
        await shard.query(
          `INSERT INTO suanpan.ledger (id, shard, partitions, hash, time_zone) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (one) DO NOTHING`,
          [ledger.id, number, ledger.partitions, ledger.hash, ledger.time_zone],
        )
        await shard.query('COMMIT')
      } finally {
        await shard.end()
      }
      await catalog.query('INSERT INTO suanpan.shard (shard, url) VALUES ($1, $2)', [number, url])
      await catalog.query('COMMIT')
      return number
    } finally {
      await catalog.end()
    }
  })
}

const wrong = (message: string): TerminalFault => new TerminalFault('wrong_ledger', message)
