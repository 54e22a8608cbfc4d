// Random histories through a lane over Postgres, with tiny batches, a tiny memory, restarts, and segments that open and close in between:
// every answer is the one that the plain rules give, the first time and ever after, and the journal holds the bytes that were hashed.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { to as copyTo } from 'pg-copy-streams'
import { partitionOf, placing } from '../../actors/route.ts'
import { FakeMailbox } from '../../actors/testing/fake-mailbox.ts'
import { type Burst, history, Models } from '../../actors/testing/histories.ts'
import { LaneRun } from '../../actors/testing/lane-run.ts'
import { calendarOf } from '../../core/business-date.ts'
import type { Command } from '../../core/command.ts'
import { ownerOfCommand, routingKeyOf } from '../../core/owner.ts'
import type { Answer } from '../../schemas/answer.ts'
import { copyHeader, copyTrailer, journalColumns } from '../../schemas/journal-row.ts'
import { int2, int8, sliceRows } from '../../schemas/testing/decode-rows.ts'
import { type TestPostgres, testPostgres } from '../embedded/testing/test-postgres.ts'
import { VirtualTime } from '../simulated/time.ts'
import { type LedgerInfo, openLedger } from './catalog.ts'
import { segmentTable } from './commit.ts'
import { connect } from './connect.ts'
import { PostgresLedger } from './ledger.ts'
import { PostgresReads } from './reads.ts'
import { keepSegments } from './segments.ts'
import { verifyLedger } from './verify.ts'

const partitions = 3
const segmentRows = 60
const placeOf = (command: Command): number => partitionOf(routingKeyOf(command), partitions)

let postgres: TestPostgres
let url: string
let info: LedgerInfo
before(async () => {
  postgres = await testPostgres()
  url = await postgres.newDatabase()
  info = await openLedger([url], { partitions, timeZone: 'UTC', defaultPartitions: partitions })
})
after(() => postgres.stop())

/** Bytes of each committed row by `partition pseq`, as the lane handed them over. */
const committed = new Map<string, Buffer>()
const time = new VirtualTime()
let hosts = 0
/** Found in stored filters that were not in memory. */
let oldIds = 0
let histories = 0

/** One host after the other over the database of the file; each closes its lane. */
class Host {
  readonly run: LaneRun
  /** From the next batch on the filters tell. */
  knowsPast = false
  private readonly ledger: PostgresLedger

  constructor(batchCommandsMax: number, residentsMax: number, idFilterBytesMax: number) {
    hosts++
    this.ledger = new PostgresLedger({ url, name: `test ${hosts}`, assets: info.assets })
    const { ledger } = this
    this.run = new LaneRun({
      ledger: {
        takeOver: (...given) => ledger.takeOver(...given),
        load: (needs) => ledger.load(needs),
        pastIds: async (...given) => {
          await ledger.pastIds(...given)
          this.knowsPast = true
        },
        oldIds: async (...given) => {
          const found = await ledger.oldIds(...given)
          for (const keys of found.values()) oldIds += keys.length
          return found
        },
        close: () => ledger.close(),
        commit: async (commit) => {
          const slices = sliceRows(commit.rows)
          await ledger.commit(commit)
          for (const { tuple, bytes } of slices) committed.set(`${int2(tuple.partition)} ${int8(tuple.pseq)}`, bytes)
        },
      },
      rules: { assets: info.assets, dateOf: calendarOf('UTC'), houseAutoOpen: true, partitionOf: placing(partitions) },
      partitions,
      time,
      mailbox: new FakeMailbox(hosts),
      limits: { batchCommandsMax, residentsMax, idFilterBytesMax },
    })
  }

  /** Opens a segment if the present one is full, and closes those that nobody writes to any more. */
  async keepSegments(): Promise<void> {
    await keepSegments(url, segmentRows, {
      opened: (segment) => this.run.lane.switchSegment(segment),
      closed: (segment) => {
        this.ledger.segmentClosed(segment)
        this.run.lane.segmentClosed(segment)
      },
    })
  }

  async ask(commands: readonly Command[]): Promise<Answer[]> {
    const half = commands.length >> 1
    // Two frames, so that one batch is decided while the other commits.
    const sent = [...this.run.send(...commands.slice(0, half)), ...this.run.send(...commands.slice(half))]
    await this.run.until(() => sent.every((ticket) => this.run.heard.has(ticket)))
    return sent.map((ticket) => {
      const { ticket: _ticket, ...answer } = this.run.heard.get(ticket) ?? assert.fail()
      return answer
    })
  }
}

