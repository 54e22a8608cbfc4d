// Random graphs of transfers, postings, loans, captures and refunds between owners of several partitions, while commits fail, answers of commits are lost, threads
// and processes die, and packets between partitions are lost, doubled, late and out of turn. Every transaction must stand whole or not at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedLedger } from '../adapters/simulated/ledger.ts'
import { SeededRandom } from '../adapters/simulated/random.ts'
import { SimulatedShard } from '../adapters/simulated/shard.ts'
import { VirtualTime } from '../adapters/simulated/time.ts'
import { transitId } from '../core/across/joint.ts'
import { calendarOf } from '../core/business-date.ts'
import type { Command } from '../core/command.ts'
import { parseAmount } from '../core/money.ts'
import { ownerOfCommand } from '../core/owner.ts'
import type { Answer } from '../schemas/answer.ts'
import { RetryableFault } from './faults.ts'
import { Intake } from './intake.ts'
import type { Outgoing } from './links.ts'
import type { MailboxReader } from './ports.ts'
import { placing } from './route.ts'
import { type AcrossBurst, acrossHistory, legsOfCommand } from './testing/across-histories.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'
import { LaneRun } from './testing/lane-run.ts'

// The runner prints no causes.
fc.configureGlobal({ includeErrorInReport: true })

const partitions = 4
const happened = new Map<string, number>()
const note = (what: string): void => {
  happened.set(what, (happened.get(what) ?? 0) + 1)
}

/** How often what goes wrong, 0 to 1. */
interface Weather {
  readonly commits: number
  readonly packets: number
  readonly deaths: number
}

class Process {
  readonly intake: Intake
  private readonly mailbox: FakeMailbox
  private readonly shard: SimulatedShard
  private readonly time: VirtualTime
  private readonly chance: () => number
  private readonly weather: Weather
  private thread: { alive: boolean; readonly run: LaneRun } | undefined
  /** Packets that are on their way for longer. */
  private late: Outgoing[] = []

  constructor(shard: SimulatedShard, time: VirtualTime, chance: () => number, weather: Weather) {
    this.shard = shard
    this.time = time
    this.chance = chance
    this.weather = weather
    const generation = Math.max(...[...shard.heads.values()].map(({ position }) => position.generation)) + 1
    this.mailbox = new FakeMailbox(generation)
    this.intake = new Intake({ partitions, generation, deadlineMs: 3_600_000_000 }, this.mailbox, time, time)
    this.intake.accept(true)
    this.startThread()
  }

  private startThread(): void {
    const died = this.thread !== undefined
    const thread = { alive: true }
    const { commits } = this.weather
    const ledger = new SimulatedLedger(this.shard)
    ledger.fate = async () => {
      const drawn = this.chance() / Math.max(commits, 1e-9)
      if (drawn < 1) note(drawn < 0.5 ? 'lost answers' : 'failed commits')
      return drawn < 0.5 ? 'lost' : drawn < 1 ? new RetryableFault('unavailable', 'the connection ended') : 'kept'
    }
    ledger.trouble = () =>
      this.chance() < commits / 2 ? new RetryableFault('unavailable', 'no connection') : undefined
    const run = new LaneRun({
      ledger,
      rules: {
        assets: this.shard.assets,
        dateOf: calendarOf('UTC'),
        houseAutoOpen: true,
        partitionOf: placing(partitions),
      },
      partitions,
      time: this.time,
      timers: {
        after: (ms, callback) => this.time.after(ms, () => thread.alive && callback()),
        soon: (callback) => this.time.soon(callback),
      },
      mailbox: this.mailbox,
      suspects: new Map(
        died
          ? [...this.shard.heads.keys()].map((partition) => [
              partition,
              {
                until: { ...this.mailbox.lastTaken(partition), index: Number.MAX_SAFE_INTEGER },
                known: undefined,
              },
            ])
          : [],
      ),
      limits: {
        batchCommandsMax: 1 + Math.floor(this.chance() * 8),
        overlapCommandsMin: Math.floor(this.chance() * 6),
        residentsMax: 1 + Math.floor(this.chance() * 20),
        loopback: this.chance() < 0.5,
        together: [0, 0.5, 1][Math.floor(this.chance() * 3)] ?? 0,
      },
      reader: whileAlive(this.mailbox, () => thread.alive),
      intake: {
        answers: (...said) => {
          if (thread.alive) this.intake.answers(...said)
        },
        hosted: (...said) => {
          if (thread.alive) this.intake.hosted(...said)
        },
        deliver: (packets) => {
          if (thread.alive) this.deliver(packets)
        },
      },
    })
    this.thread = Object.assign(thread, { run })
  }

  private deliver(packets: readonly Outgoing[]): void {
    for (const packet of packets) {
      const drawn = this.chance() / Math.max(this.weather.packets, 1e-9)
      if (drawn < 0.3) note('lost packets')
      else if (drawn < 0.6) {
        note('late packets')
        this.late.push(packet)
      } else {
        this.intake.deliver([packet])
        if (drawn > 1) continue
        note('doubled packets')
        this.late.push(packet)
      }
    }
  }

