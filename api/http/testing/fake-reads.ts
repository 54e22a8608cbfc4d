// Reads without a database: what a test puts in, and what it makes fail.
import type {
  AccountView,
  EntriesQuery,
  EntryView,
  Page,
  PointsView,
  Reads,
  TransactionView,
} from '../../../actors/reads.ts'

export class FakeReads implements Reads {
  readonly accounts = new Map<string, AccountView>()
  readonly transactions = new Map<string, TransactionView>()
  readonly statement: EntryView[] = []
  /** The last query of a list, as it arrived. */
  asked: unknown
  /** Thrown by every read. */
  failure: Error | undefined
  pinged: () => Promise<void> = async () => {}

  async account(id: string, asset: string | undefined): Promise<AccountView | undefined> {
    this.ask({ id, asset })
    return this.accounts.get(id)
  }

  async accountsOf(owner: string, query: { after: string | undefined; limit: number }): Promise<Page<AccountView>> {
    this.ask({ owner, ...query })
    const items = [...this.accounts.values()].filter(({ id }) => id.startsWith(`${owner}:`))
    return { items, next: null }
  }

  async points(owner: string): Promise<PointsView> {
    this.ask({ owner })
    return { owner, programs: [], asOf: '2026-03-01T12:00:00.000Z' }
  }

  async cellsElsewhere(): Promise<Readonly<Record<string, string>>> {
    return {}
  }

  async transaction(owner: string, id: string): Promise<TransactionView | undefined> {
    this.ask({ owner, id })
    return this.transactions.get(`${owner} ${id}`)
  }

  async entries(id: string, asset: string | undefined, query: EntriesQuery): Promise<Page<EntryView> | undefined> {
    this.ask({ id, asset, ...query })
    if (query.after !== undefined && !/^[0-9]+$/.test(query.after)) throw new RangeError('not a cursor')
    return this.accounts.has(id) ? { items: this.statement, next: null } : undefined
  }

  async heads(): Promise<readonly { partition: number; pseq: number; chain: string; at: string }[]> {
    this.ask(undefined)
    return [{ partition: 0, pseq: 7, chain: 'ab'.repeat(32), at: '2026-03-01T12:00:00.000Z' }]
  }

  ping(): Promise<void> {
    return this.pinged()
  }

  private ask(query: unknown): void {
    this.asked = query
    if (this.failure !== undefined) throw this.failure
  }
}

export const accountView = (id: string): AccountView => ({
  id,
  asset: 'CNY',
  balance: '100.00',
  held: '30.00',
  available: '70.00',
  overdraft: '0.00',
  status: 'open',
  normal: 'credit',
  seq: 2,
  version: 1,
  asOf: '2026-03-01T12:00:00.000Z',
  metadata: '{"tier":"gold"}',
})
