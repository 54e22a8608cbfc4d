// A lane over a ledger and a mailbox in memory: the gate, the overlap of commits, recovery, suspects, what is remembered and forgotten.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type Fate, SimulatedLedger } from '../adapters/simulated/ledger.ts'
import { SimulatedShard } from '../adapters/simulated/shard.ts'
import { calendarOf } from '../core/business-date.ts'
import type { Command } from '../core/command.ts'
import type { Received } from '../core/partition.ts'
import { capture, credit, debit, hold, refund, release, transfer } from '../core/testing/commands.ts'
import { RetryableFault } from './faults.ts'
import { InHand, type Named } from './in-hand.ts'
import type { Intake } from './intake.ts'
import type { LaneLimits } from './lane-ports.ts'
import type { Outgoing } from './links.ts'
import type { Frame, LaneCommit, MailboxReader } from './ports.ts'
import { placing } from './route.ts'
import type { Suspects, Suspicion } from './suspects.ts'
import { FakeMailbox } from './testing/fake-mailbox.ts'
import { LaneRun } from './testing/lane-run.ts'

const points = (given: Partial<Parameters<typeof credit>[0]> = {}): Command =>
  credit({ account: 'c:points', asset: 'POINTS', amount: '10', ...given })

const runs: LaneRun[] = []
afterEach(async () => {
  for (const run of runs.splice(0)) await run.stop()
})

interface Given {
  readonly shard?: SimulatedShard
  readonly ledger?: SimulatedLedger
  readonly mailbox?: FakeMailbox
  readonly limits?: LaneLimits
  readonly reader?: MailboxReader
  readonly suspects?: Suspects
  readonly intake?: Pick<Intake, 'answers' | 'hosted'> & Partial<Pick<Intake, 'deliver'>>
  readonly inHand?: InHand
  readonly beforeDecide?: (received: Received) => void
}

function started({ shard = new SimulatedShard(1), ledger = new SimulatedLedger(shard), ...given }: Given = {}) {
  const partitions = ledger.shard.heads.size
  const rules = {
    assets: ledger.shard.assets,
    dateOf: calendarOf('UTC'),
    houseAutoOpen: true,
    partitionOf: placing(partitions),
  }
  const run = new LaneRun({ ledger, rules, partitions, ...given })
  runs.push(run)
  return { run, ledger, shard: ledger.shard }
}

const byMessages: LaneLimits = { batchCommandsMax: 1000, residentsMax: 1000, together: 0 }

/** Commits wait for the test's word, one after the other. */
function gated(ledger: SimulatedLedger) {
  const waiting: { commit: LaneCommit; decide: (fate: Fate) => void }[] = []
  ledger.fate = (commit) => new Promise((decide) => waiting.push({ commit, decide }))
  return {
    waiting,
    next: (fate: Fate = 'kept') => {
      const first = waiting.shift()
      assert.ok(first !== undefined, 'no commit waits')
      first.decide(fate)
    },
  }
}

const unavailable = (): RetryableFault => new RetryableFault('unavailable', 'the connection ended')
const idsIn = (shard: SimulatedShard): string[] => shard.rows.filter(({ row }) => row.leg === 0).map(({ id }) => id)

/** `from` and `to` live in two partitions of one lane. */
async function neighbours(given: Given = {}) {
  const { run, ledger, shard } = started({ ...given, shard: new SimulatedShard(2) })
  const from = 'c:points'
  const place = placing(2)
  const owner = ['d', 'e', 'f', 'g'].find((name) => place(name) !== place('c')) ?? ''
  const to = `${owner}:points`
  await run.ask(points({ id: 'a' }), points({ id: 'b', account: to }))
  return { run, ledger, shard, across: transfer({ id: 't', from, to, amount: '4' }) }
}

// ---- the gate -------------------------------------------------------------------------------------------------------------------

test('nothing is heard of a batch before its commit stands: no answer, no trim, no news', async () => {
  const { run, ledger } = started()
  await run.until(() => run.news.includes('hosted 0'))
  const gate = gated(ledger)
  const [ticket = 0] = run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  await run.settle()
  assert.equal(run.heard.size, 0)
  assert.equal(run.mailbox.depth(), 1)
  assert.ok(!run.news.some((news) => news.startsWith('committed')))
  gate.next()
  await run.until(() => run.heard.has(ticket))
  assert.equal(run.heard.get(ticket)?.http, 201)
  await run.until(() => run.mailbox.depth() === 0)
})

test('a refusal and a repeat wait for the commit too', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'a' }))
  const gate = gated(ledger)
  run.send(points({ id: 'a' }), debit({ id: 'b', account: 'c:points', amount: '1000' }))
  await run.until(() => gate.waiting.length === 1)
  await run.settle()
  assert.equal(run.heard.size, 1)
  gate.next()
  await run.until(() => run.heard.size === 3)
})

test('a transaction of partitions of one lane is one commit: nothing is reserved, nothing is sent, and it is answered when that stands', async () => {
  const outside: Outgoing[] = []
  const intake = {
    answers: () => undefined,
    hosted: () => undefined,
    deliver: (packets: readonly Outgoing[]) => outside.push(...packets),
  }
  const { run, ledger, shard, across } = await neighbours({ intake })
  const gate = gated(ledger)
  const [ticket = 0] = run.send(across)
  const rows = () =>
    shard.rows.filter(({ id }) => id === 't').map(({ partition, row }) => [partition, row.kind, row.leg])
  await run.until(() => gate.waiting.length === 1)
  await run.settle()
  assert.deepEqual([rows(), run.heard.has(ticket)], [[], false])
  const [first, second] = gate.waiting[0]?.commit.partitions ?? []
  assert.ok(first !== undefined && second !== undefined, 'both in one commit')
  gate.next()
  await run.until(() => run.heard.has(ticket))
  assert.equal(run.heard.get(ticket)?.http, 201)
  // Both open `house:transit` on their side.
  assert.deepEqual(
    rows().map(([, kind, leg]) => [kind, leg]),
    [
      ['open', 0],
      ['transfer', 1],
      ['open', 512],
      ['transfer', 513],
    ],
  )
  for (const partition of [first.partition, second.partition]) {
    const { links, joints } = shard.across(partition)
    assert.deepEqual([links, joints], [[], []])
  }
  assert.deepEqual(outside, [])
})