  /** Lets a packet go that was held up. */
  letGo(): void {
    if (this.late.length === 0) return
    const [packet] = this.late.splice(Math.floor(this.chance() * this.late.length), 1)
    if (packet !== undefined) this.intake.deliver([packet])
  }

  /** It goes on for itself, as a thread that hangs in its database would: nothing that it does may count. */
  killThread(): void {
    if (this.thread !== undefined) this.thread.alive = false
    this.startThread()
  }

  kill(): void {
    if (this.thread !== undefined) this.thread.alive = false
    this.intake.close()
  }
}

const whileAlive = (mailbox: FakeMailbox, alive: () => boolean): MailboxReader => ({
  get waitingCommands() {
    return alive() ? mailbox.waitingCommands : 0
  },
  open: (...to) => alive() && mailbox.open(...to),
  close: (partition) => alive() && mailbox.close(partition),
  take: (most) => (alive() ? mailbox.take(most) : []),
  whenFrames: (...when) => alive() && mailbox.whenFrames(...when),
  trim: (...to) => alive() && mailbox.trim(...to),
})

class World {
  readonly shard = new SimulatedShard(partitions)
  readonly time = new VirtualTime()
  readonly answers = new Map<string, { readonly command: Command; readonly answer: Answer }>()
  private readonly random: SeededRandom
  private readonly weather: Weather
  private host: Process
  private threadDeaths = 1
  private commitsChecked = 0

  constructor(seed: number, weather: Weather) {
    this.random = new SeededRandom(seed)
    this.weather = weather
    this.host = new Process(this.shard, this.time, () => this.random.fraction(), weather)
  }

  async run(bursts: readonly AcrossBurst[]): Promise<void> {
    for (const { waitMs, commands } of bursts) {
      this.time.advance(waitMs)
      await this.ask(commands)
    }
  }

  /** Until each is answered; asked again by every process that follows a dead one. */
  async ask(commands: readonly Command[]): Promise<void> {
    const answers: (Answer | undefined)[] = commands.map(() => undefined)
    const submit = (): void => {
      for (const [i, command] of commands.entries()) {
        if (answers[i] !== undefined) continue
        this.host.intake.submit(command, (answer) => {
          if (answer.http !== 503 && answer.http !== 429) answers[i] = answer
        })
      }
    }
    submit()
    for (let turns = 0; answers.includes(undefined); turns++) {
      assert.ok(turns < 20_000, 'no answers any more')
      await this.turn(submit)
    }
    for (const [i, command] of commands.entries()) {
      const answer = answers[i]
      if (answer === undefined || answer.http === 409 || answer.http === 412 || command.id.startsWith('!')) continue
      const name = `${ownerOfCommand(command)} ${command.id}`
      const first = this.answers.get(name)
      if (first === undefined) this.answers.set(name, { command, answer })
      // Whoever lost the answer on the way hears the first one again.
      else assert.equal(answer.body, first.answer.body, JSON.stringify(command))
    }
  }

  private async turn(again: () => void): Promise<void> {
    const { deaths } = this.weather
    const drawn = this.random.fraction() / Math.max(deaths, 1e-9)
    if (drawn < 0.5) {
      note('process deaths')
      this.host.kill()
      this.host = new Process(this.shard, this.time, () => this.random.fraction(), this.weather)
      again()
    } else if (drawn < 1 && this.threadDeaths > 0) {
      // Once: what dies twice of whatever reason is given up by design.
      this.threadDeaths--
      note('thread deaths')
      this.host.killThread()
    }
    if (this.random.fraction() < 0.2) this.host.letGo()
    this.time.advance(this.random.fraction() * 300)
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.checkCommits()
  }

  /** P4 at every commit, of every partition by itself. */
  private checkCommits(): void {
    const { commits } = this.shard
    if (commits.length === this.commitsChecked) return
    this.commitsChecked = commits.length
    const sums = new Map<string, bigint>()
    for (const { partition, asset, balance } of this.shard.accounts.values()) {
      const name = `${partition} ${asset.code}`
      sums.set(name, (sums.get(name) ?? 0n) + balance)
    }
    for (const [name, sum] of sums) assert.equal(sum, 0n, `partition and asset ${name}`)
  }

  /** Until nothing is on its way any more. */
  async rest(): Promise<void> {
    const quiet = (): boolean =>
      [...this.shard.heads.keys()].every((partition) => {
        const { links, joints } = this.shard.across(partition)
        return joints.length === 0 && links.every(({ outbox }) => outbox.length === 0)
      })
    for (let turns = 0; !quiet(); turns++) {
      assert.ok(turns < 20_000, 'something stays on its way')
      this.host.letGo()
      this.time.advance(300)
      await new Promise<void>((resolve) => setImmediate(resolve))
      this.checkCommits()
    }
  }

  end(): void {
    this.host.kill()
  }

