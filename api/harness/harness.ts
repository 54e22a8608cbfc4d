// A bank in a unit test: the engine that runs in production, in a simulated world, driven by whoever awaits something of it. Nothing of it
// outlives the test, and nothing has to be closed.
import type { Answer } from '../../actors/engine.ts'
import { allFaults, type FaultWeights } from '../../adapters/simulated/faults.ts'
import { type Asset, builtInAssets } from '../../core/asset.ts'
import { dateText } from '../../core/business-date.ts'
import { assetsOfChange } from '../../core/catalog.ts'
import type { Command } from '../../core/command.ts'
import { normalizeDecimal } from '../../core/money.ts'
import { instanceOf } from '../../schemas/answer.ts'
import type {
  Account,
  AccountChange,
  CampaignRequest,
  Entry,
  ProgramRequest,
  TransactionRequest,
  TransactionType,
} from '../client/contract.ts'
import { type Outcome, outcomeOf } from '../client/outcome.ts'
import { campaignChange } from '../http/campaigns.ts'
import { readTransaction } from '../http/normalise.ts'
import { Problem } from '../http/problem.ts'
import { programChange } from '../http/programs.ts'
import { fileUnderTest, seedFromEnvironment } from './again.ts'
import { checkFailure, checkReply, checkTrim, checkWorld, hostsDiedOften } from './check.ts'
import { type Duration, millisecondsOf } from './duration.ts'
import { type AccountsGiven, accountGiven, checkedFixture, type Fixture, loadFixture } from './fixture.ts'
import { checkAccountGiven, checkCampaign, checkChange, checkOptions, checkProgram, wholeNumber } from './given.ts'
import type { Operation } from './operation.ts'
import { failureOf, replayCommands } from './replay.ts'
import { accountView, entryViews } from './views.ts'
import { Violation } from './violation.ts'
import { World, type WorldOptions } from './world.ts'

export interface HarnessOptions {
  /** One seed is one schedule. Default: the one in SUANPAN_SEED, else 1. */
  readonly seed?: number
  /** What goes wrong meanwhile: `'none'` (default), `'all'`, or kinds with their weights (1: as often as usual). */
  readonly faults?: 'none' | 'all' | FaultWeights
  readonly accounts?: AccountsGiven
  /** Or the same and more from a JSON file. */
  readonly fixture?: Fixture | string | URL
  /** RFC 3339; default 2027-01-31T12:00:00Z. */
  readonly startAt?: string
  /** Of the ledger: where a business day begins. Default UTC. */
  readonly timeZone?: string
  /** Default 2 partitions on one shard and one thread. */
  readonly partitions?: number
  readonly workers?: number
  readonly shards?: number
  /** Prints all that happens. */
  readonly trace?: (line: string) => void
}

/** A transaction without its type, which the method says; without an id it gets one. */
export type Given<T extends TransactionType> = Omit<
  Extract<TransactionRequest, { readonly type: T }>,
  'type' | 'id'
> & {
  readonly id?: string
}

export interface Race<T> {
  /** Took effect: one for each transaction, whoever heard of it first. */
  readonly winners: readonly T[]
  /** Were told what a winner was told: the same id with the same body. */
  readonly repeats: readonly T[]
  /** Were declined or refused, and had no effect. */
  readonly losers: readonly T[]
}

export interface HistoryEntry {
  readonly number: number
  /** Virtual milliseconds since the start. */
  readonly askedAt: number
  readonly answeredAt: number | undefined
  /** How often it was sent. */
  readonly tries: number
  readonly command: Command
  readonly answer: Answer | undefined
}

/** So long may anything take, in virtual time, before the harness says that it will never come. */
const patienceMs = 600_000
/** A timer looks for holds that ran out this often, one for points this often. */
const holdTimerMs = 600
const pointsTimerMs = 61_000
const crashWithinMs = 5

/** Starts a bank; resolves when it is open, with the accounts that were given. */
export async function createHarness(options: HarnessOptions = {}): Promise<Harness> {
  return await openHarness(options, (world) => world)
}

/** As `createHarness`, over a world that is changed first: how the harness itself is shown to find what is broken. */
export async function openHarness(
  options: HarnessOptions,
  variant: (options: WorldOptions) => WorldOptions,
): Promise<Harness> {
  const harness = new Harness(options, variant)
  await harness.open()
  return harness
}