test('one whose commit fails stands nowhere, and is decided again', async () => {
  const { run, ledger, shard, across } = await neighbours()
  const gate = gated(ledger)
  const [ticket = 0] = run.send(across)
  await run.until(() => gate.waiting.length === 1)
  gate.next(unavailable())
  await run.until(() => gate.waiting.length === 1)
  assert.deepEqual(
    shard.rows.filter(({ id }) => id === 't'),
    [],
  )
  gate.next()
  await run.until(() => run.heard.has(ticket))
  assert.equal(run.heard.get(ticket)?.http, 201)
  assert.equal(shard.rows.filter(({ id }) => id === 't').length, 4)
})

test('a packet to a partition of the same lane is heard in its next batch and never sees a mailbox, but waits for its commit', async () => {
  const outside: Outgoing[] = []
  const intake = {
    answers: () => undefined,
    hosted: () => undefined,
    deliver: (packets: readonly Outgoing[]) => outside.push(...packets),
  }
  const { run, ledger, shard, across } = await neighbours({ intake, limits: byMessages })
  const gate = gated(ledger)
  const [ticket = 0] = run.send(across)
  const rows = (): number => shard.rows.filter(({ id }) => id === 't').length
  // Reserved, posted by the other, posted; the first two open `house:transit` on their side.
  for (const [before, after] of [
    [0, 2],
    [2, 4],
    [4, 5],
  ]) {
    await run.until(() => gate.waiting.length === 1)
    await run.settle()
    assert.equal(gate.waiting.length, 1, 'decided before what it follows from was committed')
    assert.equal(rows(), before)
    assert.equal(run.heard.has(ticket), false)
    gate.next()
    await run.until(() => rows() === after)
  }
  await run.until(() => run.heard.has(ticket))
  assert.equal(run.heard.get(ticket)?.http, 201)
  assert.deepEqual(outside, [])
})

test('what a lane had still to hear of itself when its memory was dropped comes again through the mailbox', async () => {
  const { run, ledger, shard, across } = await neighbours({ limits: byMessages })
  const gate = gated(ledger)
  run.send(across)
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  // The participant's commit fails, and with it the only copy of the packet in memory.
  gate.next(unavailable())
  await run.until(() => {
    if (gate.waiting.length > 0) gate.next()
    return shard.rows.filter(({ id }) => id === 't').length === 5
  })
  assert.ok(run.news.includes('trouble unavailable'))
})

test('a capture does not overtake one of the same hold that its receiver has still to hear of', async () => {
  const limits = { batchCommandsMax: 1000, residentsMax: 1000, together: 1 }
  const { run, ledger, shard, across } = await neighbours({ limits })
  assert.ok(across.type === 'transfer')
  const { from: account, to, amount } = across
  const [held] = await run.ask(hold({ id: 'h', account, to, amount }))
  assert.equal(held?.http, 201)
  const gate = gated(ledger)
  // As after trouble, when what may be at fault is tried with care.
  limits.together = 0
  const [first = 0] = run.send(capture({ id: 'k1', account, hold: 'h', amount: '1', final: false }))
  await run.until(() => gate.waiting.length === 1)
  limits.together = 1
  const [last = 0] = run.send(capture({ id: 'k2', account, hold: 'h', amount: '1', final: true }))
  await run.until(() => {
    if (gate.waiting.length > 0) gate.next()
    return run.heard.has(first) && run.heard.has(last)
  })
  for (const ticket of [first, last]) assert.equal(run.heard.get(ticket)?.http, 201, run.heard.get(ticket)?.body)
  const figures = (id: string) => [...shard.accounts.values()].find((one) => one.id === id)
  assert.deepEqual([figures(account)?.balance, figures(account)?.held, figures(to)?.balance], [8n, 0n, 12n])
})

test('while one batch commits the next is decided on top of it, and it is sent only after the first stands', async () => {
  const { run, ledger, shard } = started()
  await run.ask(points({ id: 'first' }))
  const decided: string[] = []
  const gate = gated(ledger)
  run.send(debit({ id: 'a', account: 'c:points', amount: '6' }))
  await run.until(() => gate.waiting.length === 1)
  const [b = 0, c = 0] = run.send(
    debit({ id: 'b', account: 'c:points', amount: '4' }),
    debit({ id: 'c', account: 'c:points', amount: '1' }),
  )
  await run.settle()
  assert.equal(gate.waiting.length, 1, 'ended before the one that it rests on')
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => run.heard.has(c))
  decided.push(...idsIn(shard))
  assert.deepEqual(decided, ['first', 'a', 'b', 'c'])
  assert.equal(run.heard.get(b)?.http, 201)
  // What the batch in flight spent was not there any more for the next.
  assert.match(run.heard.get(c)?.body ?? '', /insufficient_funds.*"available":"0","needed":"1"/)
})

test('the rows of the next batch are sent while a commit is under way, those of the one after it are not', async () => {
  const { run, ledger } = started({ limits: { batchCommandsMax: 1, residentsMax: 100 } })
  await run.ask(points({ id: 'first' }))
  const staged: number[] = []
  ledger.staged = async ({ partitions }) => {
    staged.push(...partitions.map(({ lastPseq }) => lastPseq))
    return undefined
  }
  const gate = gated(ledger)
  for (const id of ['a', 'b', 'c', 'd']) run.send(points({ id }))
  await run.until(() => gate.waiting.length === 1)
  const pseq = gate.waiting[0]?.commit.partitions[0]?.lastPseq ?? 0
  await run.settle()
  assert.deepEqual(staged, [pseq + 1])
  for (const more of [2, 3]) {
    gate.next()
    await run.until(() => gate.waiting.length === 1)
    await run.settle()
    assert.deepEqual(staged.at(-1), pseq + more)
  }
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => run.heard.size === 5)
  assert.deepEqual(staged, [pseq + 1, pseq + 2, pseq + 3])
})

test('a repeat of what is under way is remembered until its own commit, and no longer', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'first' }))
  const gate = gated(ledger)
  const [first = 0] = run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  const { loads } = ledger
  const [again = 0] = run.send(points({ id: 'a' }))
  await run.settle()
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => run.heard.has(again))
  assert.equal(ledger.loads, loads)
  assert.deepEqual([run.heard.get(first)?.replayed, run.heard.get(again)?.replayed], [false, true])
  ledger.fate = async () => 'kept'
  await run.ask(points({ id: 'a' }))
  assert.equal(ledger.loads, loads + 1, 'it is kept for ever')
})

