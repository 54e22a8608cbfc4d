// Brings each change of the catalog to every partition, in order and once: a change is durable before it is sent, a partition says at which
// version it stands, and gets what follows until it stands at the last. One that cannot be reached gets its changes when it can again.
import type { CatalogChange, CatalogKind } from '../core/catalog.ts'
import type { ChangeCatalog } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import type { Timers } from './ports.ts'

export interface CatalogStore {
  /** Durable when it resolves; throws a fault. */
  append(change: CatalogChange): Promise<void>
  /** Changes behind a version, in order. */
  after(version: number, limit: number): Promise<readonly CatalogChange[]>
}

export interface CatalogKeeperPorts {
  readonly store: CatalogStore
  /** Waits for room; `reply` is called once, with a problem where the partition cannot be reached. */
  submit(command: ChangeCatalog, reply: (answer: Answer) => void): void
  readonly timers: Timers
  /** A change is durable: from now on it is what stands. */
  changed(change: CatalogChange): void
}

export interface PutOutcome {
  readonly outcome: 'created' | 'changed' | 'alike' | 'full'
  /** Partitions that had not committed it when the time was over: the change is durable and will come to them. */
  readonly pending: readonly number[]
}

/** Different assets, programs and campaigns: each partition keeps all of them in memory. */
export const catalogEntriesMax = 10_000
const changesPerLook = 100
const retryMs = 500

export class CatalogKeeper {
  private readonly ports: CatalogKeeperPorts
  private readonly partitions: number
  private readonly waitMs: number
  private readonly current = new Map<string, CatalogChange>()
  private newest: CatalogChange | undefined
  /** Version at which each partition is known to stand; undefined: it was not asked yet. */
  private readonly at: (number | undefined)[]
  private readonly underWay = new Set<number>()
  private readonly waiting = new Set<() => void>()
  private turn: Promise<unknown> = Promise.resolve()
  private stopped = false
  private unsure = false

  /** `current`: what stands, in the order of versions. */
  constructor(ports: CatalogKeeperPorts, partitions: number, waitMs: number, current: readonly CatalogChange[]) {
    this.ports = ports
    this.partitions = partitions
    this.waitMs = waitMs
    for (const change of current) this.current.set(nameOf(change), change)
    this.newest = current.at(-1)
    this.at = Array.from({ length: partitions }, () => undefined)
  }

  get version(): number {
    return this.newest?.version ?? 0
  }

  find(kind: CatalogKind, code: string): CatalogChange | undefined {
    return this.current.get(nameOf({ kind, code }))
  }

  list(kind: CatalogKind): readonly CatalogChange[] {
    return [...this.current.values()]
      .filter((change) => change.kind === kind)
      .sort((a, b) => (a.code < b.code ? -1 : 1))
  }

  /** Finds out where each partition stands and brings what it lacks; the caller does not wait for it. */
  start(): void {
    if (this.newest !== undefined) this.bringEverywhere()
  }

  /** One after the other, so that versions are dense. `check` looks at what stands before the change; it throws to refuse. */
  put(
    kind: CatalogKind,
    code: string,
    body: string,
    check: (standing: CatalogChange | undefined) => void,
  ): Promise<PutOutcome> {
    const put = this.turn.then(() => this.putNow(kind, code, body, check))
    this.turn = put.catch(() => undefined)
    // Only the numbering is one after the other; the partitions commit several changes at a time.
    return put.then(async ({ outcome, version }) => ({ outcome, pending: await this.everywhere(version) }))
  }

  private async putNow(
    kind: CatalogKind,
    code: string,
    body: string,
    check: (standing: CatalogChange | undefined) => void,
  ): Promise<{ outcome: PutOutcome['outcome']; version: number }> {
    if (this.unsure) await this.readBehind()
    const standing = this.find(kind, code)
    check(standing)
    if (standing?.body === body) return { outcome: 'alike', version: standing.version }
    if (standing === undefined && this.current.size >= catalogEntriesMax) return { outcome: 'full', version: 0 }
    const change = { version: this.version + 1, kind, code, body }
    // Until it is known to stand or not to stand, nothing may take its number.
    this.unsure = true
    await this.append(change)
    this.unsure = false
    this.stands(change)
    this.bringEverywhere()
    return { outcome: standing === undefined ? 'created' : 'changed', version: change.version }
  }

