// How long nobody is answered after a crash: kill -9 of the server under load, a new process over the same ledger or a standby that waits beside it, the first
// answer for accounts that are cold then; and that nothing acknowledged was lost.
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../../adapters/free-port.ts'
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { checkLedger } from '../correctness.ts'
import { fillLedger } from '../fill.ts'
import { type BenchServer, startServer } from '../http-run.ts'
import { Connection, getBytes } from '../load/connection.ts'
import { closedLoop } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { figure } from '../measurement.ts'
import { uniform } from '../zipf.ts'

export const recovery: Scenario = async (bench) => {
  const accounts = bench.accounts ?? bench.sized({ tiny: 500, small: 100_000, full: 1_000_000 })
  const rows = bench.rows ?? bench.sized({ tiny: 1000, small: 500_000, full: 10_000_000 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  const database = await bench.database()
  const url = await database.fresh('recovery')
  await fillLedger(url, { accounts, rows, segmentRowsMax: 8_000_000, say: bench.say })
  const pick = uniform(accounts, 9)
  const firstAnswers: number[] = []
  const full: number[] = []
  const takeovers: number[] = []
  let acknowledged = 0
  let server = await start(url)
  try {
    for (let i = 0; i < rounds; i++) {
      bench.say(`recovery: round ${i + 1} of ${rounds}`)
      acknowledged += await loadUntilKilled(bench, server, `k${i}`, pick)
      const killedAt = performance.now()
      server = await start(url)
      acknowledged += await firstAnswer(server, `f${i}`, pick)
      firstAnswers.push(performance.now() - killedAt)
      const burst = await closedLoop({
        url: server.url,
        connections: 64,
        seconds: 0.2,
        next: singleDebits(`b${i}`, pick),
      })
      acknowledged += burst.statuses.get(201) ?? 0
      full.push(performance.now() - killedAt)

      const standby = await startStandby(url)
      acknowledged += await loadUntilKilled(bench, server, `s${i}`, pick)
      const deadAt = performance.now()
      server = await standby.serves
      acknowledged += await firstAnswer(server, `t${i}`, pick)
      takeovers.push(performance.now() - deadAt)
    }
  } finally {
    await server.stop()
  }
  const verified = await checkAtLeast(url, rows + acknowledged)
  return resultOf({
    verified: [verified],
    cases: [
      {
        name: 'kill -9 under load',
        setup: { accounts, rows, connections: 64 },
        figures: { 'first answer ms': figure('ms', firstAnswers), 'after a burst of 0.2 s ms': figure('ms', full) },
      },
      {
        name: 'kill -9 under load, a standby waits',
        setup: { accounts, rows, connections: 64 },
        figures: { 'first answer ms': figure('ms', takeovers) },
      },
    ],
    notes: [
      'From the death of the process to the first durable answer of the next; where none waits, the start of Node is part of it. The accounts are cold.',
    ],
  })
}

const start = (url: string): Promise<BenchServer> =>
  startServer('../api/cli/main.js', ['serve'], { DATABASE_URL: url, WORKERS: '1' })

/** Resolves when it stands by; `serves` when it has taken over. */
async function startStandby(url: string): Promise<{ readonly serves: Promise<BenchServer> }> {
  const port = await freePort()
  const env = { DATABASE_URL: url, WORKERS: '1', PORT: String(port) }
  const serves = startServer('../api/cli/main.js', ['serve', '--standby'], env)
  serves.catch(() => undefined)
  const stands = async (): Promise<boolean> =>
    await fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
  for (let looks = 0; !(await stands()); looks++) {
    if (looks > 600) throw new Error('the standby does not start')
    await pause(50)
  }
  return { serves }
}

/** Returns how many were answered before it died; what was under way may have been committed too. */
async function loadUntilKilled(bench: Bench, server: BenchServer, name: string, pick: () => number): Promise<number> {
  const next = singleDebits(name, pick)
  const connections = await Promise.all(Array.from({ length: 64 }, () => Connection.open(server.url)))
  let answered = 0
  const target = bench.sized({ tiny: 100, small: 3000, full: 10_000 })
  const over = connections.map(
    (connection) =>
      new Promise<void>((resolve) => {
        const again = (): void => {
          connection.send(
            next(),
            ({ status }) => {
              if (status === 201) answered++
              if (answered === target) void server.kill9()
              again()
            },
            () => resolve(),
          )
        }
        again()
      }),
  )
  await Promise.all(over)
  await server.kill9()
  return answered
}

async function firstAnswer(server: BenchServer, name: string, pick: () => number): Promise<number> {
  const connection = await Connection.open(server.url)
  const { status } = await connection.request(singleDebits(name, pick)())
  connection.close()
  if (status !== 201) throw new Error(`the first debit after the crash was answered ${status}`)
  return 1
}

/** What was under way at the kill may stand without having been acknowledged: never less than what was, and no more than that many beside. */
async function checkAtLeast(url: string, acknowledged: number): Promise<string> {
  const server = await start(url)
  let stands: number
  try {
    const connection = await Connection.open(server.url, true)
    const { body } = await connection.request(getBytes('/v1/accounts/house:settlement:default'))
    connection.close()
    const { balance } = JSON.parse(body?.toString() ?? '{}') as { balance?: string }
    stands = Math.round(Number(balance) * 100)
  } finally {
    await server.stop()
  }
  if (!(stands >= acknowledged)) throw new Error(`${acknowledged} debits were acknowledged, ${stands} stand`)
  return `${await checkLedger([url], { debitedMinor: stands })}; ${acknowledged} were acknowledged`
}