test('commands that wait while a batch commits go together in the next', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'first' }))
  const gate = gated(ledger)
  run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  run.send(points({ id: 'b' }))
  await run.settle()
  for (const id of ['c', 'd', 'e']) run.send(points({ id }))
  await run.settle()
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  gate.next()
  await run.until(() => run.heard.size === 6)
  assert.deepEqual(
    run.news.filter((news) => news.startsWith('committed')),
    ['committed 1', 'committed 1', 'committed 1', 'committed 3'],
  )
})

test('few commands wait for the commit under way to share the next one; many are decided meanwhile', async () => {
  const decided: string[] = []
  const { run, ledger } = started({
    limits: { batchCommandsMax: 2, residentsMax: 100, overlapCommandsMin: 3 },
    beforeDecide: ({ command }) => decided.push(command.id),
  })
  await run.ask(points({ id: 'first' }))
  const gate = gated(ledger)
  run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  for (const id of ['b', 'c']) run.send(points({ id }))
  await run.settle()
  assert.deepEqual(decided, ['first', 'a'])
  for (const id of ['d', 'e', 'f']) run.send(points({ id }))
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  await run.settle()
  assert.deepEqual(decided, ['first', 'a', 'b', 'c', 'd', 'e'])
  for (const size of [4, 6, 7]) {
    gate.next()
    await run.until(() => run.heard.size === size)
    await run.until(() => size === 7 || gate.waiting.length === 1)
  }
  assert.deepEqual(
    run.news.filter((news) => news.startsWith('committed')),
    ['committed 1', 'committed 1', 'committed 2', 'committed 2', 'committed 1'],
  )
})

test('a batch takes no more commands than its bound, but for one frame that is larger', async () => {
  const { run } = started({ limits: { batchCommandsMax: 3, residentsMax: 100 } })
  await run.until(() => run.news.includes('hosted 0'))
  run.send(points({ id: 'a' }), points({ id: 'b' }))
  run.send(points({ id: 'c' }), points({ id: 'd' }))
  run.send(...Array.from({ length: 5 }, (_, i) => points({ id: `e${i}` })))
  await run.until(() => run.heard.size === 9)
  assert.deepEqual(
    run.news.filter((news) => news.startsWith('committed')),
    ['committed 2', 'committed 2', 'committed 5'],
  )
})

// ---- trouble --------------------------------------------------------------------------------------------------------------------

test('a commit that fails leaves nothing behind: the memory is dropped and the mailbox replayed', async () => {
  const { run, ledger, shard } = started()
  await run.ask(points({ id: 'first' }))
  const gate = gated(ledger)
  const [a = 0] = run.send(debit({ id: 'a', account: 'c:points', amount: '10' }))
  await run.until(() => gate.waiting.length === 1)
  const [b = 0] = run.send(debit({ id: 'b', account: 'c:points', amount: '1' }))
  await run.settle()
  gate.next(unavailable())
  ledger.fate = async () => 'kept'
  await run.until(() => run.heard.has(b))
  assert.equal(run.heard.get(a)?.http, 201)
  assert.equal(run.heard.get(b)?.http, 422)
  assert.deepEqual(idsIn(shard), ['first', 'a', 'b'])
  assert.equal(run.news.filter((news) => news.startsWith('answered')).length, 2, 'the failed batch was answered')
  assert.ok(run.news.includes('trouble unavailable'))
  assert.equal(run.news.at(-1)?.startsWith('committed'), true)
})

test('a commit whose answer was lost is settled by the position: committed once, hosted behind it', async () => {
  const { run, ledger, shard } = started()
  await run.ask(points({ id: 'first' }))
  let lost = 0
  ledger.fate = async () => (lost++ === 0 ? 'lost' : 'kept')
  run.send(points({ id: 'a' }))
  await run.until(() => run.news.filter((news) => news === 'hosted 0').length === 2)
  await run.settle()
  assert.deepEqual(idsIn(shard), ['first', 'a'])
  assert.equal(run.heard.size, 1, 'the lane answers only what it knows to be committed; intake asks again')
  const [again] = await run.ask(points({ id: 'a' }))
  assert.deepEqual([again?.http, again?.replayed], [200, true])
})

test('the batch decided on top of a failed one is dropped with it', async () => {
  const { run, ledger, shard } = started()
  await run.ask(points({ id: 'first', amount: '10' }))
  const gate = gated(ledger)
  run.send(points({ id: 'a', amount: '90' }))
  await run.until(() => gate.waiting.length === 1)
  run.send(debit({ id: 'b', account: 'c:points', amount: '100' }))
  await run.settle()
  gate.next(unavailable())
  ledger.fate = async () => 'kept'
  await run.until(() => run.heard.size === 3)
  assert.deepEqual(idsIn(shard), ['first', 'a', 'b'])
  assert.deepEqual(
    [...run.heard.values()].map(({ http }) => http),
    [201, 201, 201],
  )
})

test('the connection of a commit ends while the one before is under way: that one stands, and it is decided again', async () => {
  const { run, ledger, shard } = started()
  await run.ask(points({ id: 'first' }))
  let cuts = 0
  ledger.staged = async () => (cuts++ === 0 ? unavailable() : undefined)
  const gate = gated(ledger)
  const [a = 0] = run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  const [b = 0] = run.send(points({ id: 'b' }))
  await run.until(() => cuts === 1)
  await run.settle()
  assert.ok(!run.heard.has(a) && !run.news.includes('trouble unavailable'))
  gate.next()
  await run.until(() => run.heard.has(a))
  ledger.fate = async () => 'kept'
  await run.until(() => run.heard.has(b))
  assert.deepEqual(
    [a, b].map((ticket) => [run.heard.get(ticket)?.http, run.heard.get(ticket)?.replayed]),
    [
      [201, false],
      [201, false],
    ],
  )
  assert.deepEqual(idsIn(shard), ['first', 'a', 'b'])
})

test('fenced, epoch still ours: read again and go on', async () => {
  const { run, ledger, shard } = started()
  let fenced = 0
  ledger.fate = async () => (fenced++ === 0 ? new RetryableFault('fenced', 'moved on') : 'kept')
  await run.ask(points({ id: 'a' }))
  assert.deepEqual(idsIn(shard), ['a'])
  assert.equal(run.news.filter((news) => news === 'hosted 0').length, 2)
})

