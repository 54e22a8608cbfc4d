// A drill: load with an oracle, faults in turn, and a table of what came of it. Clients send the same again until they have an answer, as clients
// should; the oracle knows every answer that was given, and afterwards asks for all of them once more.
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { verifyLedger } from '../../adapters/postgres/verify.ts'
import { systemClock, systemTimers } from '../../adapters/system/system.ts'
import { type HttpAnswer, HttpPosts } from './http-posts.ts'
import { MixedLoad, type Sent, sent } from './mixed-load.ts'
import { Oracle } from './oracle.ts'
import { Seeded } from './seeded.ts'
import { canMount } from './small-disk.ts'
import { Stage } from './stage.ts'

export interface DrillOptions {
  readonly seed: number
  /** Ends after so many rounds or so much time, whatever comes first; each fault has its turn once at least if neither is given. */
  readonly rounds?: number
  readonly minutes?: number
  /** Faults at random instead of in turn, but for those that take seconds by themselves. */
  readonly random?: boolean
  readonly redis?: boolean
  /** Only faults whose names contain this. */
  readonly only?: string
  /** Beside the drill's own settings, for the servers. */
  readonly env?: Record<string, string>
  /** Ends it before its time: all that it started is stopped, and it rejects with the signal's reason. */
  readonly signal?: AbortSignal
  readonly news?: (round: DrillRound, databaseUrl: string) => void | Promise<void>
}

export interface DrillRound {
  readonly fault: string
  readonly requests: number
  /** Transactions that got a definite answer. */
  readonly acknowledged: number
  /** Answers that are not true any more. */
  readonly lost: number
  /** Transactions that were decided twice. */
  readonly doubled: number
  /** Longest time in which nobody got an answer. */
  readonly unavailableMs: number
}

export interface DrillReport {
  readonly seed: number
  readonly rounds: readonly DrillRound[]
  /** What the oracle said first. */
  readonly wrong: readonly string[]
  /** `verify` over the whole journal. */
  readonly verified: boolean
}

export const isClean = ({ rounds, wrong, verified }: DrillReport): boolean =>
  verified && wrong.length === 0 && rounds.every(({ lost, doubled }) => lost === 0 && doubled === 0)

const clients = 12
const owners = 16
const pauseMs = 20
/** A round ends when answers have been coming again for so long after its fault. */
const calmMs = 250
const roundMsMax = 60_000
const newestChecked = 150
const wrongShown = 10

type Fault = readonly [name: string, inject: (stage: Stage, id: string, send: (id: string) => void) => Promise<void>]

const faults: readonly Fault[] = [
  ['none', async () => undefined],
  ['worker thread ends', async (_stage, id, send) => send(`drill.exit.${id}`)],
  ['worker thread in an endless loop', async (_stage, id, send) => send(`drill.loop.${id}`)],
  ['server kill -9', (stage) => stage.killServer()],
  ['Postgres kill -9', (stage) => stage.killPostgres()],
  ['connections to Postgres cut', (stage) => stage.cutConnections()],
  ['Postgres dies, its standby is promoted', (stage) => stage.promoteStandby()],
  ['host frozen, standby takes over', (stage) => stage.freezeServer()],
]
const diskFaults: readonly Fault[] = [
  ['disk full for 1.5 s', (stage) => stage.fillDisk(1500)],
  ['disk of the log full: Postgres ends', (stage) => stage.fillLogDisk()],
]
const redisFaults: readonly Fault[] = [
  ['Redis kill -9', (stage) => stage.killRedis()],
  ['Redis paused for 2 s', (stage) => stage.pauseRedis(2000)],
  ['Redis emptied (FLUSHALL)', (stage) => stage.flushRedis()],
  ['Redis out of memory for 1 s', (stage) => stage.fillRedis(1000)],
]

const slowFaults: ReadonlySet<string> = new Set([
  'Postgres dies, its standby is promoted',
  'host frozen, standby takes over',
  'disk full for 1.5 s',
  'disk of the log full: Postgres ends',
  'Redis paused for 2 s',
  'Redis out of memory for 1 s',
])

export const hasRedisServer = async (): Promise<boolean> =>
  await promisify(execFile)('redis-server', ['--version']).then(
    () => true,
    () => false,
  )

