// Threads that die, commands that kill, a Postgres that dies and connections that are cut: nothing is lost, nothing is posted twice, every
// command is answered, and the service goes on by itself.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isAlive, waitUntil } from '../adapters/embedded/processes.ts'
import { type TestPostgres, testPostgres } from '../adapters/embedded/testing/test-postgres.ts'
import type { TransactionCommand } from '../core/command.ts'
import type { Answer } from '../schemas/answer.ts'
import { bank, credit, debit, hold, mixed, opening } from './testing/commands.ts'
import { type Cut, cuttingProxy } from './testing/cutting-proxy.ts'
import { Model } from './testing/model.ts'
import { closeEngines, eventually, type Run, rowsOf, runEngine, statementOf, verifyClean } from './testing/run.ts'

const sabotage = new URL('./testing/sabotage.mjs', import.meta.url).href
const accounts = Array.from({ length: 30 }, (_, i) => `c${i}:cash`)
const timeout = 30_000

let postgres: TestPostgres
let marks = ''

before(async () => {
  postgres = await testPostgres()
  marks = await mkdtemp(join(tmpdir(), 'sabotage-'))
  process.env.SABOTAGE_DIR = marks
})
after(async () => {
  await closeEngines()
  await postgres.stop()
  await rm(marks, { recursive: true, force: true })
})

async function opened(url: string, options: Parameters<typeof runEngine>[1] = {}): Promise<{ run: Run; model: Model }> {
  const run = await runEngine([url], options)
  const model = new Model()
  await model.postAll(
    run.engine,
    accounts.map((account) => opening(account)),
  )
  return { run, model }
}

/** Each id stands in the journal exactly once, and nothing else does. */
async function checkOnce(url: string, commands: readonly { id: string }[]): Promise<void> {
  const rows = await rowsOf<{ id: string }>(
    url,
    `SELECT id FROM suanpan.journal WHERE leg = 0 AND id NOT LIKE '!%' ORDER BY id COLLATE "C"`,
  )
  assert.deepEqual(
    rows.map(({ id }) => id),
    commands.map(({ id }) => id).sort(),
  )
}

for (const how of ['throw', 'stray', 'exit', 'loop'] as const) {
  test(`a command that makes its thread fail once (${how}) is posted like all others`, { timeout }, async () => {
    const url = await postgres.newDatabase()
    const { run, model } = await opened(url, { sabotage, watchdogMs: 1500 })
    const { engine } = run
    const commands: TransactionCommand[] = mixed('m', accounts, 300, 7)
    commands.splice(150, 0, credit(`fault.${how}.once.1`, 'c3:cash', '1'))
    await model.postAll(engine, commands)
    await model.postAll(engine, mixed('after', accounts, 50, 8))
    await eventually('every partition is hosted again', () => engine.health().down.length === 0)
    if (how === 'throw') assert.equal(run.threadsEnded(), 0)
    else assert.ok(run.threadsEnded() >= 1, 'no thread ended')
    assert.equal(run.quarantined(), 0)
    await model.checkAccounts(engine)
    await engine.close()
    await checkOnce(url, [...commands, ...mixed('after', accounts, 50, 8)])
    await verifyClean([url])
  })
}