test('fenced by another host: nothing is committed or answered any more, and the partitions are given up', async () => {
  const shard = new SimulatedShard(2)
  const { run } = started({ shard })
  await run.until(() => run.news.includes('hosted 1'))
  const other = new SimulatedLedger(shard)
  await other.takeOver([0, 1], { kind: 'host' })
  const epochs = [...shard.heads.values()].map(({ epoch }) => epoch)
  run.send(points({ id: 'a' }), points({ id: 'b', account: 'd:points' }))
  await run.until(() => run.news.some((news) => news.startsWith('lost')))
  await run.settle()
  assert.deepEqual(idsIn(shard), [])
  assert.equal(run.heard.size, 0)
  assert.deepEqual(
    [...shard.heads.values()].map(({ epoch }) => epoch),
    epochs,
    'it raised the epoch of the other host',
  )
})

test('only the partitions that somebody took are lost', async () => {
  const shard = new SimulatedShard(2)
  const { run } = started({ shard })
  await run.until(() => run.news.includes('hosted 1'))
  const taken = run.partitionOf(points())
  await new SimulatedLedger(shard).takeOver([taken], { kind: 'host' })
  run.send(points({ id: 'a' }))
  await run.until(() => run.news.includes(`lost ${taken}`))
  const other = ['d', 'e', 'f', 'g'].map((owner) => points({ account: `${owner}:points` }))
  const elsewhere = other.find((command) => run.partitionOf(command) !== taken)
  assert.ok(elsewhere !== undefined)
  const [answer] = await run.ask(elsewhere)
  assert.equal(answer?.http, 201)
  // It does not try to move on what is not its own any more.
  run.lane.switchSegment(2)
  await run.until(() => shard.heads.get(1 - taken)?.segment === 2)
  assert.equal(shard.heads.get(taken)?.segment, 1)
})

test('a ledger that cannot be reached is asked again until it can, and said so both times', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'a' }))
  let down = true
  ledger.fate = async () => (down ? unavailable() : 'kept')
  ledger.trouble = () => (down ? unavailable() : undefined)
  const [b = 0] = run.send(points({ id: 'b' }))
  await run.until(() => run.news.filter((news) => news === 'trouble unavailable').length > 3)
  assert.ok(!run.heard.has(b))
  down = false
  await run.until(() => run.heard.has(b))
  assert.ok(run.news.lastIndexOf('trouble over') > run.news.lastIndexOf('trouble unavailable'))
})

test('after trouble the reader is opened at the committed position, in the middle of a frame too', async () => {
  const poison = { on: true }
  const { run, shard } = started({
    beforeDecide: ({ command }) => {
      if (command.id === 'x' && poison.on) throw new Error('boom')
    },
  })
  await run.until(() => run.news.includes('hosted 0'))
  const tickets = run.send(points({ id: 'a' }), points({ id: 'x' }), points({ id: 'b' }))
  await run.until(() => run.heard.size === 3)
  assert.deepEqual(
    tickets.map((ticket) => run.heard.get(ticket)?.http),
    [201, 500, 201],
  )
  assert.deepEqual(idsIn(shard), ['a', 'x', 'b'])
  assert.ok(run.mailbox.log.includes('open 0 after 1:1-0+1'), run.mailbox.log.join('\n'))
})

test('a frame that comes twice is decided once', async () => {
  const mailbox = new FakeMailbox()
  const { run, shard } = started({ mailbox, reader: twice(mailbox) })
  await run.until(() => run.news.includes('hosted 0'))
  for (const id of ['a', 'b', 'c']) run.send(points({ id }), points({ id: `${id}2` }))
  await run.until(() => run.heard.size === 6)
  await run.settle()
  assert.deepEqual(idsIn(shard), ['a', 'a2', 'b', 'b2', 'c', 'c2'])
  assert.ok([...run.heard.values()].every(({ replayed }) => !replayed))
})

/** Each frame once, and behind it all that came before once more. */
function twice(mailbox: FakeMailbox): MailboxReader {
  const seen: Frame[] = []
  return {
    get waitingCommands() {
      return mailbox.waitingCommands
    },
    open: (...to) => mailbox.open(...to),
    close: (partition) => mailbox.close(partition),
    whenFrames: (...when) => mailbox.whenFrames(...when),
    trim: (...to) => mailbox.trim(...to),
    take: () => {
      const frames = mailbox.take(1)
      if (frames.length === 0) return []
      seen.push(...frames)
      return [...frames, ...seen]
    },
  }
}

// ---- generations of the mailbox -------------------------------------------------------------------------------------------------

test('the beginning of a generation is committed as the position, and told when the old one is decided', async () => {
  const turned: string[] = []
  const { run, ledger, shard } = started({
    intake: {
      answers: (tickets) => turned.push(`answers ${tickets.length}`),
      hosted: (partition, { generation, high }) => turned.push(`${partition} at ${generation}:${high}`),
    },
  })
  await run.ask(points({ id: 'a' }))
  turned.length = 0
  const gate = gated(ledger)
  run.send(points({ id: 'b' }))
  await run.until(() => gate.waiting.length === 1)
  run.send(points({ id: 'c' }))
  run.mailbox.endGeneration()
  run.send(points({ id: 'd' }))
  gate.next()
  await run.until(() => gate.waiting.length === 1)
  assert.deepEqual(turned, ['answers 1'])
  gate.next()
  await run.until(() => turned.includes('0 at 2:1'))
  assert.deepEqual(turned, ['answers 1', 'answers 2', '0 at 2:1'])
  assert.deepEqual(idsIn(shard), ['a', 'b', 'c', 'd'])
  run.mailbox.endGeneration()
  await run.until(() => gate.waiting.length === 1)
  assert.deepEqual(gate.waiting[0]?.commit.partitions[0]?.after, { generation: 3, high: 0, low: 0, index: 0 })
  gate.next()
  await run.until(() => turned.at(-1) === '0 at 3:0')
})

test('suspects end with their generation', async () => {
  const shard = new SimulatedShard(1)
  const mailbox = new FakeMailbox()
  const attempts: (string | undefined)[] = []
  const ledger = new SimulatedLedger(shard)
  ledger.fate = async (commit) => {
    attempts.push(...commit.partitions.map(({ attempt }) => attempt))
    return 'kept'
  }
  const until = { generation: 1, high: 9, low: 0, index: Number.MAX_SAFE_INTEGER }
  const { run } = started({ ledger, mailbox, suspects: new Map([[0, { until, known: undefined }]]) })
  await run.until(() => run.news.includes('hosted 0'))
  await run.ask(points({ id: 'a' }))
  mailbox.endGeneration()
  await run.ask(points({ id: 'b' }))
  await run.settle()
  assert.deepEqual([...new Set(attempts)], ['1:1-0+1 1', undefined])
  assert.deepEqual(shard.heads.get(0)?.position, { generation: 2, high: 1, low: 0, index: 1 })
})

