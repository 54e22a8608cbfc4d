// Brings into memory what a batch needs.
import type { IdKey } from '../core/identity.ts'
import type { Hosted } from './hosted.ts'
import type { Ledger, Needs } from './ports.ts'
import { Absent, collectTaken, install, NeedsOf, needElsewhere } from './residency.ts'
import type { Taken } from './taken.ts'

const roundsMax = 4

export interface Activated {
  /** Transactions that came in, by partition. */
  readonly came: readonly (readonly [Hosted, readonly IdKey[]])[]
  /** What was looked for and does not exist, by partition. */
  readonly absent: ReadonlyMap<number, Absent>
}

/**
 * Loads what the commands need and is not in memory: one round trip, a second where a found row names another account. Also what they need of the
 * `neighbours`, partitions that may decide with them.
 */
export async function activate(
  ledger: Pick<Ledger, 'load'>,
  parts: readonly Hosted[],
  batch: number,
  commandsOf: (hosted: Hosted) => Taken,
  neighbour: (partition: number) => Hosted | undefined = () => undefined,
): Promise<Activated> {
  const came: (readonly [Hosted, readonly IdKey[]])[] = []
  const absent = new Map<number, Absent>()
  const absentOf = (hosted: Hosted): Absent => {
    let here = absent.get(hosted.partition)
    if (here === undefined) {
      here = new Absent()
      absent.set(hosted.partition, here)
    }
    return here
  }
  for (let round = 0; round < roundsMax; round++) {
    const wanted = new Map<Hosted, NeedsOf>()
    const wantedOf = (hosted: Hosted): NeedsOf => {
      let needs = wanted.get(hosted)
      if (needs === undefined) {
        needs = new NeedsOf()
        wanted.set(hosted, needs)
        needs.neighbour = neighbour
        needs.elsewhere = (partition, id) => {
          const there = neighbour(partition)
          return there !== undefined && needElsewhere(there, id, batch, absentOf(there), wantedOf(there))
        }
      }
      return needs
    }
    for (const hosted of parts) collectTaken(hosted, commandsOf(hosted), batch, absentOf(hosted), wantedOf(hosted))
    const needs = new Map<number, Needs>()
    for (const [{ partition }, one] of wanted) if (!one.empty) needs.set(partition, one.list())
    if (needs.size === 0) return { came, absent }
    const found = await ledger.load(needs)
    for (const hosted of wanted.keys()) {
      const asked = needs.get(hosted.partition)
      if (asked === undefined) continue
      came.push([hosted, install(hosted, asked, found.get(hosted.partition), batch, absentOf(hosted))])
    }
  }
  throw new Error(`what a batch needs was not found in ${roundsMax} rounds`)
}