for (const how of ['throw', 'exit', 'loop'] as const) {
  test(`a command that always fails (${how}) is answered 500 for ever, and those beside it are posted`, {
    timeout,
  }, async () => {
    const url = await postgres.newDatabase()
    const { run, model } = await opened(url, { sabotage, watchdogMs: how === 'loop' ? 600 : 10_000 })
    const { engine } = run
    const poison = credit(`fault.${how}.always.1`, 'c3:cash', '5')
    const first = mixed('m', accounts, 40, 3)
    const last = mixed('n', accounts, 40, 4)
    const near = [
      credit('before', 'c3:cash', '7'),
      poison,
      debit('behind', 'c3:cash', '3'),
      credit('far', 'c3:cash', '2'),
    ]
    const commands = [...first, ...near, ...last]
    const answers = await engine.postAll(commands)
    // A busy machine may end a thread that is merely slow, where the watchdog is quick.
    if (how === 'loop') assert.ok(run.threadsEnded() >= 2)
    else assert.equal(run.threadsEnded(), how === 'exit' ? 2 : 0, 'beside all others, and alone')
    const answer = answers[commands.indexOf(poison)]
    assert.equal(answer?.http, 500)
    assert.equal(JSON.parse(answer.body).code, 'internal_error')
    for (const [i, command] of commands.entries()) if (command !== poison) model.check(command, answers[i])
    const [again] = await engine.postAll([poison])
    assert.deepEqual(again, { http: 500, replayed: true, body: answer.body })
    assert.equal(run.quarantined(), 1)
    assert.equal(run.log.filter((line) => line.includes('quarantine')).length, 1)
    const ours = commands.filter(
      (command) => 'account' in command && command.account === 'c3:cash' && command !== poison,
    )
    const posted = ours.filter((command) => (answers[commands.indexOf(command)]?.http ?? 500) < 300)
    assert.deepEqual(
      await statementOf(url, 'c3:cash'),
      posted.map(({ id }) => id),
    )
    await model.checkAccounts(engine)
    await engine.close()

    const restarted = await runEngine([url])
    const [afterRestart] = await restarted.engine.postAll([poison])
    assert.deepEqual(afterRestart, { http: 500, replayed: true, body: answer.body })
    await restarted.engine.close()
    await checkOnce(url, commands)
    await verifyClean([url])
  })
}

test('a command that always ends its thread does not take one of another shard with it', { timeout }, async () => {
  const urls = [await postgres.newDatabase(), await postgres.newDatabase()]
  const run = await runEngine(urls, { sabotage, partitions: 2, workers: 1 })
  const model = new Model()
  await model.postAll(
    run.engine,
    accounts.map((account) => opening(account)),
  )
  const commands: TransactionCommand[] = mixed('m', accounts, 200, 9)
  // On both shards, so that either lane of the thread is trying its commands one by one when the other ends it.
  const poison = accounts.slice(0, 4).map((account) => credit(`fault.exit.always.${account.slice(0, 2)}`, account, '5'))
  for (const [i, command] of poison.entries()) commands.splice(20 + 30 * i, 0, command)
  const answers = await run.engine.postAll(commands)
  for (const [i, command] of commands.entries()) {
    if (poison.some(({ id }) => id === command.id)) assert.equal(answers[i]?.http, 500)
    else model.check(command, answers[i])
  }
  assert.equal(run.quarantined(), poison.length)
  assert.ok(run.threadsEnded() < 3 * poison.length, `${run.threadsEnded()} threads ended`)
  await model.checkAccounts(run.engine)
  await run.engine.close()
  await verifyClean(urls)
})