test('what a batch was activated with stays, though the batch before commits meanwhile', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'first' }), points({ id: 'cold', account: 'd:points' }))
  await run.settle()
  const commits = gated(ledger)
  run.send(debit({ id: 'd', account: 'c:points', amount: '5' }))
  await run.until(() => commits.waiting.length === 1)
  let load: () => void = () => undefined
  const loaded = new Promise<void>((resolve) => {
    load = resolve
  })
  const original = ledger.load.bind(ledger)
  ledger.load = async (needs) => {
    await loaded
    return await original(needs)
  }
  // The refund finds its original in memory; the other one needs an account that is not there.
  const [back = 0] = run.send(
    refund({ id: 'back', account: 'c:points', of: 'd' }),
    debit({ id: 'x', account: 'none:points' }),
  )
  await run.settle()
  commits.next()
  await run.settle()
  load()
  await run.until(() => commits.waiting.length === 1)
  commits.next()
  await run.until(() => run.heard.has(back))
  assert.equal(run.heard.get(back)?.http, 201, run.heard.get(back)?.body)
})

// ---- suspects -------------------------------------------------------------------------------------------------------------------

test('a command that makes deciding throw twice is quarantined; its neighbours go on and its id stays refused', async () => {
  const seen: string[] = []
  const { run, shard } = started({
    shard: new SimulatedShard(2),
    beforeDecide: ({ command }) => {
      seen.push(command.id)
      if (command.id === 'x') throw new Error('boom')
    },
  })
  const heard = await run.ask(
    ...['a', 'x', 'b'].map((id) => points({ id })),
    ...['y', 'z'].map((id) => points({ id, account: 'other:points' })),
  )
  assert.deepEqual(
    heard.map(({ http }) => http),
    [201, 500, 201, 201, 201],
  )
  assert.match(heard[1]?.body ?? '', /"code":"internal_error","retryable":false,"effect":"none"/)
  assert.ok(run.news.includes('quarantined x'))
  assert.equal(seen.filter((id) => id === 'x').length, 2, 'tried in its batch and once alone')
  const [again] = await run.ask(points({ id: 'x' }))
  assert.deepEqual([again?.http, again?.replayed, again?.body], [500, true, heard[1]?.body])
  assert.equal(shard.rows.filter(({ id }) => id === 'x').length, 1)
})

test('an attempt is noted in the ledger before a suspect is tried, and the note goes with the commit', async () => {
  let failures = 1
  const notes: (string | undefined)[] = []
  const { run, ledger, shard } = started({
    beforeDecide: ({ command }) => {
      if (command.id === 'x' && failures-- > 0) throw new Error('once')
    },
  })
  ledger.fate = async (commit) => {
    notes.push(...commit.partitions.map(({ attempt }) => attempt))
    return 'kept'
  }
  const [x] = await run.ask(points({ id: 'x' }))
  assert.equal(x?.http, 201)
  assert.deepEqual(notes, ['1:1-0+1 1 again', undefined])
  assert.equal(shard.heads.get(0)?.attempt, undefined)
})

test('a database that dies under a suspect does not count as its second failure', async () => {
  let failures = 1
  let notes = 0
  const { run, ledger } = started({
    beforeDecide: ({ command }) => {
      if (command.id === 'x' && failures-- > 0) throw new Error('once')
    },
  })
  ledger.fate = async (commit) => {
    if (commit.partitions[0]?.attempt !== undefined) return notes++ === 0 ? 'lost' : 'kept'
    return 'kept'
  }
  const [x] = await run.ask(points({ id: 'x' }))
  assert.equal(x?.http, 201)
  assert.ok(!run.news.includes('quarantined x'))
  assert.equal(notes, 2)
})

test('rows that the database refuses twice are quarantined too', async () => {
  const { run, ledger } = started()
  ledger.fate = async (commit) =>
    Buffer.from(commit.rows).includes('bad') &&
    commit.rows.length > 0 &&
    !Buffer.from(commit.rows).includes(quarantined)
      ? new RetryableFault('rows_refused', 'value out of range')
      : 'kept'
  const heard = await run.ask(points({ id: 'a' }), points({ id: 'bad' }), points({ id: 'b' }))
  assert.deepEqual(
    heard.map(({ http }) => http),
    [201, 500, 201],
  )
})
/** int2 code 19 = internal_error with its length, as it stands in a tuple. */
const quarantined = Buffer.from([0, 0, 0, 2, 0, 19])

test('a command whose activation throws is quarantined like one whose decision does', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'a' }))
  ledger.trouble = (_what, needs) =>
    [...(needs?.values() ?? [])].some(({ accounts }) => accounts.includes('bad:points'))
      ? new Error('a stored asset is not known')
      : undefined
  const heard = await run.ask(points({ id: 'b' }), points({ id: 'x', account: 'bad:points' }), points({ id: 'c' }))
  assert.deepEqual(
    heard.map(({ http }) => http),
    [201, 500, 201],
  )
  assert.ok(run.news.includes('quarantined x'))
})

const allInHand: Suspicion = {
  until: { generation: 1, high: 2, low: 0, index: Number.MAX_SAFE_INTEGER },
  known: undefined,
}

/** A thread that had these in hand dies; the next one hosts with all of them as suspects. Returns a way to start it, again and again. */
async function afterDeath(ids: readonly string[], suspicion = allInHand) {
  const shard = new SimulatedShard(1)
  const mailbox = new FakeMailbox()
  const dying = new SimulatedLedger(shard)
  let living = 1
  /** What is dead takes nothing out of the mailbox that it shares with the living. */
  const readerOf = (number: number): MailboxReader => {
    const alive = (): boolean => living === number
    return {
      get waitingCommands() {
        return alive() ? mailbox.waitingCommands : 0
      },
      open: (...to) => alive() && mailbox.open(...to),
      close: (partition) => alive() && mailbox.close(partition),
      take: (most) => (alive() ? mailbox.take(most) : []),
      whenFrames: (...when) => alive() && mailbox.whenFrames(...when),
      trim: (...to) => alive() && mailbox.trim(...to),
    }
  }
  const first = started({ ledger: dying, mailbox, reader: readerOf(living) })
  await first.run.ask(points({ id: 'before' }))
  dying.fate = () => new Promise(() => undefined)
  first.run.send(...ids.map((id) => points({ id })))
  await first.run.settle()
  runs.length = 0
  const next = (given: {
    beforeDecide?: (received: Received) => void
    ledger?: SimulatedLedger
    inHand?: InHand
    suspicion?: Suspicion
  }) => {
    living++
    const ledger = given.ledger ?? new SimulatedLedger(shard)
    const one = started({ ...given, ledger, mailbox, reader: readerOf(living) })
    one.run.lane.host([0], new Map([[0, given.suspicion ?? suspicion]]))
    return one
  }
  return { shard, mailbox, next }
}