/** Whether a disk can be made full here. */
export const hasSmallDisk = async (): Promise<boolean> =>
  await canMount(join(tmpdir(), `suanpan-drill-disk-${process.pid}`))

/** Names of the faults that can be injected here. */
export const faultNames = async (options: Pick<DrillOptions, 'redis' | 'only'>): Promise<string[]> =>
  (await faultsHere(options)).map(([name]) => name)

async function faultsHere({ redis, only = '' }: Pick<DrillOptions, 'redis' | 'only'>): Promise<readonly Fault[]> {
  const here = [
    ...faults,
    ...((await hasSmallDisk()) ? diskFaults : []),
    ...((redis ?? (await hasRedisServer())) ? redisFaults : []),
  ]
  return here.filter(([name]) => name.includes(only))
}

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const redis = options.redis ?? (await hasRedisServer())
  const chosen = await faultsHere({ ...options, redis })
  if (chosen.length === 0) throw new RangeError(`no fault has "${options.only}" in its name`)
  const stage = await Stage.set(redis, options.env)
  const drill = new Drill(stage, options, chosen)
  try {
    options.signal?.throwIfAborted()
    options.signal?.addEventListener('abort', () => drill.stop(), { once: true })
    return await untilAborted(drill.run(), options.signal)
  } finally {
    await stage.end(drill.fault)
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}

class Drill {
  private readonly stage: Stage
  private readonly options: DrillOptions
  private readonly load: MixedLoad
  private readonly oracle = new Oracle()
  private readonly wrong: string[] = []
  private posts = new Map<string, HttpPosts>()
  private requests = 0
  private answered = 0
  private lost = 0
  private doubled = 0
  private lastAnswerAt = 0
  private longestGapMs = 0
  private over = false
  private overAt = 0
  private stopped = false
  /** The last that was injected: settles when it has struck and what it broke is mended. */
  fault: Promise<void> = Promise.resolve()
  private readonly faults: readonly Fault[]

  constructor(stage: Stage, options: DrillOptions, faults: readonly Fault[]) {
    this.stage = stage
    this.options = options
    this.faults = faults
    this.load = new MixedLoad(options.seed, 'd', owners)
  }

  /** Nothing more is asked, answered or not. */
  stop(): void {
    this.over = true
    this.stopped = true
  }

  async run(): Promise<DrillReport> {
    await this.openAccounts()
    const { random, rounds: roundsMost, minutes, seed } = this.options
    const all = random === true ? this.faults.filter((fault) => !slowFaults.has(fault[0])) : this.faults
    const most = roundsMost ?? (minutes === undefined ? all.length : Number.POSITIVE_INFINITY)
    const until = systemClock.elapsed() + (minutes ?? Number.POSITIVE_INFINITY) * 60_000
    const chance = new Seeded(seed)
    const working = Promise.all(Array.from({ length: clients }, () => this.client()))
    const rounds: DrillRound[] = []
    try {
      for (let n = 0; n < most && !this.over && systemClock.elapsed() < until; n++) {
        const fault = (random === true ? chance.pick(all) : all[n % all.length]) ?? all[0]
        if (fault === undefined) break
        const round = await this.round(fault, n)
        rounds.push(round)
        await this.options.news?.(round, this.stage.databaseUrl)
      }
    } finally {
      this.over = true
      this.overAt = systemClock.elapsed()
      await working
    }
    await this.checkAll()
    const { ok } = await verifyLedger([this.stage.databaseUrl])
    const last = rounds.at(-1)
    // What only the last look over everything shows belongs to no round: it must not be lost either.
    if (last !== undefined && (this.lost > 0 || this.doubled > 0))
      rounds[rounds.length - 1] = { ...last, lost: last.lost + this.lost, doubled: last.doubled + this.doubled }
    for (const posts of this.posts.values()) posts.close()
    return { seed, rounds, wrong: this.wrong.slice(0, wrongShown), verified: ok }
  }

