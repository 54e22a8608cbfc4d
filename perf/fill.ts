// Makes a large ledger in minutes: valid journal rows, made by arithmetic instead of decided, committed through the real ledger with its compare-and-set and
// its hash chain. The indexes of a segment are left out while it is filled and built in bulk afterwards. `verify` cannot tell it from a lived one.
import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { Head, LaneCommit, PartitionCommit } from '../actors/ports.ts'
import { partitionOf } from '../actors/route.ts'
import { openLedger } from '../adapters/postgres/catalog.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { PostgresLedger } from '../adapters/postgres/ledger.ts'
import { keepSegments } from '../adapters/postgres/segments.ts'
import { defaultPartitions } from '../api/compose.ts'
import { type Account, openedAccount } from '../core/account.ts'
import type { Asset } from '../core/asset.ts'
import { idKeyOf } from '../core/identity.ts'
import { accountKey } from '../core/partition.ts'
import { accountRow, type Row } from '../core/row.ts'
import { TupleWriter } from '../schemas/journal-row.ts'
import { accountId } from './load/commands.ts'
import { seededFraction } from './zipf.ts'

export interface FillOptions {
  readonly accounts: number
  /** Debits of 1 minor unit, uniform over the accounts. */
  readonly rows: number
  readonly segmentRowsMax: number
  readonly say: (line: string) => void
}

const rowsPerCommit = 50_000
const overdraftMinor = 100_000_000_000n
const house = 'house:settlement:default'
const dayMs = 86_400_000

/** What is kept of a partition's accounts: numbers in arrays, because ten million objects would not fit. */
interface Part {
  readonly head: Head
  readonly cell: Account
  /** n of `cust-n`; the account's key is counted from the cell's. */
  readonly names: Int32Array
  readonly seqs: Float64Array
  opened: number
  pseq: number
  chain: Uint8Array
}

/** Fills an empty database. */
export async function fillLedger(url: string, options: FillOptions): Promise<void> {
  const { accounts, rows, segmentRowsMax, say } = options
  const info = await openLedger([url], { partitions: undefined, timeZone: undefined, defaultPartitions })
  const asset = info.assets.get('CNY')
  if (asset === undefined) throw new Error('the ledger has no asset CNY')
  const ledger = new PostgresLedger({ url, name: 'suanpan bench fill', assets: info.assets })
  const client = await connect(url, { name: 'suanpan bench fill', settings: { maintenance_work_mem: '512MB' } })
  try {
    const heads = await ledger.takeOver(
      Array.from({ length: info.partitions }, (_, p) => p),
      { kind: 'host' },
    )
    const filler = new Filler(ledger, client, partsOf(heads, accounts, asset), asset)
    await filler.open()
    say(`fill: ${accounts} accounts stand`)
    let segment = 1
    let segmentFrom = 0
    let indexes = await dropIndexes(client, segment)
    for (let written = 0; written < rows; ) {
      written += await filler.debits(Math.min(rows - written, segmentRowsMax - (written - segmentFrom)))
      if (written < rows && written - segmentFrom < segmentRowsMax) continue
      await filler.settled()
      await createIndexes(client, indexes)
      say(`fill: ${written} rows`)
      if (written === rows) break
      indexes = []
      await keepSegments(url, Math.min(segmentRowsMax, written), {
        opened: (next) => {
          segment = next
        },
        closed: () => undefined,
      })
      await filler.switchTo(segment)
      await keepSegments(url, Number.MAX_SAFE_INTEGER, { opened: () => undefined, closed: () => undefined })
      segmentFrom = written
      indexes = await dropIndexes(client, segment)
    }
    if (rows === 0) await createIndexes(client, indexes)
    // What was written in minutes would else go to the disk in the midst of what is measured.
    await client.query('CHECKPOINT')
  } finally {
    await Promise.allSettled([ledger.close(), client.end()])
  }
}

function partsOf(heads: readonly Head[], accounts: number, asset: Asset): Part[] {
  const names = new Map(heads.map(({ partition }) => [partition, [] as number[]]))
  for (let n = 0; n < accounts; n++) names.get(partitionOf(`cust-${n}`, heads.length))?.push(n)
  return heads.flatMap((head): Part[] => {
    const own = Int32Array.from(names.get(head.partition) ?? [])
    if (own.length === 0) return []
    const cell = openedAccount(accountKey(head.partition, 1, house), house, asset, 'credit', 0n)
    return [
      { head, cell, names: own, seqs: new Float64Array(own.length), opened: 0, pseq: head.pseq, chain: head.chain },
    ]
  })
}

class Filler {
  private readonly ledger: PostgresLedger
  private readonly client: pg.Client
  private readonly parts: readonly Part[]
  private readonly asset: Asset
  private readonly writer = new TupleWriter(16 << 20)
  private readonly fraction = seededFraction(11)
  private readonly atMs = Date.now()
  private segment = 1
  private turn = 0
  private ids = 0
  private inFlight: Promise<void> = Promise.resolve()

  constructor(ledger: PostgresLedger, client: pg.Client, parts: readonly Part[], asset: Asset) {
    this.ledger = ledger
    this.client = client
    this.parts = parts
    this.asset = asset
  }