test('a thread that died of nothing of its own costs one note and one replay', async () => {
  const ids = Array.from({ length: 500 }, (_, i) => `c${i}`)
  const { shard, mailbox, next } = await afterDeath(ids)
  const ledger = new SimulatedLedger(shard)
  const notes: (string | undefined)[] = []
  ledger.fate = async (commit) => {
    notes.push(...commit.partitions.map(({ attempt }) => attempt))
    return 'kept'
  }
  const { run } = next({ ledger })
  await run.until(() => mailbox.depth() === 0)
  assert.deepEqual(notes, ['1:2-0+500 500', undefined])
  assert.deepEqual(idsIn(shard), ['before', ...ids])
})

test('the one command that ends its thread is found in few deaths and given up; all others are posted in their order', async () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `c${i}`)
  const poison = 'c617'
  const { shard, mailbox, next } = await afterDeath(ids)
  let deaths = 0
  let commits = 0
  for (let over = false; !over; ) {
    const ledger = new SimulatedLedger(shard)
    let died = false
    ledger.fate = async () => {
      commits++
      return died ? new Promise(() => undefined) : 'kept'
    }
    const { run } = next({
      ledger,
      beforeDecide: ({ command }) => {
        if (command.id !== poison) return
        died = true
        throw new Error('as if the thread had ended here')
      },
    })
    // A thread that is gone does not take over any more.
    const takeOver = ledger.takeOver.bind(ledger)
    ledger.takeOver = (...given) => (died ? new Promise(() => undefined) : takeOver(...given))
    await run.until(() => died || mailbox.depth() === 0)
    over = mailbox.depth() === 0
    if (died) deaths++
    if (over) assert.ok(run.news.includes(`quarantined ${poison}`))
    else runs.length = 0
  }
  assert.equal(deaths, 3, 'all of them, a 64th, one alone')
  assert.ok(commits < 300, `${commits} commits`)
  assert.deepEqual(idsIn(shard), ['before', ...ids])
  const [bad] = shard.rows.filter(({ id }) => id === poison)
  assert.equal(bad?.row.code, 19)
})

test('while a command is decided its place stands in memory that outlives the thread, and nothing when it is decided', async () => {
  const inHand = new InHand()
  const seen: (readonly [string, Named | undefined])[] = []
  const { run } = started({
    inHand,
    beforeDecide: ({ command }) => seen.push([command.id, inHand.named()]),
  })
  // Plain and others, in two frames of one batch.
  const sent = [run.send(points({ id: 'a' }), points({ id: 'b' })), run.send(hold({ id: 'c' }), points({ id: 'd' }))]
  await run.until(() => sent.flat().every((ticket) => run.heard.has(ticket)))
  const named = (high: number, index: number): Named => ({
    partition: 0,
    place: { generation: 1, high, low: 0, index },
  })
  assert.deepEqual(seen, [
    ['a', named(1, 1)],
    ['b', named(1, 2)],
    ['c', named(2, 1)],
    ['d', named(2, 2)],
  ])
  assert.equal(inHand.named(), undefined)
})

test('a command whose decision throws is in hand no more', async () => {
  const inHand = new InHand()
  const { run } = started({
    inHand,
    beforeDecide: ({ command }) => {
      if (command.id === 'x') throw new Error('boom')
    },
  })
  run.send(points({ id: 'x' }))
  await run.until(() => run.news.includes('quarantined x'))
  assert.equal(inHand.named(), undefined)
})

test('only the command that a dying thread named is tried alone, after a note; those around it go together', async () => {
  const ids = Array.from({ length: 500 }, (_, i) => `c${i}`)
  const known = { generation: 1, high: 2, low: 0, index: 301 }
  const { shard, mailbox, next } = await afterDeath(ids, { until: undefined, known })
  const ledger = new SimulatedLedger(shard)
  const notes: (string | undefined)[] = []
  ledger.fate = async (commit) => {
    notes.push(...commit.partitions.map(({ attempt }) => attempt))
    return 'kept'
  }
  const { run } = next({ ledger })
  await run.until(() => mailbox.depth() === 0)
  assert.deepEqual(notes, [undefined, '1:2-0+301 1 again', undefined, undefined])
  assert.deepEqual(idsIn(shard), ['before', ...ids])
})

test('a command that ends its thread in the middle of its decision is given up after two deaths', async () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `c${i}`)
  const poison = 'c617'
  const { shard, mailbox, next } = await afterDeath(ids)
  const deaths: (Named | undefined)[] = []
  for (let over = false; !over; ) {
    const ledger = new SimulatedLedger(shard)
    const inHand = new InHand()
    let died = false
    ledger.fate = () => (died ? new Promise(() => undefined) : Promise.resolve('kept'))
    const { run } = next({
      ledger,
      inHand,
      suspicion: { until: undefined, known: deaths.at(-1)?.place },
      beforeDecide: ({ command }) => {
        if (command.id !== poison) return
        died = true
        deaths.push(inHand.named())
        throw new Error('as if the thread had ended here')
      },
    })
    const takeOver = ledger.takeOver.bind(ledger)
    ledger.takeOver = (...given) => (died ? new Promise(() => undefined) : takeOver(...given))
    await run.until(() => died || mailbox.depth() === 0)
    assert.ok(deaths.length <= 2, `${deaths.length} deaths`)
    over = mailbox.depth() === 0
    if (over) assert.ok(run.news.includes(`quarantined ${poison}`))
    else runs.length = 0
  }
  const named: Named = { partition: 0, place: { generation: 1, high: 2, low: 0, index: 618 } }
  assert.deepEqual(deaths, [named, named], 'beside all others, and alone')
  assert.deepEqual(idsIn(shard), ['before', ...ids])
})