export class Harness {
  readonly seed: number
  private readonly accounts: AccountsGiven | undefined
  private readonly worldOptions: WorldOptions
  private readonly world: World
  private readonly fixture: Fixture
  private readonly rejecters = new Set<(error: unknown) => void>()
  private readonly file = fileUnderTest()
  private running = false
  private ids = 0
  private changes = 0
  /** Commands of the set-up: they do not count as the test's. */
  private setUp = 0

  constructor(options: HarnessOptions, variant: (options: WorldOptions) => WorldOptions) {
    checkOptions(options)
    this.accounts = options.accounts
    this.seed = options.seed ?? seedFromEnvironment() ?? 1
    const { fixture = {}, faults = 'none', startAt, timeZone, partitions, workers, shards, trace } = options
    this.fixture =
      typeof fixture === 'string' || fixture instanceof URL ? loadFixture(fixture) : checkedFixture(fixture, 'fixture')
    const assets = Object.entries(this.fixture.assets ?? {}).map(([code, { scale, autoOpen = false }]) => ({
      code,
      scale,
      autoOpen,
    }))
    const base: WorldOptions = {
      seed: this.seed,
      faults: faults === 'none' ? {} : faults === 'all' ? allFaults : faults,
      ...(startAt === undefined ? {} : { startMs: Date.parse(startAt) }),
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(partitions === undefined ? {} : { partitions }),
      ...(workers === undefined ? {} : { workers }),
      ...(shards === undefined ? {} : { shards }),
      ...(trace === undefined ? {} : { trace }),
      assets: [...builtInAssets, ...assets],
    }
    this.worldOptions = variant(base)
    this.world = watchedWorld(this.worldOptions)
  }

  // ---- commands -----------------------------------------------------------------------------------------------------------------

  debit(given: Given<'debit'>): Promise<Outcome> {
    return this.post({ type: 'debit', ...this.named(given) })
  }
  credit(given: Given<'credit'>): Promise<Outcome> {
    return this.post({ type: 'credit', ...this.named(given) })
  }
  transfer(given: Given<'transfer'>): Promise<Outcome> {
    return this.post({ type: 'transfer', ...this.named(given) })
  }
  hold(given: Given<'hold'>): Promise<Outcome> {
    return this.post({ type: 'hold', ...this.named(given) })
  }
  capture(given: Given<'capture'>): Promise<Outcome> {
    return this.post({ type: 'capture', ...this.named(given) })
  }
  release(given: Given<'release'>): Promise<Outcome> {
    return this.post({ type: 'release', ...this.named(given) })
  }
  refund(given: Given<'refund'>): Promise<Outcome> {
    return this.post({ type: 'refund', ...this.named(given) })
  }
  postings(given: Given<'postings'>): Promise<Outcome> {
    return this.post({ type: 'postings', ...this.named(given) })
  }
  order(given: Given<'order'>): Promise<Outcome> {
    return this.post({ type: 'order', ...this.named(given) })
  }
  /** Takings of a merchant to an account of the merchant. */
  settle(given: Given<'settle'>): Promise<Outcome> {
    return this.post({ type: 'settle', ...this.named(given) })
  }
  disburse(given: Given<'disbursement'>): Promise<Outcome> {
    return this.post({ type: 'disbursement', ...this.named(given) })
  }
  earnPoints(given: Given<'points.earn'>): Promise<Outcome> {
    return this.post({ type: 'points.earn', ...this.named(given) })
  }
  redeemPoints(given: Given<'points.redeem'>): Promise<Outcome> {
    return this.post({ type: 'points.redeem', ...this.named(given) })
  }

  claimCoupon(given: Given<'coupon.claim'>): Promise<Outcome> {
    return this.post({ type: 'coupon.claim', ...this.named(given) })
  }
  redeemCoupon(given: Given<'coupon.redeem'>): Promise<Outcome> {
    return this.post({ type: 'coupon.redeem', ...this.named(given) })
  }
  returnCoupon(given: Given<'coupon.return'>): Promise<Outcome> {
    return this.post({ type: 'coupon.return', ...this.named(given) })
  }

  private named<G extends { readonly id?: string }>(given: G): Omit<G, 'id'> & { readonly id: string } {
    return { ...given, id: given.id ?? `auto-${++this.ids}` }
  }

