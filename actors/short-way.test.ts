// The short way must not make a difference: the same frames, decided with it and without it, give the same rows, chain, answers, figures for
// the ledger and accounts, byte for byte.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SeededRandom } from '../adapters/simulated/random.ts'
import { builtInAssets } from '../core/asset.ts'
import { calendarOf } from '../core/business-date.ts'
import type { Command } from '../core/command.ts'
import { isAmountSyntax, normalizeDecimal } from '../core/money.ts'
import { ownerOfCommand } from '../core/owner.ts'
import { encodeFrame, FrameReader, type Stamped } from '../schemas/frame.ts'
import { activate } from './activation.ts'
import { Batch } from './batch.ts'
import { type Hosted, hostedAt } from './hosted.ts'
import { placing } from './route.ts'
import { SeenIds } from './seen-ids.ts'
import { history } from './testing/histories.ts'

const assets = new Map(builtInAssets.map((asset) => [asset.code, asset]))

/** Partitions of one lane that commit nothing and forget nothing: what they have not decided themselves does not exist. */
class Side {
  shortRows = 0
  private readonly partitions: readonly Hosted[]
  private readonly random = new SeededRandom(5)
  private readonly shortWay: boolean
  private readonly partitionOf: (owner: string) => number
  private batches = 0

  constructor(shortWay: boolean, partitions = 1) {
    this.shortWay = shortWay
    this.partitionOf = placing(partitions)
    this.partitions = Array.from({ length: partitions }, (_, partition) => {
      const seen = new SeenIds(1)
      seen.loaded = true
      const head = {
        partition,
        epoch: 1,
        position: { generation: 1, high: 0, low: 0, index: 0 },
        attempt: undefined,
        pseq: 0,
        accountsOpened: 0,
        time: 0,
        chain: new Uint8Array(32),
        segment: 1,
        catalog: { version: 0, changes: [] },
        links: [],
        joints: [],
      }
      const { partitionOf } = this
      const rules = { assets, dateOf: calendarOf('Asia/Shanghai'), houseAutoOpen: true, partitionOf }
      return hostedAt(head, rules, seen, undefined)
    })
  }

  async decide(commands: readonly Stamped[], nowMs: number): Promise<unknown> {
    const number = ++this.batches
    const parts = this.partitions.filter((hosted) => {
      const mine = commands.filter(({ command }) => this.partitionOf(ownerOfCommand(command)) === hosted.partition)
      const half = mine.length >> 1
      hosted.taken.clear()
      for (const frame of [encodeFrame(mine.slice(0, half)), encodeFrame(mine.slice(half))])
        hosted.taken.add(new FrameReader(frame), { generation: 1, high: number, low: 0, index: 0 })
      return mine.length > 0
    })
    const neighbour = (partition: number): Hosted | undefined => this.partitions[partition]
    const nowhere = { load: async () => new Map() }
    const { absent } = await activate(nowhere, parts, number, ({ taken }) => taken, neighbour)
    const batch = new Batch({
      number,
      random: this.random,
      nowMs,
      elapsedMs: 0,
      shortWay: this.shortWay,
      neighbours: {
        hosted: neighbour,
        isAbsent: (partition, id) => absent.get(partition)?.accounts.has(id) === true,
      },
    })
    for (const hosted of parts) {
      batch.decideTaken(hosted, hosted.taken, { generation: 1, high: number, low: 0, index: hosted.taken.count })
      this.shortRows += hosted.plainRows.at(-1)?.length ?? 0
    }
    const commit = batch.commitOf(1)
    return {
      commit,
      answers: batch.answers.take(),
      outcomes: batch.outcomes,
      rows: batch.rowCount,
      state: this.state(),
    }
  }

  private state(): readonly unknown[] {
    return this.partitions.map(({ state: { time, pseq, accountsOpened, accounts }, accounts: store }) => {
      const all = [...accounts].map(([name, account]) => [name, { ...account, holds: [...account.holds.values()] }])
      store.settle()
      return { time, pseq, accountsOpened, accounts: all }
    })
  }
}