test('a command that fails for the first time while another is suspected is tried again', async () => {
  const failures = new Map([
    ['c3', 1],
    ['c7', 2],
  ])
  const { shard, mailbox, next } = await afterDeath(Array.from({ length: 10 }, (_, i) => `c${i}`))
  const { run } = next({
    beforeDecide: ({ command }) => {
      const left = failures.get(command.id) ?? 0
      failures.set(command.id, left - 1)
      if (left > 0) throw new Error('boom')
    },
  })
  await run.until(() => mailbox.depth() === 0)
  assert.deepEqual(
    run.news.filter((news) => news.startsWith('quarantined')),
    ['quarantined c7'],
  )
  assert.equal(shard.rows.find(({ id }) => id === 'c3')?.row.code, 0)
})

// ---- stopping -------------------------------------------------------------------------------------------------------------------

test('a partition that is released is committed first, then left to others; those beside it go on', async () => {
  const shard = new SimulatedShard(2)
  const { run, ledger } = started({ shard })
  await run.until(() => run.news.includes('hosted 1'))
  const partition = run.partitionOf(points())
  const beside = ['d', 'e', 'f', 'g'].map((owner) => points({ account: `${owner}:points` }))
  const elsewhere = beside.find((command) => run.partitionOf(command) !== partition)
  assert.ok(elsewhere !== undefined)
  const gate = gated(ledger)
  const [a = 0] = run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  run.lane.release([partition])
  await run.settle()
  assert.ok(!run.news.includes(`released ${partition}`), 'released in the midst of a commit')
  gate.next()
  ledger.fate = async () => 'kept'
  await run.until(() => run.news.includes(`released ${partition}`))
  assert.equal(run.heard.get(a)?.http, 201)
  run.send(points({ id: 'late' }))
  await run.ask(elsewhere)
  assert.deepEqual(idsIn(shard).includes('late'), false)
  // It comes back: what waited is decided, and what is beside it is not taken over again.
  const { takeOvers } = ledger
  run.lane.host([partition], new Map())
  await run.until(() => idsIn(shard).includes('late'))
  assert.equal(ledger.takeOvers, takeOvers + 1)
  assert.equal(run.news.filter((news) => news === `hosted ${1 - partition}`).length, 1)
})

test('a ledger that has lost what was committed is not hosted: nothing more is decided on it', async () => {
  const shard = new SimulatedShard(2)
  const { run, ledger } = started({ shard })
  await run.ask(points({ id: 'a' }))
  const partition = run.partitionOf(points())
  const head = shard.heads.get(partition)
  const before = head === undefined ? undefined : { ...head }
  await run.ask(points({ id: 'b' }))
  // A standby that missed the last commit is promoted.
  assert.ok(before !== undefined)
  shard.heads.set(partition, before)
  ledger.fate = async () => new RetryableFault('unavailable', 'failover')
  const beside = ['d', 'e', 'f', 'g'].map((owner) => points({ account: `${owner}:points` }))
  const elsewhere = beside.find((command) => run.partitionOf(command) !== partition)
  assert.ok(elsewhere !== undefined)
  const [other = 0] = run.send(elsewhere)
  await run.until(() => run.news.includes(`history lost ${partition}: ${before?.pseq} of ${(before?.pseq ?? 0) + 1}`))
  ledger.fate = async () => 'kept'
  await run.until(() => run.heard.has(other))
  run.send(points({ id: 'late' }))
  await run.settle()
  assert.equal(idsIn(shard).includes('late'), false)
})

test('a lane at rest that is told to look again finds that its ledger has lost history', async () => {
  const shard = new SimulatedShard(1)
  const { run, ledger } = started({ shard })
  await run.ask(points({ id: 'a' }))
  const head = shard.heads.get(0)
  assert.ok(head !== undefined)
  const before = { ...head }
  await run.ask(points({ id: 'b' }))
  run.lane.lookAgain()
  await run.until(() => run.news.filter((news) => news === 'hosted 0').length === 2)
  assert.equal((await run.ask(points({ id: 'c' })))[0]?.http, 201)
  shard.heads.set(0, before)
  const { takeOvers } = ledger
  run.lane.lookAgain()
  await run.until(() => run.news.includes(`history lost 0: ${before.pseq} of ${before.pseq + 2}`))
  assert.equal(ledger.takeOvers, takeOvers + 1)
})

test('what a former thread has committed must be there when the next one hosts', async () => {
  const { run } = started({ shard: new SimulatedShard(1) })
  run.lane.host([0], new Map(), new Map([[0, 5]]))
  await run.until(() => run.news.includes('history lost 0: 0 of 5'))
  assert.equal(run.news.includes('hosted 0'), false)
})

test('stop finishes the batch in flight, answers it, takes no more and closes the ledger', async () => {
  const { run, ledger } = started()
  await run.until(() => run.news.includes('hosted 0'))
  const gate = gated(ledger)
  const [a = 0] = run.send(points({ id: 'a' }))
  await run.until(() => gate.waiting.length === 1)
  const stopped = run.stop()
  const [b = 0] = run.send(points({ id: 'b' }))
  await run.settle()
  gate.next()
  await stopped
  assert.ok(!run.mailbox.spun)
  assert.ok(run.heard.has(a))
  assert.ok(!run.heard.has(b))
  assert.ok(ledger.closed)
  runs.length = 0
})

// ---- what is remembered ---------------------------------------------------------------------------------------------------------

test('a new id costs no load once the ids of the past are known, a repeated one costs one', async () => {
  const { run, ledger } = started()
  await run.ask(points({ id: 'a' }))
  await run.settle()
  const { loads } = ledger
  await run.ask(points({ id: 'b' }))
  assert.equal(ledger.loads, loads)
  const [again] = await run.ask(points({ id: 'a' }))
  assert.equal(again?.replayed, true)
  assert.equal(ledger.loads, loads + 1)
})