for (const how of ['kill -9', 'stop'] as const) {
  test(`Postgres ends by ${how} under load and comes back: only 503 and 429 meanwhile`, { timeout }, async () => {
    const own = await testPostgres()
    const url = await own.newDatabase()
    const run = await runEngine([url])
    const { engine } = run
    await engine.postAll(accounts.map((account) => opening(account)))
    const posted = new Set<string>()
    const codes = new Map<number, number>()
    const waiting = new Set<Promise<void>>()
    let refused = 0
    let number = 0
    // Nothing was accepted of what is refused: one half is sent again until it is posted, of the other half nothing may ever be found.
    const send = async (commands: readonly TransactionCommand[]): Promise<void> => {
      const answers = await engine.postAll(commands)
      const again: TransactionCommand[] = []
      for (const [i, command] of commands.entries()) {
        const http = answers[i]?.http ?? 0
        codes.set(http, (codes.get(http) ?? 0) + 1)
        if (http === 201 || http === 200) posted.add(command.id)
        else if (command.id.endsWith('!')) refused++
        else again.push(command)
      }
      if (again.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 50))
      await send(again)
    }
    const load = setInterval(() => {
      const commands = Array.from({ length: 20 }, () => {
        number++
        return credit(`t${number}${number % 2 === 0 ? '' : '!'}`, accounts[number % accounts.length] ?? '', '1')
      })
      const sent: Promise<void> = send(commands).finally(() => waiting.delete(sent))
      waiting.add(sent)
    }, 10)
    try {
      await eventually('load', () => posted.size > 500)
      if (how === 'kill -9') await own.kill9()
      else {
        const { pid } = own
        process.kill(pid, 'SIGINT')
        await waitUntil(() => !isAlive(pid), 10_000)
      }
      await eventually('a refusal', () => codes.has(503))
      await own.start()
      const before = posted.size
      await eventually('the service goes on', () => posted.size > before + 1000)
      await eventually('every partition is hosted again', () => engine.health().down.length === 0)
    } finally {
      clearInterval(load)
    }
    await Promise.all(waiting)
    assert.deepEqual(
      [...codes.keys()].filter((http) => ![200, 201, 429, 503].includes(http)),
      [],
    )
    assert.ok(refused > 0, 'nothing was refused for good')
    assert.equal(posted.size + refused, number)
    assert.equal(run.quarantined(), 0)
    assert.equal((await engine.reads.account(bank, 'CNY'))?.balance, `-${posted.size}.00`)
    await engine.close()
    await checkOnce(
      url,
      [...posted].map((id) => ({ id })),
    )
    await verifyClean([url])
    await own.stop()
  })
}

const cuts: readonly { how: Cut; name: string }[] = [
  { how: 'answer', name: 'the answer to COMMIT is lost: the position tells that it stands' },
  { how: 'copy', name: 'the connection ends in mid COPY: decided again' },
  { how: 'late', name: 'the end of a commit arrives when the partition is hosted anew: it does nothing' },
]
for (const { how, name } of cuts) {
  test(name, { timeout }, async () => {
    const direct = await postgres.newDatabase()
    const proxy = await cuttingProxy(direct)
    const { run, model } = await opened(proxy.url)
    const { engine } = run
    await model.postAll(engine, mixed('m', accounts, 300, 5))
    for (const round of [1, 2, 3]) {
      // With an opening and a hold, so that the commit has more than one COPY.
      const commands = [
        credit(`cut-${round}`, 'c3:cash', '100', { reference: 'the one' }),
        hold(`held-${round}`, 'c3:cash', '4'),
      ]
      const count = async (): Promise<number> =>
        (await rowsOf(direct, 'SELECT FROM suanpan.journal WHERE id = $1', [`cut-${round}`])).length
      const epochs = async (): Promise<string> =>
        JSON.stringify(await rowsOf(direct, 'SELECT epoch FROM suanpan.partition ORDER BY partition'))
      const epochsBefore = await epochs()
      const done = proxy.cut(how, async () => {
        if (how === 'answer') await eventually('the commit stands', async () => (await count()) > 0)
        else await eventually('hosted anew', async () => (await epochs()) !== epochsBefore)
      })
      const sent: Promise<Answer[]> = model.postAll(engine, commands)
      await done
      const answers = await sent
      // Settled by the position: what stands is answered from the journal, what does not is decided again.
      assert.deepEqual(
        answers.map(({ http, replayed }) => ({ http, replayed })),
        commands.map(() => (how === 'answer' ? { http: 200, replayed: true } : { http: 201, replayed: false })),
      )
      assert.equal(await count(), 1)
      assert.notEqual(await epochs(), epochsBefore)
    }
    await model.postAll(engine, mixed('n', accounts, 100, 6))
    await model.checkAccounts(engine)
    assert.equal(run.threadsEnded(), 0)
    await engine.close()
    await proxy.stop()
    await verifyClean([direct])
  })
}