  async open(): Promise<void> {
    for (const part of this.parts) {
      for (let from = 0; from < part.names.length; from += rowsPerCommit) await this.openSome(part, from)
    }
    await this.inFlight
    await this.client.query('VACUUM ANALYZE suanpan.account')
  }

  private async openSome(part: Part, from: number): Promise<void> {
    const first = part.pseq + 1
    const openings: LaneCommit['openings'][number][] = []
    const { partition } = part.head
    const open = (account: Account, id: string): void => {
      part.opened++
      this.row(part, accountRow('open', 0, account.overdraft, account), account.id, id)
      openings.push({ account, partition, openedAt: this.atMs, metadata: undefined })
    }
    if (from === 0) open(part.cell, `!open-house-${partition}`)
    for (const n of part.names.subarray(from, from + rowsPerCommit)) {
      const id = accountId(n)
      open(
        openedAccount(accountKey(partition, part.opened + 1, id), id, this.asset, 'credit', overdraftMinor),
        `!open-${n}`,
      )
    }
    await this.commit(part, first, openings, [])
  }

  /** Writes at most so many rows; returns how many. */
  async debits(most: number): Promise<number> {
    const part = this.parts[this.turn++ % this.parts.length]
    if (part === undefined) throw new Error('there are no accounts to debit')
    const count = Math.min(most, rowsPerCommit)
    const first = part.pseq + 1
    const { names, seqs, cell } = part
    // One row and one account, filled again: the writer keeps nothing.
    const from = { key: 0, id: '', asset: this.asset, normal: 'credit' as const }
    for (let i = 0; i < count; i++) {
      const at = Math.floor(this.fraction() * names.length)
      const seq = (seqs[at] ?? 0) + 1
      seqs[at] = seq
      // The cell was opened first, the accounts after it in the order of their names.
      from.key = accountKey(part.head.partition, at + 2, '')
      from.id = accountId(names[at] ?? 0)
      cell.seq++
      cell.balance += 1n
      const row: Row = {
        kind: 'debit',
        leg: 0,
        code: 0,
        amount: 1n,
        from,
        fromSeq: seq,
        fromBalance: BigInt(-seq),
        fromHeld: 0n,
        to: cell,
        toSeq: cell.seq,
        toBalance: cell.balance,
        toHeld: 0n,
        link: undefined,
      }
      this.row(part, row, from.id, `fill-${this.ids++}`)
    }
    await this.commit(part, first, [], [{ ...cell }])
    return count
  }

  /** All partitions write to this segment from now on. */
  async switchTo(segment: number): Promise<void> {
    await this.inFlight
    const partitions = this.parts.map((part) => this.advance(part, part.pseq + 1, undefined, segment))
    await this.ledger.commit({ ...nothing, segment: this.segment, partitions, rows: Buffer.alloc(0) })
    this.segment = segment
  }

  private row(part: Part, row: Row, account: string, id: string): void {
    part.pseq++
    const owner = account.slice(0, account.indexOf(':'))
    this.writer.row(row, {
      partition: part.head.partition,
      pseq: part.pseq,
      idKey: idKeyOf(owner, id),
      id,
      channel: undefined,
      atMs: this.atMs,
      date: Math.floor(this.atMs / dayMs),
      detailHash: undefined,
    })
  }

  private async commit(
    part: Part,
    first: number,
    openings: LaneCommit['openings'],
    cells: LaneCommit['cells'],
  ): Promise<void> {
    const rows = this.writer.take()
    part.chain = createHash('sha256').update(part.chain).update(rows).digest()
    const partitions = [this.advance(part, first, part.chain, this.segment)]
    await this.inFlight
    this.inFlight = this.ledger.commit({ ...nothing, segment: this.segment, partitions, rows, openings, cells })
    // Whoever awaits it next throws; until then it must not count as unhandled.
    this.inFlight.catch(() => undefined)
  }

  private advance(part: Part, first: number, chain: Uint8Array | undefined, nextSegment: number): PartitionCommit {
    const { partition, epoch, position } = part.head
    return {
      partition,
      epoch,
      before: position,
      after: position,
      attempt: undefined,
      firstPseq: first,
      lastPseq: part.pseq,
      accountsOpened: part.opened,
      time: this.atMs,
      chain,
      nextSegment,
    }
  }

  async settled(): Promise<void> {
    await this.inFlight
  }
}

const nothing = {
  details: [],
  openings: [],
  changes: [],
  holds: [],
  cells: [],
  catalog: [],
  links: [],
  joints: [],
} as const

/** The definitions of what was dropped. */
async function dropIndexes(client: pg.Client, segment: number): Promise<string[]> {
  const { rows } = await client.query<{ indexname: string; indexdef: string }>(
    `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'suanpan' AND tablename = suanpan.segment_table($1)`,
    [segment],
  )
  for (const { indexname } of rows) await client.query(`DROP INDEX suanpan."${indexname}"`)
  return rows.map(({ indexdef }) => indexdef)
}

async function createIndexes(client: pg.Client, definitions: readonly string[]): Promise<void> {
  for (const definition of definitions) await client.query(definition)
}