let shortRows = 0
let longRows = 0

async function holdTogether(
  batches: readonly { readonly waitMs: number; readonly commands: readonly Command[] }[],
  partitions = 1,
): Promise<void> {
  const short = new Side(true, partitions)
  const long = new Side(false, partitions)
  let now = Date.UTC(2027, 0, 31, 12)
  let ticket = 0
  for (const { waitMs, commands } of batches) {
    now += waitMs
    const stamped = commands.map((command) => ({ command, ticket: ++ticket, stampedAt: now - (ticket % 3) }))
    assert.deepEqual(await short.decide(stamped, now), await long.decide(stamped, now), JSON.stringify(commands))
  }
  shortRows += short.shortRows
  longRows += long.shortRows
}

test('any history is decided the same with the short way and without', async () => {
  await fc.assert(
    fc.asyncProperty(history('', { min: 40, max: 120 }), async (bursts) => {
      // All owners in one partition: more of them meet in one batch.
      const owners = new Set(bursts.flatMap(({ commands }) => commands.map(ownerOfCommand)))
      const openings = [...owners].flatMap((owner): Command[] => [
        { type: 'credit', id: `${owner}-rich`, account: `${owner}:cash`, amount: '1000', from: 'house:x' },
        { type: 'debit', id: `${owner}-loan`, account: `${owner}:loan`, amount: '7', to: 'house:x' },
      ])
      await holdTogether([...bursts.slice(0, 2), { waitMs: 1, commands: openings }, ...bursts.slice(2)])
    }),
    { numRuns: Number(process.env.SIM_RUNS ?? 100) },
  )
  assert.ok(shortRows > 200, `${shortRows} rows went the short way`)
  assert.equal(longRows, 0)
})

/** Each amount against each balance, about every edge of what a double and a bigint can say. */
test('amounts and balances about every edge', async () => {
  const edge = 2 ** 52
  const minor = (n: number): string => `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`
  const amounts = [
    ...['0.01', '1', '0.1', '10', '0.10', '010', '1.', '.5', '0.001', '0', '0.00', '99999999999.99', '999999999999.99'],
    ...['9999999999999', '99999999999999.99', '92233720368547758.07', '92233720368547758.08'],
    ...[edge - 2, edge - 1, edge, edge + 1].map(minor),
  ]
    .filter(isAmountSyntax)
    .map(normalizeDecimal)
  let id = 0
  for (const first of amounts) {
    const commands = amounts.flatMap((amount): Command[] => [
      { type: 'credit', id: `c${++id}`, account: 'a:cash', amount, from: 'house:x' },
      { type: 'debit', id: `d${++id}`, account: 'a:cash', amount, to: 'house:x', channel: 'app' },
      { type: 'transfer', id: `t${++id}`, from: 'a:cash', to: 'a:loan', amount },
      { type: 'transfer', id: `t${id}`, from: 'a:cash', to: 'a:loan', amount },
      { type: 'credit', id: `l${++id}`, account: 'a:loan', amount, from: 'a:cash' },
      { type: 'debit', id: `m${++id}`, account: 'a:loan', amount, to: 'house:y' },
      { type: 'debit', id: `y${++id}`, account: 'a:yen', amount, to: 'house:x' },
    ])
    const open = (account: string, asset: string, normal: 'credit' | 'debit', overdraft: string): Command => ({
      type: 'open',
      id: `!${account}`,
      account,
      asset,
      overdraft,
      normal,
    })
    await holdTogether([
      {
        waitMs: 0,
        commands: [
          open('a:cash', 'CNY', 'credit', '0'),
          open('a:loan', 'CNY', 'debit', '5'),
          open('a:yen', 'JPY', 'credit', '1000000'),
        ],
      },
      { waitMs: 1, commands: [{ type: 'credit', id: 'first', account: 'a:cash', amount: first, from: 'house:x' }] },
      { waitMs: 1, commands },
      { waitMs: 86_400_000, commands: commands.map((command) => ({ ...command, id: `again-${command.id}` })) },
    ])
  }
})