  /** Each account must have exactly what the posted transactions moved, each of them whole. */
  checkBalances(): void {
    const expected = new Map<string, bigint>()
    const add = (account: string, asset: string, amount: bigint): void => {
      const name = `${account} ${asset}`
      expected.set(name, (expected.get(name) ?? 0n) + amount)
    }
    const posted = [...this.answers.values()].filter(({ answer }) => answer.http < 300).map(({ command }) => command)
    // A refund of "what is left" leaves nothing: then all refunds of that original are one of the whole.
    const restOf = (command: Command): string =>
      command.type === 'refund' ? `${ownerOfCommand(command)} ${command.of}` : ''
    const whole = new Set(posted.filter((one) => one.type === 'refund' && one.amount === undefined).map(restOf))
    for (const command of posted) {
      if (command.type === 'refund' && command.amount !== undefined && whole.has(restOf(command))) continue
      for (const { from, to, amount, asset } of legsOfCommand(command, (owner, id) => this.original(owner, id))) {
        const scale = this.shard.assets.get(asset)?.scale ?? 0
        const minor = parseAmount(amount, scale)
        assert.ok(typeof minor === 'bigint')
        add(from, asset, -minor)
        add(to, asset, minor)
      }
    }
    const open = new Map<number, bigint>()
    for (const { accountKey, hold } of this.shard.holds.values())
      open.set(accountKey, (open.get(accountKey) ?? 0n) + hold.remaining)
    const actual = new Map<string, bigint>()
    for (const { id, asset, balance, held, partition, key } of this.shard.accounts.values()) {
      const name = `${id} ${asset.code}`
      actual.set(name, (actual.get(name) ?? 0n) + balance)
      assert.equal(held, open.get(key) ?? 0n, `held of ${name} in ${partition}, account ${key}`)
    }
    for (const name of new Set([...expected.keys(), ...actual.keys()])) {
      if (name.startsWith(transitId)) assert.equal(actual.get(name), 0n, name)
      else assert.equal(actual.get(name) ?? 0n, expected.get(name) ?? 0n, name)
    }
  }

  private original(owner: string, id: string): Command | undefined {
    return this.answers.get(`${owner} ${id}`)?.command
  }

  /** Whoever asks, under whatever id. */
  checkLoans(): void {
    const posted = [...this.answers.values()].flatMap(({ command, answer }) =>
      command.type === 'disbursement' && answer.http < 300 ? [`${command.owner} ${command.loan}`] : [],
    )
    assert.equal(new Set(posted).size, posted.length, 'a loan was paid out twice')
    if (posted.length > 0) note('loans')
  }

  /** P2 and P5: no id decided twice, no row twice, rows numbered without gaps. */
  checkOnce(): void {
    const names = this.shard.rows.map(({ partition, idKey, row }) => `${partition} ${idKey} ${row.leg}`)
    assert.equal(new Set(names).size, names.length)
    for (const { partition, pseq } of this.shard.heads.values()) {
      const numbers = this.shard.rows.filter((row) => row.partition === partition).map((row) => row.pseq)
      assert.deepEqual(
        numbers,
        Array.from({ length: pseq }, (_, i) => i + 1),
      )
    }
  }
}

const check = async (runs: number, weather: Weather): Promise<void> => {
  await fc.assert(
    fc.asyncProperty(acrossHistory({ min: 15, max: 50 }), fc.integer(), async (bursts, seed) => {
      const world = new World(seed, weather)
      try {
        await world.run(bursts)
        await world.rest()
        // Every first answer again.
        await world.ask([...world.answers.values()].map(({ command }) => command))
        await world.rest()
        world.checkBalances()
        world.checkOnce()
        world.checkLoans()
        for (const { command, answer } of world.answers.values()) {
          note(`answer ${codeOf(answer)}`)
          if (answer.http < 300) note(command.type)
        }
      } finally {
        world.end()
      }
    }),
    { numRuns: runs, endOnFailure: true },
  )
}

const codeOf = ({ http, body }: Answer): string => (http < 300 ? 'posted' : String(JSON.parse(body).code))

const runs = Number(process.env.SIM_RUNS ?? 25)

test('on a quiet day transactions across partitions stand whole, and all transit is back to zero', async () => {
  await check(runs, { commits: 0, packets: 0, deaths: 0 })
  assert.ok((happened.get('answer posted') ?? 0) > 100, JSON.stringify([...happened]))
})

test('packets that are lost, doubled, late and out of turn change nothing', async () => {
  await check(runs, { commits: 0, packets: 0.4, deaths: 0 })
})

test('whatever dies and whatever is lost, a transaction across partitions stands whole or not at all', async () => {
  await check(runs * 2, { commits: 0.1, packets: 0.2, deaths: 0.02 })
  for (const what of [
    'lost answers',
    'failed commits',
    'process deaths',
    'lost packets',
    'late packets',
    'doubled packets',
    'loans',
    'capture',
  ])
    assert.ok((happened.get(what) ?? 0) > 10, `${what}: ${happened.get(what)}`)
})