  private stands(change: CatalogChange): void {
    this.current.set(nameOf(change), change)
    this.newest = change
    this.ports.changed(change)
  }

  private async readBehind(): Promise<void> {
    const changes = await this.ports.store.after(this.version, changesPerLook)
    for (const change of changes) this.stands(change)
    this.unsure = false
    // What stood unknown to this keeper, nobody may have brought to the partitions: it may be asked for again, and changes nothing then.
    if (changes.length > 0) this.bringEverywhere()
  }

  /** A fault may come after the change became durable: what stands there decides. */
  private async append(change: CatalogChange): Promise<void> {
    try {
      await this.ports.store.append(change)
    } catch (error) {
      const [stands] = await this.ports.store.after(change.version - 1, 1)
      if (stands?.kind !== change.kind || stands.code !== change.code || stands.body !== change.body) throw error
    }
  }

  /** Partitions that do not stand at `version` when all do, or the time is over. */
  private async everywhere(version: number): Promise<readonly number[]> {
    let timeOver = false
    let goOn: () => void = () => undefined
    const cancel = this.ports.timers.after(this.waitMs, () => {
      timeOver = true
      goOn()
    })
    try {
      for (;;) {
        const behind = this.behind(version)
        if (behind.length === 0 || timeOver || this.stopped) return behind
        await new Promise<void>((resolve) => {
          goOn = resolve
          this.waiting.add(resolve)
        })
        this.waiting.delete(goOn)
      }
    } finally {
      cancel()
    }
  }

  private behind(version: number): number[] {
    const behind: number[] = []
    for (const [partition, at] of this.at.entries()) if ((at ?? -1) < version) behind.push(partition)
    return version === 0 ? [] : behind
  }

  private bringEverywhere(): void {
    for (let partition = 0; partition < this.partitions; partition++) this.bring(partition)
  }

  private bring(partition: number): void {
    if (this.underWay.has(partition) || this.stopped) return
    this.underWay.add(partition)
    void this.bringAll(partition).then((reached) => {
      this.underWay.delete(partition)
      if (reached && (this.at[partition] ?? -1) >= this.version) return
      if (reached) this.bring(partition)
      else this.ports.timers.after(retryMs, () => this.bring(partition))
    })
  }

  /** False: it could not be reached. */
  private async bringAll(partition: number): Promise<boolean> {
    try {
      let at = this.at[partition]
      // Where it stands is asked by sending the newest: if it lacks more it says so.
      while ((at ?? -1) < this.version) {
        const changes =
          at === undefined || at === this.version - 1
            ? this.newestOnly()
            : await this.ports.store.after(at, changesPerLook)
        for (const change of changes) {
          const next = await this.send(partition, change)
          if (next === undefined) return false
          at = next
          this.at[partition] = next
          for (const wake of this.waiting) wake()
          if (next < change.version) break
        }
      }
      return true
    } catch {
      return false
    }
  }

  private newestOnly(): readonly CatalogChange[] {
    return this.newest === undefined ? [] : [this.newest]
  }

  /** The version at which the partition stands afterwards; undefined: no answer. */
  private send(partition: number, change: CatalogChange): Promise<number | undefined> {
    const id = `!catalog:${change.version}:${partition}`
    const { partitions } = this
    return new Promise((resolve) =>
      this.ports.submit({ type: 'catalog', id, partition, partitions, ...change }, ({ http, body }) =>
        resolve(http < 300 ? (JSON.parse(body) as { readonly version: number }).version : undefined),
      ),
    )
  }

  stop(): void {
    this.stopped = true
    for (const wake of this.waiting) wake()
  }
}

const nameOf = ({ kind, code }: Pick<CatalogChange, 'kind' | 'code'>): string => `${kind} ${code}`