/** Few accounts of owners in three partitions of a lane. */
const owners = ['a', 'b', 'c', 'd', 'e', 'f']
const accountId = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...owners.map((owner) => `${owner}:cash`)) },
  { weight: 2, arbitrary: fc.constantFrom(...owners.map((owner) => `${owner}:loan`)) },
  { weight: 2, arbitrary: fc.constantFrom('a:yen', 'b:yen', 'e:yen') },
  { weight: 1, arbitrary: fc.constantFrom('b:none', 'house:x') },
)
const leg = fc.record({
  type: fc.constantFrom('transfer', 'transfer', 'transfer', 'debit', 'credit', 'again', 'refund', 'change', 'hold'),
  from: accountId,
  to: accountId,
  amount: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 30 }).map(String) },
    { weight: 1, arbitrary: fc.constantFrom('0.01', '0.001', '92233720368547758.07', '45035996273704.96') },
  ),
  channel: fc.constantFrom(undefined, undefined, undefined, 'app'),
  back: fc.nat(3),
  status: fc.constantFrom('open', 'frozen', 'closed'),
})
type Leg = typeof leg extends fc.Arbitrary<infer T> ? T : never

function commandOf(
  { type, from, to, amount, channel, back, status }: Leg,
  id: string,
  sent: readonly Command[],
): Command {
  const earlier = sent.filter((one) => one.type === 'transfer').at(-1 - back)
  const own = from.startsWith('house:') ? 'a:cash' : from
  if (type === 'again' && earlier !== undefined) return earlier
  if (type === 'refund' && earlier?.type === 'transfer' && !earlier.from.startsWith('house:'))
    return { type, id, account: earlier.from, of: earlier.id }
  if (type === 'change') return { type, id: `!${id}`, account: own, status }
  if (type === 'hold') return { type, id, account: own, to, amount, expiresIn: 1 }
  if (type === 'debit') return { type, id, account: own, to, amount, channel }
  if (type === 'credit') return { type, id, account: own, from: to, amount, channel }
  return { type: 'transfer', id, from, to, amount, channel }
}

test('any history of three partitions of a lane, most of it from one to another, is decided the same with the short way and without', async () => {
  const open = (account: string, asset: string, normal: 'credit' | 'debit'): Command => ({
    type: 'open',
    id: `!${account}`,
    account,
    asset,
    overdraft: '5',
    normal,
  })
  const before = shortRows
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(leg, { minLength: 1, maxLength: 8 }), { minLength: 5, maxLength: 20 }),
      async (bursts) => {
        const sent: Command[] = []
        const later = bursts.map((legs, burst) => ({
          waitMs: burst % 4 === 3 ? 2000 : 1,
          commands: legs.map((one, i) => {
            const command = commandOf(one, `${burst}-${i}`, sent)
            sent.push(command)
            return command
          }),
        }))
        const opened = owners.flatMap((owner) => [
          open(`${owner}:cash`, 'CNY', 'credit'),
          open(`${owner}:loan`, 'CNY', 'debit'),
        ])
        const funded = owners.flatMap((owner): Command[] => [
          { type: 'credit', id: 'first', account: `${owner}:cash`, amount: '100', from: 'house:x' },
          { type: 'debit', id: 'drawn', account: `${owner}:loan`, amount: '7', to: 'house:x' },
        ])
        await holdTogether(
          [
            {
              waitMs: 0,
              commands: [...opened, ...['a', 'b', 'e'].map((owner) => open(`${owner}:yen`, 'JPY', 'credit'))],
            },
            { waitMs: 1, commands: funded },
            ...later,
          ],
          3,
        )
      },
    ),
    { numRuns: Number(process.env.SIM_RUNS ?? 100) },
  )
  assert.ok(shortRows - before > 300, `${shortRows - before} rows went the short way`)
  assert.equal(longRows, 0)
})
