// Random histories under random trouble, from one seed: commits that fail, commits whose answer is lost, a ledger that cannot be reached, a
// mailbox that takes its time and one that loses what it had, a thread and a process that die in the middle of anything. Whoever was not answered sends the same again. In the end every
// command was answered what the plain rules say, and each id stands in the journal once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedLedger } from '../adapters/simulated/ledger.ts'
import { SeededRandom } from '../adapters/simulated/random.ts'
import { SimulatedShard } from '../adapters/simulated/shard.ts'
import { VirtualTime } from '../adapters/simulated/time.ts'
import { calendarOf } from '../core/business-date.ts'
import type { Command } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import { RetryableFault } from './faults.ts'
import { Intake } from './intake.ts'
import type { MailboxReader } from './ports.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'
import { history, Models } from './testing/histories.ts'
import { LaneRun } from './testing/lane-run.ts'

const partitions = 3
const happened = new Map<string, number>()
const note = (what: string): void => {
  happened.set(what, (happened.get(what) ?? 0) + 1)
}

/** A process: its mailbox and intake, and one thread after the other. */
class Process {
  readonly intake: Intake
  private readonly mailbox: FakeMailbox
  private readonly shard: SimulatedShard
  private readonly time: VirtualTime
  private readonly chance: () => number
  private thread: { alive: boolean; readonly run: LaneRun } | undefined

  constructor(shard: SimulatedShard, time: VirtualTime, chance: () => number) {
    this.shard = shard
    this.time = time
    this.chance = chance
    const generation = Math.max(...[...shard.heads.values()].map(({ position }) => position.generation)) + 1
    this.mailbox = new FakeMailbox(generation)
    this.intake = new Intake({ partitions, deadlineMs: 3_600_000 }, this.mailbox, time, time)
    this.intake.accept(true)
    this.startThread()
  }

  private startThread(): void {
    const died = this.thread !== undefined
    const thread = { alive: true }
    const suspects = new Map(
      died
        ? [...this.shard.heads.keys()].map((partition) => [
            partition,
            { ...this.mailbox.lastTaken(partition), index: Number.MAX_SAFE_INTEGER },
          ])
        : [],
    )
    const ledger = new SimulatedLedger(this.shard)
    ledger.fate = async () => {
      const drawn = this.chance()
      if (drawn < 0.05) note('lost answers')
      else if (drawn < 0.1) note('failed commits')
      return drawn < 0.05 ? 'lost' : drawn < 0.1 ? new RetryableFault('unavailable', 'the connection ended') : 'kept'
    }
    ledger.trouble = () => (this.chance() < 0.05 ? new RetryableFault('unavailable', 'no connection') : undefined)
    const run = new LaneRun({
      ledger,
      rules: { assets: this.shard.assets, dateOf: calendarOf('UTC'), houseAutoOpen: true },
      partitions,
      time: this.time,
      mailbox: this.mailbox,
      suspects,
      limits: {
        batchCommandsMax: 1 + Math.floor(this.chance() * 6),
        overlapCommandsMin: Math.floor(this.chance() * 6),
        residentsMax: 1 + Math.floor(this.chance() * 12),
      },
      reader: whileAlive(this.mailbox, () => thread.alive),
      intake: {
        answers: (...said) => {
          if (thread.alive) this.intake.answers(...said)
        },
        hosted: (...said) => {
          if (thread.alive) this.intake.hosted(...said)
        },
      },
    })
    this.thread = Object.assign(thread, { run })
  }

  /** It goes on for itself, as a thread that hangs in its database would: nothing that it does may count. */
  killThread(): void {
    if (this.thread !== undefined) this.thread.alive = false
    this.startThread()
  }

  /** A slow mailbox settles its appends now or later; one that lost its history goes on in another generation. */
  shakeMailbox(): void {
    const { mailbox } = this
    mailbox.holdsAppends = this.chance() < 0.5
    if (mailbox.appendsUnderWay > 0 && this.chance() < 0.5) mailbox.settle()
    if (this.chance() > 0.04) return
    note(mailbox.appendsUnderWay > 0 ? 'generations with appends under way' : 'generations')
    mailbox.endGeneration(Math.floor(this.chance() * 3))
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

test('whatever dies and whatever is lost, every command is answered as the rules say and stands once', async () => {
  await fc.assert(
    fc.asyncProperty(history('', { min: 20, max: 60 }), fc.integer(), async (bursts, seed) => {
      const random = new SeededRandom(seed)
      const fraction = (): number => random.fraction()
      const shard = new SimulatedShard(partitions)
      const time = new VirtualTime()
      let host = new Process(shard, time, fraction)
      const models = new Models((command) => host.intake.partitionOf(command))
      let threadDeaths = 1
      for (const { waitMs, commands: all } of bursts) {
        const commands = all.filter(isRecorded)
        time.advance(waitMs)
        const answers: (Answer | undefined)[] = commands.map(() => undefined)
        const submit = (): void => {
          for (const [i, command] of commands.entries()) {
            if (answers[i] !== undefined) continue
            host.intake.submit(command, (answer) => {
              if (answer.http !== 503) answers[i] = answer
            })
          }
          time.turn()
        }
        submit()
        for (let turns = 0; answers.includes(undefined); turns++) {
          assert.ok(turns < 20_000, 'no answers any more')
          host.shakeMailbox()
          const drawn = fraction()
          if (drawn < 0.01) {
            note('process deaths')
            host.kill()
            host = new Process(shard, time, fraction)
            submit()
          } else if (drawn < 0.03 && threadDeaths > 0) {
            // Once: what dies twice of whatever reason is given up by design.
            threadDeaths--
            note('thread deaths')
            host.killThread()
          }
          time.turn()
          await new Promise<void>((resolve) => setImmediate(resolve))
        }
        for (const [i, command] of commands.entries()) {
          const expected = models.post(command, time.now())
          const answer = answers[i]
          assert.equal(answer?.body, expected.body, JSON.stringify(command))
          // Whoever lost the answer on the way hears the first one again.
          if (answer?.replayed === false || expected.replayed) assert.equal(answer?.http, expected.http)
        }
      }
      host.kill()
      checkOnce(shard)
    }),
    { numRuns: Number(process.env.SIM_RUNS ?? 40) },
  )
  for (const what of [
    'lost answers',
    'failed commits',
    'process deaths',
    'thread deaths',
    'generations',
    'generations with appends under way',
  ])
    assert.ok((happened.get(what) ?? 0) > 10, `${what}: ${happened.get(what)}`)
})

/** What is not recorded is decided anew when it is asked again, and may then be something else. */
const isRecorded = (command: Command): boolean =>
  command.type === 'open'
    ? command.id.startsWith('!open')
    : command.type === 'change'
      ? command.ifVersion === undefined
      : command.type !== 'expire'

function checkOnce(shard: SimulatedShard): void {
  const ids = shard.rows.filter(({ row }) => row.leg === 0).map(({ idKey }) => idKey)
  assert.equal(new Set(ids).size, ids.length)
  for (const { partition, pseq } of shard.heads.values()) {
    const numbers = shard.rows.filter((row) => row.partition === partition).map((row) => row.pseq)
    assert.deepEqual(
      numbers,
      Array.from({ length: pseq }, (_, i) => i + 1),
    )
  }
}