  private async round([name, inject]: Fault, n: number): Promise<DrillRound> {
    this.requests = 0
    this.answered = 0
    this.lastAnswerAt = systemClock.elapsed()
    this.longestGapMs = 0
    const began = systemClock.elapsed()
    const poison: Promise<void>[] = []
    this.fault = inject(this.stage, String(n), (id) => {
      const owner = this.load.owners[n % owners] ?? ''
      poison.push(this.ask(sent(owner, { id, type: 'credit', account: `${owner}:main`, amount: '1' })))
    })
    await this.fault
    await Promise.all(poison)
    const injected = systemClock.elapsed()
    const before = this.answered
    while (
      (this.answered < before + clients || systemClock.elapsed() - injected < calmMs) &&
      systemClock.elapsed() - began < roundMsMax &&
      !this.stopped
    ) {
      await pause(pauseMs)
    }
    this.noteGap()
    const gap = this.longestGapMs
    const counts = { requests: this.requests, acknowledged: this.answered }
    await this.again(this.oracle.acknowledged().slice(-newestChecked))
    const round = { fault: name, ...counts, lost: this.lost, doubled: this.doubled, unavailableMs: Math.round(gap) }
    this.lost = 0
    this.doubled = 0
    return round
  }

  private async client(): Promise<void> {
    while (!this.over) await this.ask(this.load.next(0))
  }

  /** Sends the same until there is an answer: what was not answered may have happened. */
  private async ask(one: Sent): Promise<void> {
    this.oracle.sending(one)
    for (;;) {
      this.requests++
      const answer = await this.post(one.json)
      if (answer !== undefined && answer.status !== 503 && answer.status !== 429) {
        this.judge(one, answer)
        this.answered++
        this.noteGap()
        return
      }
      // What is still unknown then is told by the last look.
      if (this.stopped || (this.over && systemClock.elapsed() > this.overAt + roundMsMax)) return
      await pause(pauseMs)
    }
  }

  private noteGap(): void {
    const now = systemClock.elapsed()
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAnswerAt)
    this.lastAnswerAt = now
  }

  private judge(one: Sent, answer: HttpAnswer): void {
    try {
      this.oracle.answered(one, answer)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message.includes('decided twice')) this.doubled++
      else this.lost++
      this.wrong.push(message)
    }
  }

  /** What was acknowledged must be answered as a repeat, the same. */
  private async again(list: readonly Sent[]): Promise<void> {
    let at = 0
    const until = systemClock.elapsed() + roundMsMax
    const one = async (): Promise<void> => {
      for (let next = list[at++]; next !== undefined; next = list[at++]) {
        let answer = await this.post(next.json)
        while (answer === undefined || [429, 503].includes(answer.status)) {
          if (this.stopped) return
          if (systemClock.elapsed() > until) break
          await pause(pauseMs)
          answer = await this.post(next.json)
        }
        if (answer?.replayed !== true) {
          this.lost++
          this.wrong.push(`${next.json} was acknowledged and is not known any more`)
        } else this.judge(next, answer)
      }
    }
    await Promise.all(Array.from({ length: clients * 2 }, one))
  }

  private async checkAll(): Promise<void> {
    await this.again(this.oracle.acknowledged())
    const { url } = this.stage.server ?? { url: '' }
    try {
      await this.oracle.checkAccounts(this.to(url))
    } catch (error) {
      this.lost++
      this.wrong.push(error instanceof Error ? error.message : String(error))
    }
  }

  private async openAccounts(): Promise<void> {
    const { url } = this.stage.server ?? { url: '' }
    for (const id of this.load.accounts) {
      const opened = await this.to(url).post('/v1/accounts', JSON.stringify({ id, asset: 'CNY' }))
      if (opened?.status !== 201) throw new Error(`account ${id} was not opened: ${opened?.status} ${opened?.body}`)
      const [owner = ''] = id.split(':')
      await this.ask(sent(owner, { id: `${id}-first`, type: 'credit', account: id, amount: '500' }))
    }
  }

  private async post(json: string): Promise<HttpAnswer | undefined> {
    const { url } = this.stage.server ?? { url: '' }
    return await this.to(url).post('/v1/transactions', json)
  }

  private to(url: string): HttpPosts {
    let posts = this.posts.get(url)
    if (posts === undefined) {
      for (const old of this.posts.values()) old.close()
      posts = new HttpPosts(url, clients * 4)
      this.posts = new Map([[url, posts]])
    }
    return posts
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => systemTimers.after(ms, resolve))