  /** Any transaction of the HTTP contract. Sent again until it is answered, as the typed client does; the client's own errors are thrown. */
  async post(request: TransactionRequest): Promise<Outcome> {
    const command = readTransaction(request, undefined)
    if (command instanceof Problem) return refusedOutcome(command)
    return outcome(await this.wait(this.world.call(command).done))
  }

  /** Many at once, over one stream: those of one owner are decided in this order. The outcomes come in it too. */
  async postAll(requests: readonly TransactionRequest[]): Promise<Outcome[]> {
    const read = requests.map((request) => readTransaction(request, undefined))
    const commands = read.flatMap((one) => (one instanceof Problem ? [] : [one]))
    const answers = await this.wait(this.world.stream(commands))
    let next = 0
    return read.map((one) => (one instanceof Problem ? refusedOutcome(one) : outcome(answers[next++] ?? never())))
  }

  /** Opens an account; throws what the API would refuse. */
  async openAccount(id: string, given: string | AccountsGiven[string]): Promise<void> {
    const account = accountGiven(id, given)
    checkAccountGiven(id, account, this.assets)
    const { asset, balance, overdraft = '0', normal = 'credit' } = account
    await this.accepted({
      type: 'open',
      id: `!open-${++this.changes}`,
      account: id,
      asset,
      overdraft: normalizeDecimal(overdraft),
      normal,
    })
    if (balance === undefined || normalizeDecimal(balance) === '0') return
    const amount = normalizeDecimal(balance)
    await this.accepted(
      normal === 'credit'
        ? { type: 'credit', id: `opening-${++this.changes}`, account: id, amount, from: 'house:opening' }
        : { type: 'debit', id: `opening-${++this.changes}`, account: id, amount, to: 'house:opening' },
    )
  }

  /** Freezes, closes, re-opens, or sets the limit of an account. */
  async changeAccount(id: string, change: AccountChange): Promise<void> {
    checkChange(id, change)
    const { status, overdraft } = change
    const limit = overdraft === undefined ? undefined : normalizeDecimal(overdraft)
    await this.accepted({ type: 'change', id: `!change-${++this.changes}`, account: id, status, overdraft: limit })
  }

  /** Creates or changes a campaign; resolves when every partition knows it. Throws what the API would refuse. */
  async putCampaign(code: string, campaign: CampaignRequest): Promise<void> {
    checkCampaign(code, campaign)
    const { text, check } = campaignChange(code, campaign, this.assets)
    await this.wait(this.world.putCatalog('campaign', code, text, check))
  }

  /** The same for a points program. */
  async putProgram(code: string, program: ProgramRequest): Promise<void> {
    checkProgram(code, program)
    const { text, check } = programChange(code, program, this.assets)
    await this.wait(this.world.putCatalog('program', code, text, check))
  }

  /** Those of the catalog too. */
  private get assets(): ReadonlyMap<string, Asset> {
    const assets = new Map(this.world.assets)
    for (const { kind, code, body } of this.world.databases[0]?.catalog ?? [])
      for (const asset of assetsOfChange(kind, code, body)) assets.set(asset.code, asset)
    return assets
  }

  private async accepted(command: Command): Promise<void> {
    const { http, body } = await this.wait(this.world.call(command).done)
    if (http >= 300) throw new Error(`${command.type} of ${instanceOf(command)} was answered ${http}: ${body}`)
  }

  // ---- reading ------------------------------------------------------------------------------------------------------------------

  /** Committed state. Throws where there is no such account. */
  account(id: string, asset?: string): Account {
    const view = accountView(this.shards, id, this.now.getTime(), asset)
    if (view === undefined) throw new Error(`there is no account ${id}`)
    return view
  }

  /** In the order in which they came about; of a house account those of one asset in all partitions. Throws where there is no such account. */
  entries(id: string, asset?: string): readonly Entry[] {
    const entries = entryViews(this.shards, id, asset)
    if (entries === undefined) throw new Error(`there is no account ${id}`)
    return entries
  }

  /** The clock of the simulated world. */
  get now(): Date {
    return new Date(this.world.simulation.time.now())
  }

  /** `YYYY-MM-DD` in the ledger's time zone. */
  get businessDate(): string {
    return dateText(this.world.dateOf(this.now.getTime()))
  }

