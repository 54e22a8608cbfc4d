// How many connections suit each rival: what its default was chosen by. Uniform and hot, one round after the other.
import { type Bench, resultOf, type Scenario } from '../bench.ts'
import { startServer } from '../http-run.ts'
import { answersOf, closedLoop } from '../load/loops.ts'
import { singleDebits } from '../load/requests.ts'
import { type Case, figure } from '../measurement.ts'
import { peerNames } from '../peers/peers.ts'
import { checkPeerTables, createPeerTables } from '../peers/schema.ts'
import { uniform } from '../zipf.ts'

export const pools: Scenario = async (bench) => {
  const cases: Case[] = []
  const verified: string[] = []
  for (const name of peerNames.filter((one) => bench.wanted(one))) {
    const sizes =
      name === 'micro-batch'
        ? [1, 2, 4]
        : bench.sized({ tiny: [4], small: [4, 8, 16, 32, 64], full: [4, 8, 16, 32, 64] })
    for (const size of bench.size === 'tiny' ? sizes.slice(0, 1) : sizes) {
      const { figures, check } = await measure(bench, name, size)
      cases.push({ name: `${name}, pool ${size}`, setup: { connections: 64, pool: size }, figures })
      verified.push(`${name}, pool ${size}: ${check}`)
    }
  }
  return resultOf({ verified, cases })
}

async function measure(bench: Bench, name: string, pool: number): Promise<{ figures: Case['figures']; check: string }> {
  const accounts = bench.accounts ?? bench.sized({ tiny: 100, small: 10_000, full: 100_000 })
  const seconds = bench.seconds ?? bench.sized({ tiny: 0.2, small: 1, full: 3 })
  const rounds = bench.sized({ tiny: 1, small: 3, full: 5 })
  bench.say(`pools: ${name}, ${pool}`)
  const database = await bench.database()
  const url = await database.fresh('pools')
  await createPeerTables(url, accounts)
  const redisUrl = name === 'Redis lock' ? { REDIS_URL: (await bench.redis()).url } : {}
  const server = await startServer('./peers/server.js', [name], { DATABASE_URL: url, POOL: String(pool), ...redisUrl })
  const rates: Record<'uniform' | 'hot', number[]> = { uniform: [], hot: [] }
  const picks = { uniform: uniform(accounts, 15), hot: () => 0 }
  let posted = 0
  try {
    for (let i = -1; i < rounds; i++) {
      for (const load of ['uniform', 'hot'] as const) {
        const next = singleDebits(`${load}-${i + 1}`, picks[load])
        const loaded = await closedLoop({ url: server.url, connections: 64, seconds, next })
        posted += answersOf(loaded)
        // The first round warms up.
        if (i >= 0) rates[load].push(answersOf(loaded) / loaded.seconds)
      }
    }
  } finally {
    await server.stop()
  }
  return {
    figures: { 'uniform tx/s': figure('tx/s', rates.uniform), 'hot tx/s': figure('tx/s', rates.hot) },
    check: await checkPeerTables(url, posted),
  }
}
