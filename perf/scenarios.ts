// The scenarios by name, in the order in which a report runs them.
import type { Scenario } from './bench.ts'
import { engine } from './scenarios/engine.ts'
import { http } from './scenarios/http.ts'
import { latency } from './scenarios/latency.ts'
import { limits } from './scenarios/limits.ts'
import { memory } from './scenarios/memory.ts'
import { peersScenario } from './scenarios/peers.ts'
import { pools } from './scenarios/pools.ts'
import { profile } from './scenarios/profile.ts'
import { reads } from './scenarios/reads.ts'
import { recovery } from './scenarios/recovery.ts'
import { redis } from './scenarios/redis.ts'
import { scale } from './scenarios/scale.ts'
import { settings } from './scenarios/settings.ts'
import { shards } from './scenarios/shards.ts'
import { soak } from './scenarios/soak.ts'

export const scenarios = {
  limits,
  engine,
  peers: peersScenario,
  http,
  latency,
  redis,
  shards,
  scale,
  recovery,
  reads,
  memory,
  soak,
  profile,
  settings,
  pools,
} as const satisfies Readonly<Record<string, Scenario>>

/** Asked for by name only: what they show does not belong into every report. */
export const byNameOnly: ReadonlySet<string> = new Set(['profile', 'settings', 'pools'])

export const scenarioNamed = (name: string): Scenario | undefined =>
  Object.hasOwn(scenarios, name) ? scenarios[name as keyof typeof scenarios] : undefined
