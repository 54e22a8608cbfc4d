import { ledgerConformance } from '../../actors/testing/ledger-conformance.ts'
import { testPostgres } from '../embedded/testing/test-postgres.ts'
import { openLedger } from './catalog.ts'
import { connect } from './connect.ts'
import { PostgresLedger } from './ledger.ts'

/** As the ledger was when it was created: a tenth of the time of a new database. */
const reset = `
  TRUNCATE suanpan.account, suanpan.cell, suanpan.hold, suanpan.detail, suanpan.commit, suanpan.journal;
  UPDATE suanpan.partition p SET epoch = 0, host = '', generation = 0, frame_high = 0, frame_low = 0, frame_index = 0, attempt = NULL,
    pseq = 0, accounts = 0, at = '1970-01-01T00:00:00Z', segment = 1, chain = sha256(convert_to('suanpan ' || l.id || ' ' || p.partition, 'UTF8'))
    FROM suanpan.ledger l`

ledgerConformance('Postgres ledger', async () => {
  const postgres = await testPostgres()
  const url = await postgres.newDatabase()
  const { assets, partitions } = await openLedger([url], { partitions: 4, timeZone: 'UTC', defaultPartitions: 4 })
  const client = await connect(url, { name: 'reset' })
  let names = 0
  return {
    make: async () => {
      await client.query(reset)
      return { partitions, assets, open: () => new PostgresLedger({ url, name: `test ${++names}`, assets }) }
    },
    stop: async () => {
      await client.end()
      await postgres.stop()
    },
  }
})
