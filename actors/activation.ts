// Brings into memory what a batch needs.
import type { IdKey } from '../core/identity.ts'
import type { Hosted } from './hosted.ts'
import type { Ledger, Needs } from './ports.ts'
import { Absent, collectTaken, install, NeedsOf } from './residency.ts'
import type { Taken } from './taken.ts'

const roundsMax = 4

/** Loads what the commands need and is not in memory: one round trip, a second where a found row names another account. */
export async function activate(
  ledger: Pick<Ledger, 'load'>,
  parts: readonly Hosted[],
  batch: number,
  commandsOf: (hosted: Hosted) => Taken,
): Promise<(readonly [Hosted, readonly IdKey[]])[]> {
  const came: (readonly [Hosted, readonly IdKey[]])[] = []
  const absents = new Map<number, Absent>()
  for (let round = 0; round < roundsMax; round++) {
    const needs = new Map<number, Needs>()
    for (const hosted of parts) {
      let absent = absents.get(hosted.partition)
      if (absent === undefined) {
        absent = new Absent()
        absents.set(hosted.partition, absent)
      }
      const wanted = new NeedsOf()
      collectTaken(hosted, commandsOf(hosted), batch, absent, wanted)
      if (!wanted.empty) needs.set(hosted.partition, wanted.list())
    }
    if (needs.size === 0) return came
    const found = await ledger.load(needs)
    for (const hosted of parts) {
      const asked = needs.get(hosted.partition)
      const absent = absents.get(hosted.partition)
      if (asked === undefined || absent === undefined) continue
      came.push([hosted, install(hosted, asked, found.get(hosted.partition), batch, absent)])
    }
  }
  throw new Error(`what a batch needs was not found in ${roundsMax} rounds`)
}
