// The composition root of a process that hosts: joins Postgres, the mailbox and the worker threads into an Engine. The server and the
// benchmarks start here.
import { randomUUID } from 'node:crypto'
import { CatalogKeeper } from '../actors/catalog-keeper.ts'
import type { Engine } from '../actors/engine.ts'
import { isFault } from '../actors/faults.ts'
import { Intake } from '../actors/intake.ts'
import type { CommitStats } from '../actors/lane-ports.ts'
import { Later } from '../actors/later.ts'
import type { Reads } from '../actors/reads.ts'
import { StockKeeper } from '../actors/stock-keeper.ts'
import { Supervisor } from '../actors/supervisor.ts'
import { PiscinaThreads } from '../adapters/piscina/threads.ts'
import { highestGeneration, type LedgerInfo, openLedger } from '../adapters/postgres/catalog.ts'
import { changesAfter, storeChange } from '../adapters/postgres/catalog-changes.ts'
import { connect } from '../adapters/postgres/connect.ts'
import { accountsWithDueHolds } from '../adapters/postgres/due-holds.ts'
import { dueLots } from '../adapters/postgres/due-lots.ts'
import { HostLease } from '../adapters/postgres/host-lease.ts'
import { endFrozenHolder, HostLock } from '../adapters/postgres/host-lock.ts'
import type { HostingRight } from '../adapters/postgres/hosting-right.ts'
import { PostgresReads } from '../adapters/postgres/reads.ts'
import { keepSegments } from '../adapters/postgres/segments.ts'
import type { RedisMailbox, RedisMailboxLimits } from '../adapters/redis/mailbox.ts'
import { systemClock, systemTimers } from '../adapters/system/system.ts'
import { calendarOf, dateText } from '../core/business-date.ts'
import { assetsOfChange, couponAsset } from '../core/catalog.ts'
import type { Command } from '../core/command.ts'
import { couponAccounts } from '../core/house.ts'
import type { Answer } from '../schemas/answer.ts'
import { type Control, type ControlHost, carryOut, settleMoves } from './control.ts'
import { type Entry, entryOf } from './entry.ts'
import { type MailboxNews, type OpenedMailbox, openMailbox } from './mailbox.ts'

/** Measured on two cores with one worker (`npm run bench -- partitions`): see docs/decisions/004-partitions.md. */
export const defaultPartitions = 8

/** Commands in one batch: more gains nothing measurable, and a batch is what a client waits for. */
const batchCommandsMax = 4096
/** With 64 connections half of them then share a commit, instead of a third (see `LaneLimits`). */
const overlapCommandsMin = 256
const drainMs = 8000
const everyMs = { expiry: 500, segments: 1000, lock: 200, points: 60_000, control: 500, standby: 100 }
/** A partition that is moved keeps new commands waiting so long, then they are refused. */
const moveWaitMs = 3000
/** Some thousand times what a batch takes: a thread that is silent for so long is in an endless loop. */
const defaultWatchdogMs = 3000
/** A host whose lock gave no sign of life for so long is frozen: a standby ends its session. */
const frozenMs = 5000
const dueAccountsMax = 1000
const dueOwnersMax = 1000

export interface EngineOptions {
  /** Undefined: the mailbox in memory. */
  readonly redisUrl?: string | undefined
  readonly redisLimits?: Partial<RedisMailboxLimits> | undefined
  readonly mailboxNews?: MailboxNews | undefined
  /** Shards in their order; the first is the catalog. */
  readonly urls: readonly string[]
  readonly workers: number
  readonly partitions?: number | undefined
  readonly timeZone?: string | undefined
  readonly deadlineMs: number
  readonly houseAutoOpen: boolean
  readonly segmentRowsMax: number
  readonly residentAccountsMax: number
  /** Of each worker thread; no bound if not given. */
  readonly idFilterBytesMax?: number
  /** Ends the sessions of a former host that hangs, instead of refusing to start. */
  readonly takeOver?: boolean
  /** Waits until it may host instead of refusing to start, and takes over from a host that died or froze. */
  readonly standby?: boolean
  /** Session lock (default), or a lease where a pooler hides sessions. */
  readonly hostLock?: 'session' | 'lease'
  /** Accepts a Postgres whose commits are not durable. */
  readonly unsafe?: boolean
  readonly watchdogMs?: number
  /** Called again and again while it stands by. */
  readonly onStandby?: () => void
  /** Ends the wait of a standby. */
  readonly signal?: AbortSignal
  /** For tests: a module whose `beforeDecide` runs in the worker threads. */
  readonly sabotage?: string | undefined
  readonly log: EngineLog
  readonly onCommit?: (slot: number, shard: number, stats: CommitStats) => void
  readonly onQuarantine?: () => void
  readonly onThreadEnd?: () => void
}

