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
import { encodeFrame, FrameReader } from '../schemas/frame.ts'
import { Batch } from './batch.ts'
import { freshSeenIds, type Hosted, hostedAt } from './hosted.ts'
import { Absent, collectTaken, install, NeedsOf } from './residency.ts'
import { history } from './testing/histories.ts'

const assets = new Map(builtInAssets.map((asset) => [asset.code, asset]))

/** A partition that commits nothing and forgets nothing: what it has not decided itself does not exist. */
class Side {
  shortRows = 0
  private readonly hosted: Hosted
  private readonly random = new SeededRandom(5)
  private readonly shortWay: boolean
  private batches = 0

  constructor(shortWay: boolean) {
    this.shortWay = shortWay
    const seen = freshSeenIds()
    seen.loaded = true
    const head = {
      partition: 3,
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
    this.hosted = hostedAt(
      head,
      { assets, dateOf: calendarOf('Asia/Shanghai'), houseAutoOpen: true, partitionOf: () => head.partition },
      seen,
      undefined,
    )
  }

  decide(frames: readonly Uint8Array[], nowMs: number): unknown {
    const { hosted } = this
    const number = ++this.batches
    hosted.taken.clear()
    for (const frame of frames)
      hosted.taken.add(new FrameReader(frame), { generation: 1, high: number, low: 0, index: 0 })
    const absent = new Absent()
    for (;;) {
      const needs = new NeedsOf()
      collectTaken(hosted, hosted.taken, number, absent, needs)
      if (needs.empty) break
      install(hosted, needs.list(), undefined, number, absent)
    }
    const batch = new Batch({
      number,
      random: this.random,
      nowMs,
      elapsedMs: 0,
      shortWay: this.shortWay,
    })
    const after = { generation: 1, high: number, low: 0, index: hosted.taken.count }
    batch.decideTaken(hosted, hosted.taken, after)
    this.shortRows += hosted.plainRows.at(-1)?.length ?? 0
    const commit = batch.commitOf(1)
    return { commit, answers: batch.answers.take(), outcomes: batch.outcomes, rows: batch.rowCount, ...this.state() }
  }

  private state(): Readonly<Record<string, unknown>> {
    const { accounts, time, pseq, accountsOpened } = this.hosted.state
    const all = [...accounts].map(([name, account]) => [name, { ...account, holds: [...account.holds.values()] }])
    this.hosted.accounts.settle()
    return { time, pseq, accountsOpened, accounts: all }
  }
}

let shortRows = 0
let longRows = 0

function holdTogether(batches: readonly { readonly waitMs: number; readonly commands: readonly Command[] }[]): void {
  const short = new Side(true)
  const long = new Side(false)
  let now = Date.UTC(2027, 0, 31, 12)
  let ticket = 0
  for (const { waitMs, commands } of batches) {
    now += waitMs
    const stamped = commands.map((command) => ({ command, ticket: ++ticket, stampedAt: now - (ticket % 3) }))
    const half = stamped.length >> 1
    const frames = [encodeFrame(stamped.slice(0, half)), encodeFrame(stamped.slice(half))]
    assert.deepEqual(short.decide(frames, now), long.decide(frames, now), JSON.stringify(commands))
  }
  shortRows += short.shortRows
  longRows += long.shortRows
}

test('any history is decided the same with the short way and without', () => {
  fc.assert(
    fc.property(history('', { min: 40, max: 120 }), (bursts) => {
      // All owners in one partition: more of them meet in one batch.
      const owners = new Set(bursts.flatMap(({ commands }) => commands.map(ownerOfCommand)))
      const openings = [...owners].flatMap((owner): Command[] => [
        { type: 'credit', id: `${owner}-rich`, account: `${owner}:cash`, amount: '1000', from: 'house:x' },
        { type: 'debit', id: `${owner}-loan`, account: `${owner}:loan`, amount: '7', to: 'house:x' },
      ])
      holdTogether([...bursts.slice(0, 2), { waitMs: 1, commands: openings }, ...bursts.slice(2)])
    }),
    { numRuns: Number(process.env.SIM_RUNS ?? 100) },
  )
  assert.ok(shortRows > 200, `${shortRows} rows went the short way`)
  assert.equal(longRows, 0)
})

/** Each amount against each balance, about every edge of what a double and a bigint can say. */
test('amounts and balances about every edge', () => {
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
    holdTogether([
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
