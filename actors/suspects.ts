// Which commands to try next after a failure that one of them may have caused. Before each try the ledger notes it, so that whoever hosts
// after a second failure knows what was in hand then. A failed try is cut into parts, and those are tried in their order, until the
// part that fails is one command: that one is given up. One death that no command caused costs one note and one replay.
//
//   all suspects -> (failed) a 64th of them after the other -> (failed) .. -> one alone, for the second time -> given up
import { comparePositions, type Position, positionFrom, positionText } from './position.ts'

/** What the ledger notes before suspects are tried. */
export interface Attempt {
  readonly until: Position
  readonly commands: number
  /** They were part of an attempt that failed before, or one of them is known to have failed. */
  readonly again: boolean
}

/** What may be at fault in a partition. */
export interface Suspicion {
  /** Commands up to here may have ended the former host. */
  readonly until: Position | undefined
  /** Here a command is known to have failed. */
  readonly known: Position | undefined
}

/** By partition. */
export type Suspects = ReadonlyMap<number, Suspicion>

export interface Caution extends Suspicion {
  /** Noted, and it failed. */
  readonly failed: Attempt | undefined
}

export interface NextTry {
  /** So many of the commands asked about, from the first on; at least one. */
  readonly count: number
  /** Undefined: none of them is a suspect. */
  readonly note: Attempt | undefined
  /** The one command has failed twice: it is not tried again. */
  readonly giveUp: boolean
}

/**
 * Parts of a failed attempt. Trying 64 parts takes 128 small commits, about as long as starting a thread; with two parts, one bad command among
 * 4,096 would end its thread thirteen times, with 64 it does so four times.
 */
const partsOfFailed = 64

/** `places`: where the waiting commands of the partition stand, in order; at least one. */
export function nextTry(caution: Caution | undefined, places: readonly [Position, ...Position[]]): NextTry {
  const count = (last: Position | undefined): number =>
    last === undefined ? 0 : places.filter((place) => comparePositions(place, last) <= 0).length
  const [first] = places
  const innocent = (upTo: number): NextTry => ({ count: upTo, note: undefined, giveUp: false })
  if (caution === undefined) return innocent(places.length)
  const attempt = (upTo: number, again: boolean): NextTry => ({
    count: upTo,
    note: { until: places[upTo - 1] ?? first, commands: upTo, again },
    giveUp: false,
  })
  const { until, known, failed } = caution
  const inFailed = count(failed?.until)
  if (failed !== undefined && inFailed > 0) {
    if (failed.commands === 1 && failed.again) return { count: 1, note: undefined, giveUp: true }
    return attempt(Math.min(inFailed, Math.ceil(failed.commands / partsOfFailed)), true)
  }
  const upToKnown = count(known)
  if (known !== undefined && upToKnown === 1 && comparePositions(first, known) === 0) return attempt(1, true)
  const suspects = count(until)
  // What is known to fail is tried alone: those before it go first.
  const clear = upToKnown > 0 ? upToKnown - (isAmong(known, places) ? 1 : 0) : places.length
  if (suspects > 0) return attempt(Math.min(suspects, clear), false)
  return innocent(clear)
}

const isAmong = (known: Position | undefined, places: readonly Position[]): boolean =>
  known !== undefined && places.some((place) => comparePositions(place, known) === 0)

/** Nothing at or after `place` is to be tried with care. */
export const isOver = ({ until, known, failed }: Caution, place: Position): boolean =>
  [until, known, failed?.until].every((end) => end === undefined || comparePositions(end, place) <= 0)

/** The later of both ends; what failed before is still known. */
function widen(caution: Caution | undefined, { until, known }: Suspicion): Caution {
  const before = caution?.until
  const later = before === undefined || (until !== undefined && comparePositions(before, until) < 0) ? until : before
  return { until: later, known: known ?? caution?.known, failed: caution?.failed }
}

/** What a lane is careful with, by partition. */
export class Cautions {
  private readonly cautious = new Map<number, Caution>()
  /** Partitions whose command, not the world outside, made the last host fail: only their attempts count as a second failure. */
  private readonly blamed = new Set<number>()

  /** A command may fail again, or is known to have failed. */
  suspect(partition: number, suspicion: Suspicion): void {
    this.cautious.set(partition, widen(this.cautious.get(partition), suspicion))
    this.blamed.add(partition)
  }

  /**
   * What to be careful with when a partition is hosted from `position` on. The attempt that the ledger noted counts as failed if a command, not
   * the world outside, ended it; `isFirst`: this lane did not host it before, so whoever did has died.
   */
  whenHosted(
    partition: number,
    position: Position,
    attempt: string | undefined,
    isFirst: boolean,
  ): Caution | undefined {
    const blamed = this.blamed.delete(partition)
    const failed = attempt === undefined || !(blamed || isFirst) ? undefined : attemptFrom(attempt)
    const before = this.cautious.get(partition)
    const caution = failed === undefined ? before : { until: before?.until, known: before?.known, failed }
    if (caution === undefined) return undefined
    this.cautious.set(partition, caution)
    return this.whenPassed(partition, position)
  }

  /** What is left of it when all up to `position` is committed: behind the last suspect all commands go together again. */
  whenPassed(partition: number, position: Position): Caution | undefined {
    const caution = this.cautious.get(partition)
    if (caution === undefined || !isOver(caution, position)) return caution
    this.forget(partition)
    return undefined
  }

  forget(partition: number): void {
    this.cautious.delete(partition)
    this.blamed.delete(partition)
  }
}

/** As the ledger stores it: `1:17-0+3 12`, `1:17-0+1 1 again`. */
export const attemptText = ({ until, commands, again }: Attempt): string =>
  `${positionText(until)} ${commands}${again ? ' again' : ''}`

/** Undefined for a text of another version: the attempt then counts as none. */
export function attemptFrom(text: string): Attempt | undefined {
  const match = /^(\S+) (\d+)( again)?$/.exec(text)
  const until = positionFrom(match?.[1] ?? '')
  return until === undefined ? undefined : { until, commands: Number(match?.[2]), again: match?.[3] !== undefined }
}