export type EngineLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void

export interface RunningEngine extends Engine {
  readonly reads: Reads
  readonly ledger: {
    readonly id: string
    readonly partitions: number
    readonly timeZone: string
    readonly created: boolean
  }
  /** The mailbox, where it is in Redis. */
  readonly redis: Pick<RedisMailbox, 'calls' | 'generation'> | undefined
  /** Commands waiting or under way. */
  queueDepth(): number
  /** Answers that clients wait for. */
  waiting(): number
  utilizations(): readonly { slot: number; share: number }[]
  /** Partitions that nobody can post to now, and among them those whose database lost what was committed. */
  health(): { readonly down: readonly number[]; readonly historyLost: readonly number[] }
  /** Resolves when another process took a partition: this one must end. */
  readonly dethroned: Promise<string>
}

/** Resolves when every partition is hosted. Throws a TerminalFault that says what is wrong with the ledger or who else hosts it. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const { log } = options
  const open = (): Promise<LedgerInfo> =>
    openLedger(
      options.urls,
      { partitions: options.partitions, timeZone: options.timeZone, defaultPartitions },
      options.unsafe,
    )
  const first = await open()
  const processName = `suanpan ${randomUUID().slice(0, 8)}`
  const background = new Background()
  let dethrone: (why: string) => void = () => undefined
  const dethroned = new Promise<string>((resolve) => {
    dethrone = resolve
  })
  const regain = async (url: string): Promise<void> => {
    log('warn', 'the right to host was lost with its connection', {})
    while (!background.stopped && !right.holds(url)) {
      // Whoever ended our session in order to take over comes first.
      await background.pause(everyMs.lock)
      if (background.stopped) return
      try {
        await right.acquire(url)
        log('info', 'the right to host is held again', {})
      } catch (error) {
        if (isFault(error) && error.code === 'hosted_elsewhere') {
          dethrone(error.message)
          return
        }
        log('warn', 'the right to host is not to be had yet', { message: messageOf(error) })
      }
    }
  }
  /** Of a shard whose connection was lost: it may be another database when it comes back. */
  let lookAgain: (shard: number) => void = () => undefined
  const onLost = (url: string): void => {
    lookAgain(urls.indexOf(url))
    background.run(() => regain(url))
  }
  const rightOptions = { name: processName, onLost }
  const right: HostingRight = options.hostLock === 'lease' ? new HostLease(rightOptions) : new HostLock(rightOptions)
  let info = first
  const urls: string[] = []
  const control: Omit<Control, 'host'> = {
    processName,
    urls,
    log,
    now: () => systemClock.elapsed(),
    pause: (ms) => background.pause(ms),
    signal: background.signal,
  }
  let opened: OpenedMailbox
  try {
    await acquireAll(first.urls, right, options, log)
    // Whoever hosted until now may have moved partitions and added shards.
    const again = await open()
    info = { ...again, created: first.created }
    for (const url of info.urls) if (!right.holds(url)) await right.acquire(url, options.takeOver)
    urls.push(...info.urls)
    await settleMoves({ ...control, host: undefined })
    // Only the host may: whoever opens a mailbox takes it from its former host.
    opened = await openMailbox({
      redisUrl: options.redisUrl,
      redisLimits: options.redisLimits,
      processName,
      ledger: info.id,
      partitions: info.partitions,
      consumedGeneration: await highestGeneration(urls),
      news: options.mailboxNews,
      log,
      superseded: () => dethrone('another process has opened the mailbox'),
    })
  } catch (error) {
    await right.release()
    throw error
  }
  const shardOf = [...info.shardOf]

  const assets = new Map(info.assets)
  const { mailbox } = opened
  const intake = new Intake(
    { partitions: info.partitions, generation: opened.generation, deadlineMs: options.deadlineMs },
    mailbox,
    systemClock,
    systemTimers,
  )
  opened.attach(intake)
  const threads = new PiscinaThreads(mailbox, () => ({
    processName,
    shardUrls: urls,
    assets: info.firstAssets,
    timeZone: info.timeZone,
    houseAutoOpen: options.houseAutoOpen,
    partitions: info.partitions,
    batchCommandsMax,
    overlapCommandsMin,
    residentsMax: options.residentAccountsMax,
    idFilterBytesMax: options.idFilterBytesMax,
    sabotage: options.sabotage,
  }))
  const supervisor = new Supervisor(
    {
      clock: systemClock,
      timers: systemTimers,
      threads,
      intake,
      deliveredTo: (partition) => mailbox.deliveredTo(partition),
      mayHost: (shard) => right.holds(urls[shard] ?? ''),
      news: {
        committed: (slot, shard, stats) => options.onCommit?.(slot, shard, stats),
        threadStarted: (slot, threadId) => log('info', 'worker thread started', { slot, threadId }),
        threadEnded: (slot, reason) => {
          options.onThreadEnd?.()
          log('error', 'worker thread ended', { slot, reason })
        },
        quarantined: (partition, position, id) => {
          options.onQuarantine?.()
          log('error', 'a command was put into quarantine', { partition, position, id })
        },
        lost: (partitions) => {
          log('error', 'another process hosts these partitions now', { partitions })
          dethrone(`partitions ${partitions.join(', ')} are hosted by another process`)
        },
        historyLost: (partition, seen, found) =>
          log(
            'error',
            'the database lost what was committed; the partition is not hosted until the server is started again',
            {
              partition,
              seen,
              found,
            },
          ),
        log,
      },
    },
    { workers: options.workers, shardOf, watchdogMs: options.watchdogMs ?? defaultWatchdogMs },
  )
  const dateOf = calendarOf(info.timeZone)
  const reads = new PostgresReads({ urls, shardOf, assets: () => assets, dateOf })
  lookAgain = (shard) => supervisor.lookAgain(shard)
  await supervisor.start()
  await supervisor.whenHosted()
  intake.accept(true)
  const keeper = new CatalogKeeper(
    {
      store: {
        append: (change) => storeChange(urls[0] ?? '', change),
        after: (version, limit) => changesAfter(urls[0] ?? '', version, limit),
      },
      submit: (command, reply) => intake.submit(command, reply, true),
      timers: systemTimers,
      changed: ({ kind, code, body }) => {
        for (const asset of assetsOfChange(kind, code, body)) assets.set(asset.code, asset)
      },
    },
    info.partitions,
    options.deadlineMs,
    info.catalog,
  )
  keeper.start()
  const entry = entryOf(intake, reads, systemTimers)
  const stock = new StockKeeper(
    {
      submit: (command, reply) => intake.submit(command, reply, true),
      moving: async (campaign) => {
        const moving = await reads.account(couponAccounts(campaign).moving, couponAsset(campaign).code)
        return Number(moving?.balance ?? 0)
      },
      resend: (claim) => intake.resend(claim),
      giveUp: (claim, detail) => intake.giveUp(claim, detail),
    },
    info.partitions,
    randomUUID().slice(0, 8),
  )
  intake.onStockElsewhere = (claim) => stock.park(claim)

  const keepShard = (shard: number, url: string): void => {
    background.every(everyMs.segments, () =>
      keepSegments(url, options.segmentRowsMax, {
        opened: (segment) => supervisor.switchSegment(shard, segment),
        closed: (segment) => supervisor.segmentClosed(shard, segment),
      }),
    )
    background.every(everyMs.expiry, () => expireHolds(url, intake))
    background.every(everyMs.points, () => expirePoints(url, intake, dateText(dateOf(systemClock.now()))))
  }
  for (const [shard, url] of urls.entries()) keepShard(shard, url)
  const host: ControlHost = {
    addShard: async (shard) => {
      const url = urls[shard] ?? ''
      await right.acquire(url, options.takeOver)
      supervisor.addShard(shard, url)
      keepShard(shard, url)
    },
    switchSegment: (shard, segment) => supervisor.switchSegment(shard, segment),
    release: (partition) => supervisor.release(partition, moveWaitMs),
    rehost: (partition, shard) => supervisor.rehost(partition, shard),
  }
  background.every(everyMs.control, () => carryOut({ ...control, host }))

  return {
    reads,
    ledger: { id: info.id, partitions: info.partitions, timeZone: info.timeZone, created: info.created },
    dethroned,
    queueDepth: () => mailbox.depth(),
    redis: opened.redis,
    later: opened.redis === undefined ? undefined : new Later(entry, systemTimers),
    mailboxTrouble: () => opened.trouble(),
    waiting: () => intake.waiting,
    utilizations: () => supervisor.utilizations(),
    submit: (command, reply, waits) => entry.submit(command, reply, waits),
    postAll: (commands) => postAll(commands, entry),
    assets: () => assets,
    catalog: keeper,
    ready: () => intake.isAccepting,
    health: () => ({ down: supervisor.downPartitions(), historyLost: supervisor.historyLost() }),
    close: async () => {
      intake.accept(false)
      keeper.stop()
      await background.stop()
      const until = systemClock.elapsed() + drainMs
      while (intake.waiting > 0 && systemClock.elapsed() < until) {
        await new Promise<void>((resolve) => systemTimers.soon(resolve))
      }
      await supervisor.stop(2000)
      intake.close()
      await opened.close()
      await reads.close()
      await right.release()
    },
  }
}

