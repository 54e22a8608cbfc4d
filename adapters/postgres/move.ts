// Carries a partition from one shard to another while its host goes on: the journal so far in rounds, each of segments that nobody writes to
// any more, then the rest while the partition stands still, and last the row of the catalog that says where it is. That row is the decision:
// before it everything can be undone, after it only what was left behind has to go. Rules and failures: docs/decisions/016.
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { TerminalFault } from '../../actors/faults.ts'
import { keysPerPartition } from '../../core/partition.ts'
import { journalColumns } from '../../schemas/journal-row.ts'
import { segmentTable } from './commit.ts'
import { connect, destroy } from './connect.ts'
import type { Move, MoveLog } from './move-log.ts'

/** What the process that hosts the partition does for its move. */
export interface MoveHost {
  /** All lanes of the shard write to this segment from now on. */
  switchSegment(shard: number, segment: number): void
  /** Resolves when no thread hosts the partition any more; what comes for it waits in its mailbox. */
  release(partition: number): Promise<void>
}

export interface MoveOptions {
  readonly move: Move
  readonly log: MoveLog
  readonly fromUrl: string
  readonly toUrl: string
  /** Of the mover's connections, so that whoever takes over from it can end them. */
  readonly name: string
  /** Undefined: nobody hosts the ledger, the partition stands still anyway. */
  readonly host: MoveHost | undefined
  readonly now: () => number
  /** Ends the connections: what is not decided by then is undone by the next host. */
  readonly signal: AbortSignal
}

/** When a round copied no more than this, the next one is the last: some 50 ms. */
const lastRoundRows = 5000
/** A partition that grows as fast as it is copied is stopped after so many rounds all the same. */
const roundsMax = 6
const switchMs = 20_000
const lookMs = 20

/** Resolves when the catalog says that the partition is on its new shard. Throws with nothing decided: then `undoMove` puts all back. */
export async function copyAndSwitch(options: MoveOptions): Promise<void> {
  const { move, log } = options
  const from = await connect(options.fromUrl, { name: options.name })
  let to: pg.Client | undefined
  const abort = (): void => {
    destroy(from)
    destroy(to)
  }
  options.signal.addEventListener('abort', abort)
  try {
    to = await connect(options.toUrl, { name: options.name })
    await log.set(move.id, 'copying')
    await to.query(`CALL suanpan.clear_partition(${move.partition}::smallint)`)
    const copy = new PartitionCopy(from, to, move, log)
    await copy.begin()
    if (options.host !== undefined) await copyInRounds(copy, options.host, move)
    await copy.index()
    await log.set(move.id, 'fenced')
    const stopped = options.now()
    await options.host?.release(move.partition)
    await copy.fence()
    await copy.rest()
    await log.switched(move, Math.round(options.now() - stopped))
  } finally {
    options.signal.removeEventListener('abort', abort)
    abort()
  }
}

async function copyInRounds(copy: PartitionCopy, host: MoveHost, move: Move): Promise<void> {
  for (let round = 1; round <= roundsMax; round++) {
    const segment = await copy.openNext()
    host.switchSegment(move.from, segment)
    await copy.whenWritingTo(segment)
    const rows = await copy.upTo(segment)
    if (round === 1) await copy.index()
    await copy.accounts()
    if (rows <= lastRoundRows && round > 1) return
  }
}

/** Lets the partition be hosted again where it was, after a move that was not decided. May be called again and again, by whoever hosts. */
export async function unfence(url: string, partition: number, name: string): Promise<void> {
  const client = await connect(url, { name })
  try {
    await client.query('UPDATE suanpan.partition SET moving_to = NULL WHERE partition = $1', [partition])
  } finally {
    await client.end()
  }
}

/** Removes what a shard holds of a partition that the catalog places elsewhere. */
export async function clearPartition(url: string, partition: number, name: string): Promise<void> {
  const client = await connect(url, { name })
  try {
    await client.query(`CALL suanpan.clear_partition(${partition}::smallint)`)
  } finally {
    await client.end()
  }
}

