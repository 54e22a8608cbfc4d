// Which filters stay in memory within the bound, and what is asked of the ledger beyond it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IdKey, idKeyOf } from '../core/identity.ts'
import { RetryableFault } from './faults.ts'
import type { Hosted } from './hosted.ts'
import { IdFilter } from './id-filter.ts'
import { PastSeen } from './past-seen.ts'
import type { Ledger, PastIds } from './ports.ts'
import type { Taken } from './taken.ts'

/** Ids of one segment in each partition: its filter takes 16 pages. */
const perSegment = 8192
const filterBytes = 16 * 1024
/** Of the one link that an open segment has here. */
const openBytes = 32 * 1024
const partitions = [0, 1]
const keyOf = (partition: number, segment: number, n = 0): IdKey => idKeyOf(`${partition} ${segment}`, String(n))

/** Closed segments 1 to `closed`, and one that is written to. */
class StoredIds {
  closed: number
  readonly asked: { before: number; ids: ReadonlyMap<number, readonly IdKey[]> }[] = []
  readonly read: number[] = []
  fails = false

  constructor(closed: number) {
    this.closed = closed
  }

  async pastIds(asked: readonly number[], into: PastIds): Promise<void> {
    await undefined
    if (this.fails) throw new RetryableFault('unavailable', 'the connection ended')
    for (const partition of asked) into.id(partition, this.closed + 1, keyOf(partition, this.closed + 1))
    for (let segment = this.closed; segment > 0; segment--) {
      if (!into.keeps(segment, asked.length * filterBytes)) continue
      this.read.push(segment)
      for (const partition of asked) {
        const filter = new IdFilter(perSegment)
        for (let n = 0; n < perSegment; n++) filter.add(keyOf(partition, segment, n))
        into.filter(partition, segment, perSegment, filter.toBytes())
      }
    }
  }

  async oldIds(before: number, ids: ReadonlyMap<number, readonly IdKey[]>): ReturnType<Ledger['oldIds']> {
    this.asked.push({ before, ids })
    const old = new Set(
      partitions.flatMap((partition) => Array.from({ length: before - 1 }, (_, i) => keyOf(partition, i + 1))),
    )
    return new Map([...ids].map(([partition, keys]) => [partition, keys.filter((key) => old.has(key))]))
  }
}

class Given {
  readonly ledger: StoredIds
  readonly past: PastSeen
  readonly hosted: readonly Hosted[]

  constructor(closed: number, bytesMax: () => number) {
    this.ledger = new StoredIds(closed)
    const ledger = this.ledger as unknown as Ledger
    this.past = new PastSeen({ ledger, news: { log: () => undefined } as never }, bytesMax)
    this.hosted = partitions.map((partition) => ({ partition, seen: this.past.of(partition, closed + 1) }) as Hosted)
  }

  async loaded(): Promise<this> {
    await this.past.load()
    this.past.settle()
    return this
  }

  lookUp(...keys: readonly IdKey[]): Promise<void> {
    return this.past.lookUp(this.hosted, () => ({ keys: () => keys.values() }) as unknown as Taken)
  }

  /** Partition 0 says so of each segment's first id. */
  knows(): boolean[] {
    return Array.from(
      { length: this.ledger.closed + 1 },
      (_, i) => this.hosted[0]?.seen.mayHold(keyOf(0, i + 1)) === true,
    )
  }
}

const bound = (segments: number) => (): number => partitions.length * (openBytes + segments * filterBytes)

test('within the bound every filter is in memory, and nothing is asked', async () => {
  const given = await new Given(4, bound(4)).loaded()
  assert.deepEqual(given.knows(), [true, true, true, true, true])
  assert.ok(given.past.areKnown)
  assert.equal(given.past.bytes, bound(4)())
  await given.lookUp(idKeyOf('c', 'new'))
  assert.deepEqual(given.ledger.asked, [])
  assert.equal(given.past.takeNotExcluded(), 0)
})

for (const [what, bytesMax] of [
  ['what fits exactly', bound(2)()],
  ['one byte less than a third', bound(3)() - 1],
] as const) {
  test(`the filters of the newest segments stay: ${what}`, async () => {
    const given = await new Given(4, () => bytesMax).loaded()
    assert.deepEqual(given.ledger.read, [4, 3])
    assert.deepEqual(given.knows(), [false, false, true, true, true])
    assert.ok(given.past.bytes <= bytesMax)
    assert.ok(!given.past.areKnown)
  })
}

test('ids of open segments stay in memory whatever the bound', async () => {
  const given = await new Given(3, () => 0).loaded()
  assert.deepEqual(given.ledger.read, [])
  assert.deepEqual(given.knows(), [false, false, false, true])
})

test('what no filter in memory holds is asked in one query; what the ledger knows of is maybe seen from then on', async () => {
  const given = await new Given(4, bound(2)).loaded()
  const [old, recent, fresh] = [keyOf(0, 1), keyOf(0, 3), idKeyOf('c', 'new')]
  await given.lookUp(old, recent, fresh)
  assert.equal(given.ledger.asked.length, 1)
  const [{ before, ids } = assert.fail()] = given.ledger.asked
  assert.equal(before, 3)
  assert.deepEqual(ids.get(0), [old, fresh])
  assert.equal(given.past.takeNotExcluded(), 2 + 3)
  assert.equal(given.past.takeNotExcluded(), 0)
  const [hosted] = given.hosted
  assert.ok(hosted?.seen.mayHold(old))
  assert.ok(!hosted?.seen.mayHold(fresh))
  await given.lookUp(old)
  assert.ok(!given.ledger.asked[1]?.ids.has(0), 'it is known by now')
})

test('while the past is read everything is maybe seen, and stays so until the next batch', async () => {
  const given = new Given(2, bound(0))
  const fresh = idKeyOf('c', 'new')
  const loading = given.past.load()
  assert.ok(given.hosted[0]?.seen.mayHold(fresh))
  await loading
  await given.lookUp(fresh)
  assert.ok(given.hosted[0]?.seen.mayHold(fresh), 'it was not asked of the ledger: it must not be taken for new')
  given.past.settle()
  await given.lookUp(fresh)
  assert.ok(!given.hosted[0]?.seen.mayHold(fresh))
})

test('a segment that closes takes the place of the oldest, between two batches', async () => {
  const given = await new Given(4, bound(2)).loaded()
  for (const { seen } of given.hosted) seen.switchTo(6)
  given.past.segmentClosed(5)
  assert.ok(given.hosted[0]?.seen.mayHold(keyOf(0, 3)))
  assert.ok(given.past.settle())
  // A segment that was written to here has the size it grew to: that of two stored ones.
  assert.deepEqual(given.knows(), [false, false, false, false, true])
  assert.ok(given.past.bytes <= bound(2)())
  await given.lookUp(keyOf(0, 4))
  assert.equal(given.ledger.asked.at(-1)?.before, 5)
  assert.equal(given.past.settle(), false)
})

test('after a reading that failed each id is looked up as before, until the next hosting', async () => {
  const given = new Given(3, bound(1))
  given.ledger.fails = true
  await given.loaded()
  assert.ok(given.hosted[0]?.seen.mayHold(idKeyOf('c', 'new')))
  assert.ok(!given.past.areKnown)
  given.ledger.fails = false
  const [again] = partitions.map((partition) => given.past.of(partition, 4))
  await given.loaded()
  assert.ok(again?.loaded)
  assert.ok(!again?.mayHold(idKeyOf('c', 'new')))
})