async function acquireAll(
  urls: readonly string[],
  right: HostingRight,
  options: EngineOptions,
  log: EngineLog,
): Promise<void> {
  let isWaiting = false
  for (const url of urls) {
    for (;;) {
      try {
        await right.acquire(url, options.takeOver)
        break
      } catch (error) {
        const waits =
          isFault(error) && (error.code === 'hosted_elsewhere' || (isWaiting && error.code === 'unavailable'))
        if (options.standby !== true || !waits) throw error
        if (!isWaiting) log('info', 'standing by', { message: messageOf(error) })
        isWaiting = true
        options.onStandby?.()
        if (options.signal?.aborted === true) throw error
        await new Promise<void>((resolve) => systemTimers.after(everyMs.standby, resolve))
        if (options.hostLock !== 'lease') await endFrozenHolder(url, frozenMs).catch(() => false)
      }
    }
  }
  if (isWaiting) log('warn', 'this process takes over', {})
}

/** Keeps at most `inFlightMax` of them on the way: below the bound of one mailbox, so that a batch on one account is never told `overloaded`. */
async function postAll(commands: readonly Command[], intake: Entry): Promise<Answer[]> {
  const answers: Answer[] = new Array(commands.length)
  let answered = 0
  let goOn: () => void = () => undefined
  for (let at = 0; at < commands.length; at += windowCommands) {
    const window = commands.slice(at, at + windowCommands)
    for (const [i, command] of window.entries()) {
      const reply = (answer: Answer): void => {
        answers[at + i] = answer
        answered++
        goOn()
      }
      intake.submit(command, reply, true)
    }
    const sent = at + window.length
    const until = sent === commands.length ? sent : sent - inFlightMax
    if (answered < until) {
      await new Promise<void>((resolve) => {
        goOn = () => {
          if (answered >= until) resolve()
        }
      })
      goOn = () => undefined
    } else await new Promise<void>((resolve) => systemTimers.soon(resolve))
  }
  return answers
}