test('any history is answered as one state with everything in memory does, the first time and ever after', async () => {
  const reads = new PostgresReads({
    urls: [url],
    shardOf: info.shardOf,
    assets: () => info.assets,
    dateOf: calendarOf('UTC'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.constant(0).chain(() => history(`-${++histories}`, { min: 60, max: 120 })),
      fc.constantFrom(1, 3, 1000),
      fc.constantFrom(1, 6, 1000),
      async (bursts: readonly Burst[], batchCommandsMax, residentsMax) => {
        // Filters of closed segments: all in memory, or none.
        const idFilterBytesMax = histories % 2 === 0 ? 0 : Number.POSITIVE_INFINITY
        const models = new Models(placeOf)
        const firsts = new Map<string, { command: Command; answer: Answer }>()
        let host = new Host(batchCommandsMax, residentsMax, idFilterBytesMax)
        try {
          for (const [n, { waitMs, commands }] of bursts.entries()) {
            time.advance(waitMs)
            for (const [i, answer] of (await host.ask(commands)).entries()) {
              const command = commands[i] ?? assert.fail()
              const expected = models.post(command, time.now())
              assert.deepEqual(answer, expected, JSON.stringify(command))
              const key = `${ownerOfCommand(command)} ${command.id}`
              if (!answer.replayed && answer.http !== 409 && answer.http !== 412 && !firsts.has(key))
                firsts.set(key, { command, answer })
            }
            if (n % 5 === 4) await host.keepSegments()
            if (n % 17 === 16) {
              await host.run.stop()
              host = new Host(batchCommandsMax, residentsMax, idFilterBytesMax)
            }
          }
          await host.run.stop()
          host = new Host(1000, residentsMax, idFilterBytesMax)
          for (let i = 0; i < 2; i++) await host.keepSegments()
          time.advance(60_000)
          const again = [...firsts.values()].map(({ command }) => command)
          // While the ids of the past are read, and when they are.
          for (const knowsPast of [false, true]) {
            if (knowsPast) await host.run.until(() => host.knowsPast)
            for (const [i, answer] of (await host.ask(again)).entries()) {
              const command = again[i] ?? assert.fail()
              assert.deepEqual(answer, models.post(command, time.now()), `again: ${JSON.stringify(command)}`)
            }
          }
          for (const { command, answer } of firsts.values()) {
            if (command.id.startsWith('!')) continue
            const view = await reads.transaction(ownerOfCommand(command), command.id)
            assert.deepEqual([view?.http, view?.body], [answer.http, answer.body])
          }
        } finally {
          await host.run.stop()
        }
      },
    ),
    { numRuns: Number(process.env.SIM_RUNS ?? 5), endOnFailure: true },
  )
  await reads.close()
  assert.ok(oldIds > 20, `only ${oldIds} ids were found in filters that were not in memory`)
  const report = await verifyLedger([url])
  assert.equal(report.finding, undefined)
  assert.equal(report.rows, committed.size)
})

test('what was committed is what COPY gives back, byte for byte, over all segments', async () => {
  const client = await connect(url, { name: 'test' })
  const { rows: segments } = await client.query<{ segment: number; closed: boolean }>(
    'SELECT segment, closed_at IS NOT NULL AS closed FROM suanpan.segment ORDER BY segment',
  )
  assert.ok(segments.filter(({ closed }) => closed).length > 3, `only ${segments.length} segments`)
  const stored = new Map<string, Buffer>()
  for (const { segment } of segments) {
    const chunks: Buffer[] = []
    const stream = client.query(
      copyTo(`COPY ${segmentTable(segment)} (${journalColumns.join(', ')}) TO STDOUT (FORMAT binary)`),
    )
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    const all = Buffer.concat(chunks)
    for (const { tuple, bytes } of sliceRows(all.subarray(copyHeader.length, all.length - copyTrailer.length)))
      stored.set(`${int2(tuple.partition)} ${int8(tuple.pseq)}`, bytes)
  }
  await client.end()
  assert.equal(stored.size, committed.size)
  for (const [name, bytes] of stored) assert.deepEqual(bytes, committed.get(name), name)
})