  private get shards() {
    return this.world.databases.map(({ shard }) => shard)
  }

  /** What was asked and told since the start, without the set-up. */
  history(): readonly HistoryEntry[] {
    return this.world.operations.slice(this.setUp).map(({ number, command, invokedAt, settledAt, tries, answer }) => ({
      number: number - this.setUp,
      askedAt: invokedAt,
      answeredAt: settledAt,
      tries,
      command,
      answer,
    }))
  }

  /** How often each kind of fault has struck. */
  get faults(): Readonly<Record<string, number>> {
    return { ...this.world.simulation.faults.happened }
  }

  /** Of all that happened: two runs with one seed have the same. */
  get traceHash(): string {
    return this.world.simulation.trace.hash
  }

  // ---- time and trouble ---------------------------------------------------------------------------------------------------------

  /** Lets time pass. What falls due on the way happens: holds and points expire. */
  async advance(duration: Duration): Promise<void> {
    const { simulation } = this.world
    const until = simulation.time.elapsed() + millisecondsOf(duration)
    await this.settled()
    for (;;) {
      const next = this.nextDue()
      const now = simulation.time.elapsed()
      if (next === undefined || next.at >= until) break
      // Nothing but housekeeping happens in between: it need not be lived through.
      simulation.time.moveTo(Math.max(now, next.at))
      await this.runFor(next.timerMs)
      await this.settled()
    }
    simulation.time.moveTo(until)
    await this.runFor(holdTimerMs)
    await this.settled()
  }

  /** When something runs out next, in elapsed milliseconds, and how long the engine's timer takes to see it. */
  private nextDue(): { readonly at: number; readonly timerMs: number } | undefined {
    const { time } = this.world.simulation
    const elapsedAt = (wallMs: number): number => wallMs - time.startMs
    let due: { at: number; timerMs: number } | undefined
    const note = (at: number, timerMs: number): void => {
      if (due === undefined || at < due.at) due = { at, timerMs }
    }
    for (const shard of this.shards) {
      for (const { hold } of shard.holds.values()) {
        if (hold.expiresAt !== undefined && hold.expiresAt >= time.now()) note(elapsedAt(hold.expiresAt), holdTimerMs)
      }
      const day = shard.nextLotDay(this.world.dateOf(time.now()))
      if (day !== undefined) note(elapsedAt(this.endOf(day)), pointsTimerMs)
    }
    return due
  }

  /** The first millisecond of the next day in the ledger's time zone. The offset of a zone is a whole number of minutes, and below a day. */
  private endOf(day: number): number {
    const minuteMs = 60_000
    let last = (day * 86_400_000) / minuteMs - 1440
    let first = last + 3 * 1440
    while (first - last > 1) {
      const middle = Math.floor((first + last) / 2)
      if (this.world.dateOf(middle * minuteMs) > day) first = middle
      else last = middle
    }
    return first * minuteMs
  }

  /** kill -9 of the process (or the end of one worker thread) at a moment that the seed chooses; resolves when it hosts again. */
  async crash(what: 'process' | 'thread' = 'process'): Promise<void> {
    const { world } = this
    if (what !== 'process' && what !== 'thread') throw new TypeError(`crash of what: ${what} (process or thread)`)
    await this.runFor(world.simulation.random.fraction() * crashWithinMs)
    if (what === 'process') world.crash()
    else world.crashThread()
    await this.until(() => world.ready)
  }

  /** Lets `count` of them run against each other, in an order that the seed decides, and says who won. */
  async race(count: number, run: (index: number) => Promise<Outcome>): Promise<Race<Outcome>> {
    wholeNumber('count', count, 0)
    const outcomes = await Promise.all(Array.from({ length: count }, (_, index) => run(index)))
    const winners: Outcome[] = []
    const repeats: Outcome[] = []
    const losers: Outcome[] = []
    const taken = new Set<string>()
    for (const one of outcomes) {
      // A body in braces without `return` gives nothing.
      if (one === undefined) throw new TypeError('run must return the promise of an outcome')
      if (one.status !== 'posted' && one.status !== 'pending') losers.push(one)
      else if (taken.has(`${one.receipt.id} ${one.receipt.accounts[0]?.id}`)) repeats.push(one)
      else {
        taken.add(`${one.receipt.id} ${one.receipt.accounts[0]?.id}`)
        winners.push(one)
      }
    }
    return { winners, repeats, losers }
  }

