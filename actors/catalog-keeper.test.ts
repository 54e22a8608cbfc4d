import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogChange } from '../core/catalog.ts'
import type { ChangeCatalog } from '../core/command.ts'
import { CatalogKeeper } from './catalog-keeper.ts'

/** A store, partitions that answer as `decideCatalog` would, and timers that ring when the test says. */
function given({ stored = [] as CatalogChange[], at = [0, 0, 0] } = {}) {
  const versions = [...at]
  const down = new Set<number>()
  const sent: string[] = []
  const timers: { ms: number; callback: () => void }[] = []
  const store = { failure: undefined as Error | undefined, storesAnyhow: false }
  const keeper = new CatalogKeeper(
    {
      store: {
        append: async (change) => {
          if (store.failure === undefined || store.storesAnyhow) stored.push(change)
          if (store.failure !== undefined) throw store.failure
        },
        after: async (version, limit) => stored.filter((change) => change.version > version).slice(0, limit),
      },
      submit: ({ partition, version }: ChangeCatalog, reply) => {
        const here = versions[partition] ?? 0
        setImmediate(() => {
          if (down.has(partition)) return reply({ http: 503, replayed: false, body: '{}' })
          sent.push(`${partition}:${version}`)
          if (version === here + 1) versions[partition] = version
          reply({ http: 201, replayed: false, body: `{"version":${versions[partition]}}` })
        })
      },
      timers: {
        after: (ms, callback) => {
          const timer = { ms, callback }
          timers.push(timer)
          return () => void timers.splice(timers.indexOf(timer), 1)
        },
        soon: (callback) => void setImmediate(callback),
      },
      changed: () => undefined,
    },
    versions.length,
    5000,
    stored.slice(),
  )
  const ring = (ms: number): void => {
    for (const timer of timers.filter((one) => one.ms === ms)) {
      timers.splice(timers.indexOf(timer), 1)
      timer.callback()
    }
  }
  return { keeper, versions, down, sent, ring, store, stored, timers }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}
const fine = (): void => undefined
const change = (version: number, code = `A${version}`): CatalogChange => ({ version, kind: 'asset', code, body: '{}' })

test('a change is durable first, and the put resolves when every partition stands at it', async () => {
  const { keeper, versions, stored } = given()
  assert.deepEqual(await keeper.put('campaign', 'SPRING', '1', fine), { outcome: 'created', pending: [] })
  assert.deepEqual(versions, [1, 1, 1])
  assert.deepEqual(stored, [{ version: 1, kind: 'campaign', code: 'SPRING', body: '1' }])
  assert.deepEqual(await keeper.put('campaign', 'SPRING', '2', fine), { outcome: 'changed', pending: [] })
  assert.deepEqual(await keeper.put('campaign', 'SPRING', '2', fine), { outcome: 'alike', pending: [] })
  assert.deepEqual(versions, [2, 2, 2])
  assert.equal(stored.length, 2)
})

test('puts at the same time get versions one after the other, and each partition gets them in that order', async () => {
  const { keeper, versions, sent } = given()
  const outcomes = await Promise.all(['A', 'B', 'C', 'A'].map((code, i) => keeper.put('asset', code, String(i), fine)))
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['created', 'created', 'created', 'changed'],
  )
  assert.deepEqual(versions, [4, 4, 4])
  for (const partition of [0, 1, 2]) {
    const steps = sent.filter((one) => one.startsWith(`${partition}:`)).map((one) => Number(one.slice(2)))
    const applied = steps.filter((version, i) => version === new Set(steps.slice(0, i)).size + 1)
    assert.deepEqual(applied, [1, 2, 3, 4])
  }
})

test('what is refused by its check is not stored', async () => {
  const { keeper, stored } = given()
  await keeper.put('asset', 'A', '1', fine)
  const refusing = keeper.put('asset', 'A', '2', (standing) => {
    throw new Error(`there is ${standing?.body}`)
  })
  await assert.rejects(refusing, /there is 1/)
  assert.equal(stored.length, 1)
  assert.equal((await keeper.put('asset', 'B', '1', fine)).outcome, 'created')
})

test('a partition that cannot be reached is named when the time is over, and gets all it lacks when it can be reached', async () => {
  const { keeper, versions, down, ring } = given()
  down.add(1)
  const put = keeper.put('asset', 'A', '1', fine)
  await settle()
  ring(5000)
  assert.deepEqual(await put, { outcome: 'created', pending: [1] })
  const second = keeper.put('asset', 'B', '1', fine)
  await settle()
  down.delete(1)
  ring(500)
  assert.deepEqual(await second, { outcome: 'created', pending: [] })
  assert.deepEqual(versions, [2, 2, 2])
})

test('after a start each partition is brought to the last change from wherever it stands', async () => {
  const stored = [1, 2, 3, 4].map((version) => change(version))
  const { keeper, versions, sent } = given({ stored, at: [4, 1, 0] })
  keeper.start()
  await settle()
  assert.deepEqual(versions, [4, 4, 4])
  assert.deepEqual(
    sent.filter((one) => one.startsWith('0:')),
    ['0:4'],
  )
})

test('a change whose answer was lost stands if it became durable, and its number is not given away', async () => {
  const { keeper, store, stored, versions } = given()
  store.failure = new Error('the connection ended')
  store.storesAnyhow = true
  assert.equal((await keeper.put('asset', 'A', '1', fine)).outcome, 'created')
  store.storesAnyhow = false
  await assert.rejects(keeper.put('asset', 'B', '1', fine), /connection ended/)
  // Somebody finds out later that it did stand.
  stored.push(change(2, 'B'))
  store.failure = undefined
  assert.equal((await keeper.put('asset', 'C', '1', fine)).outcome, 'created')
  assert.equal(keeper.find('asset', 'B')?.version, 2)
  assert.equal(keeper.find('asset', 'C')?.version, 3)
  assert.deepEqual(versions, [3, 3, 3])
})

test('a lost change that turns out to stand is brought to every partition by whoever asks for it again', async () => {
  const { keeper, store, stored, versions } = given()
  store.failure = new Error('the connection ended')
  await assert.rejects(keeper.put('asset', 'A', '1', fine), /connection ended/)
  stored.push({ version: 1, kind: 'asset', code: 'A', body: '1' })
  store.failure = undefined
  assert.deepEqual(await keeper.put('asset', 'A', '1', fine), { outcome: 'alike', pending: [] })
  assert.deepEqual(versions, [1, 1, 1])
})

test('whoever waits for a partition is answered when the keeper stops', async () => {
  const { keeper, down, timers } = given()
  down.add(2)
  const put = keeper.put('asset', 'A', '1', fine)
  await settle()
  keeper.stop()
  assert.deepEqual(await put, { outcome: 'created', pending: [2] })
  assert.ok(timers.every(({ ms }) => ms === 500))
})
