import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Account, openedAccount } from './account.ts'
import { AccountStore, hashOfBytes, isHouseBytes } from './account-store.ts'
import { builtInAssets } from './asset.ts'
import { isHouse } from './identity.ts'
import { accountName } from './partition.ts'

const assets = builtInAssets.slice(0, 3)
const ids = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map((n) => `c-${n}:cash`),
  fc.integer({ min: 0, max: 8 }).map((n) => `house:x${n}`),
)
const step = fc.record({
  what: fc.constantFrom('open', 'open', 'load', 'move', 'move', 'hold', 'free', 'freeze', 'settle', 'forget'),
  id: ids,
  asset: fc.nat(2),
  balance: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  small: fc.bigInt({ min: -1000n, max: 1000n }),
})
const slotOf = (store: AccountStore, { id, key }: Account, like: number): number => {
  const bytes = Buffer.from(`..${id}`)
  const hash = hashOfBytes(bytes, 2, id.length)
  return key < 0 ? store.findCell(bytes, 2, id.length, hash, like) : store.find(bytes, 2, id.length, hash)
}
const shown = (account: Account | undefined) =>
  account === undefined ? undefined : { ...account, holds: [...account.holds] }

test('a store is a Map of accounts, whatever stands as a row meanwhile', () => {
  let rows = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400, size: 'max' }), (steps) => {
      const store = new AccountStore()
      const model = new Map<string, Account>()
      let n = 0
      // One account of each asset stays, so that the cells of that asset can be found by it.
      const likes = assets.map((asset, i) => {
        const account = openedAccount(++n, `like-${i}:a`, asset, 'credit', 0n)
        store.install(account.id, account, 1)
        model.set(account.id, { ...account })
        return account
      })
      for (const { what, id, asset: a, balance, small } of steps) {
        const asset = isHouse(id) ? assets[a] : assets[0]
        assert.ok(asset !== undefined)
        const name = accountName(id, asset.code)
        const known = model.get(name)
        const account = store.get(name)
        assert.deepEqual(shown(account), shown(known))
        assert.equal(store.has(name), known !== undefined)
        const change = (by: Partial<Account>): void => {
          if (known === undefined || account === undefined) return
          Object.assign(known, by)
          Object.assign(account, by)
        }
        if ((what === 'open' || what === 'load') && known === undefined) {
          const opened = openedAccount(isHouse(id) ? -++n : ++n, id, asset, n % 3 === 0 ? 'debit' : 'credit', 5n)
          if (what === 'load') opened.balance = balance
          model.set(name, { ...opened })
          if (what === 'open') store.set(name, opened)
          else store.install(name, opened, n)
        } else if (what === 'move') change({ balance: small, seq: (known?.seq ?? 0) + 1 })
        else if (what === 'hold') change({ held: 3n })
        else if (what === 'free') change({ held: 0n, status: 'open' })
        else if (what === 'freeze') change({ status: 'frozen', version: (known?.version ?? 0) + 1 })
        else if (what === 'forget') assert.equal(store.delete(name), model.delete(name))
        if (what !== 'settle') continue
        store.settle()
        for (const [name, account] of model) {
          const like = likes.findIndex(({ asset }) => asset === account.asset)
          const at = slotOf(store, account, slotOf(store, likes[like] ?? account, -1))
          assert.ok(at >= 0, name)
          assert.equal(store.keyOf(at), account.key)
          assert.equal(store.idOf(at), account.id)
          assert.equal(store.assetOf(at), account.asset)
          assert.equal(store.isCell(at), account.key < 0)
          const plain = account.status === 'open' && account.held === 0n && Math.abs(Number(account.balance)) < 2 ** 52
          assert.equal(store.isRow(at), plain, name)
          if (!plain) continue
          rows++
          assert.equal(store.balanceOf(at), Number(account.balance))
          assert.equal(store.seqOf(at), account.seq)
        }
      }
      assert.equal(store.size, model.size)
      assert.deepEqual(
        [...store].map(([name, account]) => [name, shown(account)]).sort(),
        [...model].map(([name, account]) => [name, shown(account)]).sort(),
      )
    }),
    { numRuns: 100 },
  )
  assert.ok(rows > 1000, `${rows}`)
})

test('many accounts come and go; eviction spares what was used since', () => {
  const store = new AccountStore()
  const [asset] = assets
  assert.ok(asset !== undefined)
  const name = (n: number): string => `customer-${n}:cash`
  for (let n = 1; n <= 20_000; n++) store.install(name(n), openedAccount(n, name(n), asset, 'credit', 0n), n % 10)
  let gone = 0
  while (gone < 8000)
    gone += store.evict(
      500,
      2000,
      (lastUsed) => lastUsed < 5,
      () => true,
    )
  assert.equal(store.size, 20_000 - gone)
  for (let n = 1; n <= 20_000; n++) if (n % 10 >= 5) assert.ok(store.has(name(n)), name(n))
  for (let n = 20_001; n <= 30_000; n++) store.install(name(n), openedAccount(n, name(n), asset, 'credit', 0n), 9)
  for (let n = 20_001; n <= 30_000; n++) assert.equal(store.get(name(n))?.key, n)
  assert.ok(store.bytes <= 32_768 * 64 + 65_536 * 4 + 1_048_576, `${store.bytes}`)
})

test('a house id is told from its bytes', () => {
  for (const id of ['house:x', 'house:', 'house', 'hous:ex', 'houses:x', 'c:house:x', 'house:a:b'])
    assert.equal(isHouseBytes(Buffer.from(id), 0, id.length), isHouse(id), id)
})