  /** Nothing goes wrong any more, and what is broken is repaired. */
  calm(): void {
    this.world.calm()
  }

  /**
   * Waits until everything is answered, then checks every promise over all that happened: see docs/testing.md for the list. What it throws names
   * the seed and shows the shortest history that breaks the same promise.
   */
  async assertInvariants(): Promise<void> {
    await this.settled()
    await this.until(() => this.world.quiet)
    try {
      checkWorld(this.world, () => hostsDiedOften(this.world))
    } catch (error) {
      throw await this.told(error)
    }
  }

  private async told(error: unknown): Promise<unknown> {
    if (!(error instanceof Violation)) return error
    const small = await replayCommands(this.worldOptions, this.world.operations, error.rule)
    return failureOf(error, this.seed, small, this.file)
  }

  // ---- inside -------------------------------------------------------------------------------------------------------------------

  async open(): Promise<void> {
    const { world, fixture } = this
    world.simulation.faults.stop()
    world.start()
    await this.until(() => world.ready)
    const accounts = Object.entries({ ...fixture.accounts, ...this.accounts })
    await Promise.all(accounts.map(([id, given]) => this.openAccount(id, given)))
    for (const [index, request] of (fixture.transactions ?? []).entries())
      wasPosted(`transactions[${index}]`, await this.post(request))
    this.setUp = world.operations.length
    world.simulation.faults.start()
    world.letLoose()
  }

  private settled(): Promise<void> {
    return this.until(() => this.world.settled && (this.world.ready || this.world.operations.length === 0))
  }

  private async until(done: () => boolean): Promise<void> {
    const { simulation } = this.world
    const limit = simulation.time.elapsed() + patienceMs
    await this.wait(
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (done()) resolve()
          else if (simulation.time.elapsed() > limit)
            reject(new Error(`it did not come to that in ${patienceMs} virtual ms`))
          else simulation.time.after(1, look)
        }
        look()
      }),
    )
  }

  private async runFor(ms: number): Promise<void> {
    await this.wait(new Promise<void>((resolve) => this.world.simulation.time.after(ms, resolve)))
  }

  /** Whoever waits for something lets the world go on. */
  private wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.rejecters.add(reject)
      const forget = (): void => {
        this.rejecters.delete(reject)
      }
      promise.then(
        (value) => {
          forget()
          resolve(value)
        },
        (error: unknown) => {
          forget()
          reject(error)
        },
      )
      this.pump()
    })
  }

  private pump(): void {
    if (this.running) return
    this.running = true
    this.world.simulation
      .run(() => this.rejecters.size === 0)
      .then(
        (done) => {
          this.running = false
          if (!done) this.fail(new Error('nothing can happen any more, and somebody still waits'))
        },
        async (error: unknown) => {
          this.running = false
          this.fail(await this.told(error))
        },
      )
  }

  private fail(error: unknown): void {
    const rejecters = [...this.rejecters]
    this.rejecters.clear()
    for (const reject of rejecters) reject(error)
  }
}

/** A world whose answers and trims are looked at while it runs. */
export function watchedWorld(options: WorldOptions): World {
  const world: World = new World({
    ...options,
    onReply: (operation: Operation, answer) => checkReply(world, operation, answer),
    taps: {
      ...options.taps,
      trimmed: (partition, position) => checkTrim(world, partition, position),
      failed: (message) => checkFailure(world, message),
    },
  })
  return world
}

/** Retried until the ledger's word was had: none of these is `failed`. */
function outcome({ http, replayed, body }: Answer): Outcome {
  const one = outcomeOf(http, replayed, JSON.parse(body))
  return one.status === 'failed' ? { status: 'refused', problem: one.problem } : one
}

/** A fixture that is not what it says would make its test prove something else. */
function wasPosted(name: string, one: Outcome): void {
  if (one.status === 'posted' || one.status === 'pending') return
  const { code, detail, field } = one.problem
  throw new Error(`fixture: ${name}${field === undefined ? '' : `.${field}`} was ${one.status}: ${code}: ${detail}`)
}

function never(): never {
  throw new Error('every command has an answer')
}

const refusedOutcome = (problem: Problem): Outcome => ({
  status: 'refused',
  problem: JSON.parse(problem.body('/v1/transactions')),
})