const windowCommands = 1024
const inFlightMax = 16_384

/** Lets the actors of accounts with holds that ran out look at their clock. Waits for them, so that none is asked twice at a time. */
async function expireHolds(url: string, intake: Intake): Promise<void> {
  const client = await connect(url, { name: 'suanpan expiry' })
  let accounts: string[]
  try {
    accounts = await accountsWithDueHolds(client, systemClock.now(), dueAccountsMax)
  } finally {
    await client.end()
  }
  await Promise.all(
    accounts.map(
      (account) =>
        new Promise<void>((resolve) => intake.submit({ type: 'expire', id: '!expire', account }, () => resolve())),
    ),
  )
}

/** Burns the points whose last day was before today, once a day and shard. What was not answered is asked again at the next turn. */
async function expirePoints(url: string, intake: Intake, today: string): Promise<void> {
  const client = await connect(url, { name: 'suanpan points' })
  try {
    const due = await dueLots(client, today)
    if (due === undefined) return
    let after = ''
    for (;;) {
      const owners = await due.owners(after, dueOwnersMax)
      const answers = await postAll(
        owners.map((owner) => ({ type: 'points.expire', id: `!points.expire:${today}`, owner })),
        intake,
      )
      if (answers.some(({ http }) => http >= 500)) return
      const last = owners.at(-1)
      if (last === undefined) break
      after = last
    }
    await due.done()
  } finally {
    await client.end()
  }
}

/** Jobs that run beside the engine and end with it. A job that fails is tried again at its next turn: the lanes report a lost shard. */
class Background {
  private readonly abort = new AbortController()
  private readonly running = new Set<Promise<void>>()
  private readonly cancels = new Set<() => void>()

  run(job: () => Promise<void>): void {
    const run = job()
      .catch(() => undefined)
      .finally(() => this.running.delete(run))
    this.running.add(run)
  }

  every(ms: number, job: () => Promise<void>): void {
    this.run(async () => {
      while (!this.stopped) {
        await job().catch(() => undefined)
        await this.pause(ms)
      }
    })
  }

  pause(ms: number): Promise<void> {
    if (this.stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.cancels.delete(done)
        cancel()
        resolve()
      }
      const cancel = systemTimers.after(ms, done)
      this.cancels.add(done)
    })
  }

  get stopped(): boolean {
    return this.abort.signal.aborted
  }

  get signal(): AbortSignal {
    return this.abort.signal
  }

  async stop(): Promise<void> {
    this.abort.abort()
    for (const cancel of [...this.cancels]) cancel()
    await Promise.allSettled(this.running)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