test('an id is seen while its transaction is undecided, though the filter of its segment has gone from memory', async () => {
  const outside: Outgoing[] = []
  const intake = {
    answers: () => undefined,
    hosted: () => undefined,
    deliver: (packets: readonly Outgoing[]) => outside.push(...packets),
  }
  const { run, shard, across } = await neighbours({
    intake,
    limits: { ...byMessages, loopback: false, idFilterBytesMax: 0 },
  })
  // Of the same owner, and no party to it.
  const plain = (id: string): Command => debit({ id, account: 'c:more', amount: '1' })
  await run.askInTurn(points({ id: 'c', account: 'c:more' }), plain('d'))
  run.send(across)
  await run.until(() => outside.length > 0)
  run.lane.switchSegment(2)
  await run.until(() => [...shard.heads.values()].every(({ segment }) => segment === 2))
  for (const segment of shard.closeSegments()) run.lane.segmentClosed(segment)
  await run.settle()
  const rows = shard.rows.length
  const [again] = await run.ask(plain(across.id))
  assert.equal(again?.http, 409)
  assert.equal(shard.rows.length, rows)
})

test('batches stay small while the ids of the past are read: each of theirs is looked up', async () => {
  const shard = new SimulatedShard(1)
  const { run, ledger } = started({ shard, limits: { batchCommandsMax: 4096, residentsMax: 1000 } })
  let read = (): void => undefined
  const { way } = ledger
  ledger.way = (what) =>
    what === 'pastIds'
      ? new Promise((resolve) => {
          read = resolve
        })
      : way(what)
  /** In frames of a hundred. */
  const many = async (name: string): Promise<void> => {
    const sent = Array.from({ length: 15 }, (_, frame) =>
      run.send(...Array.from({ length: 100 }, (_, i) => points({ id: `${name}${frame}-${i}` }))),
    ).flat()
    await run.until(() => sent.every((ticket) => run.heard.has(ticket)))
  }
  const sizes = (): number[] => shard.commits.map(({ rows }) => rows.length)
  await many('a')
  assert.ok(Math.max(...sizes()) < 700, String(sizes()))
  read()
  await run.settle()
  const from = shard.commits.length
  await many('b')
  assert.ok(Math.max(...sizes().slice(from)) > 1000, String(sizes()))
})

test('a late hold is refused after its release, in the same batch, in a later one, and after a restart', async () => {
  const { run, shard } = started()
  await run.ask(points({ id: 'a' }))
  await run.settle()
  const late = (name: string): Command[] => [
    release({ id: `r${name}`, account: 'c:points', hold: name }),
    hold({ id: name, account: 'c:points', amount: '1' }),
  ]
  const together = await run.ask(...late('h1'))
  const later = await run.askInTurn(...late('h2'))
  for (const heard of [together, later]) {
    assert.deepEqual(
      heard.map(({ http }) => http),
      [201, 422],
    )
    assert.match(heard[1]?.body ?? '', /hold_released/)
  }
  await run.ask(late('h3')[0] as Command)
  const restarted = started({ shard, mailbox: new FakeMailbox(2) }).run
  await restarted.until(() => restarted.news.includes('hosted 0'))
  await restarted.settle()
  const [refused] = await restarted.ask(late('h3')[1] as Command)
  assert.match(refused?.body ?? '', /hold_released/)
})

test('tiny memory: accounts, holds and originals are forgotten and come back as they were', async () => {
  const { run, shard } = started({ shard: new SimulatedShard(2), limits: { batchCommandsMax: 4, residentsMax: 1 } })
  const owners = Array.from({ length: 40 }, (_, i) => `o${i}`)
  const each = (of: (owner: string) => Command) => run.askInTurn(...owners.map(of))
  const account = (owner: string): string => `${owner}:points`
  const expectAll = (heard: { http: number; body: string }[], http: number): void => {
    for (const one of heard) assert.equal(one.http, http, one.body)
  }
  expectAll(await each((owner) => points({ id: 'c', account: account(owner), amount: '100' })), 201)
  expectAll(await each((owner) => hold({ id: 'h', account: account(owner), amount: '30' })), 201)
  expectAll(await each((owner) => debit({ id: 'd', account: account(owner), amount: '50' })), 201)
  expectAll(
    await each((owner) => capture({ id: 'k', account: account(owner), hold: 'h', amount: '10', final: false })),
    201,
  )
  expectAll(await each((owner) => refund({ id: 'r1', account: account(owner), of: 'd', amount: '20' })), 201)
  expectAll(await each((owner) => refund({ id: 'r2', account: account(owner), of: 'd', amount: '31' })), 422)
  expectAll(await each((owner) => release({ id: 'l', account: account(owner), hold: 'h' })), 201)
  expectAll(await each((owner) => capture({ id: 'k2', account: account(owner), hold: 'h' })), 422)
  expectAll(await each((owner) => refund({ id: 'r3', account: account(owner), of: 'k' })), 201)
  const last = await each((owner) => debit({ id: 'e', account: account(owner), amount: '70' }))
  expectAll(last, 201)
  for (const { body } of last) assert.match(body, /"balance":"0","held":"0","seq":8/)
  assert.equal(shard.holds.size, 0)
})

test('a hold for another owner and its capture in one batch: the receiver is loaded though only the hold names him', async () => {
  const { run } = started({ shard: new SimulatedShard(1), limits: { batchCommandsMax: 4, residentsMax: 1 } })
  const [a, b] = ['a:points', 'b:points']
  await run.ask(points({ id: 'b1', account: b, amount: '1' }))
  await run.ask(points({ id: 'a1', account: a, amount: '50' }))
  // Others take the only place in memory.
  for (const other of ['x', 'y', 'z']) await run.ask(points({ id: 'o', account: `${other}:points` }))
  const heard = await run.ask(
    hold({ id: 'h', account: a, amount: '30', to: b }),
    capture({ id: 'k', account: a, hold: 'h' }),
  )
  assert.deepEqual(
    heard.map(({ http }) => http),
    [201, 201],
    heard[1]?.body,
  )
  assert.match((await run.ask(debit({ id: 'd', account: b, amount: '31' })))[0]?.body ?? '', /"balance":"0"/)
})

test('the segment is switched by an empty commit before the next batch', async () => {
  const { run, shard, ledger } = started({ shard: new SimulatedShard(2) })
  await run.ask(points({ id: 'a' }))
  const segments: number[][] = []
  ledger.fate = async (commit) => {
    segments.push([commit.segment, commit.rows.length > 0 ? 1 : 0])
    return 'kept'
  }
  run.lane.switchSegment(2)
  await run.until(() => segments.length === 1)
  await run.ask(points({ id: 'b' }))
  assert.deepEqual(segments, [
    [2, 0],
    [2, 1],
  ])
  assert.deepEqual(
    [...shard.heads.values()].map(({ segment }) => segment),
    [2, 2],
  )
})