/** Ends the connections of movers that died or froze, so that nothing of theirs arrives late. */
export async function endMovers(url: string, name: string): Promise<void> {
  const client = await connect(url, { name })
  try {
    await client.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'suanpan % move' AND application_name <> $1`,
      [name],
    )
  } finally {
    await client.end()
  }
}

class PartitionCopy {
  private readonly from: pg.Client
  private readonly to: pg.Client
  private readonly move: Move
  private readonly log: MoveLog
  private segment = 0
  /** Journal segments of the source below this one, and rows up to this number, are copied. */
  private nextSegment = 0
  private copied = 0
  private lastAccount = 0
  private indexed = false

  constructor(from: pg.Client, to: pg.Client, move: Move, log: MoveLog) {
    this.from = from
    this.to = to
    this.move = move
    this.log = log
  }

  private get partition(): number {
    return this.move.partition
  }

  async begin(): Promise<void> {
    const { rows } = await this.to.query<{ segment: number }>(
      `SELECT suanpan.open_moving_segment(${this.partition}::smallint) AS segment`,
    )
    this.segment = rows[0]?.segment ?? 0
  }

  /** A segment above all that the partition writes to; returns its number. */
  async openNext(): Promise<number> {
    const { rows } = await this.from.query<{ segment: number }>(
      'SELECT suanpan.open_next_segment(segment) AS segment FROM suanpan.partition WHERE partition = $1',
      [this.partition],
    )
    const [row] = rows
    if (row === undefined)
      throw new TerminalFault('wrong_ledger', `the shard does not hold partition ${this.partition}`)
    return row.segment
  }

  /** The host moves on by itself, with the next commit of its lane. */
  async whenWritingTo(segment: number): Promise<void> {
    for (let waited = 0; waited < switchMs; waited += lookMs) {
      const { rows } = await this.from.query<{ there: boolean }>(
        'SELECT segment >= $2 AS there FROM suanpan.partition WHERE partition = $1',
        [this.partition, segment],
      )
      if (rows[0]?.there === true) return
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    throw new TerminalFault('other', `the host did not go on to segment ${segment} in ${switchMs / 1000} s`)
  }

  /** Copies the segments below `end`, which the partition does not write to any more. Returns the number of rows. */
  async upTo(end: number | undefined): Promise<number> {
    const before = this.copied
    const segments = await this.from.query<{ segment: number }>(
      'SELECT segment FROM suanpan.segment WHERE moving IS NULL AND segment >= $1 AND ($2::integer IS NULL OR segment < $2) ORDER BY segment',
      [this.nextSegment, end ?? null],
    )
    const last = await this.from.query<{ pseq: string }>(
      end === undefined
        ? 'SELECT pseq FROM suanpan.partition WHERE partition = $1'
        : 'SELECT coalesce(max(last_pseq), 0) AS pseq FROM suanpan.commit WHERE partition = $1 AND segment < $2',
      end === undefined ? [this.partition] : [this.partition, end],
    )
    const until = Number(last.rows[0]?.pseq ?? 0)
    const columns = journalColumns.join(', ')
    for (const { segment } of segments.rows) {
      this.copied += await this.pipe(
        `SELECT ${columns} FROM ${segmentTable(segment)} WHERE partition = ${this.partition} ORDER BY pseq`,
        `${segmentTable(this.segment)} (${columns})`,
      )
      this.nextSegment = segment + 1
    }
    // Rows are numbered without gaps: so many must be there.
    if (this.copied !== until)
      throw new TerminalFault(
        'wrong_ledger',
        `${this.copied} rows of partition ${this.partition} were found, not ${until}`,
      )
    await this.rowsBetween('commit', 'last_pseq', before, until, { segment: String(this.segment) })
    await this.rowsBetween('detail', 'pseq', before, until, {})
    await this.log.progress(this.move.id, this.copied)
    return this.copied - before
  }

  private async rowsBetween(
    table: string,
    column: string,
    after: number,
    until: number,
    instead: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.table(table, `partition = ${this.partition} AND ${column} > ${after} AND ${column} <= ${until}`, instead)
  }

  /** Once all that there was is in: built in bulk. */
  async index(): Promise<void> {
    if (this.indexed) return
    await this.to.query(`CALL suanpan.index_segment(${this.segment})`)
    this.indexed = true
  }

  /** Accounts opened since the last call. Sums of closed segments stay behind: here the whole journal is in an open one. */
  async accounts(): Promise<void> {
    const last = await this.from.query<{ key: string | null }>(
      'SELECT max(key) AS key FROM suanpan.account WHERE key > $1 AND key < $2',
      [Math.max(this.lastAccount, this.firstKey - 1), this.firstKey + keysPerPartition],
    )
    const key = last.rows[0]?.key
    if (key == null) return
    await this.accountRows(`key > ${Math.max(this.lastAccount, this.firstKey - 1)} AND key <= ${key}`)
    this.lastAccount = Number(key)
  }

  private async accountRows(where: string): Promise<void> {
    await this.table('account', where, { last_segment: '0', seq: '0', balance: '0', held: '0' })
  }

  private get firstKey(): number {
    return this.partition * keysPerPartition
  }

  /** From here on no commit of any former host succeeds, and nobody may host the partition here. */
  async fence(): Promise<void> {
    const { rowCount } = await this.from.query(
      `UPDATE suanpan.partition SET epoch = epoch + 1, host = '', moving_to = $2
        WHERE partition = $1 AND moving_to IS NULL AND placed = $3`,
      [this.partition, this.move.to, this.move.placed],
    )
    if (rowCount !== 1) throw new TerminalFault('wrong_ledger', `partition ${this.partition} is not where it should be`)
  }

  /** What came since the last round, and all that changes in place; afterwards the new shard has the whole partition. One transaction there. */
  async rest(): Promise<void> {
    await this.to.query('BEGIN')
    await this.upTo(undefined)
    await this.accounts()
    await this.changedAccounts()
    for (const table of await this.otherTables()) await this.table(table, `partition = ${this.partition}`, {})
    await this.catalogChanges()
    await this.to.query(
      `ALTER TABLE ${segmentTable(this.segment)} INHERIT suanpan.journal;
       UPDATE suanpan.segment SET moving = NULL WHERE segment = ${this.segment}`,
    )
    const head = await this.from.query<{ row: string }>(
      'SELECT to_jsonb(p)::text AS row FROM suanpan.partition p WHERE partition = $1',
      [this.partition],
    )
    // The number of its segment above that of its past: the journal is read in the order of the segments.
    await this.to.query(
      `INSERT INTO suanpan.partition
       SELECT * FROM jsonb_populate_record(null::suanpan.partition,
         $1::jsonb || jsonb_build_object('moving_to', null, 'placed', $2::bigint, 'segment', suanpan.open_next_segment($3)))`,
      [head.rows[0]?.row, this.move.placed + 1, this.segment],
    )
    await this.to.query('COMMIT')
  }

  /** Those that were frozen, limited or closed since they were opened: few. */
  private async changedAccounts(): Promise<void> {
    const range = `key >= ${this.firstKey} AND key < ${this.firstKey + keysPerPartition} AND version > 1`
    const { rows } = await this.from.query<{ key: string }>(`SELECT key FROM suanpan.account WHERE ${range}`)
    if (rows.length === 0) return
    await this.to.query('DELETE FROM suanpan.account WHERE key = ANY ($1::bigint[])', [rows.map(({ key }) => key)])
    await this.accountRows(range)
  }

  /** A shard has those changes of the catalog that its partitions have journaled. */
  private async catalogChanges(): Promise<void> {
    const { rows } = await this.from.query<{ row: string }>(
      'SELECT to_jsonb(c)::text AS row FROM suanpan.catalog_change c ORDER BY version',
    )
    await this.to.query(
      `INSERT INTO suanpan.catalog_change SELECT (jsonb_populate_record(null::suanpan.catalog_change, one::jsonb)).*
         FROM unnest($1::text[]) one ON CONFLICT (version) DO NOTHING`,
      [rows.map(({ row }) => row)],
    )
  }

  /** Every other table of the shard that holds rows of partitions, whatever version made it. */
  private async otherTables(): Promise<readonly string[]> {
    const { rows } = await this.from.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'suanpan'::regnamespace AND c.relkind = 'r' AND a.attname = 'partition' AND NOT a.attisdropped
          AND c.relname <> ALL ($1) AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
          AND c.relname NOT IN (SELECT suanpan.segment_table(segment) FROM suanpan.segment WHERE moving IS NOT NULL)
        ORDER BY c.relname`,
      [['journal', 'partition', 'partition_shard', 'move', 'account', 'commit', 'detail', 'id_filter', 'id_page']],
    )
    return rows.map(({ name }) => name)
  }

  private async table(name: string, where: string, instead: Readonly<Record<string, string>>): Promise<number> {
    const { rows } = await this.from.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute
        WHERE attrelid = ('suanpan.' || quote_ident($1))::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity <> 'a'
        ORDER BY attnum`,
      [name],
    )
    const columns = rows.map(({ name }) => name)
    const values = columns.map((column) => {
      const value = instead[column]
      return value === undefined
        ? `t."${column}"`
        : `${value}::${column === 'segment' || column === 'last_segment' ? 'integer' : 'bigint'}`
    })
    return await this.pipe(
      `SELECT ${values.join(', ')} FROM suanpan."${name}" t WHERE ${where}`,
      `suanpan."${name}" (${columns.map((column) => `"${column}"`).join(', ')})`,
    )
  }

  private async pipe(select: string, into: string): Promise<number> {
    const target = this.to.query(copyFrom(`COPY ${into} FROM STDIN (FORMAT binary)`))
    await pipeline(this.from.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`)), target)
    return target.rowCount ?? 0
  }
}
